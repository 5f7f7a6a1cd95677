"""A broker in the exchange's place whose line is lost at a bad moment: who waits still gets what he waits for."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tapewire.config import SessionOptions
from tapewire.hub.listening import Listener
from tapewire.model.subscription import StreamPreference, Subscription
from tapewire.runtime.clock import LoopClock
from tapewire.runtime.driving import Events, Origin
from tapewire.runtime.sourced import Sourced
from tapewire.session.backoff import Backoff
from tapewire.sinks.brokers.link import Away
from tapewire.sinks.brokers.source import Begin, Missed, Received
from tapewire.venues.registry import get_venue
from tests.client.test_sinks import until
from tests.runtime.test_heard import NAME, heard, message

TRADES = Subscription("trade", "KRW-BTC")
TICKER = Subscription("ticker", "KRW-BTC")
#: In place of a message: the line is lost.
CUT = Missed("cut")


class Broker:
    """A ``Source`` of one subject: its line is lost in the first call of ``lost_in``, and then there is one message
    more, ``stored`` when the next line is opened; ``late`` comes when its subject was left.
    """

    shown = "broker"

    def __init__(self, *, stored: Sequence[Received] = (), lost_in: str = "", late: Sequence[Received] = ()) -> None:
        self.stored, self._lost_in, self._late = list(stored), lost_in, late
        self.coming: asyncio.Queue[Received | Missed] = asyncio.Queue()
        self.begun: list[Begin] = []
        self.left = self.lines = 0
        self.at_second_line: Callable[[], None] = lambda: None

    async def connect(self) -> None:
        self.lines += 1
        if self.lines == 2:
            self.at_second_line()

    async def latest(self, subjects: Sequence[str]) -> Sequence[Received]:
        if NAME in subjects:
            self._reach("latest")
        return self.stored[-1:] if NAME in subjects else ()

    async def follow(self, begins: Mapping[str, Begin]) -> frozenset[str]:
        if NAME in begins:
            self._reach("follow")
            self.begun.append(begins[NAME])
        return frozenset()

    async def leave(self, subjects: Iterable[str]) -> None:
        if NAME in [*subjects]:
            self._reach("leave")
            self.left += 1
            for one in self._late:
                self.coming.put_nowait(one)

    async def receive(self) -> Sequence[Received | Missed]:
        one = await self.coming.get()
        if one == CUT:
            raise Away("lost")
        return [one]

    async def close(self) -> None: ...

    def _reach(self, call: str) -> None:
        if call == self._lost_in:
            self._lost_in = ""
            self.stored.append(message(5, 5))
            raise Away(f"lost in {call}")


class Forgetful(Broker):
    """Its client forgets that it was cancelled, once, and has an answer then."""

    async def receive(self) -> Sequence[Received | Missed]:
        try:
            return await super().receive()
        except asyncio.CancelledError:
            if self.stored[-1].position == "2":
                raise
            self.stored.append(message(2, 2))
            return self.stored[-1:]


class Stage:
    """A connection to it, and what its listeners were told: (stream type, trade id)."""

    def __init__(self, broker: Broker) -> None:
        nothing: Any = lambda *_: None  # noqa: E731 - nobody listens
        codec = get_venue("upbit").codec("DEFAULT", "float", False)
        self.line = Sourced(
            Origin("upbit", "upbit-1", "broker"), broker, heard(), codec, LoopClock(),
            Backoff(SessionOptions(backoff_base=0.01), random.random),
            Events(nothing, nothing, nothing, nothing, nothing, nothing), nothing,
        )  # fmt: skip
        self.told: list[tuple[str | None, int]] = []

    def join(self, stream: Subscription, preference: StreamPreference = "both") -> Listener:
        listener = Listener("one", lambda event: self.told.append((event.stream_type, event.sequential_id)), preference)
        self.line.router.add(stream, listener)
        self.line.want([stream] if listener.needs_snapshot else ())
        return listener

    def leave(self, stream: Subscription, listener: Listener) -> None:
        self.line.router.remove(stream, listener)
        self.line.want(())


@asynccontextmanager
async def stage(broker: Broker) -> AsyncIterator[Stage]:
    one = Stage(broker)
    yield one
    one.line.stop()
    await one.line.done.wait()


async def test_what_is_received_though_the_call_was_cancelled_is_handed_on() -> None:
    broker = Forgetful(stored=[message(1, 1)])
    async with stage(broker) as one:
        one.join(TRADES)
        await until(lambda: one.told)
        one.join(TICKER)
        await until(lambda: len(one.told) > 1)
    assert one.told == [("SNAPSHOT", 1), ("REALTIME", 2)]


@pytest.mark.parametrize("lost_in", ["latest", "follow"])
@pytest.mark.parametrize(
    ("preference", "told"),
    [
        ("both", [("SNAPSHOT", 5), ("REALTIME", 6)]),
        ("snapshot_only", [("SNAPSHOT", 5)]),
        ("realtime_only", [("REALTIME", 6)]),
    ],
)
async def test_a_snapshot_is_answered_though_the_line_is_lost_meanwhile(
    lost_in: str, preference: StreamPreference, told: list[tuple[str, int]]
) -> None:
    broker = Broker(lost_in=lost_in)
    async with stage(broker) as one:
        one.join(TRADES, preference)
        await until(lambda: broker.begun)
        broker.coming.put_nowait(message(6, 6))
        await until(lambda: one.line._heard.begin(NAME) == Begin(after="6"))
    assert one.told == told
    assert (broker.lines, broker.begun) == (2, [Begin(after="5")])


async def test_who_joins_a_stream_gets_its_snapshot_though_the_line_is_lost_meanwhile() -> None:
    broker = Broker(stored=[message(1, 1)])
    async with stage(broker) as one:
        one.join(TRADES, "realtime_only")
        await until(lambda: one.line.live)
        broker._lost_in = "latest"
        one.join(TRADES, "snapshot_only")
        await until(lambda: one.told)
    assert one.told == [("SNAPSHOT", 5)]
    assert broker.begun == [Begin(after="1"), Begin(after="1")]


async def test_what_comes_for_a_stream_that_was_left_is_no_place_to_go_on_from() -> None:
    broker = Broker(stored=[message(1, 1)], late=[message(2, 2)])
    async with stage(broker) as one:
        one.join(TICKER)
        listener = one.join(TRADES)
        await until(lambda: one.told)
        one.leave(TRADES, listener)
        await until(lambda: broker.left and broker.coming.empty())
        broker.stored.append(message(3, 3))
        one.join(TRADES)
        await until(lambda: len(one.told) > 1)
    assert one.told == [("SNAPSHOT", 1), ("SNAPSHOT", 3)]
    assert broker.begun == [Begin(after="1"), Begin(after="3")]


async def test_a_stream_that_was_left_when_the_line_was_lost_begins_anew() -> None:
    broker = Broker(stored=[message(1, 1)], lost_in="leave")
    async with stage(broker) as one:
        one.join(TICKER)
        listener = one.join(TRADES)
        await until(lambda: one.told)
        one.leave(TRADES, listener)
        await until(lambda: broker.lines == 2 and one.line.live == {TICKER})
        one.join(TRADES)
        await until(lambda: len(one.told) > 1)
    assert one.told == [("SNAPSHOT", 1), ("SNAPSHOT", 5)]
    assert broker.begun == [Begin(after="1"), Begin(after="5")]


async def test_a_stream_that_was_left_while_there_was_no_line_begins_anew() -> None:
    broker = Broker(stored=[message(1, 1)])
    async with stage(broker) as one:
        one.join(TICKER)
        listener = one.join(TRADES)
        await until(lambda: one.told)
        broker.stored.append(message(5, 5))
        broker.at_second_line = lambda: one.leave(TRADES, listener)
        broker.coming.put_nowait(CUT)
        await until(lambda: broker.lines == 2 and one.line.live == {TICKER})
        one.join(TRADES)
        await until(lambda: len(one.told) > 1)
    assert one.told == [("SNAPSHOT", 1), ("SNAPSHOT", 5)]
    assert broker.begun == [Begin(after="1"), Begin(after="5")]
