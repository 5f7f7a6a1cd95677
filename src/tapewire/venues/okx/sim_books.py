"""OKX's books as they are published: one chain of numbers for each market, the same for everybody (spec/okx.md A6.4).

A ``Tape`` is one channel of one market that somebody listens to: what was sent last, and what the newest publication
changed. Numbers grow when the book has changed, by more than one now and then; after a restart they are small again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain, islice, zip_longest
from typing import NamedTuple
from zlib import crc32

from tapewire.venues.digits import text_of
from tapewire.venues.exchange import Due, Ladder, MarketView

#: Levels of a side whose text the checksum is over.
_SUMMED = 25
_FIRST = 123_456
_STEPS = (1, 1, 3, 2, 7)  # ids are not consecutive


class BookChannel(NamedTuple):
    """A channel of books: how deep, told with which publications, whole or as changes, with RPI orders or without."""

    depth: int
    pace: str
    is_whole: bool = False
    rpi: bool = False


#: In the order in which they are told on one connection (A6.4).
BOOK_CHANNELS: Mapping[str, BookChannel] = {
    "bbo-tbt": BookChannel(1, "orderbook-fast", is_whole=True),
    "books-l2-tbt": BookChannel(400, "orderbook-fast"),
    "books50-l2-tbt": BookChannel(50, "orderbook-fast"),
    "books": BookChannel(400, "orderbook"),
    "books-rpi": BookChannel(400, "orderbook", rpi=True),
    "books5": BookChannel(5, "orderbook", is_whole=True),
}


class Change(NamedTuple):
    """What one message of a book says; size 0 takes a price away. ``sum``: checksum of the book after it, or 0."""

    asks: list[tuple[int, int]]
    bids: list[tuple[int, int]]
    power: int
    ms: int
    sum: int
    previous: int
    number: int


class Numbers:
    """The ids of one market's books."""

    def __init__(self) -> None:
        self.number, self._count = _FIRST, 0
        self._known: Ladder | None = None
        self._restarted = False

    def of(self, ladder: Ladder) -> int:
        """The id of the book as it stands."""
        if self._known is None or ladder != self._known:
            if self._known is not None and not self._restarted:
                self.number += _STEPS[self._count % len(_STEPS)]
                self._count += 1
            self._known, self._restarted = ladder, False
        return self.number

    def restart(self) -> None:
        """Small numbers from the next change on."""
        self.number, self._restarted = 3, True


class Tape:
    """One channel of one market."""

    def __init__(self, channel: BookChannel, numbers: Numbers, ladder: Ladder, *, summed: bool) -> None:
        self.channel, self._numbers, self._summed = channel, numbers, summed
        self.listeners = 0
        self._book = _cut(ladder, channel.depth)
        self._number = numbers.of(ladder)
        self.latest: Change | None = None

    def move(self, ladder: Ladder, ms: int) -> None:
        """A publication: ``latest`` is what is told now, None: nothing changed within the depth."""
        before, self._book = self._book, _cut(ladder, self.channel.depth)
        previous, number = self._number, self._numbers.of(ladder)
        if before == self._book:
            self.latest = None
            return
        self._number = number
        if self.channel.is_whole:
            self.latest = self.snapshot(ms)
            return
        asks = sorted(_difference(before.asks, self._book.asks))
        bids = sorted(_difference(before.bids, self._book.bids), reverse=True)
        self.latest = Change(asks, bids, ladder.power, ms, self._sum(), previous, number)

    def still(self, ms: int) -> None:
        """Nothing changed for a minute: an empty change with equal ids, or the book again."""
        if self.channel.is_whole:
            self.latest = self.snapshot(ms)
        else:
            number = self._number
            self.latest = Change([], [], self._book.power, ms, self._sum(), number, number)

    def snapshot(self, ms: int) -> Change:
        """The whole book as it was told last."""
        asks, bids, power = self._book
        return Change([*asks.items()], [*bids.items()], power, ms, self._sum(), -1, self._number)

    def _sum(self) -> int:
        return checksum(self._book) if self._summed and not self.channel.is_whole else 0


