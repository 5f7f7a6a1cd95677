"""A member of a group gives back what it will not work on, also what comes when it has left already."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest

from tapewire.config import SessionOptions
from tapewire.hub.listening import Listener
from tapewire.model.subscription import Subscription
from tapewire.runtime.clock import LoopClock
from tapewire.runtime.driving import Events, Origin
from tapewire.runtime.sharing import Sharing
from tapewire.session.backoff import Backoff
from tapewire.sinks.brokers.source import Begin, Missed, Received
from tapewire.venues.registry import get_venue
from tests.client.test_sinks import until
from tests.runtime.test_heard import NAME, heard, message

TRADES = Subscription("trade", "KRW-BTC")


class Broker:
    """A ``SharedSource``: what it gave, and what was said of that; ``late`` comes when its subject was left."""

    shown, keeps_history = "broker", False

    def __init__(self, *late: Received) -> None:
        self.coming: asyncio.Queue[Received | Missed] = asyncio.Queue()
        self.late = late
        self.said: list[tuple[str, list[str]]] = []

    async def connect(self) -> None: ...

    async def latest(self, subjects: Sequence[str]) -> Sequence[Received]:
        return ()

    async def follow(self, begins: Mapping[str, Begin]) -> frozenset[str]:
        return frozenset()

    async def share(self, begins: Mapping[str, Begin], group: str) -> frozenset[str]:
        self.said.append((f"share {group}", list(begins)))
        return frozenset()

    async def leave(self, subjects: Iterable[str]) -> None:
        if NAME in [*subjects]:
            self.said.append(("leave", []))
            for one in self.late:
                self.coming.put_nowait(one)

    async def receive(self) -> Sequence[Received | Missed]:
        return [await self.coming.get()]

    async def done(self, messages: Sequence[Received]) -> None:
        self.said.append(("done", [one.position for one in messages]))

    def release(self, messages: Sequence[Received]) -> None:
        if messages:
            self.said.append(("release", [one.position for one in messages]))

    async def close(self) -> None: ...


def sharing(broker: Broker) -> Sharing:
    nothing: Any = lambda *_: None  # noqa: E731 - nobody listens
    codec = get_venue("upbit").codec("DEFAULT", "float", False)
    return Sharing(
        Origin("upbit", "upbit-1", "broker"), heard(), codec, LoopClock(), Backoff(SessionOptions(), random.random),
        Events(nothing, nothing, nothing, nothing, nothing, nothing), nothing,
        source=broker, group="workers", mailboxes=lambda: (),
    )  # fmt: skip


def given_back(broker: Broker) -> list[str]:
    return [position for word, positions in broker.said if word == "release" for position in positions]


@pytest.mark.parametrize("on_their_way", [(), (2,), (2, 3)])
async def test_what_was_on_its_way_is_given_back_even_if_it_comes_late(on_their_way: tuple[int, ...]) -> None:
    broker = Broker(message(8, 8), message(9, 9))
    member = sharing(broker)
    told: list[int] = []

    def hear(event: Any) -> None:
        told.append(event.sequential_id)
        member.router.remove(TRADES, listener)
        member.want(())

    listener = Listener("one", hear, "realtime_only")
    member.router.add(TRADES, listener)
    member.want(())
    for number in (1, *on_their_way):
        broker.coming.put_nowait(message(number, number))
    await until(lambda: len(given_back(broker)) == len(on_their_way) + 2)
    member.stop()
    await member.done.wait()
    assert told == [1]
    assert broker.said[0] == ("share workers", [NAME])
    assert ("done", ["1"]) in broker.said
    assert given_back(broker) == [*map(str, on_their_way), "8", "9"]
    before = broker.said.index(("leave", []))
    assert all(word != "release" for word, _ in broker.said[:before]), "Kafka confirms what is given back before"
