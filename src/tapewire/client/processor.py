"""Hands events on to callbacks by kind and symbol: the engine's own way, for events from wherever they come."""

from __future__ import annotations

import asyncio
import inspect
import weakref
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, NoReturn, Self

from tapewire.client.ear import Ear, leads_to
from tapewire.client.handle import PREFERENCES, as_symbols
from tapewire.client.mailman import Mailman
from tapewire.config import MailboxOptions
from tapewire.errors import ConfigError, FeedError, SubscriptionError, UsageError
from tapewire.hub.listening import Listener
from tapewire.hub.mailbox import Mailbox, MailboxStatistics
from tapewire.hub.router import Router
from tapewire.model.events import EVENT_CLASSES, Event
from tapewire.model.subscription import StreamPreference, Subscription
from tapewire.runtime.clock import LoopClock
from tapewire.runtime.feed_log import FeedLog
from tapewire.runtime.lag import LagReporter
from tapewire.runtime.observe import logger

#: Kinds of which each stream has a unit.
_WITH_UNIT = frozenset({"candle"})


class Registration:
    """One callback of a ``DataProcessor``.

    Attributes:
        errors: how often it raised; each time is logged with its traceback.
    """

    def __init__(self, name: str, books: Router) -> None:
        self.name = name
        self.errors = 0
        self.mailman: Mailman | None = None
        self._books = books
        self._listeners: list[tuple[Subscription, Listener]] = []

    def statistics(self) -> MailboxStatistics | None:
        """What waits for an async callback, and what was dropped; None of a plain one, which has no queue."""
        return None if self.mailman is None else self.mailman.mailbox.statistics()

    def end(self, error: FeedError | None = None) -> None:
        """No more events; what waits for an async callback is worked off. A second call does nothing."""
        listeners, self._listeners = self._listeners, []
        for subscription, listener in listeners:
            self._books.remove(subscription, listener)
        self._books.gone.clear()
        if self.mailman is not None:
            self.mailman.mailbox.close(error)

    def callback_failed(self, error: BaseException, *, last: bool = False) -> None:
        """Count what the callback raised (``last``: it ended by that), and log it."""
        self.errors += 1
        logger.error("%s: the callback %s", self.name, "ended" if last else "raised", exc_info=error)

    def listen(self, wanted: Iterable[Subscription], deliver: Callable[[Any], Any], how: StreamPreference) -> None:
        """Hear these streams."""
        for subscription in wanted:
            listener = Listener(self.name, deliver, how)
            self._listeners.append((subscription, listener))
            self._books.add(subscription, listener)


