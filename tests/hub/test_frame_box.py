"""A mailbox of frames: order, bounds in frames and bytes, and that every frame is taken, waits or is counted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.config import MailboxOptions
from tapewire.errors import Lagging
from tapewire.hub import frame_box
from tapewire.hub.frame_box import FrameBox
from tapewire.model.events import Event, TradeEvent
from tapewire.model.frame_run import FrameRun, Keep
from tapewire.model.status import Connected, FeedEvent, Lagged
from tapewire.model.subscription import Subscription

HOUR = 3600


class Taker:
    """Keeps each market's frames in a list; frames of different hours may not be in one run."""

    def __init__(self) -> None:
        self.kept: dict[str, list[bytes]] = {}
        self.keeps: dict[str, Keep] = {}
        self.odd: list[bytes | None] = []

    def keep(self, _venue: str, subscription: Subscription) -> Keep | None:
        return self._keep(subscription.symbol) if subscription.symbol else None

    def keep_of(self, event: Event) -> Keep:
        return self._keep(event.symbol)

    def _keep(self, symbol: str) -> Keep:
        kept = self.kept.setdefault(symbol, [])

        def keep(text: bytes, count: int) -> None:
            *lines, end = text.split(b"\n")
            assert (end, len(lines)) == (b"", count)
            kept.extend(lines)

        return self.keeps.setdefault(symbol, keep)

    def frame_of(self, event: Event) -> bytes:
        self.odd.append(event.raw)
        return b"odd"

    def until(self, at_ns: int) -> int:
        return (at_ns // HOUR + 1) * HOUR


def trade(number: int, symbol: str = "KRW-BTC", at_ns: int = 1, raw: bytes | None = b"{}") -> TradeEvent:
    return TradeEvent(
        venue="upbit",
        symbol=symbol,
        sequential_id=number,
        received_ns=at_ns,
        raw=b'{"n":%d}' % number if raw == b"{}" else raw,
    )


def connected() -> FeedEvent:
    return Connected(venue="upbit", connection="upbit#1", at_ns=1, url="wss://x", seconds=0.1, reconnect=0)


def stream(symbol: str = "KRW-BTC") -> Subscription:
    return Subscription("trade", symbol)


def box_of(taker: Taker, size: int = 100, part: int = 50) -> FrameBox:
    return FrameBox("recorder", MailboxOptions(size=size), taker, part=part)


def deal(items: list[Any]) -> list[Any]:
    """Gives the frames where they go; the other items."""
    for item in items:
        if isinstance(item, FrameRun):
            item.deal()
    return [item for item in items if not isinstance(item, FrameRun)]


async def test_frames_of_many_streams_come_as_one_run_after_a_moment() -> None:
    taker = Taker()
    box = box_of(taker)
    hear, other = box.hear("upbit", stream()), box.hear("upbit", stream("KRW-ETH"))
    hear(trade(1))
    other(trade(2, "KRW-ETH"))
    hear(trade(3))
    assert len(box) == 3
    run = await box.get()
    assert (run.count, run.size, run.at_ns, len(box)) == (3, 21, 1, 0)
    run.deal()
    assert taker.kept == {"KRW-BTC": [b'{"n":1}', b'{"n":3}'], "KRW-ETH": [b'{"n":2}']}
    assert box.statistics().taken == 3
    box.close()


async def test_what_is_no_line_by_itself_is_asked_for() -> None:
    taker = Taker()
    box = box_of(taker)
    hear = box.hear("upbit", stream())
    odd = [None, b"", b"[{}]", b"{\n}", b"{\r}", '{"이름":1}'.encode()]
    for number, raw in enumerate(odd):
        hear(trade(number, raw=raw))
    hear(trade(9))
    box.close()
    deal(box.take_many(100))
    assert (taker.odd, taker.kept["KRW-BTC"]) == (odd, [b"odd"] * 6 + [b'{"n":9}'])


async def test_a_stream_of_all_markets_asks_for_each_event() -> None:
    taker = Taker()
    box = box_of(taker)
    hear = box.hear("upbit", stream(""))
    hear(trade(1, "KRW-XRP"))
    hear(trade(2, "KRW-ETH"))
    box.close()
    deal(box.take_many(9))
    assert taker.kept == {"KRW-XRP": [b'{"n":1}'], "KRW-ETH": [b'{"n":2}']}


async def test_frames_that_are_not_read_stand_with_those_of_events_where_they_came() -> None:
    taker = Taker()
    box = box_of(taker)
    hear, take = box.hear("upbit", stream()), box.take_frames("upbit", stream())
    assert take is not None
    take(b'{"n":1}', 1)
    hear(trade(2))
    take(b'{"n":3}', HOUR)
    box.close()
    take(b'{"n":4}', HOUR)
    runs = box.take_many(9)
    assert [(run.count, run.size, run.at_ns) for run in runs] == [(2, 14, 1), (1, 7, HOUR)]
    assert [run.sample and run.sample.sequential_id for run in runs] == [2, None]
    deal(runs)
    assert taker.kept == {"KRW-BTC": [b'{"n":1}', b'{"n":2}', b'{"n":3}']}
    assert box.take_frames("upbit", stream("")) is None


async def test_a_run_ends_with_its_span_and_a_clock_that_goes_back_is_no_end() -> None:
    box = box_of(Taker())
    hear = box.hear("upbit", stream())
    for at_ns in (1, HOUR - 1, HOUR, HOUR - 1, 2 * HOUR):
        hear(trade(1, at_ns=at_ns))
    box.close()
    runs = box.take_many(9)
    assert [(run.count, run.at_ns) for run in runs] == [(2, 1), (2, HOUR), (1, 2 * HOUR)]


async def test_beyond_its_size_the_oldest_go_and_are_counted() -> None:
    taker, told = Taker(), list[int]()
    box = FrameBox("recorder", MailboxOptions(size=5), taker, on_drop=lambda box: told.append(box.dropped))
    hear = box.hear("upbit", stream())
    for number in range(12):
        hear(trade(number))
    box.close()
    deal(box.take_many(100))
    assert taker.kept["KRW-BTC"] == [b'{"n":%d}' % number for number in range(7, 12)]
    assert (box.dropped, told, box.put_count) == (7, [7], 12)


async def test_what_says_that_some_are_missing_has_room() -> None:
    box = box_of(Taker(), size=1)
    lagged = Lagged(venue="upbit", connection="", at_ns=1, subscriber="", rule="", dropped=1, total_dropped=1, size=1)
    box.put(connected())
    box.put(lagged)
    assert (box.take_many(9), box.dropped) == ([connected(), lagged], 0)
    box.put(connected())
    box.put(connected())
    assert (len(box), box.dropped) == (1, 1)
    box.close()


async def test_bytes_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_box, "FRAMES_BYTES", 100)
    taker = Taker()
    box = box_of(taker, size=1000, part=4)
    hear = box.hear("upbit", stream())
    for number in range(20):
        hear(trade(number, raw=b'{"n":%04d}' % number))
    box.close()
    deal(box.take_many(100))
    assert taker.kept["KRW-BTC"] == [b'{"n":%04d}' % number for number in range(12, 20)]
    assert box.dropped == 12


