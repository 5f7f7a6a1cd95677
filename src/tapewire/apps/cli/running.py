"""Runs a command's coroutine with clean stops: Ctrl-C, SIGTERM, or when its time is up."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

#: Exit codes (DESIGN.md section 7).
DONE, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130
#: Seconds between two status lines of a command that runs long, where nobody watches.
PAUSE = 5.0


class Stop:
    """A wish to end, and the exit code that goes with it."""

    def __init__(self) -> None:
        self.code = DONE
        self._asked = asyncio.Event()

    def ask(self, code: int) -> None:
        """End cleanly with this code."""
        self.code = code
        self._asked.set()

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    async def wait(self, seconds: float | None = None) -> None:
        """Until somebody asks, or ``seconds`` have passed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._asked.wait()


MakeLoop = Callable[[], asyncio.AbstractEventLoop]


def run(main: Callable[[Stop], Coroutine[Any, Any, None]], make_loop: MakeLoop | None = None) -> int:
    """Run ``main`` on a loop of its own (by default uvloop's where it is installed) and return the exit code.

    The first Ctrl-C (130), SIGTERM (0) or loss of the terminal (SIGHUP, 130; not under nohup) asks ``main`` to
    stop; the second Ctrl-C ends it at once.
    """
    with asyncio.Runner(loop_factory=make_loop or _loop_factory()) as runner:
        return runner.run(_with_signals(main))


async def _with_signals(main: Callable[[Stop], Coroutine[Any, Any, None]]) -> int:
    loop, stop = asyncio.get_running_loop(), Stop()
    endings = _endings()
    before = {number: signal.getsignal(number) for number, _ in endings}
    for number, code in endings:
        _on_signal(loop, number, stop, code)
    try:
        await main(stop)
    finally:
        for number, handler in before.items():  # uvloop's own would stay and swallow every later Ctrl-C
            _restore(loop, number, handler)
    return stop.code


def _endings() -> list[tuple[signal.Signals, int]]:
    """The signals that end a command, and the exit code of each."""
    endings = [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, DONE)]
    hang_up = getattr(signal, "SIGHUP", None)  # not on Windows
    if hang_up is not None and signal.getsignal(hang_up) is not signal.SIG_IGN:
        endings.append((hang_up, INTERRUPTED))
    return endings


@contextlib.contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends a command's child processes too: Python alone would die at once and leave them behind."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(DONE))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _on_signal(loop: asyncio.AbstractEventLoop, number: signal.Signals, stop: Stop, code: int) -> None:
    def asked() -> None:
        if stop.asked:
            loop.remove_signal_handler(number)
            signal.raise_signal(number)
        stop.ask(code)

    try:
        loop.add_signal_handler(number, asked)
    except (NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread
        with contextlib.suppress(ValueError):
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.ask, code))


def _restore(loop: asyncio.AbstractEventLoop, number: signal.Signals, handler: Any) -> None:
    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # as in _on_signal
        loop.remove_signal_handler(number)
    with contextlib.suppress(ValueError):
        signal.signal(number, handler)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - an optional extra
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


@contextlib.asynccontextmanager
async def ticking(seconds: float, tick: Callable[[], None]) -> AsyncIterator[None]:
    """Call ``tick`` every ``seconds`` while the block runs."""

    async def run() -> None:
        while True:
            await asyncio.sleep(seconds)
            tick()

    task = asyncio.create_task(run(), name="ticking")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
