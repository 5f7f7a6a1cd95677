"""The order books that one connection keeps: changes come in, whole books go to each stream at its depth (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from tapewire.book.keeper import Answer, Keeper
from tapewire.book.sequence import BookRule
from tapewire.config import Numbers
from tapewire.hub.calls import Callback
from tapewire.hub.listening import Stream
from tapewire.hub.router import Router
from tapewire.model.book import BookChange, DepthOrderbookEvent
from tapewire.model.subscription import Subscription
from tapewire.venues.contract import Head


class Road(Protocol):
    """Who drives the connection (``runtime.driver``)."""

    def cold(self, stream: Stream, event: DepthOrderbookEvent) -> None:
        """A book for a stream that is not hot: the careful road."""
        ...

    def spoilt(self, streams: tuple[Stream, ...], answer: Answer) -> None:
        """A book has a hole, or is not the exchange's: it is not served until it is fetched anew."""
        ...

    def waits(self, streams: tuple[Stream, ...]) -> None:
        """Changes come of a book that is not known."""
        ...

    def callback_failed(self, callback: Callback, error: BaseException) -> None:
        """A callback of the short road raised."""
        ...


class Shelf:
    """One market's book, in the place of a stream on the short road (``transport.dispatch``)."""

    __slots__ = ("_begun", "_name", "_road", "_router", "count", "deliver", "keeper", "last")

    def __init__(self, name: str, keeper: Keeper, router: Router, road: Road) -> None:
        self._name, self._router, self._road = name, router, road
        self.keeper = keeper
        self._begun = False
        self.count = 0
        self.last: int | None = None
        self.deliver: Callable[[BookChange], None] = self.hear

    @property
    def streams(self) -> tuple[Stream, ...]:
        """Those that this book is handed to, one for each depth."""
        return tuple(self._router.kept.get(self._name, ()))

    def hear(self, change: BookChange) -> None:
        """Take in the next message, and hand the book out if it is another now."""
        answer = self.keeper.apply(change)
        if answer == "applied":
            snapshot = change.action == "snapshot"
            for stream in self.streams:
                self._hand_to(stream, snapshot=snapshot)
            self._begun = True
        elif answer == "ignored":
            for stream in self.streams:  # nothing new, but a sign that the book is alive
                stream.count += 1
        elif answer == "waiting":
            self._road.waits(self.streams)
        else:
            self._road.spoilt(self.streams, answer)

    def _hand_to(self, stream: Stream, *, snapshot: bool) -> None:
        event = self.keeper.event(stream.subscription.depth)
        first = snapshot and (stream.awaits_snapshot or not self._begun)
        event.stream_type = "SNAPSHOT" if first else "REALTIME"  # one that nobody waits for is a change like any other
        if snapshot or stream not in self._router.warm:
            self._road.cold(stream, event)
            return
        stream.last = event.timestamp
        stream.count += 1
        try:
            stream.deliver(event)
        except Exception as error:  # a user's callback may raise anything; the feed goes on
            self._road.callback_failed(stream.deliver, error)


class Books:
    """All of them. A book begins with the first change of a market that somebody wants, and ends with the line.

    Args:
        router: whose kept streams the books go to; its table of changes gets the shelves.
        rule_of: the venue's rule for a stream (``Venue.book``).
        numbers: what prices and sizes are handed out as.
    """

    def __init__(
        self, router: Router, rule_of: Callable[[Subscription], BookRule | None], numbers: Numbers, road: Road
    ) -> None:
        self._router, self._rule_of, self._numbers, self._road = router, rule_of, numbers, road
        self._shelves: dict[str, Shelf] = {}
        #: By symbol, of a venue whose changes are told apart by their class.
        self._hot: dict[str, Any] | None = next(
            (shelves for public, shelves in router.tables.values() if public is BookChange), None
        )

    def take(self, change: BookChange, name: str = "", head: Head | None = None) -> None:
        """The careful road of a change: of a market that nobody wants it is counted.

        ``name``, ``head``: ``Reading.stream`` and ``Reading.head``; the next changes then take the short road.
        """
        name = name or change.symbol
        streams = self._router.kept.get(name)
        if not streams:
            self._router.unwanted += 1
            return
        shelf = self._shelves.get(name)
        if shelf is None:
            shelf = self._begin(name, streams[0].subscription)
        if head is not None:
            self._router.heads.open(shelf, change.symbol, head)
        shelf.hear(change)

    def mend(self, subscription: Subscription, book: BookChange) -> None:
        """A whole book from elsewhere (REST): taken, unless the stream's is good already, or wanted no more."""
        shelf = self._shelves.get(self._router.book_of(subscription))
        if shelf is not None and not shelf.keeper.good:
            shelf.hear(book)

    def line_lost(self) -> None:
        """No book outlives its line."""
        for name in tuple(self._shelves):
            self._end(name)

    def forget(self) -> None:
        """The streams changed: books that nobody wants any more are dropped."""
        for name in self._shelves.keys() - self._router.kept.keys():
            self._end(name)

    def serve(self, subscriptions: Iterable[Subscription]) -> set[Subscription]:
        """Hand the present book to those who wait for a snapshot of one of these; returns those that need no other."""
        served: set[Subscription] = set()
        for subscription in subscriptions:
            stream = self._router.streams.get(subscription)
            event = self.book(subscription, subscription.depth)
            if stream is not None and event is not None:
                served.add(subscription)
                event.stream_type = "SNAPSHOT"
                self._road.cold(stream, event)
        return served

    def book(self, subscription: Subscription, depth: int | None) -> DepthOrderbookEvent | None:
        """The book of a kept stream as it is now, ``depth`` levels a side (None: all).

        None: it is not known, or not to be trusted at present.
        """
        shelf = self._shelves.get(self._router.book_of(subscription))
        if shelf is None or not shelf.keeper.good or self._rule_of(subscription) is None:
            return None
        return shelf.keeper.event(depth)

    def _begin(self, name: str, subscription: Subscription) -> Shelf:
        rule = self._rule_of(subscription)
        if rule is None:
            raise AssertionError(f"{subscription} is kept, and yet has no rule")
        shelf = self._shelves[name] = Shelf(name, Keeper(rule, self._numbers), self._router, self._road)
        if self._hot is not None:
            self._hot[name] = shelf
        return shelf

    def _end(self, name: str) -> None:
        self._router.heads.close(self._shelves.pop(name))
        if self._hot is not None:
            self._hot.pop(name, None)
