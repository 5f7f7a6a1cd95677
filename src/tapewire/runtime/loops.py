"""Event loops whose time is not the wall's: one that jumps to whatever is next, one that runs at another speed."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable
from contextvars import Context
from typing import TypeVarTuple, Unpack

_Args = TypeVarTuple("_Args")
Ready = list[tuple[selectors.SelectorKey, int]]


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Waits for nothing: a day of timers runs in as long as their callbacks take.

    Use ``loop.time()`` for every clock. Sockets and threads do not fit in: their events would come at arbitrary
    moments.
    """

    def __init__(self) -> None:
        self._moment = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._moment

    def jump(self, seconds: float) -> None:
        """Let time pass."""
        self._moment += seconds

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[_Args]], object],
        *args: *_Args,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """As of any loop, but never early.

        asyncio calls what is due within the clock's resolution, 1 ns. Here time would stand still then: whoever finds
        himself early and waits for the rest of his nanosecond would be called at once, for ever.
        """
        return super().call_at(when, self._reach, when, callback, args, context=context)

    def _reach(self, when: float, callback: Callable[[Unpack[_Args]], object], args: tuple[*_Args]) -> None:
        self._moment = max(self._moment, when)
        callback(*args)


class _Jumping(selectors.DefaultSelector):
    """A selector that moves its loop's time on instead of waiting."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._virtual = loop

    def select(self, timeout: float | None = None) -> Ready:
        """What is ready now; else time passes.

        Raises:
            RuntimeError: nothing is scheduled: what is awaited can never come.
        """
        ready: Ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("deadlock in virtual time: something is awaited, but nothing is scheduled")
        self._virtual.jump(timeout)
        return []


class PacedLoop(asyncio.SelectorEventLoop):
    """Its time passes ``speed`` times as fast as the wall's, and begins at 0."""

    def __init__(self, speed: float) -> None:
        self._speed, self._began = speed, time.monotonic()
        super().__init__(_Paced(speed))

    def time(self) -> float:
        """Seconds of this loop since it was made."""
        return (time.monotonic() - self._began) * self._speed


class _Paced(selectors.DefaultSelector):
    """A selector whose seconds are those of a ``PacedLoop``."""

    def __init__(self, speed: float) -> None:
        super().__init__()
        self._speed = speed

    def select(self, timeout: float | None = None) -> Ready:
        """As of any selector."""
        ready: Ready = super().select(timeout if timeout is None or timeout <= 0 else timeout / self._speed)
        return ready