class DataProcessor:
    """Routes events to callbacks, in order. It needs no start.

    Every ``WebSocketClient`` has this built in; take it alone for events that come from elsewhere: a file, a broker,
    ``tapewire.decode``.
    """

    def __init__(self) -> None:
        self._books = Router({}, _never)
        self._made = 0
        self._ears: dict[Registration, Ear] = {}
        self._boxes: dict[Mailbox, asyncio.AbstractEventLoop] = {}
        weakref.finalize(self, _close_all, self._boxes).atexit = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def register_callback(
        self,
        kind: str,
        callback: Callable[[Any], Any],
        symbols: str | Iterable[str] = (),
        *,
        unit: str | None = None,
        stream_preference: StreamPreference = "both",
        mailbox: MailboxOptions | None = None,
    ) -> Registration:
        """Call ``callback`` with each event of ``kind``: of these symbols, or of all if none are named.

        Args:
            kind: ``ticker``, ``trade``, ``orderbook``, ``candle``, ``myOrder`` …
            callback: plain (called within ``route_event``) or async (it has a mailbox, and runs in order).
            symbols: one code or several.
            unit: of candles, which one.
            stream_preference: ``snapshot_only`` hears snapshots alone, ``realtime_only`` all else.
            mailbox: size and rule of an async callback's queue; ``block`` is refused: nobody can be held up here.

        Raises:
            SubscriptionError: no such kind, or candles without their unit.
            ConfigError: an impossible preference or rule.
            UsageError: the callback cannot be called, or is async and no event loop runs.
        """
        _check(kind, unit, stream_preference, callback)
        self._made += 1
        name = f"callback {self._made} {getattr(callback, '__qualname__', type(callback).__qualname__)}"
        registration = Registration(name, self._books)
        self._ears[registration] = ear = Ear(callback)
        deliver: Callable[[Any], Any] = callback
        if inspect.iscoroutinefunction(callback):
            deliver = self._carried(registration, ear, mailbox or MailboxOptions())
        elif leads_to(callback, DataProcessor):
            deliver = ear.weakly()
        wanted = [Subscription(kind, symbol, unit=unit) for symbol in as_symbols(symbols) or [""]]
        registration.listen(wanted, deliver, stream_preference)
        return registration

    def route_event(self, event: Event) -> bool:
        """Hand one event to every callback that wants it; False (and counted) when none does.

        A callback that raises is logged and counted, and the others are called all the same. A trade that came
        already is not handed on again when a snapshot repeats it.
        """
        if event.stream_type == "SNAPSHOT":
            for stream in self._books.find(event):
                for listener in stream.listeners:
                    stream.need(listener, snapshot=listener.preference != "realtime_only")
        return self._books.deliver(event, self._failed)

    @property
    def unwanted(self) -> int:
        """Events that nobody wanted."""
        return self._books.unwanted

    def messages(self) -> dict[str, int]:
        """Events per kind that somebody wanted."""
        return self._books.counts()

    def unregister(self, registration: Registration) -> None:
        """No more events for this callback. A second call does nothing."""
        registration.end()
        if registration.mailman is None:
            self._ears.pop(registration, None)

    async def close(self) -> None:
        """End all callbacks; async ones work off what waits, within 5 s."""
        registrations = tuple(self._ears)
        for registration in registrations:
            registration.end()
        await asyncio.gather(*(one.mailman.finish() for one in registrations if one.mailman is not None))
        self._ears.clear()

    def _carried(self, registration: Registration, ear: Ear, options: MailboxOptions) -> Callable[[Any], None]:
        if options.rule == "block":
            raise ConfigError("rule", "block", '"drop_oldest", "conflate" or "raise": nobody can be held up here')
        lag = LagReporter("processor", LoopClock().wall_ns, FeedLog().tell)
        registration.mailman = mailman = Mailman(registration, ear, options, lag)
        self._boxes[mailman.mailbox] = asyncio.get_running_loop()
        find = weakref.ref(self)

        def over(_task: object) -> None:
            processor = find()
            if processor is not None:
                processor._boxes.pop(mailman.mailbox, None)  # noqa: SLF001 - our own
                processor._ears.pop(registration, None)  # noqa: SLF001

        mailman.task.add_done_callback(over)
        return mailman.mailbox.put

    def _failed(self, listener: Listener, error: BaseException) -> None:
        for registration in self._ears:
            if registration.name == listener.name:
                registration.callback_failed(error)
                return


def _check(kind: str, unit: str | None, preference: str, callback: object) -> None:
    if kind not in EVENT_CLASSES:
        raise SubscriptionError("kind", kind, " or ".join(EVENT_CLASSES))
    if (unit is None) == (kind in _WITH_UNIT):
        raise SubscriptionError("unit", unit, "named for candles (1s, 1m … 240m), and for nothing else")
    if preference not in PREFERENCES:
        raise ConfigError("stream_preference", preference, " or ".join(PREFERENCES))
    if not callable(callback):
        raise UsageError(f"callback is {callback!r}; it must be a function that takes one event")


def _close_all(boxes: dict[Mailbox, asyncio.AbstractEventLoop]) -> None:
    """The processor was collected, in whatever thread: its mailmen end."""
    for box, loop in tuple(boxes.items()):
        if not loop.is_closed():
            loop.call_soon_threadsafe(box.close)


def _never(_callback: object, _error: BaseException) -> NoReturn:
    raise UsageError("a DataProcessor has no short road")
