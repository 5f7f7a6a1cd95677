"""A daemon thread that runs one event loop; other threads hand it work and wait, with a limit, so that Ctrl-C works."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import Any, Generic, TypeVar

from tapewire.errors import FeedError, TimedOut, UsageError

Result = TypeVar("Result")

#: Seconds of one wait: where a wait cannot be interrupted, Ctrl-C is heard after so long.
_STEP = 0.2
#: Seconds that work may take which has no limit of its own: as long as a callback may hold up the thread.
PATIENCE = 30.0


class Call(Generic[Result]):
    """Work of the loop for which another thread waits."""

    def __init__(self, make: Callable[[], Awaitable[Result]]) -> None:
        self.answer: Future[Result] = Future()
        self._make = make
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Called on the loop's thread."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="blocking call")

    def cancel(self) -> None:
        """Called on the loop's thread."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            result = await self._make()
        except asyncio.CancelledError:
            self.answer.cancel()
            raise
        except Exception as error:  # whatever it is, it is raised where somebody waits
            self.answer.set_exception(error)
        else:
            self.answer.set_result(result)


class LoopThread:
    """One loop on one daemon thread, started at once.

    Attributes:
        stopped: it was asked to end.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.stopped = False
        self._stopping = asyncio.Event()
        self._over = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=f"tapewire {name}", daemon=True)
        try:
            self._thread.start()
        except BaseException:  # no thread can be had: nobody else would close the loop
            self._loop.close()
            raise

    @property
    def is_here(self) -> bool:
        """Whether the caller runs on this thread, within a callback."""
        return threading.current_thread() is self._thread

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def refuse_here(self, what: str) -> None:
        """Raises UsageError within a callback: the thread would wait for itself."""
        if self.is_here:
            raise UsageError(
                f"{self.name}: {what} was called within a callback, on the client's own thread, which would wait for "
                "itself; hand the work to another thread (a queue.Queue)"
            )

    def begin(self, make: Callable[[], Awaitable[Result]]) -> Call[Result]:
        """Let the loop do this; ``wait`` gives the result."""
        call = Call(make)
        self.post(partial(self._begin, call))
        return call

    def post(self, deed: Callable[[], object]) -> None:
        """Let the loop do this soon; forgotten when the thread has ended."""
        try:
            self._loop.call_soon_threadsafe(deed)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    def run(self, what: str, make: Callable[[], Awaitable[Result]], seconds: float = PATIENCE) -> Result:
        """Do this on the loop and wait for its result; given up (and cancelled) after ``seconds``, or by Ctrl-C.

        Raises:
            UsageError: called within a callback, or the client was closed.
            TimedOut: it took too long; mostly a callback that does not come back.
        """
        self.refuse_here(what)
        if self.stopped:
            raise self._ended(what)
        call = self.begin(make)
        try:
            return self.wait(call, what, seconds)
        except FeedError as error:
            if self.stopped:  # whatever it says of its half-closed state
                raise self._ended(what) from error
            raise
        finally:
            if not call.answer.done():
                self.post(call.cancel)

    def do(self, what: str, deed: Callable[[], Result]) -> Result:
        """As ``run`` for what needs no waiting: within a callback it is done at once."""
        if self.is_here:
            return deed()

        async def done() -> Result:
            return deed()

        return self.run(what, done)

    def wait(self, call: Call[Result], what: str, seconds: float | None = None) -> Result:
        """The result of what was begun. A wait that ends without it (TimedOut, Ctrl-C) can be repeated."""
        until = None if seconds is None else self._loop.time() + seconds
        while True:
            alive = self.is_alive
            step = _STEP if until is None else min(_STEP, max(0.0, until - self._loop.time()))
            try:
                call.answer.exception(step)
            except TimeoutError:
                if not alive:
                    raise self._ended(what) from None
                if until is not None and self._loop.time() >= until:
                    raise TimedOut(f"{self.name}: {what}", seconds or 0.0) from None
            except CancelledError:
                raise self._ended(what) from None
            else:
                return call.answer.result()

    def stop(self, last: Call[Any], seconds: float) -> bool:
        """End the loop once ``last`` is done, however late; False when the thread still runs after ``seconds``."""
        self.stopped = True
        last.answer.add_done_callback(lambda _: self.post(self._stopping.set))
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    def time(self) -> float:
        """Seconds of a clock that never goes back."""
        return self._loop.time()

    def _ended(self, what: str) -> UsageError:
        if self.stopped:
            return UsageError(f"{self.name}: {what}: the client was closed; make a new WebSocketClient")
        return UsageError(f"{self.name}: {what}: the client's thread has ended")

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=self._own_loop) as runner:
                runner.run(self._until_stopped())
        except RuntimeError:
            # At the program's end Python 3.12 starts no thread any more, not even the one that the runner, its last
            # deed, lets wait for the threads of the loop's executor; these end without it.
            if threading.main_thread().is_alive() or not self._loop.is_closed():
                raise

    def _own_loop(self) -> Any:
        return self._loop

    def _begin(self, call: Call[Any]) -> None:
        if self._over:  # the loop is being closed: a task would be begun and never run
            call.answer.cancel()
        else:
            call.begin()

    async def _until_stopped(self) -> None:
        await self._stopping.wait()
        self._over = True
