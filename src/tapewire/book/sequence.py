"""Continuity rules: does this change follow the last one, was it here before, or is something missing (pure)?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from tapewire.book.ladder import Ladder
from tapewire.model.book import BookChange, Row

Step = Literal["next", "repeated", "hole"]


class Continuity(Protocol):
    """Knows where one book stands."""

    #: A snapshot's number says which of the changes that came before it are in it: ``since`` can be asked.
    aligns: bool

    def restart(self, snapshot: BookChange) -> None:
        """The book is this snapshot."""
        ...

    def follow(self, change: BookChange) -> Step:
        """What the next change is; it counts as applied when the answer is ``next``."""
        ...

    def since(self, aside: Sequence[BookChange]) -> Sequence[BookChange] | None:
        """Of the changes that came before the snapshot, those that belong after it; None: it is too old for them."""
        ...


class SnapshotsOnly:
    """Every message is the whole book: a change is never the next."""

    aligns = False

    def restart(self, snapshot: BookChange) -> None:
        """Nothing to remember."""

    def follow(self, change: BookChange) -> Step:  # noqa: ARG002 - whatever it is
        return "hole"

    def since(self, aside: Sequence[BookChange]) -> Sequence[BookChange] | None:  # noqa: ARG002 - none is kept
        return ()


class Unnumbered:
    """No numbers at all (OKEX v3): a change is always the next; only a checksum tells what was lost."""

    aligns = False

    def restart(self, snapshot: BookChange) -> None:
        """Nothing to remember."""

    def follow(self, change: BookChange) -> Step:  # noqa: ARG002 - whatever it is
        return "next"

    def since(self, aside: Sequence[BookChange]) -> Sequence[BookChange] | None:  # noqa: ARG002 - none is kept
        return ()


class Chained:
    """Each change names the one before it (spec/okx.md A6.4).

    Numbers jump, stay the same when nothing changed, and begin anew after maintenance: so only the link counts, and
    what is old is never told by a number's size, but against a snapshot. Where no numbers come (recordings of 2022),
    every change is linked.
    """

    aligns = True

    def __init__(self) -> None:
        self._last: int | None = None
        self._link: tuple[int | None, int | None] | None = None
        self._joining = False

    def restart(self, snapshot: BookChange) -> None:
        """The book is this snapshot. One that names no predecessor is from elsewhere (REST): changes join it."""
        self._last, self._link = snapshot.sequence, None
        self._joining = snapshot.previous_sequence is None and snapshot.sequence is not None

    def follow(self, change: BookChange) -> Step:
        previous, number = change.previous_sequence, change.sequence
        if previous == self._last:
            return self._take(previous, number)
        if self._joining:
            return self._join(previous, number)
        return "repeated" if (previous, number) == self._link else "hole"

    def since(self, aside: Sequence[BookChange]) -> Sequence[BookChange] | None:
        """By the link, if one of them is linked to the snapshot; by their numbers else, as far as these only rise."""
        last, newest_first = self._last, range(len(aside) - 1, -1, -1)
        if last is None:
            return ()
        for at in newest_first:
            if aside[at].sequence == last:
                return aside[at + 1 :]
        for at in newest_first:
            if aside[at].previous_sequence == last:
                return aside[at:]
        late = [change for change in aside[_rising(aside) :] if (change.sequence or 0) > last]
        if late and (late[0].previous_sequence or 0) > last:
            return None
        self._joining = self._joining or bool(late)
        return late

    def _join(self, previous: int | None, number: int | None) -> Step:
        """Of what is in the snapshot already: ``repeated``; the first that reaches beyond it ends the joining."""
        last = self._last
        if previous is None or number is None or last is None or previous > last:
            return "hole"
        return "repeated" if number <= last else self._take(previous, number)

    def _take(self, previous: int | None, number: int | None) -> Step:
        self._joining = False
        if number != previous:
            self._last, self._link = number, (previous, number)
        return "next"


def _rising(aside: Sequence[BookChange]) -> int:
    """From which of them on each is linked to the one before, and the numbers only rise."""
    for at in range(len(aside) - 1, 0, -1):
        change = aside[at]
        if change.previous_sequence != aside[at - 1].sequence or (change.sequence or 0) < (
            change.previous_sequence or 0
        ):
            return at
    return 0


class BookRule(Struct, frozen=True, kw_only=True):
    """How one venue's changes of one channel make a book.

    Attributes:
        continuity: makes the rule for one book.
        levels: price levels a side that the exchange keeps up to date; what lies beyond them is not to be trusted.
        checksum: (bids, asks), best first, as they came → what the exchange says of them; None: it says nothing.
        checked: levels a side that go into it.
        ladder: keeps the levels of one side, and knows what stands in a row.
    """

    continuity: Callable[[], Continuity]
    levels: int
    checksum: Callable[[Sequence[Row], Sequence[Row]], int] | None = None
    checked: int = 25
    ladder: type[Ladder] = Ladder
