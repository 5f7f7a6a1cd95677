"""OKX's book with retail price improvement orders: kept, mended and polled as the usual one, and more than it."""

from __future__ import annotations

from typing import Any

from tapewire.model.book import BookLevel, DepthOrderbookEvent, RpiBookLevel
from tapewire.model.events import Event
from tapewire.model.status import Stale
from tapewire.model.subscription import Subscription, as_detail
from tests.client.stage import Stage, play

MARKETS = ("BTC-USDT",)
RPI = Subscription("orderbook", "BTC-USDT", detail=as_detail({"channel": "books-rpi"}))
USUAL = Subscription("orderbook", "BTC-USDT")


Told = tuple[list[Event], list[Event], Stage]


def heard(faults: tuple[str, ...] = (), seconds: float = 10.0, **options: Any) -> Told:
    """Both books of one market: the one with RPI orders, the usual one."""

    async def story(stage: Stage) -> Told:
        rpi: list[Event] = []
        usual: list[Event] = []
        async with stage.client(venue="okx", recover=True, **options) as client:
            await client.subscribe([RPI], rpi.append)
            await client.subscribe([USUAL], usual.append)
            await stage.after(seconds)
        return rpi, usual, stage

    told: Told = play(story, venue="okx", markets=MARKETS, rate=2.0, faults=faults)
    return told


def organic(levels: list[BookLevel]) -> list[tuple[float, float, int]]:
    """What anybody may meet; it is a part of all that rests there."""
    assert all(isinstance(one, RpiBookLevel) and 0 <= one.organic <= one.size for one in levels)
    return [(one.price, one.organic, one.orders) for one in levels if isinstance(one, RpiBookLevel)]


def books(events: list[Event]) -> dict[int, DepthOrderbookEvent]:
    """By the number of the state."""
    return {event.sequence or 0: event for event in events if isinstance(event, DepthOrderbookEvent)}


def same(rpi: list[Event], usual: list[Event]) -> int:
    """How many states both told; in each, without RPI orders they are one book."""
    mine, theirs = books(rpi), books(usual)
    both = mine.keys() & theirs.keys()
    for number in both:
        for side in ("asks", "bids"):
            levels = [(one.price, one.size, one.orders) for one in getattr(theirs[number], side)]
            assert organic(getattr(mine[number], side)) == levels
    return len(both)


def test_without_rpi_orders_it_is_the_usual_book() -> None:
    rpi, usual, stage = heard()
    assert same(rpi, usual) > 20
    assert {event.channel for event in books(rpi).values()} == {"books-rpi"}
    more = [one for book in books(rpi).values() for one in book.asks if isinstance(one, RpiBookLevel)]
    assert any(one.size > one.organic for one in more)
    assert stage.told(Stale) == []


def test_a_hole_in_it_is_mended() -> None:
    rpi, usual, stage = heard(("book-lost:BTC-USDT@3x1",), 15.0)
    spoilt = [event for event in stage.told(Stale) if event.subscription == RPI]
    assert [(event.cause, event.over) for event in spoilt] == [("sequence", False), ("sequence", True)]
    assert same(rpi, usual) > 20


def test_without_a_line_it_is_polled_with_its_rpi_orders() -> None:
    rpi, usual, _ = heard(("abort@5x1", "refuse:503@5x60"), 40.0, poll_after=5.0, backoff_cap=5.0)
    polled = [event for event in books(rpi).values() if event.polled]
    assert len(polled) > 3
    assert all(organic(book.asks) and organic(book.bids) for book in polled)
    assert same(rpi, usual) > 20
