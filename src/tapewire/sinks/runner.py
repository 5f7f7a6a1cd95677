"""Feeds one sink from a stream of events: batches by count and age, off the event loop's thread, time limits."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncIterable, Callable, Coroutine
from functools import partial
from typing import Any, Literal

from msgspec import Struct

from tapewire.errors import ConfigError, SinkError
from tapewire.model.frame_run import FrameRun
from tapewire.sinks.contract import Item, Sink, Taking
from tapewire.sinks.worker import Worker
from tapewire.tape.right_of_way import BEHIND, GO_ON

State = Literal["idle", "recording", "degraded"]


#: Events of one batch, where nobody says otherwise.
BATCH = 1000
#: Bytes of frames that are written before their time, and that are read ahead at most. Of a slow disk, or a thread that
#: seldom has its turn, the batches grow until each file gets enough at once.
FRAMES_DUE, FRAMES_MOST = 8 * 1024 * 1024, 28 * 1024 * 1024
#: A busy event loop may answer the sink's thread a fifth of a second later only. So that writes what becomes ready by
#: itself, waits so many seconds for more after a full batch, and asks the loop after this share of the time limit.
_MORE, _ROW_SHARE = 0.15, 0.25
#: Seconds that a run of frames has taken when it comes (``hub.frame_box.RUN_SECONDS``); what is left to wait at least.
_RUN, _LEAST = 0.02, 0.01
#: Seconds between flushes where nobody says otherwise; the share of it for which the thread waits for more at most.
_FLUSH_EVERY, _MORE_SHARE = 1.0, 1 / 6


class RunnerOptions(Struct, frozen=True, kw_only=True):
    """How a sink is fed.

    Attributes:
        batch: events that are written at once; as many again may wait while a batch is being written. None: as many as
            the sink wants (``Sink.batch``), or 1,000.
        max_age: seconds after which a smaller batch is written too, or half of ``flush_every``, if that is less.
        flush_every: seconds from what came to the flush that covers it, at most (0.06 or more, where frames come in
            runs). None: as the sink says (``Sink.flush_every``), or 1.
        write_timeout: seconds one ``open``, ``write`` or ``flush`` may take.
        close_timeout: seconds for all that remains when the feed has ended (Ctrl-C ends within five).
        retry_every: seconds until a sink that refused for a while (``SinkError.retryable``) is tried again.
    """

    batch: int | None = None
    max_age: float = 0.25
    flush_every: float | None = None
    write_timeout: float = 30.0
    close_timeout: float = 4.0
    retry_every: float = 1.0

    def __post_init__(self) -> None:
        for option in self.__struct_fields__:
            value = getattr(self, option)
            if not (value is None or value > 0):
                raise ConfigError(option, value, "more than 0")


class SinkRunner:
    """Reads a source and writes it to one sink until the source ends.

    The source is read no further than two batches ahead of the sink. What a slow sink leaves unread stays in the
    mailbox behind the source, whose overflow rule and counts hold: the feed itself is never slowed. A sink that refuses
    for a while (a full disk) is tried again until it takes what it kept, or the source has to end.

    Args:
        sink: where to.
        name: of its thread, and in errors.
        options: batches and time limits.
        tell: told of each refusal that is new, and with None that all is written again.
    """

    def __init__(
        self,
        sink: Sink,
        name: str = "sink",
        options: RunnerOptions | None = None,
        tell: Callable[[SinkError | None], None] = lambda _trouble: None,
    ) -> None:
        self._sink, self._tell = sink, tell
        self.state: State = "idle"
        self._options = options or RunnerOptions()
        liked: int = getattr(sink, "batch", BATCH)
        self._batch = liked if self._options.batch is None else self._options.batch
        takes_frames = getattr(sink, "frames", None) is not None  # which have waited for a run to be over
        wished: float = getattr(sink, "flush_every", _FLUSH_EVERY)
        self._flush_every = wished if self._options.flush_every is None else self._options.flush_every
        max_age = min(self._options.max_age, self._flush_every / 2)
        self._max_age = max(max_age - _RUN, _LEAST) if takes_frames else max_age
        self._worker = Worker(name)
        self._buffer: list[Item | FrameRun] = []
        self._count = self._size = 0  # events in it, and bytes of frames
        self._ready: deque[tuple[list[Any], int]] = deque()  # batches before it, which the thread takes by itself
        self._is_writing = False
        self._more = threading.Event()  # something is ready, or nothing will be
        self._due = asyncio.Event()
        self._space = asyncio.Event()
        self._unflushed_since: float | None = None
        self._failed = False
        self.opened = asyncio.Event()
        """Set when the sink is ready."""

    async def run(self, source: AsyncIterable[Item | FrameRun]) -> None:
        """Open the sink, feed it, close it. Returns when the source has ended and all of it is flushed;
        when cancelled, what was read so far is still written and flushed first.

        Raises:
            SinkError: writing failed or took too long; nothing more is read then.
            FeedError: what the source raised, after everything before it was written.
        """
        try:
            await self._worker.call(self._sink.open, seconds=self._options.write_timeout)
        except BaseException:
            self._worker.stop()
            raise
        self.opened.set()
        reader = asyncio.create_task(self._read(source), name="sink reader")
        try:
            while not reader.done() or self._buffer or self._ready:
                await self._pause()
                await self._hand_over()
            reader.result()
        finally:
            reader.cancel()
            await asyncio.wait([reader])
            await self._end()

    async def _read(self, source: AsyncIterable[Item | FrameRun]) -> None:
        take_waiting = source.take_waiting if isinstance(source, Taking) else _none
        try:
            async for item in source:
                self._keep([item])
                if not isinstance(item, FrameRun):  # which is many already
                    self._keep(take_waiting(self._batch - self._count))
                if self._size >= FRAMES_DUE:
                    self._due.set()
                    self._go_on()
                if self._size >= BEHIND:
                    self._worker.give_way_at_times(_loop_ns)
                if self._count >= self._batch or self._size >= FRAMES_MOST:
                    self._due.set()
                    self._space.clear()
                    await self._await_space()
        finally:
            self._due.set()
            self._more.set()

    async def _await_space(self) -> None:
        while self._size >= BEHIND and not self._space.is_set():
            self._go_on()
            self._worker.give_way_at_times(_loop_ns)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GO_ON):
                    await self._space.wait()
        await self._space.wait()

    def _keep(self, items: list[Item | FrameRun]) -> None:
        self._buffer += items
        runs = [item for item in items if isinstance(item, FrameRun)]
        self._size += sum(run.size for run in runs)
        self._count += len(items)
        if self._options.batch is not None:  # else the bytes of frames are what is bounded
            self._count += sum(run.count - 1 for run in runs)

    async def _pause(self) -> None:
        """Until a batch is full, the source has ended, a small batch is old enough, or a flush is due."""
        seconds = self._max_age
        if self._unflushed_since is not None:
            seconds = min(seconds, max(self._flush_at() - asyncio.get_running_loop().time(), 0.0))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._due.wait()
        self._due.clear()

    async def _hand_over(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._buffer or self._ready:
            await self._until_taken(self._write(self._options.write_timeout))
            if self._unflushed_since is None:
                self._unflushed_since = now
        if self._unflushed_since is not None and now >= self._flush_at():
            await self._until_taken(self._flush())
            self._unflushed_since = None

    def _flush_at(self) -> float:
        assert self._unflushed_since is not None  # noqa: S101 - something was written
        return self._unflushed_since + self._flush_every / 2

    async def _until_taken(self, call: Coroutine[Any, Any, None]) -> None:
        """When the sink refuses for a while, have it try again until it has written what it kept."""
        trouble = await self._refusal(call)
        while trouble is not None:
            if self.state != "degraded":
                self.state = "degraded"
                self._tell(trouble)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._options.retry_every):
                    await asyncio.Event().wait()
            trouble = await self._refusal(self._flush())
        if self.state == "degraded":
            self._tell(None)
        self.state = "recording"

    async def _refusal(self, call: Coroutine[Any, Any, None]) -> SinkError | None:
        try:
            await call
        except SinkError as error:
            if not error.retryable:
                raise
            return error
        return None

    async def _flush(self) -> None:
        await self._guard(self._worker.call(self._sink.flush, seconds=self._options.write_timeout))

    async def _write(self, seconds: float) -> None:
        self._make_ready()
        self._is_writing = True
        try:
            now = asyncio.get_running_loop().time
            row = partial(self._write_row, now, now() + seconds * _ROW_SHARE)
            await self._guard(self._worker.call(row, seconds=seconds, what="write"))
        finally:
            self._is_writing = False

    def _go_on(self) -> None:
        """Let the thread have what came, if it is at work and has all that was ready: it would wait for the loop."""
        if self._is_writing and not self._ready:
            self._make_ready()

    def _make_ready(self) -> None:
        if self._buffer:
            self._ready.append((self._buffer, self._size))
            self._more.set()
        self._buffer = []
        self._count = self._size = 0
        self._space.set()

    def _write_row(self, now: Callable[[], float], until: float) -> None:
        """On the thread: what is ready, and what becomes so meanwhile; what follows a failure stays."""
        flushed = now()
        while self._ready:
            batch, size = self._ready.popleft()
            self._more.clear()
            self._sink.write(batch)
            if now() >= until:
                return
            if now() >= flushed + self._flush_every / 2:
                self._sink.flush()
                flushed = now()
            if size >= FRAMES_DUE and not self._ready:
                self._worker.rests(resting=True)
                self._more.wait(min(_MORE, self._flush_every * _MORE_SHARE))
                self._worker.rests(resting=False)

    async def _end(self) -> None:
        """Write what is left, unless writing has failed, and close; all within ``close_timeout``."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._options.close_timeout
        try:
            if not self._failed:
                await self._guard(self._worker.idle(deadline - loop.time()))
            while (self._buffer or self._ready) and not self._failed:
                await self._write(deadline - loop.time())
        finally:
            self.state = "idle"
            with contextlib.suppress(SinkError) if self._failed else contextlib.nullcontext():
                await self._worker.call(self._sink.close, seconds=deadline - loop.time())
            self._worker.stop()

    async def _guard(self, call: Coroutine[Any, Any, None]) -> None:
        try:
            await call
        except Exception as error:
            self._failed = not (isinstance(error, SinkError) and error.retryable)
            raise


def _loop_ns() -> int:
    """The running loop's clock."""
    return int(asyncio.get_running_loop().time() * 1e9)


def _none(_most: int) -> list[Any]:
    """Of a source that gives one at a time."""
    return []