async def test_one_item_is_a_part_of_what_waits() -> None:
    taker = Taker()
    box = box_of(taker, part=3)
    hear = box.hear("upbit", stream())
    for number in range(10):
        hear(trade(number))
    box.close()
    assert [item.count for item in (box.take(), *box.take_many(5), box.take())] == [3, 5, 2]
    with pytest.raises(IndexError):
        box.take()
    with pytest.raises(StopAsyncIteration):
        await box.get()


async def test_after_its_end_nothing_is_taken_any_more() -> None:
    box = box_of(Taker())
    hear = box.hear("upbit", stream())
    hear(trade(1))
    box.close(Lagging("recorder", 1))
    hear(trade(2))
    box.put(connected())
    assert ([item.count for item in box.take_many(9)], len(box)) == ([1], 0)
    with pytest.raises(Lagging):
        await box.get()
    box.close()


async def test_what_nobody_takes_is_counted_as_dropped() -> None:
    box = box_of(Taker())
    hear = box.hear("upbit", stream())
    hear(trade(1))
    box.put(connected())
    box.abandon()
    assert (box.dropped, len(box)) == (2, 0)
    box.close()


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("hear"), st.integers(0, 2)),
        st.tuples(st.just("put"), st.just(0)),
        st.tuples(st.just("later"), st.just(HOUR)),
        st.tuples(st.just("take"), st.just(0)),
        st.tuples(st.just("many"), st.integers(1, 9)),
    ),
    max_size=80,
)


@given(_STEPS, st.integers(1, 12), st.integers(1, 5))
def test_every_frame_is_taken_in_order_or_waits_or_is_counted(
    steps: list[tuple[str, int]], size: int, part: int
) -> None:
    async def play() -> None:
        taker, at_ns, sent, items = Taker(), 1, 0, list[Any]()
        box = box_of(taker, size, part)
        ears = [box.hear("upbit", stream(f"KRW-{letter}")) for letter in "ABC"]
        for what, number in steps:
            if what == "hear":
                ears[number](trade(sent, f"KRW-{'ABC'[number]}", at_ns))
            elif what == "put":
                box.put(connected())
            elif what == "later":
                at_ns += number
            elif what == "many":
                items += box.take_many(number)
            elif len(box):
                items += box.take_many(1)
            sent += what in ("hear", "put")
            assert sent == box.taken + len(box) + box.dropped == box.put_count
        box.close()
        items += box.take_many(1000)
        others = deal(items)
        frames = [int(frame[5:-1]) for kept in taker.kept.values() for frame in kept]
        assert len(others) + len(frames) == box.taken == sent - box.dropped
        assert all(kept == sorted(kept, key=lambda frame: int(frame[5:-1])) for kept in taker.kept.values())

    asyncio.run(play())
