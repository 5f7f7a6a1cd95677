"""Notices on their way: at once, or through a bounded queue with one task while it holds anything; a limited end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from tapewire.config import MailboxOptions
from tapewire.errors import FeedError
from tapewire.hub.mailbox import Mailbox
from tapewire.hub.notices import Notice

logger = logging.getLogger("tapewire.alerts")

#: Notices that wait at most; then the oldest goes, counted.
SIZE = 100
#: Seconds that a cut delivery has to notice its end.
CANCEL_TIMEOUT = 0.5


class Outlet(Protocol):
    """An open channel. ``put`` never waits and never raises; counters of what became of the notices."""

    name: str
    sent: int
    failed: int

    @property
    def dropped(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    def put(self, notice: Notice) -> None: ...
    async def aclose(self, seconds: float) -> None: ...


class Direct:
    """A channel that is done with a notice when ``put`` returns."""

    dropped = waiting = 0

    def __init__(self, name: str, tell: Callable[[Notice], Any]) -> None:
        self.name, self._tell = name, tell
        self.sent = self.failed = 0

    def put(self, notice: Notice) -> None:
        try:
            self._tell(notice)
        except Exception:  # a user's callback may raise anything; the feed goes on
            self.failed += 1
            logger.exception("%s: raised for: %s", self.name, notice.line)
        else:
            self.sent += 1

    async def aclose(self, seconds: float) -> None: ...


class Outbox:
    """Hands notices to ``send`` in order, one at a time; calls ``idle`` whenever all are out.

    A notice that ``send`` raises for is counted as failed and logged. The task lives only while something waits.
    """

    def __init__(
        self, name: str, send: Callable[[Notice], Awaitable[None]], idle: Callable[[], Awaitable[None]]
    ) -> None:
        self.name = name
        self.sent = self.failed = 0
        self._send, self._idle = send, idle
        self._box = Mailbox(name, MailboxOptions(size=SIZE, rule="drop_oldest"))
        self._task: asyncio.Task[None] | None = None

    @property
    def dropped(self) -> int:
        """Notices that were never tried: too many waited, or the end came."""
        return self._box.dropped

    @property
    def waiting(self) -> int:
        """Notices in the queue, the one under way aside."""
        return len(self._box)

    def put(self, notice: Notice) -> None:
        """Queue a notice; returns at once."""
        before = self._box.dropped
        self._box.put(notice)
        if self._box.dropped > before:
            logger.warning("%s: too slow, the oldest notice was dropped (%d so far)", self.name, self._box.dropped)
        if self._task is None and self.waiting:
            self._task = asyncio.create_task(self._run(), name=f"alerts to {self.name}")

    async def aclose(self, seconds: float) -> None:
        """Deliver what waits for at most ``seconds``, then cut; what is lost is counted and logged."""
        self._box.close()
        task = self._task
        if task is not None and task is not asyncio.current_task():  # a callback may close its own client
            _, late = await asyncio.wait([task], timeout=max(0.0, seconds))
            if late:
                task.cancel()
                await asyncio.wait([task], timeout=CANCEL_TIMEOUT)
        if self.waiting:
            logger.warning("%s: %d notices were not delivered before the end", self.name, self.waiting)
            self._box.abandon()
        await self._idle()

    async def _run(self) -> None:
        try:
            while self.waiting:
                while self.waiting:
                    await self._hand_over(self._box.take())
                await self._idle()
        finally:
            self._task = None

    async def _hand_over(self, notice: Notice) -> None:
        try:
            await self._send(notice)
        except asyncio.CancelledError:
            self.failed += 1
            logger.warning("%s: a notice was not delivered before the end: %s", self.name, notice.line)
            raise
        except FeedError as error:
            self.failed += 1
            logger.warning("%s: a notice was not delivered: %s (%s)", self.name, error, notice.line)
        except Exception:  # a user's callback may raise anything; the next notice is tried all the same
            self.failed += 1
            logger.exception("%s: raised for: %s", self.name, notice.line)
        else:
            self.sent += 1
