"""OKEX v3's tickers and books by REST: as the stream would have told them, and written as its frames."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from msgspec.structs import replace

from tapewire.book.keeper import Keeper
from tapewire.errors import DecodeError
from tapewire.model.book import BookChange, BookLevel, DepthOrderbookEvent
from tapewire.model.events import TickerEvent
from tapewire.model.subscription import Subscription
from tapewire.sim.scenario import Scenario, build
from tapewire.venues.exchange import HttpAnswer, HttpCall
from tapewire.venues.okex_v3 import OKEX_V3
from tapewire.venues.okex_v3.channels import TICK_BY_TICK
from tapewire.venues.okex_v3.codec import OkexCodec
from tapewire.venues.okex_v3.history import HISTORY
from tapewire.venues.okex_v3.polls import POLLS

CODEC = OkexCodec("DEFAULT", "float", False)
SYMBOLS = ("BTC-USDT", "BTC-USD-190517", "BTC-USD-SWAP")
BOOK = b"""{"asks":[["7870.21","12","0","3"],["7870.55","40","0","2"]],"bids":[["7869.8","30","0","2"]],
"timestamp":"2019-05-16T08:00:01.120Z"}"""


def asked(path: str) -> bytes:
    """What the simulated exchange answers."""
    exchange = build(Scenario(venue="okex3", markets=SYMBOLS), 1_557_993_600_000)
    address, _, query = path.partition("?")
    answer = exchange.http(0.0, HttpCall(address, query))
    assert isinstance(answer, HttpAnswer)
    assert answer.status == 200
    return answer.body


def test_the_paths_that_are_asked() -> None:
    ticker = Subscription("ticker", "BTC-USD-SWAP")
    assert POLLS["ticker"].request([ticker]) == "/api/swap/v3/instruments/BTC-USD-SWAP/ticker"
    path = "/api/futures/v3/instruments/BTC-USD-190517/book"
    for depth, size in ((None, 400), (5, 5), (1_000, 400)):
        book = Subscription("orderbook", "BTC-USD-190517", depth=depth)
        assert POLLS["orderbook"].request([book]) == f"{path}?size={size}"
    assert POLLS["ticker"].alike(ticker) != POLLS["ticker"].alike(Subscription("ticker", "BTC-USDT"))


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_ticker_comes_back_as_its_frame(symbol: str) -> None:
    stream = Subscription("ticker", symbol)
    poll = POLLS["ticker"]
    [ticker] = poll.read([stream], asked(poll.request([stream])), "float")
    assert isinstance(ticker, TickerEvent)
    assert ticker.symbol == symbol
    assert ticker.acc_trade_volume_24h is not None
    assert CODEC.read(HISTORY.frame(ticker)).events == (ticker,)


@pytest.mark.parametrize("symbol", SYMBOLS)
@pytest.mark.parametrize(
    ("depth", "detail", "channel"), [(5, "", "depth5"), (None, "", "depth"), (None, TICK_BY_TICK, "depth_l2_tbt")]
)
def test_a_book_comes_back_as_its_frame(symbol: str, depth: int | None, detail: str, channel: str) -> None:
    stream = Subscription("orderbook", symbol, depth=depth, detail=detail)
    poll = POLLS["orderbook"]
    [book] = poll.read([stream], asked(poll.request([stream])), "float")
    assert isinstance(book, DepthOrderbookEvent)
    assert (book.symbol, book.channel, len(book.asks)) == (symbol, channel, depth or 400)
    [read] = CODEC.read(HISTORY.frame(book)).events
    if isinstance(read, BookChange):
        rule = OKEX_V3.rule(stream)
        assert rule is not None
        keeper = Keeper(rule, "float")
        assert keeper.apply(read) == "applied"
        read = replace(keeper.event(), stream_type=None)
    assert read == book


def test_the_levels_of_a_book() -> None:
    stream = Subscription("orderbook", "BTC-USD-190517", depth=5)
    [book] = POLLS["orderbook"].read([stream], BOOK, "float")
    assert isinstance(book, DepthOrderbookEvent)
    assert book.timestamp == 1_557_993_601_120
    assert book.asks == [BookLevel(7870.21, 12.0, 0, 3), BookLevel(7870.55, 40.0, 0, 2)]
    [exact] = POLLS["orderbook"].read([stream], BOOK, "decimal")
    assert isinstance(exact, DepthOrderbookEvent)
    assert exact.bids[0].price == Decimal("7869.8")


@pytest.mark.parametrize("kind", ["ticker", "orderbook"])
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", json.dumps({"code": 30032, "message": "none"}).encode()])
def test_what_is_no_answer_is_told_as_such(kind: str, body: bytes) -> None:
    with pytest.raises(DecodeError):
        POLLS[kind].read([Subscription(kind, "BTC-USDT", depth=5 if kind == "orderbook" else None)], body, "float")
