"""OKX and OKEX v3 without WebSocket: REST is asked in its place, books that come as changes included."""

from __future__ import annotations

from typing import Any

import pytest

from tapewire.model.book import DepthOrderbookEvent
from tapewire.model.events import CandleEvent, Event, TickerEvent, TradeEvent
from tapewire.model.status import Gap
from tapewire.model.subscription import Subscription
from tapewire.testing.oracle import account
from tests.client.stage import Stage, play, trades
from tests.client.test_polling import AWAY

MARKETS = ("BTC-USDT", "ETH-USDT")
STREAMS = [
    *(Subscription(kind, symbol) for kind in ("ticker", "trade", "orderbook") for symbol in MARKETS),
    Subscription("orderbook", "ETH-USDT", depth=5),
    Subscription("candle", "BTC-USDT", unit="1m"),
]
FACTS: dict[str, Any] = {"markets": MARKETS, "faults": AWAY, "depth": 30, "rate": 10.0}


async def through(stage: Stage, venue: str, seconds: float, **options: Any) -> dict[Subscription, list[Event]]:
    """What each stream brings in so many seconds."""
    heard: dict[Subscription, list[Event]] = {stream: [] for stream in STREAMS}
    async with stage.client(venue=venue, poll_after=10.0, recover=True, validate=False, **options) as client:
        for stream in STREAMS:
            await client.subscribe([stream], heard[stream].append)
        await stage.after(seconds)
        assert client.statistics().polled == sum(event.polled for events in heard.values() for event in events)
        assert client.get_health_status().status == "healthy"
    return heard


def times(events: list[Event]) -> list[int]:
    return [event.timestamp or 0 for event in events]


@pytest.mark.parametrize("venue", ["okx", "okex3"])
def test_nothing_is_lost_or_doubled_at_either_change_over(venue: str) -> None:
    async def story(stage: Stage) -> None:
        heard = await through(stage, venue, 115)
        everything = trades([event for events in heard.values() for event in events])
        found = account(stage.simulator.trades, everything, stage.told(Gap), counted=True)
        assert (len(found.lost), found.doubled, found.undetected) == (0, (), ())
        assert min(found.polled, found.live) > 20
        polled = {type(event) for events in heard.values() for event in events if event.polled}
        assert polled == {TickerEvent, TradeEvent, DepthOrderbookEvent, CandleEvent}
        for stream, events in heard.items():
            if stream.kind in ("ticker", "orderbook"):
                assert times(events) == sorted(times(events)), stream
                assert len({(at, event.polled) for at, event in zip(times(events), events, strict=True)}) == len(events)

    play(story, venue=venue, **FACTS)


@pytest.mark.parametrize("venue", ["okx", "okex3"])
def test_polled_books_are_whole_and_as_deep_as_asked_and_say_the_message_that_would_have_come(venue: str) -> None:
    async def story(stage: Stage) -> None:
        heard = await through(stage, venue, 80, keep_raw=True)
        for stream in STREAMS:
            books = [event for event in heard[stream] if isinstance(event, DepthOrderbookEvent) and event.polled]
            for book in books:
                assert (len(book.asks), len(book.bids)) == (stream.depth or 30, stream.depth or 30)
                assert book.bids[0].price < book.asks[0].price
                assert book.raw is not None
            assert bool(books) is (stream.kind == "orderbook")

    play(story, venue=venue, **FACTS)
