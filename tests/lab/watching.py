"""Watches a client in this process through one fault, as the lab watches a client in a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from benchmarks.lab.rows import Observation, Row, Verdict, judge, settled

from tapewire.client import WebSocketClient
from tapewire.model.events import Event, TradeEvent
from tapewire.model.status import FeedEvent

#: No row takes longer, from the first moment to the verdict.
_LONGEST = 250.0


class Misbehaving(Protocol):
    """What is asked of whoever makes the fault; times are the running loop's."""

    @property
    def row(self) -> Row: ...
    @property
    def connects(self) -> Sequence[float]: ...
    @property
    def fault_at(self) -> float | None: ...
    @property
    def last_id(self) -> int: ...


class Watch:
    """Collects what one client does."""

    def __init__(self, lab: Misbehaving) -> None:
        self._lab = lab
        self.seen = Observation(connects=lab.connects)
        self._loop = asyncio.get_running_loop()
        self._something = asyncio.Event()

    def on_trade(self, event: Event) -> None:
        if isinstance(event, TradeEvent) and event.sequential_id is not None:
            self.seen.data.append((self._loop.time(), event.sequential_id))
        else:
            self.seen.foreign.append((self._loop.time(), repr(event)))
        self._something.set()

    def on_news(self, event: FeedEvent) -> None:
        self.seen.told.append((self._loop.time(), f"{type(event).__name__} {event}"))
        self._something.set()

    async def through(self, client: WebSocketClient) -> Verdict:
        """Subscribe, live through the fault, be judged."""
        async with client:
            client.subscribe_feed(self.on_news)
            await client.subscribe_trade(["KRW-BTC"], self.on_trade)
            async with asyncio.timeout(_LONGEST):
                await self._watch()
            return judge(self._lab.row, self.seen)

    async def _watch(self) -> None:
        while not self._enough():
            self._something.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._next_moment()):
                    await self._something.wait()

    def _enough(self) -> bool:
        now, seen, row = self._loop.time(), self.seen, self._lab.row
        seen.fault_at, seen.last_id, seen.until = self._lab.fault_at, self._lab.last_id, now
        return seen.fault_at is not None and (now >= seen.fault_at + row.watch or settled(row, seen, now))

    def _next_moment(self) -> float:
        """When it may be enough although nothing more happens (seconds of the loop)."""
        now, seen, row = self.seen.until, self.seen, self._lab.row
        ends = [(now if seen.fault_at is None else seen.fault_at) + row.watch]
        back = seen.back_at(row)
        if back is not None and row.settle is not None and back + row.settle > now:
            ends.append(back + row.settle)
        return min(ends)
