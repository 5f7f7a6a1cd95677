"""Whether Redis threw away entries of a stream before they were heard: by what it counts itself (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

#: Milliseconds, and a number among those of one millisecond.
Id = tuple[int, int]
START: Id = (0, 0)


class Stock(NamedTuple):
    """What ``XINFO STREAM`` says.

    Attributes:
        added: entries that were ever added; None: a server older than Redis 7 does not count.
        last: the id that was given last.
        first: the oldest entry that is there, if there is any.
        length: entries that are there.
    """

    added: int | None
    last: Id
    first: Id | None
    length: int


#: A stream that is not there.
NOTHING = Stock(0, START, None, 0)


class Hole(NamedTuple):
    """Entries between these ids were not heard, and never will be."""

    after: Id
    until: Id


class Ledger:
    """How far one stream was heard, and how many entries had been added up to there.

    Where that number is known, a hole is known exactly: what was added since must be what was heard since. Where it is
    not (Redis 6, or history asked for by time), a hole is told whenever one is possible: what stood at the position of
    the last check is no longer there.

    Args:
        position: the last entry that was heard.
        added: entries that had been added up to there, if that is known.
    """

    def __init__(self, position: Id, added: int | None) -> None:
        self.position, self.added = position, added
        self._anchor = position
        self._due: Stock | None = None
        self._found: int | None = None  # what ``added`` will be when the next check has looked for holes before it

    def doubt(self) -> None:
        """It is another server, or the same one after a crash: its numbers may not go on from those we know."""
        if self.position == START and self.added == 0:
            return  # all that was ever added came after us, whoever counts
        self.added = self._due = self._found = None

    def check(self, stock: Stock) -> Hole | None:
        """What the server says now, asked after all that was heard so far and before what is heard next."""
        hole = self._missing(stock)
        if stock.last <= self.position:
            self.added, self._due = stock.added, None
        else:
            self._due = self._due or stock
        self._anchor = self.position if hole is None else max(self.position, hole.until)
        return hole

    def hear(self, entries: Sequence[Id], *, whole: bool) -> Hole | None:
        """Entries that were heard, in their order; ``whole``: there were no more when they were asked for."""
        due, before = self._due, self.position
        if entries:
            self.position = entries[-1]
        if due is None or not (whole or self.position >= due.last):
            self._count(len(entries))
            return None
        self._due = None
        late = sum(entry > due.last for entry in entries)
        if due.added is None or self.added is None:
            self._found = None if due.added is None else due.added + late
            return None
        lost = due.added > self.added + len(entries) - late
        self.added = due.added + late
        return Hole(before, due.last) if lost else None

    def _count(self, entries: int) -> None:
        if self.added is not None:
            self.added += entries
        if self._found is not None:
            self._found += entries

    def _missing(self, stock: Stock) -> Hole | None:
        tip = stock.last <= self.position
        after = self._anchor if tip or self.added is None else self.position
        hole = Hole(after, max(after, self.position if tip else stock.first or stock.last))
        possible = self.added is None and self._is_possible(stock)
        if self.added is None:
            self.added, self._found = self._found, None
        return hole if self._is_certain(stock, tip=tip) or possible else None

    def _is_certain(self, stock: Stock, *, tip: bool) -> bool:
        if self.added is None or stock.added is None:
            return False
        if stock.added < self.added:  # made anew, or its end was lost in a crash
            self.added = self._due = None
            return stock == NOTHING or not tip
        if not tip and stock.first is not None and stock.first <= self.position:
            return False  # nothing was cut off; what somebody deleted behind us is seen when the end is reached
        lost = stock.added - self.added - (0 if tip else stock.length)
        self.added += max(0, lost)
        return lost > 0

    def _is_possible(self, stock: Stock) -> bool:
        if stock == NOTHING:
            return self.position > START
        if self._anchor == START or stock.last <= self._anchor:
            return False
        return stock.first is None or stock.first > self._anchor
