"""An asyncio loop whose time jumps: when nothing is ready it is at once the moment of the next timer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from tapewire.runtime import loops

_Result = TypeVar("_Result")
#: The wall clock at the loop's time 0: 13 August 2026, 09:00 UTC.
_EPOCH_NS = 1_786_611_600 * 10**9


class VirtualTimeLoop(loops.VirtualTimeLoop):
    """Waits for nothing: a day of timers runs in as long as their callbacks take.

    Use ``loop.time()`` and ``wall_ns()`` for every clock. Sockets and threads do not fit in: their events would come
    at arbitrary moments.
    """

    def wall_ns(self) -> int:
        """Wall clock in ns UTC, moving with ``time()``."""
        return _EPOCH_NS + int(self.time() * 1e9)


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
