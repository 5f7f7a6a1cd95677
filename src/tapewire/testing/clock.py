"""An asyncio loop whose time jumps: when nothing is ready it is at once the moment of the next timer."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")
#: The wall clock at the loop's time 0: 13 August 2026, 09:00 UTC.
_EPOCH_NS = 1_786_611_600 * 10**9


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Waits for nothing: a day of timers runs in as long as their callbacks take.

    Use ``loop.time()`` and ``wall_ns()`` for every clock. Sockets and threads do not fit in: their events would come
    at arbitrary moments.
    """

    def __init__(self) -> None:
        self._moment = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._moment

    def wall_ns(self) -> int:
        """Wall clock in ns UTC, moving with ``time()``."""
        return _EPOCH_NS + int(self._moment * 1e9)

    def jump(self, seconds: float) -> None:
        """Let time pass."""
        self._moment += seconds


class _Jumping(selectors.DefaultSelector):
    """A selector that moves its loop's time on instead of waiting."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._virtual = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready now; else time passes.

        Raises:
            RuntimeError: nothing is scheduled: what is awaited can never come.
        """
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("deadlock in virtual time: something is awaited, but nothing is scheduled")
        self._virtual.jump(timeout)
        return []


async def elapse(seconds: float) -> None:
    """Let so much virtual time pass: whatever is due until then happens.

    Raises:
        RuntimeError: the running loop's time is real: a test would sleep.
    """
    if not isinstance(asyncio.get_running_loop(), VirtualTimeLoop):
        raise RuntimeError("elapse() moves virtual time; run this with run_virtual()")  # noqa: TRY004 - the place is wrong, no value
    await asyncio.sleep(seconds)


def run_virtual(coroutine: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a coroutine on a fresh ``VirtualTimeLoop`` to its end; its result.

    Raises:
        RuntimeError: it waits for something that nothing can bring.
    """
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(coroutine)