class Books:
    """All tapes of one exchange; ``summed``: with true checksums."""

    def __init__(self, *, summed: bool = False) -> None:
        self._summed = summed
        self._numbers: dict[str, Numbers] = {}
        self._tapes: dict[str, dict[str, Tape]] = {}

    def join(self, channel: str, symbol: str, market: MarketView) -> Tape:
        """One more listener of a channel."""
        tapes = self._tapes.setdefault(symbol, {})
        if channel not in tapes:
            tapes[channel] = Tape(BOOK_CHANNELS[channel], self._of(symbol), market.ladder(symbol), summed=self._summed)
        tapes[channel].listeners += 1
        return tapes[channel]

    def leave(self, channel: str, symbol: str) -> None:
        """One listener less; a tape without any ends."""
        tapes = self._tapes[symbol]
        tapes[channel].listeners -= 1
        if tapes[channel].listeners == 0:
            del tapes[channel]

    def number(self, symbol: str, ladder: Ladder) -> int:
        """The id of a book as REST tells it."""
        return self._of(symbol).of(ladder)

    def newest(self, symbol: str) -> int:
        """The id that was given last."""
        return self._of(symbol).number

    def observe(self, due: Due, market: MarketView) -> None:
        """Move every tape that is told with this publication."""
        if due.kind == "restart":
            for symbol in [due.symbol] if due.symbol else market.symbols:
                self._of(symbol).restart()
            return
        tapes = self._tapes.get(due.symbol)
        if not tapes or due.kind not in ("orderbook", "orderbook-fast", "still"):
            return
        if due.kind == "still":
            for tape in tapes.values():
                tape.still(market.now_ms)
        elif moving := [tape for tape in tapes.values() if tape.channel.pace == due.kind]:
            ladder = market.ladder(due.symbol)
            for tape in moving:
                tape.move(ladder, market.now_ms)

    def _of(self, symbol: str) -> Numbers:
        return self._numbers.setdefault(symbol, Numbers())


def levels(side: Iterable[tuple[int, int]], power: int) -> list[tuple[str, str, str, str]]:
    """Rows of a side: price, size, a deprecated 0, number of orders."""
    return [
        (text_of(price, power), text_of(size, -8), "0", str(1 + (price * 7 + size) % 9) if size else "0")
        for price, size in side
    ]


def rpi_levels(side: Iterable[tuple[int, int]], power: int) -> list[tuple[str, str, str, str]]:
    """The same with orders that only retail traders meet, at every third price: price, all, without them, orders."""
    rows, found = [], [*side]
    for (price, size), (text, own, _, orders) in zip(found, levels(found, power), strict=True):
        more = size // 4 if price % 3 == 0 else 0
        rows.append((text, text_of(size + more, -8), own, orders))
    return rows


def checksum(book: Ladder) -> int:
    """CRC-32 of the best 25 levels, bid and ask in turn, as a signed number (A6.4)."""
    sides = ((f"{text_of(p, book.power)}:{text_of(s, -8)}" for p, s in islice(side.items(), _SUMMED)) for side in
             (book.bids, book.asks))  # fmt: skip
    text = ":".join(part for part in chain.from_iterable(zip_longest(*sides)) if part is not None)
    value = crc32(text.encode())
    return value - 2**32 if value >= 2**31 else value


def _cut(ladder: Ladder, depth: int) -> Ladder:
    asks, bids = (dict(islice(side.items(), depth)) for side in (ladder.asks, ladder.bids))
    return Ladder(asks, bids, ladder.power)


def _difference(before: Mapping[int, int], after: Mapping[int, int]) -> list[tuple[int, int]]:
    changed = [(price, size) for price, size in after.items() if before.get(price) != size]
    return changed + [(price, 0) for price in before if price not in after]
