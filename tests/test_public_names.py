"""What ``import tapewire`` offers, and that it costs nothing until it is used."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

import tapewire

NAMES = {
    "AnnouncementEvent",
    "Asset",
    "AuthenticationError",
    "AuthenticationFailed",
    "BackpressureError",
    "BalanceAndPositionEvent",
    "BookChange",
    "BookLevel",
    "CallbackFailed",
    "CandleEvent",
    "Conflict",
    "ConfigError",
    "Connected",
    "Connecting",
    "ConnectionMetrics",
    "ConnectionState",
    "Credentials",
    "CredentialsError",
    "DataProcessor",
    "DecodeError",
    "DepthOrderbookEvent",
    "Disconnected",
    "Event",
    "FeedError",
    "FeedEvent",
    "FeedOptions",
    "FillEvent",
    "FundingRateEvent",
    "Gateway",
    "GatewayOptions",
    "Gap",
    "HealthState",
    "HealthStatus",
    "IndexTickerEvent",
    "IndicatorEvent",
    "IndicatorSignalEvent",
    "InstrumentEvent",
    "JsonFormatter",
    "Lagged",
    "Limited",
    "LineOptions",
    "LiquidationEvent",
    "Listed",
    "MailboxOptions",
    "ManagerState",
    "MarkPriceEvent",
    "MyAssetEvent",
    "MyOrderEvent",
    "Notice",
    "OpenInterestEvent",
    "OrderbookEvent",
    "OrderbookUnit",
    "PerformanceMetrics",
    "Polling",
    "PositionEvent",
    "PriceLimitEvent",
    "Quarantined",
    "Recovered",
    "RecoveryError",
    "RecordOptions",
    "Rejected",
    "Replay",
    "Replayed",
    "RpiBookLevel",
    "Secret",
    "SessionOptions",
    "Stale",
    "StatusEvent",
    "Stopped",
    "Subscribed",
    "Subscription",
    "SubscriptionError",
    "SubscriptionManager",
    "SubscriptionState",
    "TapeOptions",
    "Taping",
    "TickerEvent",
    "TradeEvent",
    "UnknownSymbol",
    "WebSocketClient",
    "WebSocketConnectionError",
    "WebSocketException",
    "__version__",
    "alerts",
    "candles_of",
    "create_websocket_client",
    "decode",
    "environment_credentials",
    "format_statistics",
    "get_global_websocket_manager",
    "get_websocket_manager",
    "markets",
    "metrics",
    "profile",
    "quick_ticker_subscription",
    "read_parquet",
    "replay",
}


def test_the_public_names_are_these() -> None:
    assert set(tapewire.__all__) == set(dir(tapewire)) == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_public_name_can_be_had_and_says_what_it_is(name: str) -> None:
    value = getattr(tapewire, name)
    assert name == "__version__" or value.__doc__


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'tapewire' has no attribute 'WebsocketClient'"):
        tapewire.WebsocketClient  # noqa: B018


def test_the_import_alone_loads_no_heavy_part() -> None:
    code = (
        "import sys, tapewire; heavy = {'aiohttp', 'picows', 'msgspec', 'rich', 'click', 'asyncio'} & set(sys.modules);"
        "assert not heavy, heavy; tapewire.WebSocketClient;"
        "heavy = {'aiohttp', 'picows', 'websockets', 'rich', 'click'} & set(sys.modules); assert not heavy, heavy"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert run.returncode == 0, run.stderr


def test_the_version_is_the_packages() -> None:
    from importlib.metadata import version  # noqa: PLC0415 - only this test asks

    assert tapewire.__version__ == version("tapewire")


def test_decode_reads_one_payload_of_a_venue() -> None:
    payload = b'{"type":"trade","code":"KRW-BTC","trade_price":1.5,"sequential_id":7,"stream_type":"REALTIME"}'
    [event] = tapewire.decode("upbit", payload, received_ns=9)
    assert isinstance(event, tapewire.TradeEvent)
    assert (event.symbol, event.trade_price, event.sequential_id, event.received_ns) == ("KRW-BTC", 1.5, 7, 9)
    assert event.__class__ is tapewire.TradeEvent


def test_decode_gives_nothing_for_the_exchanges_own_words() -> None:
    assert tapewire.decode("upbit", b'{"status":"UP"}') == []


def test_decode_raises_on_what_it_cannot_read() -> None:
    with pytest.raises(tapewire.DecodeError, match="upbit: ") as refused:
        tapewire.decode("upbit", b"{oops")
    assert refused.value.payload == b"{oops"


def test_decode_names_the_venues_it_knows() -> None:
    with pytest.raises(tapewire.FeedError, match=r"no venue is called 'upbitt'; known: .*upbit, upbit-id"):
        tapewire.decode("upbitt", b"{}")


def test_options_and_events_are_structs() -> None:
    assert issubclass(tapewire.FeedOptions, msgspec.Struct)
    assert issubclass(tapewire.TradeEvent, msgspec.Struct)
