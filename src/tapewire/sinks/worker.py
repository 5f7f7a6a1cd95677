"""One daemon thread that runs blocking calls one at a time, so that a hung disk can hold up nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from tapewire.errors import SinkError
from tapewire.tape.right_of_way import RightOfWay

_Call = tuple[Callable[[], None], asyncio.Future[None]]


class Worker:
    """A thread for the blocking calls of one owner. Unlike an executor's it is never waited for when the
    program ends: a write that hangs in the kernel cannot be cancelled, and must not hang the exit.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: queue.Queue[_Call | None] = queue.Queue(maxsize=1)
        self._thread: threading.Thread | None = None
        self._last: asyncio.Future[None] | None = None
        self._way = RightOfWay()

    async def call(self, function: Callable[..., None], *args: Any, seconds: float, what: str = "") -> None:
        """Run ``function(*args)`` on the thread; what it raises is raised here. When the caller is cancelled
        the function still runs to its end; ``idle`` waits for that. ``what``: its name in errors, if it is another.

        Raises:
            SinkError: it did not return within ``seconds`` (it still runs: no further call will succeed).
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            self._calls.put_nowait((partial(function, *args), done))
        except queue.Full:
            raise SinkError(self._name, "an earlier call still hangs") from None
        self._way.begin()
        self._last = done
        await self._wait(done, what or function.__name__, seconds)

    async def idle(self, seconds: float) -> None:
        """Wait until the last call has ended; raises what it raised, unless somebody was told already."""
        if self._last is not None and not self._last.done():
            await self._wait(self._last, "the call before", seconds)

    def give_way(self, seconds: float) -> bool:
        """See ``RightOfWay.give``; without a call on the thread nobody stands still, and it is no use."""
        return self._is_at_work and self._way.give(seconds)

    def give_way_at_times(self, now_ns: Callable[[], int]) -> None:
        """See ``RightOfWay.give_at_times``; without a call on the thread nothing is done."""
        if self._is_at_work:
            self._way.give_at_times(now_ns)

    def rests(self, *, resting: bool) -> None:
        """Said by a call on the thread: it has nothing to do until more comes, so nobody is to give way to it."""
        self._way.end() if resting else self._way.begin()

    @property
    def _is_at_work(self) -> bool:
        return self._last is not None and not self._last.done()

    def stop(self) -> None:
        """Let the thread end after the call it is in."""
        if self._thread is not None:
            with contextlib.suppress(queue.Full):  # it hangs: being a daemon it ends with the program
                self._calls.put_nowait(None)

    async def _wait(self, done: asyncio.Future[None], what: str, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds) as limit:
                await asyncio.shield(done)
        except TimeoutError:
            if not limit.expired():
                raise
            raise SinkError(self._name, f"{what} took longer than {seconds:g} s") from None

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            function, done = call
            try:
                function()
            except Exception as error:  # whatever it is, it belongs to the caller and not to this thread
                self._end(done, error)
            else:
                self._end(done, None)

    def _end(self, done: asyncio.Future[None], error: Exception | None) -> None:
        self._way.end()
        _tell(done, error)


def _tell(done: asyncio.Future[None], error: Exception | None) -> None:
    with contextlib.suppress(RuntimeError):  # the loop that asked is closed: nobody waits any more
        done.get_loop().call_soon_threadsafe(_settle, done, error)


def _settle(done: asyncio.Future[None], error: Exception | None) -> None:
    if error is None:
        done.set_result(None)
        return
    done.set_exception(error)
    done.exception()  # a caller that gave up is no reason for a warning
