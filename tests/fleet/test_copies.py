"""Two collectors of the same streams: both copies of an event have one id, whenever each of them began."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest

from tapewire import Subscription, WebSocketClient
from tapewire.model.events import Event
from tapewire.model.status import FeedEvent
from tapewire.runtime.clock import LoopClock
from tapewire.runtime.manager import WebSocketManager
from tapewire.sinks.brokers.identity import event_id
from tests.client.stage import Stage, play

UPBIT = [Subscription("ticker", "KRW-BTC"), Subscription("trade", "KRW-BTC"), Subscription("orderbook", "KRW-BTC"),
         Subscription("candle", "KRW-BTC", unit="1m"), Subscription("candle", "KRW-BTC", unit="1s")]  # fmt: skip
OKX = [Subscription("ticker", "BTC-USDT"), Subscription("trade", "BTC-USDT"), Subscription("orderbook", "BTC-USDT"),
       Subscription("candle", "BTC-USDT", unit="1m")]  # fmt: skip


class Copy:
    """One collector's client on a connection of its own, and what it heard."""

    def __init__(self, stage: Stage, venue: str, number: int) -> None:
        self.heard: list[Event | FeedEvent] = []
        tickets = iter(range(10**6))
        manager = WebSocketManager(
            stage._ports, clock=LoopClock(stage.loop.wall_ns), draw=random.Random(number).random,
            ticket=lambda: f"{number}-{next(tickets)}",
        )  # fmt: skip
        self.client = WebSocketClient(f"c{number}", venue, manager=manager, poll_after=None)
        self._stream: Any = self.client.open_stream(news_only=["trade"])
        self._listening = asyncio.create_task(self._listen())

    async def begin(self, wanted: Sequence[Subscription]) -> None:
        await self._stream.add(wanted)

    async def end(self) -> None:
        await self._stream.aclose()
        await self._listening
        await self.client.cleanup()

    def ids(self, since_ms: int, until_ms: int) -> dict[str, set[str]]:
        """Of what the exchange published between, by kind."""
        found: dict[str, set[str]] = {}
        for item in self.heard:
            if isinstance(item, Event) and since_ms < (item.timestamp or 0) < until_ms:
                found.setdefault(item.kind, set()).add(event_id(item))
        return found

    async def _listen(self) -> None:
        async for item in self._stream:
            self.heard += [item]


@pytest.mark.parametrize(("venue", "wanted", "markets"), [
    ("upbit", UPBIT, ("KRW-BTC", "KRW-ETH")), ("okx", OKX, ("BTC-USDT", "ETH-USDT")),
])  # fmt: skip
def test_both_copies_of_an_event_have_one_id(venue: str, wanted: list[Subscription], markets: tuple[str, ...]) -> None:
    async def story(stage: Stage) -> None:
        first, second = Copy(stage, venue, 1), Copy(stage, venue, 2)
        await first.begin(wanted)
        await stage.after(7.3)
        await second.begin(wanted)
        await stage.after(10)
        since = stage.loop.wall_ns() // 1_000_000
        await stage.after(60)
        until = stage.loop.wall_ns() // 1_000_000
        await stage.after(5)
        await first.end()
        await second.end()
        theirs, ours = first.ids(since, until), second.ids(since, until)
        assert theirs == ours
        assert set(theirs) == {one.kind for one in wanted}
        assert all(len(ids) > 1 for ids in theirs.values())
        news = [event_id(item) for copy in (first, second) for item in copy.heard if isinstance(item, FeedEvent)]
        assert len(news) == len(set(news)) > 1

    play(story, venue=venue, markets=markets)
