"""The order books that one connection keeps from changes: one that has a hole is fetched anew, alone, and told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol

from tapewire.book.keeper import Answer
from tapewire.config import Numbers
from tapewire.errors import DecodeError, HttpFailed
from tapewire.hub.books import Books
from tapewire.hub.calls import Callback
from tapewire.hub.listening import Stream
from tapewire.hub.router import Router
from tapewire.model.book import DepthOrderbookEvent
from tapewire.model.status import FeedEvent, Stale, StaleCause
from tapewire.model.subscription import Subscription
from tapewire.runtime.clock import Clock
from tapewire.runtime.observe import logger
from tapewire.session.actions import Action, Progress
from tapewire.session.machine import Machine
from tapewire.session.mending import Mending
from tapewire.venues.contract import Venue

#: Seconds that a REST call for a whole book may take.
BOOK_TIMEOUT = 5.0
_CAUSES: dict[Answer, StaleCause] = {"sequence": "sequence", "checksum": "checksum", "unreadable": "unreadable"}


class Owner(Protocol):
    """Whose books they are (``runtime.driver.Driver``)."""

    @property
    def machine(self) -> Machine: ...
    def cold(self, stream: Stream, event: DepthOrderbookEvent) -> None: ...
    def callback_failed(self, callback: Callback, error: BaseException) -> None: ...
    def tell(self, fact: Callable[..., list[Action]], *details: Any) -> None: ...
    def publish(self, event: FeedEvent) -> None: ...
    def line_at_fault(self, error: Exception) -> None: ...


class KeptBooks:
    """Stands between the books of one connection (``hub.books.Road``) and its driver.

    Args:
        venue, connection: whose books they are, and where.
        router: hands them out.
        numbers: what prices and sizes are.
        fetch: REST path → body.
        owner: the driver.
    """

    def __init__(  # noqa: PLR0917 - each handed in once, by the driver
        self,
        venue: Venue,
        connection: str,
        router: Router,
        numbers: Numbers,
        clock: Clock,
        fetch: Callable[[str], Awaitable[bytes]],
        owner: Owner,
    ) -> None:
        self._venue, self._connection, self._router = venue, connection, router
        self._clock, self._fetch, self._owner = clock, fetch, owner
        self.books = Books(router, venue.rule, numbers, self)
        self._mending = Mending(by_rest=venue.book_request is not None)
        self._timer: asyncio.Handle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.take = self.books.take

    def joined(self, joined: Iterable[Subscription]) -> set[Subscription]:
        """The streams changed, and these have listeners who wait for a snapshot: those that get none from here.

        Of a book that is kept, the exchange is not asked again: it is here, or on its way.
        """
        self.books.forget()
        self._mending.forget(self._mending.streams - self._router.streams.keys())
        self._set_timer()
        known = sorted((stream for stream in joined if self._venue.keeps(stream)), key=str)
        self.books.serve(known)
        return set(joined).difference(known)

    def book(self, stream: Subscription, depth: int | None) -> DepthOrderbookEvent | None:
        """The book of a stream as it is now, ``depth`` levels a side (None: all); None: it is not to be had."""
        return self.books.book(stream, depth)

    @property
    def spoilt_streams(self) -> set[Subscription]:
        """Streams whose book is not the exchange's any more."""
        return self._mending.untold

    def is_spoilt(self, symbol: str) -> bool:
        """Whether a book of this market is not the exchange's any more."""
        return self._mending.is_spoilt(symbol)

    def line_lost(self) -> None:
        """No book outlives its line."""
        self.books.line_lost()
        self._mending.lost()
        self.stop()

    def stop(self) -> None:
        """Nothing is fetched any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for task in self._tasks:
            task.cancel()

    def came(self, stream: Subscription) -> bool:
        """A book came for this stream: whether it was spoilt, which is told to be over."""
        told = self._mending.mended(self._clock.now().t, stream)
        if told is None:
            return False
        cause, seconds = told
        self._publish(stream, cause, seconds, over=True)
        return True

    # What the books say (hub.books.Road).

    def cold(self, stream: Stream, event: DepthOrderbookEvent) -> None:
        """The driver's careful road."""
        self._owner.cold(stream, event)

    def callback_failed(self, callback: Callback, error: BaseException) -> None:
        """The driver's complaints."""
        self._owner.callback_failed(callback, error)

    def waits(self, streams: Sequence[Stream]) -> None:
        """Changes come, but no snapshot did: it has a moment to come, then it is fetched."""
        self._mending.waits(self._clock.now().t, [stream.subscription for stream in streams])
        self._set_timer()

    def spoilt(self, streams: Sequence[Stream], answer: Answer) -> None:
        """A book has a hole, or is not the exchange's: tell it, and fetch it anew."""
        now, cause = self._clock.now(), _CAUSES[answer]
        subscriptions = [stream.subscription for stream in streams]
        if self._mending.spoilt(now.t, subscriptions, cause):
            progress = {
                stream.subscription: Progress(stream.count - stream.base, None, stream.last_timestamp)
                for stream in streams
            }
            live = [stream.subscription for stream in streams if stream.wish.realtime]
            self._owner.machine.ledger.lost(now, cause, live, progress)
            for subscription in subscriptions:
                self._publish(subscription, cause)
        for stream in streams:
            self._router.expect(stream)
        self._mend()

    # Fetching.

    def _mend(self) -> None:
        self._timer = None
        fetches = self._mending.fetch(self._clock.now().t)
        if fetches.anew:
            self._owner.tell(self._owner.machine.refetch, fetches.anew)
        for subscription in fetches.by_rest:
            task = asyncio.ensure_future(self._by_rest(subscription))
            self._tasks.add(task)
            task.add_done_callback(self._fetched)
        self._set_timer()

    async def _by_rest(self, subscription: Subscription) -> None:
        """A book that does not come is asked for again at the next deadline, whatever the reason."""
        request, read = self._venue.book_request, self._venue.read_book
        if request is None or read is None:
            raise AssertionError(f"{self._venue.name} tells no books by REST")
        try:
            book = read(subscription.symbol, await self._fetch(request(subscription)))
        except (HttpFailed, DecodeError) as error:
            logger.warning("%s: no order book of %s by REST: %s", self._connection, subscription.symbol, error)
            return
        book.received_ns = self._clock.wall_ns()
        self.books.mend(subscription, book)

    def _fetched(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):  # a fault of ours must end loudly
            self._owner.line_at_fault(error)

    def _set_timer(self) -> None:
        deadline = self._mending.deadline
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if deadline is None else self._clock.call_at(deadline, self._mend)

    def _publish(self, stream: Subscription, cause: StaleCause, seconds: float = 0.0, *, over: bool = False) -> None:
        self._owner.publish(
            Stale(
                venue=self._venue.name, connection=self._connection, at_ns=self._clock.wall_ns(),
                subscription=stream, silent=seconds, limit=0.0, over=over, cause=cause,
            )
        )  # fmt: skip
