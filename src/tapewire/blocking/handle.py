"""One subscribe call of a blocking client: its symbols, the latest event of each, its end."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from tapewire import client
from tapewire.blocking.thread import PATIENCE, LoopThread
from tapewire.client.handle import as_symbols
from tapewire.client.latest import Key, key_of
from tapewire.errors import FeedError, UsageError
from tapewire.model.events import Event


class Latest:
    """Hands events on to a callback, if there is one, and keeps the latest of each stream."""

    def __init__(self, callback: Callable[[Any], Any] | None) -> None:
        self.events: dict[Key, Event] = {}
        self.hear: Callable[[Any], Any] = self._keep if callback is None else self._keep_and_tell(guarded(callback))

    def forget(self, symbols: Iterable[str]) -> None:
        """Nobody is subscribed to these any more."""
        gone = set(symbols)
        self.events = {key: event for key, event in self.events.items() if key[2] not in gone}

    def _keep(self, event: Event) -> None:
        self.events[key_of(event)] = event

    def _keep_and_tell(self, callback: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def hear(event: Event) -> Any:
            self.events[key_of(event)] = event
            return callback(event)

        return hear


def guarded(callback: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The callback, in which ``sys.exit()`` is an error like any other: told, and the client's thread goes on.

    Raises:
        UsageError: it cannot be called, or is an async function.
    """
    if not callable(callback):
        raise UsageError(f"callback is {callback!r}; it must be a function that takes one event")
    if inspect.iscoroutinefunction(callback):
        raise UsageError(f"callback is {callback!r}; it must be a plain function: this client is not asyncio's")

    def call(event: Any) -> Any:
        try:
            return callback(event)
        except (SystemExit, KeyboardInterrupt) as error:
            raise UsageError(
                f"a callback cannot end the program: it raised {error!r} on the client's thread"
            ) from error

    return call


class Handle:
    """What a ``subscribe_…`` call gives back. Its calls wait until they are done, from any thread.

    ``symbols`` and ``unsubscribe`` may be used within a callback; the others raise UsageError there.
    """

    def __init__(self, thread: LoopThread, handle: client.Handle, latest: Latest) -> None:
        self._thread, self._handle, self._latest = thread, handle, latest
        self._left = False

    @property
    def name(self) -> str:
        return self._handle.name

    @property
    def symbols(self) -> list[str]:
        """Symbols subscribed now, in the order they were added; none when the client was closed."""
        if self._thread.stopped:
            return []
        return self._thread.do("handle.symbols", lambda: self._handle.symbols)

    @property
    def rejected(self) -> dict[str, FeedError]:
        """Symbol → why it was refused (before sending, or by the exchange). The others go on."""
        return self._handle.rejected.copy()

    @property
    def error(self) -> FeedError | None:
        """What ended the whole handle, None while it lives."""
        return self._handle.error

    @property
    def finished(self) -> bool:
        """Only snapshots were wanted, and all have come: the handle has ended."""
        return self._handle.finished

    @property
    def active(self) -> bool:
        """Not unsubscribed, ended or finished."""
        return not (self._left or self.finished or self.error or self._thread.stopped)

    def add(self, symbols: str | Iterable[str]) -> None:
        """Subscribe more symbols. A bad one does not block the others: it is told in ``rejected``.

        Raises:
            SubscriptionError: none of the symbols can be subscribed.
        """
        codes = as_symbols(symbols)
        self._thread.run("handle.add", lambda: self._handle.add(codes))

    def remove(self, symbols: str | Iterable[str]) -> None:
        """Unsubscribe these symbols; the others go on. Unknown ones are a SubscriptionError."""
        codes = as_symbols(symbols)

        async def remove() -> None:
            await self._handle.remove(codes)
            self._latest.forget(codes)

        self._thread.run("handle.remove", remove)

    def unsubscribe(self) -> None:
        """Give all symbols back. A second call does nothing."""

        def end() -> None:
            self._left = True
            self._handle.end()
            self._latest.events = {}

        if self.active:
            self._thread.do("handle.unsubscribe", end)

    def live(self, timeout: float = 10.0) -> None:
        """Wait until every symbol is confirmed.

        Raises:
            TimedOut: not all were within ``timeout`` seconds.
            FeedError: the handle was ended by this error.
            UsageError: the handle was unsubscribed, or the client closed.
        """
        self._thread.run("handle.live", lambda: self._handle.live(timeout), timeout + PATIENCE)

    def latest(self, key: Key) -> Event | None:
        """The latest event of one stream while it is subscribed."""
        return self._latest.events.get(key) if self.active else None
