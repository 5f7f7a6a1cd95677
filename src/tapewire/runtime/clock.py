"""The only file of the engine that reads the time: monotonic from the running loop, wall clock for telling."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from tapewire.session.actions import Now


class Clock(Protocol):
    """``now`` for decisions, ``wall_ns`` (ns UTC) for time stamps, ``call_at`` (monotonic s) for the next deadline.

    ``until`` waits. What ``call_at`` gives can be cancelled, and no more: for a time that is past uvloop gives a handle
    that knows no time, and rounds all others to whole milliseconds.
    """

    def now(self) -> Now: ...
    def wall_ns(self) -> int: ...
    def call_at(self, t: float, callback: Callable[[], None]) -> asyncio.Handle: ...
    async def until(self, t: float) -> None: ...


class LoopClock:
    """Time of the running event loop. A virtual-time loop hands in its own ``wall_ns``."""

    def __init__(self, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._loop = asyncio.get_running_loop()
        self.wall_ns: Callable[[], int] = wall_ns

    def now(self) -> Now:
        return Now(self._loop.time(), self.wall_ns())

    def call_at(self, t: float, callback: Callable[[], None]) -> asyncio.Handle:
        return self._loop.call_at(t, callback)

    async def until(self, t: float) -> None:
        """Wait until ``t`` (monotonic seconds); a time that is past costs nothing."""
        if t > self._loop.time():
            due = self._loop.create_future()
            timer = self._loop.call_at(t, due.set_result, None)
            try:
                await due
            finally:
                timer.cancel()
