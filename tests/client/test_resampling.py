"""Candles made of trades are the exchange's own."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from msgspec.structs import replace

from tapewire import candles_of
from tapewire.errors import SubscriptionError
from tapewire.model.events import CandleEvent, Event, TradeEvent
from tapewire.venues.registry import get_venue
from tests.client.stage import Stage, play, trades


@pytest.mark.parametrize("unit", ["1s", "1m"])
@pytest.mark.parametrize(("name", "symbol"), [("upbit", "KRW-BTC"), ("okx", "BTC-USDT")])
def test_candles_of_the_trades_of_a_stream_are_those_that_rest_tells(name: str, symbol: str, unit: str) -> None:
    heard: list[Event] = []

    async def story(stage: Stage) -> list[CandleEvent]:
        async with stage.client(numbers="decimal", venue=name) as client:
            await client.subscribe_trade(symbol, heard.append, stream_preference="realtime_only")
            await stage.after(200)
        venue = get_venue(name)
        assert venue.history is not None
        end = stage.simulator.exchange.market.now_ms
        body = await stage.simulator.http().get(
            "http://x" + venue.history.candles_request(symbol, unit, end), timeout=5
        )
        return venue.history.read_candles(symbol, unit, body, "decimal")

    found = play(story, rate=5.0, venue=name, markets=(symbol,))
    theirs = {one.candle_date_time_utc: one for one in found}
    ours = candles_of(trades(heard), unit)[1:-1]
    assert len(ours) >= 2
    for candle in ours:
        other = theirs[candle.candle_date_time_utc]
        for field in ("opening_price", "high_price", "low_price", "trade_price"):
            assert getattr(candle, field) == getattr(other, field), (field, candle.candle_date_time_utc)
        assert other.candle_date_time_kst in (None, candle.candle_date_time_kst)
        assert float(candle.candle_acc_trade_volume or 0) == pytest.approx(
            float(other.candle_acc_trade_volume or 0), rel=1e-9, abs=1e-8
        )
        assert float(candle.candle_acc_trade_price or 0) == pytest.approx(
            float(other.candle_acc_trade_price or 0), rel=1e-9, abs=1e-8
        )


def trade(ms: int, price: str, number: int) -> TradeEvent:
    made = TradeEvent(venue="upbit", symbol="KRW-BTC", trade_timestamp=ms, sequential_id=number, received_ns=ms)
    return replace(made, trade_price=Decimal(price), trade_volume=Decimal("0.1"))


def test_order_and_windows() -> None:
    [first, second] = candles_of(
        [trade(61_000, "3", 4), trade(5, "2", 2), trade(5, "1", 1), trade(59_999, "0.5", 3)], "1m"
    )
    numbers = (
        "opening_price",
        "high_price",
        "low_price",
        "trade_price",
        "candle_acc_trade_volume",
        "candle_acc_trade_price",
    )
    told = [str(getattr(first, name)) for name in numbers]
    assert told == ["1", "2", "0.5", "0.5", "0.3", "0.35"]
    assert (first.candle_date_time_utc, first.candle_date_time_kst) == ("1970-01-01T00:00:00", "1970-01-01T09:00:00")
    assert (second.candle_date_time_utc, second.final, second.unit) == ("1970-01-01T00:01:00", True, "1m")
    assert candles_of([], "1d") == []
    assert msgspec.json.encode(first)


@pytest.mark.parametrize("unit", ["", "m", "0m", "1w", "x1m"])
def test_a_unit_of_no_fixed_span_is_refused(unit: str) -> None:
    with pytest.raises(SubscriptionError, match="unit"):
        candles_of([], unit)
