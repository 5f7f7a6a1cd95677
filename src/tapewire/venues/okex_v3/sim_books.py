"""What a simulated OKEX has told of each book, so that all connections hear the same changes (spec/okx.md B3, B4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice, zip_longest
from zlib import crc32

from tapewire.venues.digits import text_of
from tapewire.venues.exchange import Ladder

#: Price and size of a level as text; size ``0`` takes it away.
Level = tuple[str, str]
_CHECKED = 25
_EMPTY: dict[int, int] = {}


class ToldBook:
    """One book as it was told last: whoever joins now gets this, and the changes that follow fit it.

    Attributes:
        asks, bids: what changed at the last time, the best first.
        ms: when that was, UTC.
    """

    def __init__(self, ladder: Ladder, ms: int, depth: int) -> None:
        self._depth, self._power = depth, ladder.power
        self._asks: Mapping[int, int] = _EMPTY
        self._bids: Mapping[int, int] = _EMPTY
        self.asks: list[Level] = []
        self.bids: list[Level] = []
        self.ms = ms
        self.move(ladder, ms)

    @property
    def moved(self) -> bool:
        """Whether anything changed at the last time."""
        return bool(self.asks or self.bids)

    def move(self, ladder: Ladder, ms: int) -> None:
        """The book is now this."""
        asks, bids = (dict(islice(side.items(), self._depth)) for side in (ladder.asks, ladder.bids))
        self.asks = self._changes(self._asks, asks, best_first=1)
        self.bids = self._changes(self._bids, bids, best_first=-1)
        self._asks, self._bids, self.ms = asks, bids, ms

    def rest(self, ms: int) -> None:
        """Nothing changed: it is told again without a level."""
        self.asks, self.bids, self.ms = [], [], ms

    def whole(self) -> tuple[list[Level], list[Level]]:
        """Asks and bids, every level, the best first."""
        return self._texts(self._asks), self._texts(self._bids)

    @property
    def checksum(self) -> int:
        """Of the state after the last change."""
        return checksum(*(self._texts(side, _CHECKED) for side in (self._bids, self._asks)))

    def _changes(self, before: Mapping[int, int], now: Mapping[int, int], *, best_first: int) -> list[Level]:
        changed = {price: size for price, size in now.items() if before.get(price) != size}
        changed |= dict.fromkeys(before.keys() - now.keys(), 0)
        return self._texts({price: changed[price] for price in sorted(changed, key=lambda one: one * best_first)})

    def _texts(self, side: Mapping[int, int], most: int | None = None) -> list[Level]:
        return [(text_of(price, self._power), text_of(size, -8)) for price, size in islice(side.items(), most)]


def checksum(bids: Sequence[Level], asks: Sequence[Level]) -> int:
    """Signed CRC-32 of bid, ask, bid, ask …; where one side ends the other goes on (B4)."""
    words = [
        f"{level[0]}:{level[1]}"
        for pair in zip_longest(bids[:_CHECKED], asks[:_CHECKED])
        for level in pair
        if level is not None
    ]
    number = crc32(":".join(words).encode())
    return number if number < 2**31 else number - 2**32
