"""The ticker of one instrument by REST, as the stream would have sent it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

import tapewire
from tapewire.book.keeper import Keeper
from tapewire.errors import DecodeError
from tapewire.model.book import BookChange, BookLevel, DepthOrderbookEvent, RpiBookLevel
from tapewire.model.events import TickerEvent
from tapewire.model.subscription import Subscription, as_detail
from tapewire.venues.okx import history
from tapewire.venues.okx.sequence import RULES
from tapewire.venues.registry import get_venue

POLL = get_venue("okx").polls["ticker"]
BODY = b"""{"code":"0","msg":"","data":[{"instType":"%s","instId":"%s","last":"9999.99","lastSz":"1","askPx":"9999.99",
"askSz":"11","bidPx":"8888.88","bidSz":"5","open24h":"9000","high24h":"10000","low24h":"8888.88","volCcy24h":"2222",
"vol24h":"1111","sodUtc0":"0.1","sodUtc8":"0.2","ts":"1597026383085"}]}"""


def test_one_instrument_is_one_call() -> None:
    stream = Subscription("ticker", "BTC-USDT")
    assert POLL.request([stream]) == "/api/v5/market/ticker?instId=BTC-USDT"
    assert POLL.most == 1
    assert POLL.alike(stream) != POLL.alike(Subscription("ticker", "ETH-USDT"))


@pytest.mark.parametrize(("kind", "symbol"), [(b"SPOT", b"BTC-USDT"), (b"SWAP", b"BTC-USDT-SWAP")])
def test_it_reads_as_the_stream_would_have_sent_it(kind: bytes, symbol: bytes) -> None:
    [ticker] = POLL.read([Subscription("ticker", "BTC-USDT")], BODY % (kind, symbol), "float")
    assert isinstance(ticker, TickerEvent)
    assert (ticker.symbol, ticker.trade_price, ticker.timestamp) == (symbol.decode(), 9999.99, 1597026383085)
    assert ticker.acc_trade_volume_24h == (1111.0 if kind == b"SPOT" else 2222.0)
    [read] = tapewire.decode("okx", history.frame(ticker))
    assert read == ticker


def test_exact_numbers_are_exact() -> None:
    [ticker] = POLL.read([Subscription("ticker", "BTC-USDT")], BODY % (b"SPOT", b"BTC-USDT"), "decimal")
    assert isinstance(ticker, TickerEvent)
    assert repr(ticker.trade_price) == repr(Decimal("9999.99"))


@pytest.mark.parametrize("body", [b"", b"[]", b'{"code":"0","msg":"","data":[{}]}'])
def test_what_is_no_answer_is_told_as_such(body: bytes) -> None:
    with pytest.raises(DecodeError):
        POLL.read([Subscription("ticker", "BTC-USDT")], body, "float")


BOOK = b"""{"code":"0","msg":"","data":[{"asks":[["8476.98","415","0","13"],["8477","7","0","2"]],
"bids":[["8476.97","256","0","12"]],"ts":"1597026383085","seqId":123456}]}"""
BOOKS = get_venue("okx").polls["orderbook"]


@pytest.mark.parametrize(
    ("stream", "asked"),
    [
        (Subscription("orderbook", "BTC-USDT"), 400), (Subscription("orderbook", "BTC-USDT", depth=1), 1),
        (Subscription("orderbook", "BTC-USDT", depth=5), 5), (Subscription("orderbook", "BTC-USDT", depth=70), 70),
        (Subscription("orderbook", "BTC-USDT", detail=as_detail({"channel": "books50-l2-tbt"})), 50),
        (Subscription("orderbook", "BTC-USDT", depth=70, detail=as_detail({"channel": "books50-l2-tbt"})), 50),
    ],
)  # fmt: skip
def test_a_book_is_asked_as_deep_as_its_stream(stream: Subscription, asked: int) -> None:
    assert BOOKS.request([stream]) == f"/api/v5/market/books?instId=BTC-USDT&sz={asked}"
    assert BOOKS.most == 1


@pytest.mark.parametrize("depth", [None, 1, 5])
def test_a_book_reads_as_the_stream_would_have_told_it_and_is_written_as_its_frame(depth: int | None) -> None:
    stream = Subscription("orderbook", "BTC-USDT", depth=depth)
    [book] = BOOKS.read([stream], BOOK, "float")
    assert isinstance(book, DepthOrderbookEvent)
    assert (book.symbol, book.timestamp, book.sequence) == ("BTC-USDT", 1597026383085, 123456)
    assert book.asks == [BookLevel(8476.98, 415.0, 0, 13), BookLevel(8477.0, 7.0, 0, 2)]
    assert book.bids == [BookLevel(8476.97, 256.0, 0, 12)]
    [read] = get_venue("okx").codec("DEFAULT", "float", False).read(history.frame(book)).events
    if depth is None:
        assert isinstance(read, BookChange)
        assert (read.action, read.previous_sequence, read.sequence) == ("snapshot", -1, 123456)
        keeper = Keeper(RULES["books"], "float")
        assert keeper.apply(read) == "applied"
        read = replace(keeper.event(), stream_type="REALTIME")
    assert replace(read, stream_type="REALTIME") == book


RPI = Subscription("orderbook", "BTC-USDT", depth=9, detail=as_detail({"channel": "books-rpi"}))
RPI_BOOK = BOOK.replace(b'"415","0"', b'"415","400.5"').replace(b'"256","0"', b'"256","256"')


def test_a_book_with_rpi_orders_is_asked_by_its_own_call_and_written_as_its_frame() -> None:
    """Level: price, all, without RPI orders, orders; there is no checksum (A6.4)."""
    assert BOOKS.request([RPI]) == "/api/v5/market/books-rpi?instId=BTC-USDT&sz=9"
    [book] = BOOKS.read([RPI], RPI_BOOK, "float")
    assert isinstance(book, DepthOrderbookEvent)
    assert book.asks == [RpiBookLevel(8476.98, 415.0, 0, 13, 400.5), RpiBookLevel(8477.0, 7.0, 0, 2, 0.0)]
    assert book.bids == [RpiBookLevel(8476.97, 256.0, 0, 12, 256.0)]
    frame = history.frame(book)
    assert b"checksum" not in frame
    [read] = get_venue("okx").codec("DEFAULT", "float", False).read(frame).events
    assert isinstance(read, BookChange)
    keeper = Keeper(RULES["books-rpi"], "float")
    assert keeper.apply(read) == "applied"
    assert replace(keeper.event(), stream_type="REALTIME") == book


def test_a_size_without_rpi_orders_that_is_more_than_all_cannot_be_read() -> None:
    [book] = BOOKS.read([RPI], RPI_BOOK, "float")
    assert isinstance(book, DepthOrderbookEvent)
    for third in (b'"416"', b'"-1"', b'"nan"'):
        frame = history.frame(book).replace(b'"400.5"', third)
        [read] = get_venue("okx").codec("DEFAULT", "float", False).read(frame).events
        assert isinstance(read, BookChange)
        assert Keeper(RULES["books-rpi"], "float").apply(read) == "unreadable"


def test_the_numbers_of_a_book_can_be_exact() -> None:
    [book] = BOOKS.read([Subscription("orderbook", "BTC-USDT")], BOOK, "decimal")
    assert isinstance(book, DepthOrderbookEvent)
    assert repr(book.asks[0].price) == "Decimal('8476.98')"


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"8476.97"', b'"cheap"'), (b'"12"', b'"1.5"'), (b'"seqId":123456', b'"x":1'), (b'"0","msg"', b'"51001","msg"')],
)
def test_what_is_no_book_is_told_as_such(old: bytes, new: bytes) -> None:
    with pytest.raises(DecodeError, match="order book of BTC-USDT"):
        BOOKS.read([Subscription("orderbook", "BTC-USDT")], BOOK.replace(old, new, 1), "float")
