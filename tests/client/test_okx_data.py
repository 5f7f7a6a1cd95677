"""Data of the simulated OKX through the whole client: both roads, several depths of one market, several lines."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from msgspec.structs import replace

from tapewire.config import Numbers
from tapewire.model.book import DepthOrderbookEvent
from tapewire.model.events import Event, TradeEvent
from tapewire.model.status import Gap, Quarantined, Rejected
from tapewire.model.subscription import Subscription, as_detail
from tapewire.venues.okx.codec import OkxCodec
from tests.client.stage import Stage, play

MARKETS = ("BTC-USDT", "ETH-USDT", "BTC-USDT-SWAP")
PUBLIC = [
    *(Subscription(kind, symbol) for kind in ("ticker", "trade", "priceLimit") for symbol in MARKETS),
    *(Subscription("orderbook", "BTC-USDT", depth=depth) for depth in (1, 5)),
    Subscription("candle", "BTC-USDT", unit="1s"),
    Subscription("trade", "ETH-USDT", detail=as_detail({"channel": "trades-all"})),
    *(Subscription(kind, "BTC-USDT-SWAP") for kind in ("markPrice", "fundingRate", "openInterest")),
    Subscription("indexTicker", "BTC-USDT"),
]


def okx(story: Any, **scenario: Any) -> Any:
    return play(story, venue="okx", markets=MARKETS, **scenario)


def plain(event: Event) -> Event:
    """Without what is ours."""
    return replace(event, received_ns=0, stream_type=None)


@pytest.mark.parametrize("numbers", ["float", "decimal"])
def test_every_event_is_what_the_careful_reading_of_its_frame_gives(numbers: Numbers) -> None:
    async def story(stage: Stage) -> list[Event]:
        client = stage.client(venue="okx", keep_raw=True, numbers=numbers)
        heard: list[Event] = []
        handle = await client.subscribe(PUBLIC, heard.append)
        await handle.live()
        await stage.after(30)
        assert not stage.told(Quarantined) + stage.told(Rejected)
        assert client.statistics().connections[0].unwanted == 0
        await client.cleanup()
        return heard

    heard = okx(story, rate=10.0)
    careful = OkxCodec("okx", "DEFAULT", numbers, keep_raw=True)
    for event in heard:
        assert event.raw is not None
        assert event.received_ns > 0
        assert plain(event) in map(plain, careful.read(event.raw).events)
    counts = Counter(event.kind for event in heard)
    assert counts.keys() == {subscription.kind for subscription in PUBLIC}
    assert counts["trade"] > 100


def test_settled_streams_take_the_short_road_and_channels_of_one_market_stay_apart() -> None:
    async def story(stage: Stage) -> tuple[list[DepthOrderbookEvent], list[DepthOrderbookEvent], set[Subscription]]:
        client = stage.client(venue="okx")
        best: list[Any] = []
        five: list[Any] = []
        handle = await client.subscribe_orderbook(["BTC-USDT"], best.append, depth=1)
        await client.subscribe_orderbook(["BTC-USDT"], five.append, depth=5)
        await handle.live()
        await stage.after(5)
        [pool] = stage.manager.pools
        [driver] = pool.drivers
        hot: set[Subscription] = set()
        for _ in range(10):  # now and then one message of each is careful, for the latency figures
            hot |= {
                subscription for subscription, stream in driver.router.streams.items() if driver.router.is_hot(stream)
            }
            await stage.after(3)
        await client.cleanup()
        return best, five, hot

    best, five, hot = okx(story, rate=10.0)
    assert {(event.channel, len(event.asks)) for event in best} == {("bbo-tbt", 1)}
    assert {(event.channel, len(event.asks)) for event in five} == {("books5", 5)}
    assert hot == {Subscription("orderbook", "BTC-USDT", depth=depth) for depth in (1, 5)}
    assert min(len(best), len(five)) > 30


def test_two_lines_give_every_trade_and_every_book_once() -> None:
    async def story(stage: Stage) -> tuple[list[Any], list[Any], int]:
        client = stage.client(venue="okx", redundancy=2)
        trades: list[Any] = []
        books: list[Any] = []
        wanted = [Subscription("orderbook", "BTC-USDT", depth=depth) for depth in (1, 5)]
        await client.subscribe_trade(["BTC-USDT", "ETH-USDT"], trades.append)
        await client.subscribe(wanted, books.append)
        await stage.after(15)
        next(iter(stage.simulator.exchange.peers.values())).abort()
        await stage.after(25)
        lost = len(stage.told(Gap))
        await client.cleanup()
        return trades, books, lost

    trades, books, lost = okx(story, rate=10.0)
    assert lost == 0
    for symbol in ("BTC-USDT", "ETH-USDT"):
        ours: list[TradeEvent] = [trade for trade in trades if trade.symbol == symbol]
        numbers = [(trade.sequential_id or 0) - back for trade in ours for back in reversed(range(trade.count or 1))]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    for channel, levels in (("bbo-tbt", 1), ("books5", 5)):
        of_it = [book for book in books if book.channel == channel]
        assert {len(book.bids) for book in of_it} == {levels}
        times = [book.timestamp for book in of_it]
        assert times == sorted(times)
