"""A bounded queue between the feed and one subscriber, with one stated overflow rule and counters."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from tapewire.config import MailboxOptions
from tapewire.errors import FeedError, Lagging, UsageError
from tapewire.model.events import FillEvent, LiquidationEvent, TradeEvent
from tapewire.model.status import Lagged

_Key = tuple[type, str, str | None, str | None]

#: Events that the rule ``block`` takes beyond the size: what the line had read when it was asked to hold.
RESERVE = 10_000


class MailboxStatistics(Struct, frozen=True):
    """Figures of one mailbox: events waiting now, the limit, put in, taken out, dropped, replaced by newer ones."""

    waiting: int
    size: int
    put: int
    taken: int
    dropped: int
    conflated: int


class Mailbox:
    """Events for one subscriber, oldest first.

    Rules when it is full: ``drop_oldest`` drops and counts; ``conflate`` keeps only the latest event of each
    (kind, symbol) that waits, trades excepted (for them it is ``drop_oldest``); ``raise`` closes the mailbox with
    ``Lagging`` after what waits was taken; ``block`` asks the feed to hold (``on_full``) until half is taken, and takes
    what was on the way; beyond ``RESERVE`` of that it is ``drop_oldest``.
    sent = delivered + waiting + dropped + conflated, always.
    """

    def __init__(
        self,
        name: str,
        options: MailboxOptions,
        *,
        on_full: Callable[[bool], None] | None = None,
        on_drop: Callable[[Mailbox], None] | None = None,
    ) -> None:
        self.name = name
        self.options = options
        self.dropped = 0
        self.conflated = 0
        self._size = options.size
        self.taken = 0
        self._queue: deque[Any] = deque()
        self._latest: dict[_Key, Any] = {}
        self._waiter: asyncio.Future[None] | None = None
        self._pausing: asyncio.Future[None] | None = None
        self._round = 0  # events of this round that are to be taken yet
        self._next_round = float("-inf")
        self._closed = False
        self.abandoned = False
        self._error: FeedError | None = None
        self._on_full = on_full
        self._on_drop = on_drop
        self._holding = False
        self.put: Callable[[Any], None] = {
            "drop_oldest": self._put_dropping,
            "conflate": self._put_conflating,
            "raise": self._put_raising,
            "block": self._put_blocking,
        }[options.rule]

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def put_count(self) -> int:
        """Events put in so far."""
        return self.taken + len(self) + self.dropped + self.conflated

    @property
    def closed(self) -> bool:
        return self._closed

    def statistics(self) -> MailboxStatistics:
        return MailboxStatistics(
            waiting=len(self),
            size=self.options.size,
            put=self.put_count,
            taken=self.taken,
            dropped=self.dropped,
            conflated=self.conflated,
        )

    def close(self, error: FeedError | None = None) -> None:
        """Nothing more comes; what waits can still be taken, then ``get`` raises ``error`` or StopAsyncIteration."""
        if not self._closed:
            self._closed = True
            self._error = error
            self._release()
            self._wake()
            if self._pausing is not None:
                _end_pause(self._pausing)

    def settle(self) -> None:
        """Let everything that came be taken, and be bounded, now."""

    def abandon(self) -> None:
        """Nobody will take what still waits: count it as dropped."""
        waiting = len(self)
        self._queue.clear()
        self._latest.clear()
        self.abandoned = True
        if waiting:
            self._count_drop(waiting)

    def is_settled(self, put: int) -> bool:
        """Whether the first ``put`` events are out of the hands of whoever took them: he has come for more."""
        gone = self.taken + self.dropped + self.conflated
        return gone > put or (gone == put and (self._waiter is not None or self._pausing is not None))

    def undelivered(self) -> None:
        """What was taken last reached nobody: count it as dropped."""
        self.taken -= 1
        self._count_drop(1)

    async def get(self) -> Any:
        """The oldest waiting event; waits for one.

        Raises:
            StopAsyncIteration: closed and empty.
            FeedError: closed with that error and empty.
            UsageError: another task waits already.
        """
        if self.options.interval:
            await self._await_round(asyncio.get_running_loop())
        while not self._queue:
            await self._await_event()
        return self.take()

    def take(self) -> Any:
        """The oldest waiting event. Raises IndexError when nothing waits."""
        item = self._queue.popleft()
        self.taken += 1
        if self._holding and len(self._queue) <= self.options.size // 2:
            self._release()
        return self._latest.pop(item) if type(item) is tuple else item

    def take_many(self, most: int) -> list[Any]:
        """The oldest events that wait, ``most`` at most: what ``take`` would have given one by one."""
        queue = self._queue
        if self._latest or len(queue) > most:
            return [self.take() for _ in range(min(most, len(queue)))]
        items = list(queue)
        queue.clear()
        self.taken += len(items)
        self._release()
        return items

    async def _await_event(self) -> None:
        if self._closed:
            raise self._error or StopAsyncIteration
        self._refuse_second(self._waiter)
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def _await_round(self, loop: asyncio.AbstractEventLoop) -> None:
        """A round takes what waits at its beginning; the next begins an interval later, or with the mailbox's end."""
        if self._round > 0:
            self._round -= 1
            return
        while not self._closed and not (self._queue and loop.time() >= self._next_round):
            await (self._pause(loop) if self._queue else self._await_event())
        self._round, self._next_round = len(self._queue) - 1, loop.time() + self.options.interval

    def _refuse_second(self, waiting: asyncio.Future[None] | None) -> None:
        if waiting is not None:
            raise UsageError(f"{self.name}: two tasks wait for its events; each needs a stream of its own")

    async def _pause(self, loop: asyncio.AbstractEventLoop) -> None:
        self._refuse_second(self._pausing)
        self._pausing = loop.create_future()
        timer = loop.call_at(self._next_round, _end_pause, self._pausing)
        try:
            await self._pausing
        finally:
            timer.cancel()
            self._pausing = None

    def _put_dropping(self, event: Any) -> None:
        if self._closed:
            return
        queue = self._queue
        if len(queue) >= self._size and not isinstance(event, Lagged):  # what says that some are missing has room
            self._drop()
        queue.append(event)
        if self._waiter is not None:
            self._wake()

    def _put_conflating(self, event: Any) -> None:
        symbol = getattr(event, "symbol", None)
        if symbol is None or isinstance(event, (TradeEvent, FillEvent, LiquidationEvent)):
            self._put_dropping(event)
            return
        if self._closed:
            return
        key = (event.__class__, symbol, getattr(event, "unit", None), getattr(event, "channel", None))
        if key in self._latest:
            self.conflated += 1
        else:
            if len(self._queue) >= self.options.size:
                self._drop()
            self._queue.append(key)
        self._latest[key] = event
        self._wake()

    def _put_raising(self, event: Any) -> None:
        if self._closed:
            return
        if len(self._queue) >= self.options.size:
            self._count_drop(1)
            self.close(Lagging(self.name, len(self._queue)))
            return
        self._queue.append(event)
        self._wake()

    def _put_blocking(self, event: Any) -> None:
        if self._closed:
            return
        if len(self._queue) >= self.options.size + RESERVE:
            self._drop()
        self._queue.append(event)
        if not self._holding and len(self._queue) >= self.options.size and self._on_full is not None:
            self._holding = True
            self._on_full(True)
        self._wake()

    def _drop(self) -> None:
        item = self._queue.popleft()
        if type(item) is tuple:
            del self._latest[item]
        self._count_drop(1)

    def _count_drop(self, events: int) -> None:
        self.dropped += events
        if self._on_drop is not None:
            self._on_drop(self)

    def _release(self) -> None:
        if self._holding and self._on_full is not None:
            self._holding = False
            self._on_full(False)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _end_pause(pausing: asyncio.Future[None]) -> None:
    if not pausing.done():
        pausing.set_result(None)
