"""What REST tells of the past: pages asked, bodies read as the stream would have told it, and written as its frames."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from tapewire.errors import DecodeError
from tapewire.model.derivatives import MarkPriceEvent
from tapewire.model.events import CandleEvent
from tapewire.venues.okex_v3.codec import OkexCodec
from tapewire.venues.okex_v3.history import HISTORY
from tapewire.venues.okex_v3.times import iso
from tests.venues.okex_v3.wire import EXAMPLES, long_road, singles

CODEC = OkexCodec("DEFAULT", "float", False)


def test_the_pages_that_are_asked() -> None:
    assert HISTORY.trades_request("BTC-USDT", None, 0) == "/api/spot/v3/instruments/BTC-USDT/trades?limit=100"
    assert HISTORY.trades_request("BTC-USD-SWAP", 77, 0) == (
        "/api/swap/v3/instruments/BTC-USD-SWAP/trades?limit=100&after=77"
    )
    path = "/api/futures/v3/instruments/BTC-USD-190517/candles?granularity=60"
    assert HISTORY.candles_request("BTC-USD-190517", "1m", None) == path
    assert HISTORY.candles_request("BTC-USD-190517", "1m", 1557993600000) == f"{path}&end=2019-05-16T07%3A59%3A59.999Z"
    with pytest.raises(ValueError, match="'KRW' is no instrument id"):
        HISTORY.trades_request("KRW", None, 0)


@pytest.mark.parametrize("frame", [*singles()[:6], singles()[15], EXAMPLES[3]])
def test_what_rest_tells_is_what_the_stream_tells_and_comes_back_as_its_frame(frame: bytes) -> None:
    row = json.loads(frame)["data"][0]
    symbol = row.pop("instrument_id")
    event = long_road(CODEC, frame)
    body = json.dumps([row.get("candle", row)]).encode()
    if isinstance(event, CandleEvent):
        assert HISTORY.read_candles(symbol, event.unit or "", body, "float") == [event]
    else:
        assert HISTORY.read_trades(symbol, body, "float") == [event]
    assert json.loads(HISTORY.frame(event)) == json.loads(frame)
    assert long_road(CODEC, HISTORY.frame(event)) == event


def test_exact_numbers() -> None:
    row = json.loads(singles()[0])["data"][0]
    [trade] = HISTORY.read_trades("BTC-USDT", json.dumps([row]).encode(), "decimal")
    assert repr(trade.trade_price) == repr(Decimal("56593.6"))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"code":30032,"message":"The currency pair does not exist"}', "30032 The currency pair does not exist"),
        (b"[5]", "Expected `object`, got `int`"),
        (b'[{"price":"x"}]', "no rows of spot/trade: "),
    ],
)
def test_a_body_that_is_something_else(body: bytes, reason: str) -> None:
    with pytest.raises(DecodeError) as caught:
        HISTORY.read_trades("BTC-USDT", body, "float")
    assert reason in str(caught.value)
    with pytest.raises(DecodeError, match=r"no (list of candles|rows of spot/candle60s)"):
        HISTORY.read_candles("BTC-USDT", "1m", body, "float")


def test_nothing_else_is_told_by_rest() -> None:
    with pytest.raises(TypeError, match="not of a markPrice"):
        HISTORY.frame(MarkPriceEvent(venue="okex3", symbol="BTC-USD-SWAP", mark_price=1.0))


@pytest.mark.parametrize(
    ("unit", "begin"),
    [
        ("1m", "2019-05-16T07:59:00.000Z"), ("15m", "2019-05-16T07:45:00.000Z"), ("1H", "2019-05-16T07:00:00.000Z"),
        ("4H", "2019-05-16T04:00:00.000Z"), ("6H", "2019-05-16T04:00:00.000Z"), ("12H", "2019-05-16T04:00:00.000Z"),
        ("1D", "2019-05-15T16:00:00.000Z"), ("1W", "2019-05-12T16:00:00.000Z"),
    ],
)  # fmt: skip
def test_when_a_window_began(unit: str, begin: str) -> None:
    assert HISTORY.window is not None
    assert iso(HISTORY.window(unit, 1557993590000)) == begin
