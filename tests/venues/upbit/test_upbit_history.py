"""The past by REST: what is asked, what is read, and that it equals what the stream says of the same trade."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import asdict, replace

import tapewire
from tapewire.errors import DecodeError
from tapewire.model.events import CandleEvent, TradeEvent
from tapewire.venues.upbit import history

#: spec/upbit.md 9.3, a capture of 2026-03-11.
TICKS = (
    b'[{"market":"KRW-BTC","trade_date_utc":"2026-03-11","trade_time_utc":"14:40:59","timestamp":1773240059095,'
    b'"trade_price":103460000.0,"trade_volume":0.004,"prev_closing_price":102417000.0,"change_price":1043000.0,'
    b'"ask_bid":"ASK","sequential_id":17732400590950000}]'
)


@pytest.mark.parametrize(
    ("cursor", "days_ago", "path"),
    [
        (None, 0, "/v1/trades/ticks?market=KRW-BTC&count=500"),
        (17732400590950000, 0, "/v1/trades/ticks?market=KRW-BTC&count=500&cursor=17732400590950000"),
        (5, 2, "/v1/trades/ticks?market=KRW-BTC&count=500&cursor=5&days_ago=2"),
    ],
)
def test_a_page_of_trades_is_asked_for(cursor: int | None, days_ago: int, path: str) -> None:
    assert history.trades_request("KRW-BTC", cursor, days_ago) == path


def test_a_trade_of_rest_is_what_the_stream_would_have_sent() -> None:
    [trade] = history.read_trades("upbit", TICKS, "float")
    assert trade == TradeEvent(
        venue="upbit", symbol="KRW-BTC", stream_type="REALTIME", timestamp=1773240059095, trade_date="2026-03-11",
        trade_time="14:40:59", trade_timestamp=1773240059095, trade_price=103460000.0, trade_volume=0.004,
        ask_bid="ASK", prev_closing_price=102417000.0, change="RISE", change_price=1043000.0,
        sequential_id=17732400590950000,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("signed", "word", "amount"), [("-5.5", "FALL", "5.5"), ("0", "EVEN", "0"), ("7", "RISE", "7")]
)
def test_the_signed_change_becomes_a_word_and_an_amount(signed: str, word: str, amount: str) -> None:
    body = TICKS.replace(b'"change_price":1043000.0', f'"change_price":{signed}'.encode())
    [trade] = history.read_trades("upbit", body, "decimal")
    assert trade.change == word
    assert repr(trade.change_price) == repr(Decimal(amount))


def test_what_rest_leaves_out_is_none() -> None:
    body = TICKS.replace(b'"prev_closing_price":102417000.0,"change_price":1043000.0,', b"")
    [trade] = history.read_trades("upbit", body, "float")
    assert (trade.change, trade.change_price, trade.prev_closing_price, trade.best_ask_price) == (None,) * 4


@pytest.mark.parametrize("numbers", ["float", "decimal"])
def test_the_frame_of_a_recovered_trade_reads_as_that_trade(numbers: str) -> None:
    [trade] = history.read_trades("upbit", TICKS, numbers)  # type: ignore[arg-type]
    assert b"recovered" not in history.frame(trade)
    [read] = tapewire.decode("upbit", history.frame(replace(trade, recovered=True)))
    assert isinstance(read, TradeEvent)
    assert read.recovered
    as_float = {name: float(value) if isinstance(value, Decimal) else value for name, value in asdict(trade).items()}
    assert asdict(read) == as_float | {"recovered": True}


@pytest.mark.parametrize(
    ("unit", "path"),
    [
        ("1s", "/v1/candles/seconds?market=KRW-BTC&count=200&to=2026-03-11T14%3A40%3A59Z"),
        ("240m", "/v1/candles/minutes/240?market=KRW-BTC&count=200&to=2026-03-11T14%3A40%3A59Z"),
    ],
)
def test_a_page_of_candles_is_asked_for(unit: str, path: str) -> None:
    assert history.candles_request("KRW-BTC", unit, 1773240059000) == path


def test_a_candle_of_rest_is_what_the_stream_would_have_sent() -> None:
    body = (
        b'[{"market":"KRW-BTC","candle_date_time_utc":"2026-03-11T14:40:00","candle_date_time_kst":'
        b'"2026-03-11T23:40:00","opening_price":1.5,"high_price":3,"low_price":1,"trade_price":2,'
        b'"timestamp":1773240059095,"candle_acc_trade_price":10,"candle_acc_trade_volume":4.25,"unit":1}]'
    )
    assert history.read_candles("upbit", "1m", body, "float") == [
        CandleEvent(
            venue="upbit", symbol="KRW-BTC", stream_type="REALTIME", timestamp=1773240059095, unit="1m",
            candle_date_time_utc="2026-03-11T14:40:00", candle_date_time_kst="2026-03-11T23:40:00", opening_price=1.5,
            high_price=3.0, low_price=1.0, trade_price=2.0, candle_acc_trade_volume=4.25, candle_acc_trade_price=10.0,
        )
    ]  # fmt: skip


@pytest.mark.parametrize("body", [b"", b"{}", b'{"error":{"name":404,"message":"Code not found"}}', b'[{"market":1}]'])
def test_another_answer_is_refused_in_the_exchanges_words(body: bytes) -> None:
    with pytest.raises(DecodeError, match="no list of trades: " + ("404 Code not found" if b"404" in body else "")):
        history.read_trades("upbit", body, "float")
    with pytest.raises(DecodeError, match="no list of candles"):
        history.read_candles("upbit", "1m", body, "float")
