"""Tickers and order books of many markets in one REST call, as the stream would have sent them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

import tapewire
from tapewire.errors import DecodeError
from tapewire.model.events import OrderbookEvent, OrderbookUnit, TickerEvent
from tapewire.model.subscription import Subscription
from tapewire.venues.registry import get_venue
from tapewire.venues.upbit import history

POLLS = get_venue("upbit").polls
TICKERS = b"""[{"market":"KRW-BTC","trade_date":"20260311","trade_time":"144059","trade_date_kst":"20260311",
"trade_time_kst":"234059","trade_timestamp":1773240059095,"opening_price":102417000.0,"high_price":104000000.0,
"low_price":101000000.0,"trade_price":103460000.0,"prev_closing_price":102417000.0,"change":"RISE",
"change_price":1043000.0,"change_rate":0.0101838562,"signed_change_price":1043000.0,"signed_change_rate":0.0101838562,
"trade_volume":0.004,"acc_trade_price":1.5E11,"acc_trade_price_24h":2.5E11,"acc_trade_volume":1500.5,
"acc_trade_volume_24h":2500.25,"highest_52_week_price":178868000.0,"highest_52_week_date":"2025-10-09",
"lowest_52_week_price":81000000.0,"lowest_52_week_date":"2026-02-06","timestamp":1773240059120}]"""
BOOKS = b"""[{"market":"KRW-BTC","timestamp":1787727947526,"total_ask_size":18.93431797,"total_bid_size":11.48721726,
"orderbook_units":[{"ask_price":109950000.0,"bid_price":109880000.0,"ask_size":0.00342134,"bid_size":0.18819864}],
"level":10000}]"""


def streams(*symbols: str, kind: str = "ticker", depth: int | None = None, level: float = 0) -> list[Subscription]:
    return [Subscription(kind, symbol, depth=depth, level=level) for symbol in symbols]


def test_several_markets_are_one_call() -> None:
    assert POLLS["ticker"].request(streams("KRW-BTC", "KRW-ETH")) == "/v1/ticker?markets=KRW-BTC,KRW-ETH"
    books = POLLS["orderbook"]
    assert books.request(streams("KRW-BTC", "KRW-ETH", kind="orderbook")) == (
        "/v1/orderbook?markets=KRW-BTC,KRW-ETH&count=30"
    )
    assert books.request(streams("KRW-BTC", kind="orderbook", depth=5, level=10000)) == (
        "/v1/orderbook?markets=KRW-BTC&count=5&level=10000"
    )


def test_books_of_one_call_are_of_one_depth_and_level() -> None:
    [plain] = streams("KRW-BTC", kind="orderbook")
    alike = POLLS["orderbook"].alike
    assert alike(plain) == alike(replace(plain, symbol="KRW-ETH"))
    assert len({alike(plain), alike(replace(plain, depth=5)), alike(replace(plain, level=10000.0))}) == 3
    assert POLLS["ticker"].alike(plain) == POLLS["ticker"].alike(replace(plain, symbol="KRW-ETH"))


def test_a_ticker_reads_as_the_stream_would_have_sent_it() -> None:
    [ticker] = POLLS["ticker"].read((), TICKERS, "float")
    assert isinstance(ticker, TickerEvent)
    assert (ticker.symbol, ticker.stream_type, ticker.timestamp) == ("KRW-BTC", "REALTIME", 1773240059120)
    assert (ticker.trade_price, ticker.change, ticker.highest_52_week_date) == (103460000.0, "RISE", "2025-10-09")
    assert (ticker.trade_date, ticker.trade_timestamp) == ("20260311", 1773240059095)
    assert (ticker.acc_ask_volume, ticker.market_state, ticker.ask_bid) == (None, None, None)
    [read] = tapewire.decode("upbit", history.frame(replace(ticker, polled=True)))
    assert read == replace(ticker, polled=True)


def test_a_book_reads_as_the_stream_would_have_sent_it() -> None:
    [book] = POLLS["orderbook"].read((), BOOKS, "float")
    assert book == OrderbookEvent(
        venue="upbit", symbol="KRW-BTC", stream_type="REALTIME", timestamp=1787727947526,
        total_ask_size=18.93431797, total_bid_size=11.48721726, level=10000.0,
        orderbook_units=[OrderbookUnit(109950000.0, 109880000.0, 0.00342134, 0.18819864)],
    )  # fmt: skip


def test_exact_numbers_are_exact() -> None:
    [ticker] = POLLS["ticker"].read((), TICKERS, "decimal")
    assert isinstance(ticker, TickerEvent)
    assert repr(ticker.change_rate) == "Decimal('0.0101838562')"
    [book] = POLLS["orderbook"].read((), BOOKS, "decimal")
    assert isinstance(book, OrderbookEvent)
    assert book.orderbook_units[0].ask_size == Decimal("0.00342134")


@pytest.mark.parametrize("kind", ["ticker", "orderbook"])
@pytest.mark.parametrize(
    "body", [b"", b"[{}]", b'{"error":{"name":404,"message":"Code not found"}}', b'[{"market":"KRW-BTC"}]', b"[1]"]
)
def test_what_is_no_answer_is_told_as_such(kind: str, body: bytes) -> None:
    with pytest.raises(DecodeError, match="no list of") as caught:
        POLLS[kind].read((), body, "float")
    assert caught.value.payload == body
    if b"Code not found" in body:
        assert "404 Code not found" in str(caught.value)


def test_a_level_that_is_not_supported_tells_nothing() -> None:
    assert POLLS["orderbook"].read((), b"[]", "float") == []
