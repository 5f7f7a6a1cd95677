"""Keeps one book: applies snapshots and changes, and says at once when it is not to be trusted (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Literal

from tapewire.book.sequence import BookRule, Step
from tapewire.config import Numbers
from tapewire.model.book import BookChange, DepthOrderbookEvent

#: What became of a change: the book is another now · nothing new · no book yet, or none any more · and the three
#: reasons for which it is none any more: something is missing before the change · the exchange's checksum says so ·
#: a price or a size cannot be read.
Answer = Literal["applied", "ignored", "waiting", "sequence", "checksum", "unreadable"]

#: Changes kept aside until the snapshot comes that some of them belong after.
KEPT_ASIDE = 1_000


class Keeper:
    """One book of one stream. ``good``: it is the exchange's book, as far as the exchange lets us see."""

    def __init__(self, rule: BookRule, numbers: Numbers) -> None:
        self._rule = rule
        number: Callable[[str], Any] = Decimal if numbers == "decimal" else float
        self._asks = rule.ladder(number, best_is_last=False)
        self._bids = rule.ladder(number, best_is_last=True)
        self._continuity = rule.continuity()
        self._aside: deque[BookChange] = deque(maxlen=KEPT_ASIDE)
        self._told: BookChange | None = None
        self.good = False

    def apply(self, change: BookChange) -> Answer:
        """Take in the next message. After ``sequence``, ``checksum``, ``unreadable`` only a snapshot helps."""
        if change.action == "snapshot":
            return self._begin(change)
        if not self.good:
            self._keep_aside(change)
            return "waiting"
        return self._go_on(change, self._continuity.follow(change))

    def spoil(self) -> None:
        """The book is good no more: the line is gone, or the exchange was asked for it anew."""
        self.good = False
        self._aside.clear()

    def event(self, depth: int | None = None) -> DepthOrderbookEvent:
        """The book as it is now, the best ``depth`` levels of each side (None: all); ``timestamp`` of the last change.

        Raises:
            ValueError: it is not good.
        """
        last = self._told
        if last is None or not self.good:
            raise ValueError("the book is not known at present: wait for its snapshot")
        most = self._rule.levels if depth is None else min(depth, self._rule.levels)
        return DepthOrderbookEvent(
            venue=last.venue,
            symbol=last.symbol,
            stream_type="SNAPSHOT" if last.action == "snapshot" else "REALTIME",
            timestamp=last.timestamp,
            received_ns=last.received_ns,
            raw=last.raw,
            asks=self._asks.best(most),
            bids=self._bids.best(most),
            channel=last.channel,
            sequence=last.sequence,
        )

    def _begin(self, snapshot: BookChange) -> Answer:
        if self.good and self._is_old(snapshot):
            return "ignored"
        aside = tuple(self._aside)
        self.spoil()
        try:
            self._asks.replace(snapshot.asks)
            self._bids.replace(snapshot.bids)
        except (ArithmeticError, IndexError, TypeError, ValueError):
            return "unreadable"
        self.good, self._told = True, snapshot
        self._continuity.restart(snapshot)
        if (answer := self._checked(snapshot)) != "applied":
            return answer
        return self._catch_up(aside)

    def _is_old(self, snapshot: BookChange) -> bool:
        """Late, from before the book that is here; by its time, for numbers may begin anew."""
        here = None if self._told is None else self._told.timestamp
        return here is not None and snapshot.timestamp is not None and snapshot.timestamp < here

    def _catch_up(self, aside: Sequence[BookChange]) -> Answer:
        """What came before the snapshot and belongs after it."""
        late = self._continuity.since(aside)
        if late is None:
            self.spoil()
            return "sequence"
        for change in late:
            answer = self._go_on(change, self._continuity.follow(change))
            if not self.good:
                return answer
        return "applied"

    def _go_on(self, change: BookChange, step: Step) -> Answer:
        if step == "repeated":
            return "ignored"
        if step == "hole":
            self.spoil()
            self._keep_aside(change)
            return "sequence"
        self._told = change
        if not change.asks and not change.bids:
            return "ignored" if (answer := self._checked(change)) == "applied" else answer
        try:
            self._asks.change(change.asks)
            self._bids.change(change.bids)
        except (ArithmeticError, IndexError, TypeError, ValueError):
            self.spoil()
            return "unreadable"
        return self._checked(change)

    def _checked(self, change: BookChange) -> Answer:
        """``applied``, unless the exchange's checksum of this book is another; 0 says nothing."""
        rule = self._rule
        self._asks.trim(2 * rule.levels)
        self._bids.trim(2 * rule.levels)
        if not change.checksum or rule.checksum is None:
            return "applied"
        if rule.checksum(self._bids.written(rule.checked), self._asks.written(rule.checked)) == change.checksum:
            return "applied"
        self.spoil()
        return "checksum"

    def _keep_aside(self, change: BookChange) -> None:
        if self._continuity.aligns and change.sequence is not None:
            self._aside.append(change)
