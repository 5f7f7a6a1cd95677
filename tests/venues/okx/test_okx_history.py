"""What REST tells of the past: single matches and candles, as the stream would have sent them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tapewire.config import Numbers
from tapewire.errors import DecodeError
from tapewire.model.events import CandleEvent, TradeEvent
from tapewire.venues.okx import GLOBAL
from tapewire.venues.okx.history import window_start

assert GLOBAL.history is not None
HISTORY = GLOBAL.history
TRADES = (
    b'{"code":"0","msg":"","data":[{"instId":"BTC-USDT","side":"sell","sz":"0.00001","source":"0","px":"29963.2",'
    b'"tradeId":"242720720","ts":"1654161646974"},{"instId":"BTC-USDT","side":"buy","sz":"0.5","px":"29963.3",'
    b'"tradeId":"242720719","ts":"1654161641568"}]}'
)
CANDLES = (
    b'{"code":"0","msg":"","data":[["1597026383085","3.721","3.743","3.677","3.708","8422410","22698348.04","12698348",'
    b'"1"],["1597026323085","3.731","3.799","3.494","3.72","24912403","67632347.24","37632347","0"]]}'
)


def test_the_newest_trades_come_from_one_call_and_older_ones_by_their_ids() -> None:
    assert HISTORY.trades_request("BTC-USDT", None, 0) == "/api/v5/market/trades?instId=BTC-USDT&limit=500"
    assert HISTORY.trades_request("BTC-USDT", 5, 0) == (
        "/api/v5/market/history-trades?instId=BTC-USDT&type=1&after=5&limit=100"
    )


def test_trades_are_read_newest_first() -> None:
    first, second = HISTORY.read_trades("", TRADES, "decimal")
    assert first == TradeEvent(
        venue="okx", symbol="BTC-USDT", timestamp=1654161646974, trade_timestamp=1654161646974, ask_bid="ASK",
        trade_price=Decimal("29963.2"), trade_volume=Decimal("0.00001"),  # type: ignore[arg-type]
        sequential_id=242720720, source="0",
    )  # fmt: skip
    assert (second.sequential_id, second.ask_bid, second.source) == (242720719, "BID", None)


def test_candles_are_read_newest_first_and_know_whether_they_are_over() -> None:
    first, second = HISTORY.read_candles("BTC-USDT-SWAP", "1m", CANDLES, "float")
    assert first == CandleEvent(
        venue="okx", symbol="BTC-USDT-SWAP", unit="1m", timestamp=1597026383085, opening_price=3.721,
        high_price=3.743, low_price=3.677, trade_price=3.708, contracts=8422410.0,
        candle_acc_trade_volume=22698348.04, candle_acc_trade_price=12698348.0, final=True,
        candle_date_time_utc="2020-08-10T02:26:23", candle_date_time_kst="2020-08-10T11:26:23",
    )  # fmt: skip
    assert second.final is False


@pytest.mark.parametrize(
    ("unit", "before", "path"),
    [
        ("1m", 5, "/api/v5/market/candles?instId=A-B&bar=1m&limit=300&after=5"),
        ("1Dutc", None, "/api/v5/market/candles?instId=A-B&bar=1Dutc&limit=300"),
        ("1s", 5, "/api/v5/market/history-candles?instId=A-B&bar=1s&limit=300&after=5"),
    ],
)
def test_candles_are_asked_by_the_time_before_which_they_began(unit: str, before: int | None, path: str) -> None:
    assert HISTORY.candles_request("A-B", unit, before) == path


@pytest.mark.parametrize("body", [b"{}", b'{"code":"0","data":[{"instId":"A-B"}]}', b'{"code":"51001","msg":"no"}'])
def test_what_is_no_page_is_told(body: bytes) -> None:
    with pytest.raises(DecodeError, match="no list of trades"):
        HISTORY.read_trades("", body, "float")
    with pytest.raises(DecodeError, match="no list of candles"):
        HISTORY.read_candles("A-B", "1m", body, "float")


@pytest.mark.parametrize("numbers", ["float", "decimal"])
def test_what_was_recovered_is_recorded_as_the_stream_would_have_sent_it(numbers: Numbers) -> None:
    told = [*HISTORY.read_trades("", TRADES, numbers), *HISTORY.read_candles("BTC-USDT-SWAP", "1m", CANDLES, numbers)]
    for event in told:
        [back] = GLOBAL.codec("DEFAULT", numbers, False).read(HISTORY.frame(event)).events
        assert back == event


@pytest.mark.parametrize(
    ("unit", "at", "start"),
    [
        ("1s", "2026-07-15T13:14:15.9", "2026-07-15T13:14:15"),
        ("5m", "2026-07-15T13:14:15", "2026-07-15T13:10:00"),
        ("4H", "2026-07-15T13:14:15", "2026-07-15T12:00:00"),
        ("6H", "2026-07-15T13:14:15", "2026-07-15T10:00:00"),
        ("6Hutc", "2026-07-15T13:14:15", "2026-07-15T12:00:00"),
        ("1D", "2026-07-15T17:14:15", "2026-07-15T16:00:00"),
        ("1D", "2026-07-15T13:14:15", "2026-07-14T16:00:00"),
        ("1Dutc", "2026-07-15T13:14:15", "2026-07-15T00:00:00"),
        ("1Wutc", "2026-07-15T13:14:15", "2026-07-13T00:00:00"),
        ("1W", "2026-07-12T17:00:00", "2026-07-12T16:00:00"),
        ("1Mutc", "2026-07-15T13:14:15", "2026-07-01T00:00:00"),
        ("1M", "2026-07-31T17:00:00", "2026-07-31T16:00:00"),
        ("3Mutc", "2026-09-30T13:14:15", "2026-07-01T00:00:00"),
    ],
)
def test_windows_begin_at_utc_or_eight_hours_ahead(unit: str, at: str, start: str) -> None:
    moment = round(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp() * 1000)
    told = datetime.fromtimestamp(window_start(unit, moment) / 1000, UTC)
    assert told.isoformat() == f"{start}+00:00"
    assert window_start(unit, window_start(unit, moment)) == window_start(unit, moment)
