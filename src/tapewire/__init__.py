"""tapewire keeps crypto-exchange WebSocket feeds true. Public names are loaded when first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tapewire.apps.environment import environment_credentials as environment_credentials
    from tapewire.apps.gateway.gateway import Gateway as Gateway
    from tapewire.apps.gateway.settings import GatewayOptions as GatewayOptions
    from tapewire.client import AuthenticationError as AuthenticationError
    from tapewire.client import BackpressureError as BackpressureError
    from tapewire.client import DataProcessor as DataProcessor
    from tapewire.client import JsonFormatter as JsonFormatter
    from tapewire.client import RecoveryError as RecoveryError
    from tapewire.client import SubscriptionManager as SubscriptionManager
    from tapewire.client import WebSocketClient as WebSocketClient
    from tapewire.client import WebSocketConnectionError as WebSocketConnectionError
    from tapewire.client import WebSocketException as WebSocketException
    from tapewire.client import alerts as alerts
    from tapewire.client import create_websocket_client as create_websocket_client
    from tapewire.client import decode as decode
    from tapewire.client import format_statistics as format_statistics
    from tapewire.client import get_global_websocket_manager as get_global_websocket_manager
    from tapewire.client import get_websocket_manager as get_websocket_manager
    from tapewire.client import markets as markets
    from tapewire.client import metrics as metrics
    from tapewire.client import quick_ticker_subscription as quick_ticker_subscription
    from tapewire.client.replaying import Replay as Replay
    from tapewire.client.replaying import Replayed as Replayed
    from tapewire.client.replaying import replay as replay
    from tapewire.client.resampling import candles_of as candles_of
    from tapewire.client.tables import read_parquet as read_parquet
    from tapewire.config import Credentials as Credentials
    from tapewire.config import FeedOptions as FeedOptions
    from tapewire.config import LineOptions as LineOptions
    from tapewire.config import MailboxOptions as MailboxOptions
    from tapewire.config import Secret as Secret
    from tapewire.config import SessionOptions as SessionOptions
    from tapewire.config import TapeOptions as TapeOptions
    from tapewire.errors import AuthenticationFailed as AuthenticationFailed
    from tapewire.errors import ConfigError as ConfigError
    from tapewire.errors import CredentialsError as CredentialsError
    from tapewire.errors import DecodeError as DecodeError
    from tapewire.errors import FeedError as FeedError
    from tapewire.errors import SubscriptionError as SubscriptionError
    from tapewire.errors import UnknownSymbol as UnknownSymbol
    from tapewire.model.book import BookChange as BookChange
    from tapewire.model.book import BookLevel as BookLevel
    from tapewire.model.book import DepthOrderbookEvent as DepthOrderbookEvent
    from tapewire.model.book import RpiBookLevel as RpiBookLevel
    from tapewire.model.events import AnnouncementEvent as AnnouncementEvent
    from tapewire.model.events import Asset as Asset
    from tapewire.model.events import BalanceAndPositionEvent as BalanceAndPositionEvent
    from tapewire.model.events import CandleEvent as CandleEvent
    from tapewire.model.events import Event as Event
    from tapewire.model.events import FillEvent as FillEvent
    from tapewire.model.events import FundingRateEvent as FundingRateEvent
    from tapewire.model.events import IndexTickerEvent as IndexTickerEvent
    from tapewire.model.events import IndicatorEvent as IndicatorEvent
    from tapewire.model.events import IndicatorSignalEvent as IndicatorSignalEvent
    from tapewire.model.events import InstrumentEvent as InstrumentEvent
    from tapewire.model.events import LiquidationEvent as LiquidationEvent
    from tapewire.model.events import MarkPriceEvent as MarkPriceEvent
    from tapewire.model.events import MyAssetEvent as MyAssetEvent
    from tapewire.model.events import MyOrderEvent as MyOrderEvent
    from tapewire.model.events import OpenInterestEvent as OpenInterestEvent
    from tapewire.model.events import OrderbookEvent as OrderbookEvent
    from tapewire.model.events import OrderbookUnit as OrderbookUnit
    from tapewire.model.events import PositionEvent as PositionEvent
    from tapewire.model.events import PriceLimitEvent as PriceLimitEvent
    from tapewire.model.events import StatusEvent as StatusEvent
    from tapewire.model.events import TickerEvent as TickerEvent
    from tapewire.model.events import TradeEvent as TradeEvent
    from tapewire.model.health import ConnectionState as ConnectionState
    from tapewire.model.health import HealthState as HealthState
    from tapewire.model.health import HealthStatus as HealthStatus
    from tapewire.model.health import ManagerState as ManagerState
    from tapewire.model.health import SubscriptionState as SubscriptionState
    from tapewire.model.metrics import ConnectionMetrics as ConnectionMetrics
    from tapewire.model.metrics import PerformanceMetrics as PerformanceMetrics
    from tapewire.model.status import CallbackFailed as CallbackFailed
    from tapewire.model.status import Conflict as Conflict
    from tapewire.model.status import Connected as Connected
    from tapewire.model.status import Connecting as Connecting
    from tapewire.model.status import Disconnected as Disconnected
    from tapewire.model.status import FeedEvent as FeedEvent
    from tapewire.model.status import Gap as Gap
    from tapewire.model.status import Lagged as Lagged
    from tapewire.model.status import Limited as Limited
    from tapewire.model.status import Listed as Listed
    from tapewire.model.status import Notice as Notice
    from tapewire.model.status import Polling as Polling
    from tapewire.model.status import Quarantined as Quarantined
    from tapewire.model.status import Recovered as Recovered
    from tapewire.model.status import Rejected as Rejected
    from tapewire.model.status import Stale as Stale
    from tapewire.model.status import Stopped as Stopped
    from tapewire.model.status import Subscribed as Subscribed
    from tapewire.model.status import Taping as Taping
    from tapewire.model.subscription import Subscription as Subscription
    from tapewire.profiles import profile as profile
    from tapewire.sinks.files.options import RecordOptions as RecordOptions

__version__ = "0.1.0"

_HOMES = {
    "tapewire.apps.environment": ("environment_credentials",),
    "tapewire.apps.gateway.gateway": ("Gateway",),
    "tapewire.apps.gateway.settings": ("GatewayOptions",),
    "tapewire.client": (
        "AuthenticationError", "BackpressureError", "DataProcessor", "JsonFormatter", "RecoveryError",
        "SubscriptionManager", "WebSocketClient", "WebSocketConnectionError", "WebSocketException", "alerts",
        "create_websocket_client", "decode", "format_statistics", "get_global_websocket_manager",
        "get_websocket_manager", "markets", "metrics", "quick_ticker_subscription",
    ),
    "tapewire.client.replaying": ("Replay", "Replayed", "replay"),
    "tapewire.client.resampling": ("candles_of",),
    "tapewire.client.tables": ("read_parquet",),
    "tapewire.config": (
        "Credentials", "FeedOptions", "LineOptions", "MailboxOptions", "Secret", "SessionOptions", "TapeOptions",
    ),
    "tapewire.errors": (
        "AuthenticationFailed", "ConfigError", "CredentialsError", "DecodeError", "FeedError", "SubscriptionError",
        "UnknownSymbol",
    ),
    "tapewire.model.book": ("BookChange", "BookLevel", "DepthOrderbookEvent", "RpiBookLevel"),
    "tapewire.model.events": (
        "AnnouncementEvent", "Asset", "BalanceAndPositionEvent", "CandleEvent", "Event", "FillEvent",
        "FundingRateEvent", "IndexTickerEvent", "IndicatorEvent", "IndicatorSignalEvent", "InstrumentEvent",
        "LiquidationEvent", "MarkPriceEvent", "MyAssetEvent", "MyOrderEvent", "OpenInterestEvent", "OrderbookEvent",
        "OrderbookUnit", "PositionEvent", "PriceLimitEvent", "StatusEvent", "TickerEvent", "TradeEvent",
    ),
    "tapewire.model.health": ("ConnectionState", "HealthState", "HealthStatus", "ManagerState", "SubscriptionState"),
    "tapewire.model.metrics": ("ConnectionMetrics", "PerformanceMetrics"),
    "tapewire.model.status": (
        "CallbackFailed", "Conflict", "Connected", "Connecting", "Disconnected", "FeedEvent", "Gap", "Lagged",
        "Limited", "Listed", "Notice", "Polling", "Quarantined", "Recovered", "Rejected", "Stale", "Stopped",
        "Subscribed", "Taping",
    ),
    "tapewire.model.subscription": ("Subscription",),
    "tapewire.profiles": ("profile",),
    "tapewire.sinks.files.options": ("RecordOptions",),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted([*_HOME_OF, "__version__"])  # noqa: PLE0605 - one table is the list


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'tapewire' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
