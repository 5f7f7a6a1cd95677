"""A plain iterator over events: fetches what waits on the client's thread, in the thread that iterates."""

from __future__ import annotations

import threading
from collections import deque
from functools import partial
from types import TracebackType
from typing import Generic, Self, TypeVar

from tapewire.blocking.thread import Call, LoopThread
from tapewire.hub.mailbox import MailboxStatistics
from tapewire.hub.stream import EventStream

T_co = TypeVar("T_co", covariant=True)


class EventIterator(Generic[T_co]):
    """Iterate with ``for``. Subscribes when first used; ``close`` (or leaving ``with``) unsubscribes.

    Ends when it, its handle or its client is closed. Ctrl-C interrupts the waiting; iterating can go on afterwards,
    and nothing is lost. Several threads may share one iterator: each event goes to one of them.
    """

    def __init__(self, thread: LoopThread, stream: EventStream[T_co], at_once: int) -> None:
        self._thread, self._stream, self._at_once = thread, stream, at_once
        self._turn = threading.Lock()
        self._ready: deque[T_co] = deque()
        self._fetching: Call[list[T_co]] | None = None
        self._closed = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T_co:
        return self._take(None)

    def next(self, timeout: float) -> T_co:
        """The next event.

        Raises:
            TimedOut: none came within ``timeout`` seconds; the next call goes on waiting.
            StopIteration: the iterator has ended.
        """
        return self._take(timeout)

    def close(self) -> None:
        """Unsubscribe and end. A second call does nothing."""
        if not self._closed:
            self._closed = True
            self._ready.clear()
            self._thread.begin(self._stream.aclose)

    def statistics(self) -> MailboxStatistics:
        """Waiting, dropped and conflated events of this iterator."""
        return self._stream.statistics()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        """The loop's part is given back on the loop's thread."""
        if not self._closed:
            if self._fetching is not None:
                self._thread.post(self._fetching.cancel)
            self.close()

    def _take(self, seconds: float | None) -> T_co:
        self._thread.refuse_here("waiting for an event")
        with self._turn:
            if self._closed:
                raise StopIteration
            if not self._ready:
                self._ready.extend(self._fetch(seconds))
            return self._ready.popleft()

    def _fetch(self, seconds: float | None) -> list[T_co]:
        if self._fetching is None:
            if self._thread.stopped:
                raise StopIteration
            self._fetching = self._thread.begin(partial(_fetch, self._stream, self._at_once))
        try:
            events = self._thread.wait(self._fetching, "waiting for an event", seconds)
        except Exception:
            if self._thread.stopped:
                raise StopIteration from None
            raise
        finally:
            if self._fetching.answer.done():
                self._fetching = None
        if not events:
            raise StopIteration
        return events


async def _fetch(stream: EventStream[T_co], at_once: int) -> list[T_co]:
    """What waits, at least one event; empty at the end."""
    try:
        events = [await anext(stream)]
        while len(events) < at_once and stream.statistics().waiting:
            events.append(await anext(stream))
    except StopAsyncIteration:
        return []
    return events
