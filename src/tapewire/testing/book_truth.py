"""Judges kept books: what was delivered against the exchange's own book at the same number (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tapewire.model.book import BookChange, DepthOrderbookEvent, Row
from tapewire.model.subscription import Subscription
from tapewire.sim.peer import Exchange
from tapewire.venues.contract import Venue
from tapewire.venues.digits import text_of
from tapewire.venues.exchange import Caller, Due

#: States of one book that are remembered: what is under way may be so many publications old.
_REMEMBERED = 5_000
#: Milliseconds that the last delivered book may be behind the exchange's: one pause between two publications.
_PAUSE_MS = 1_000


class _State(NamedTuple):
    """A book as it was told once: when, under which number, and what it holds."""

    ms: int
    number: int | None
    levels: int


class _Told:
    """One market's book as the exchange tells it, price by price.

    Args:
        most: levels a side that are compared; None: all.
    """

    def __init__(self, most: int | None) -> None:
        self.most = most
        self.asks: dict[float, float] = {}
        self.bids: dict[float, float] = {}
        self.states: deque[_State] = deque(maxlen=_REMEMBERED)

    def apply(self, change: BookChange) -> None:
        if change.action == "snapshot":
            self.asks.clear()
            self.bids.clear()
        _set(self.asks, change.asks)
        _set(self.bids, change.bids)
        asks, bids = self.asks, self.bids
        if self.most is not None:
            asks, bids = _best(asks, self.most), _best(bids, -self.most)
        self.states.append(_State(change.timestamp or 0, change.sequence, _mark(asks, bids)))

    def at(self, event: DepthOrderbookEvent) -> _State | None:
        """The state that the event says it is; None: there never was one."""
        ms, number = event.timestamp or 0, event.sequence
        for state in reversed(self.states):
            if state.ms <= ms and (number is None or state.number == number):
                return state
        return None


class BookTruth:
    """Listens to an exchange on a connection that nothing happens to, and keeps its books in the plainest way.

    Args:
        exchange: whose books.
        venue: the same.
        streams: of kept books, all of one side.

    Attributes:
        judged: books that were delivered. wrong: those that were not the exchange's own, or crossed.
    """

    def __init__(self, exchange: Exchange, venue: Venue, streams: Sequence[Subscription]) -> None:
        self._exchange = exchange
        self.judged = self.wrong = 0
        self._told = {stream.symbol: _Told(_seen(venue, stream)) for stream in streams}
        self._last: dict[str, DepthOrderbookEvent] = {}
        self._read = venue.codec("DEFAULT", "float", False).read
        if not streams or venue.changes is None:
            return
        self._talk = exchange.venue.conversation(exchange.market, Caller(venue.side(streams[0])), exchange.desk)
        names = [venue.changes.name(stream) for stream in streams]
        asked = venue.changes.encode("subscribe", names, "truth")
        answer = self._talk.receive(0.0, asked, is_text=True)
        self._take((*answer.payloads, *answer.books))
        exchange.audience.append(self._hear)

    def judge(self, event: DepthOrderbookEvent) -> None:
        """A book was delivered. What REST told is the exchange's book at this moment, between two publications."""
        self.judged += 1
        self._last[event.symbol] = event
        told = self._told[event.symbol]
        most = None if event.polled else told.most
        asks, bids = ({one.price: one.size for one in side[:most]} for side in (event.asks, event.bids))
        crossed = bool(event.asks and event.bids) and event.bids[0].price >= event.asks[0].price
        right = self._present(event.symbol) if event.polled else told.at(event)
        self.wrong += crossed or right is None or right.levels != _mark(asks, bids)

    def _present(self, symbol: str) -> _State:
        """The book as it stands at the exchange."""
        ladder = self._exchange.market.ladder(symbol)
        asks, bids = (
            {float(text_of(price, ladder.power)): float(text_of(size, -8)) for price, size in side.items()}
            for side in (ladder.asks, ladder.bids)
        )
        return _State(self._exchange.market.now_ms, None, _mark(asks, bids))

    @property
    def behind(self) -> list[str]:
        """Markets whose last delivered book is older than the exchange's."""
        return [symbol for symbol, told in self._told.items() if self._is_behind(symbol, told)]

    def _is_behind(self, symbol: str, told: _Told) -> bool:
        last, newest = self._last.get(symbol), told.states[-1] if told.states else None
        if last is None or newest is None:
            return True
        state = None if last.polled else told.at(last)
        return (last.timestamp or 0) < newest.ms - _PAUSE_MS and (state is None or state.levels != newest.levels)

    def _hear(self, due: Due) -> None:
        if due.symbol in self._told:
            self._take(self._talk.realtime(due, {}))

    def _take(self, payloads: Sequence[bytes]) -> None:
        for payload in payloads:
            for event in self._read(payload).events:
                if isinstance(event, BookChange):
                    self._told[event.symbol].apply(event)


def _seen(venue: Venue, stream: Subscription) -> int | None:
    """Levels a side in which a lost change shows: all where changes are numbered, else those of the checksum."""
    rule = venue.rule(stream)
    return None if rule is None or rule.continuity().aligns else rule.checked


def _best(side: Mapping[float, float], most: int) -> dict[float, float]:
    """The lowest prices of a side; the highest when it is negative."""
    return {price: side[price] for price in sorted(side, reverse=most < 0)[: abs(most)]}


def _set(side: dict[float, float], rows: Sequence[Row]) -> None:
    for row in rows:
        price, size = float(row[0]), float(row[1])
        if size:
            side[price] = size
        else:
            side.pop(price, None)


def _mark(asks: Mapping[float, float], bids: Mapping[float, float]) -> int:
    """One number for all levels."""
    return hash((frozenset(asks.items()), frozenset(bids.items())))
