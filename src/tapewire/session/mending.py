"""Order books that have a hole: which of them are to be fetched anew, by which way, and when (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf

from msgspec import Struct

from tapewire.model.status import StaleCause
from tapewire.model.subscription import Subscription

#: Seconds between two fetches of one book (spec/okx.md A6.4: a published client fetches once in 2 s at most).
PAUSE = 2.0
#: Fetches of a book that may follow each other like that; with each further one the pause doubles, up to ``LONGEST``.
QUICK = 4
LONGEST = 60.0
#: Seconds that a book has to be good until its earlier holes are forgotten.
STABLE = 30.0
#: Seconds until a book that was asked for, and did not come, is asked for in the other way.
PATIENCE = 2.5


class Fetches(Struct, frozen=True):
    """What is to be fetched now: streams to be asked for anew; streams whose book is to be had by REST."""

    anew: tuple[Subscription, ...] = ()
    by_rest: tuple[Subscription, ...] = ()


class _Book(Struct):
    """One book. ``fetches``: in a row, without being good for long between them; ``untold``: who waits for its end."""

    streams: tuple[Subscription, ...]
    cause: StaleCause
    since: float
    untold: set[Subscription]
    spoilt: bool = True
    fetches: int = 0
    asked: float = -inf
    due: float = inf

    def wait(self, t: float, least: float = 0.0) -> None:
        """Set the next fetch: not before the pause since the last one is over."""
        self.due = max(t, self.asked + max(least, _pause(self.fetches)))


class Mending:
    """The spoilt books of one connection, by symbol.

    Args:
        by_rest: the venue tells a whole book by REST, too: then each second fetch goes there.
    """

    def __init__(self, *, by_rest: bool) -> None:
        self._by_rest = by_rest
        self._books: dict[str, _Book] = {}

    @property
    def deadline(self) -> float | None:
        """When the next fetch is due (monotonic seconds); None: no book is spoilt."""
        return min((book.due for book in self._books.values() if book.spoilt), default=None)

    @property
    def streams(self) -> set[Subscription]:
        """Those whose books are known here, good or not."""
        return {stream for book in self._books.values() for stream in book.streams}

    @property
    def untold(self) -> set[Subscription]:
        """Those of which was told that their book is not to be trusted, and not yet that it is again."""
        return {stream for book in self._books.values() for stream in book.untold}

    def is_spoilt(self, symbol: str) -> bool:
        """Whether one of them is of this market."""
        return symbol in self._books and bool(self._books[symbol].untold)

    def waits(self, t: float, streams: Sequence[Subscription]) -> None:
        """Changes come, and the snapshot before them did not: it is fetched, unless it comes within ``PATIENCE``."""
        book = self._books.get(streams[0].symbol)
        if book is None or not book.spoilt:
            book = _Book(tuple(streams), "sequence", t, set(), fetches=1, due=t + PATIENCE)
            self._books[streams[0].symbol] = book

    def spoilt(self, t: float, streams: Sequence[Subscription], cause: StaleCause) -> bool:
        """A book is not the exchange's. False: it was spoilt already, and what came to mend it was no good."""
        symbol = streams[0].symbol
        book = self._books.get(symbol)
        if book is not None and book.spoilt:
            book.streams = tuple(streams)
            book.wait(t)
            return False
        new = _Book(tuple(streams), cause, t, set(streams))
        if book is not None:
            new.asked, new.fetches = book.asked, 0 if t >= book.asked + STABLE else book.fetches
        new.wait(t)
        self._books[symbol] = new
        return True

    def fetch(self, t: float) -> Fetches:
        """What is due now; it counts as asked for."""
        anew: list[Subscription] = []
        by_rest: list[Subscription] = []
        for book in self._books.values():
            if not book.spoilt or t < book.due:
                continue
            if self._by_rest and book.fetches % 2:
                by_rest.append(book.streams[0])
            else:
                anew += book.streams
            book.fetches, book.asked = book.fetches + 1, t
            book.wait(t, PATIENCE)
        return Fetches(tuple(anew), tuple(by_rest))

    def mended(self, t: float, stream: Subscription) -> tuple[StaleCause, float] | None:
        """A whole book came. Returns what was wrong, and for how many seconds; None: nothing was."""
        book = self._books.get(stream.symbol)
        if book is None or stream not in book.streams:
            return None
        book.spoilt = False
        if stream not in book.untold:
            return None
        book.untold.discard(stream)
        return book.cause, t - book.since

    def forget(self, streams: Iterable[Subscription]) -> None:
        """Nobody wants these any more."""
        for stream in streams:
            book = self._books.get(stream.symbol)
            if book is not None and stream in book.streams:
                book.streams = tuple(one for one in book.streams if one != stream)
                book.untold.discard(stream)
                if not book.streams:
                    del self._books[stream.symbol]

    def lost(self) -> None:
        """The line is gone, and with it the need to mend: its next one brings every book anew."""
        for book in self._books.values():
            book.spoilt = False


def _pause(fetches: int) -> float:
    """Seconds from that many fetches in a row to the next."""
    if not fetches:
        return 0.0
    return min(LONGEST, PAUSE * 2.0 ** max(0, fetches - QUICK))
