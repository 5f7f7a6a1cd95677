"""The front door: subscribe, iterate, stop; the one room that joins concrete parts."""

from tapewire.client import alerts, metrics
from tapewire.client.front import WebSocketClient, decode, markets
from tapewire.client.handle import Handle
from tapewire.client.printing import format_statistics
from tapewire.client.probe import Sign, probe
from tapewire.client.processor import DataProcessor
from tapewire.client.required import SubscriptionManager
from tapewire.client.shared import (
    AuthenticationError,
    BackpressureError,
    RecoveryError,
    WebSocketConnectionError,
    WebSocketException,
    create_websocket_client,
    get_global_websocket_manager,
    get_websocket_manager,
    quick_ticker_subscription,
)
from tapewire.runtime.json_log import JsonFormatter
from tapewire.runtime.observe import Statistics

__all__ = [
    "AuthenticationError", "BackpressureError", "DataProcessor", "Handle", "JsonFormatter", "RecoveryError", "Sign",
    "Statistics", "SubscriptionManager", "WebSocketClient", "WebSocketConnectionError", "WebSocketException", "alerts",
    "create_websocket_client", "decode", "format_statistics", "get_global_websocket_manager", "get_websocket_manager",
    "markets", "metrics", "probe", "quick_ticker_subscription",
]  # fmt: skip
