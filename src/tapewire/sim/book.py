"""One market's order book in whole ticks and whole 1e-8 units, so that sums are exact (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy

from tapewire.model.events import OrderbookUnit
from tapewire.sim.past import noise
from tapewire.sim.ticks import Tick

DEPTH = 30
UNIT = 100_000_000  # sizes are counted in 1e-8


class Book:
    """The ladder of both sides; index 0 is the best. A side may be shorter than ``depth`` near price 0.

    Args:
        tick: of the market.
        mid: where it opens, in ticks.
        size: mean size of a level, in 1e-8.
        random: draws in [0, 1).
        depth: levels of a side.
        lot: sizes are multiples of it, in 1e-8.
    """

    def __init__(
        self, tick: Tick, mid: int, size: int, random: Callable[[], float], *, depth: int = DEPTH, lot: int = 1
    ) -> None:
        self.tick, self._mean, self._random = tick, max(1, size), random
        self.depth, self._lot = depth, lot
        #: distance of neighbouring levels: prices of many ticks are not filled at every one
        self._gap = max(1, mid // 20_000)
        self.asks: list[int] = [mid + 1]
        self.bids: list[int] = [max(1, mid)]
        self.ask_sizes: list[int] = [self._size()]
        self.bid_sizes: list[int] = [self._size()]
        self.fill()

    def fill(self) -> None:
        """Make both sides as deep again as they are to be, as far as prices above 0 reach."""
        while len(self.asks) < self.depth:
            self.asks.append(self.asks[-1] + self._step())
            self.ask_sizes.append(self._size())
        while len(self.bids) < self.depth and self.bids[-1] - self._gap > 0:
            self.bids.append(max(1, self.bids[-1] - self._step()))
            self.bid_sizes.append(self._size())

    def take(self, size: int, *, buy: bool) -> tuple[int, int]:
        """A taker takes up to ``size`` at the best price: (price in ticks, size taken); an empty level goes."""
        prices, sizes = (self.asks, self.ask_sizes) if buy else (self.bids, self.bid_sizes)
        price, taken = prices[0], min(size, sizes[0])
        sizes[0] -= taken
        if sizes[0] == 0:
            del prices[0], sizes[0]
            if prices:
                self.fill()
            else:  # the last bid above price 0 went: somebody bids the same again
                prices.append(price)
                sizes.append(self._size())
        return price, taken

    def touch(self) -> None:
        """Makers change their minds: one level on each side gets another size, a wide spread gets narrower.

        In a deep book some levels leave, and new ones come between others.
        """
        self.ask_sizes[int(self._random() ** 2 * len(self.asks))] = self._size()
        self.bid_sizes[int(self._random() ** 2 * len(self.bids))] = self._size()
        spread = self.asks[0] - self.bids[0]
        if spread > self._gap:
            inside = 1 + int(self._random() * min(self._gap, spread - 1))
            self._quote(inside, ask=self._random() < 0.5)
        if self.depth > DEPTH:
            self._stir(self.asks, self.ask_sizes, 1)
            self._stir(self.bids, self.bid_sizes, -1)
            self.fill()

    def joined(self, asks: Mapping[int, int], bids: Mapping[int, int]) -> Book:
        """A picture of this book with further sizes at prices in ticks; the best levels of each side."""
        book = copy(self)
        book.asks, book.ask_sizes = _joined(self.asks, self.ask_sizes, asks, self.depth)
        book.bids, book.bid_sizes = _joined(self.bids, self.bid_sizes, bids, -self.depth)
        return book

    def set(self, units: Sequence[OrderbookUnit]) -> None:
        """Take over a recorded book; deeper levels are made up."""
        asks = [unit for unit in units if unit.ask_price > 0]
        bids = [unit for unit in units if unit.bid_price > 0]
        self.asks = [self.tick.ticks(unit.ask_price) for unit in asks]
        self.bids = [self.tick.ticks(unit.bid_price) for unit in bids]
        self.ask_sizes = [round(unit.ask_size * UNIT) for unit in asks]
        self.bid_sizes = [round(unit.bid_size * UNIT) for unit in bids]
        self._mean = max(1, sum(self.ask_sizes + self.bid_sizes) // (len(asks) + len(bids)))
        self.fill()

    def units(self) -> list[OrderbookUnit]:
        """The levels as the venue shows them; a short side is padded with price 0 and size 0."""
        return self._rows(self.asks, self.ask_sizes, self.bids, self.bid_sizes)

    def grouped(self, level: float) -> list[OrderbookUnit]:
        """Thirty groups of ``level`` a side; those beyond the ladder have a size that depends on the price alone."""
        step = max(1, self.tick.ticks(level))
        asks = _groups(self.asks, self.ask_sizes, lambda price: -(-price // step) * step)
        bids = _groups(self.bids, self.bid_sizes, lambda price: price // step * step)
        self._deepen(asks, step)
        self._deepen(bids, -step)
        bids.pop(0, None)
        return self._rows(list(asks)[:DEPTH], list(asks.values())[:DEPTH], list(bids), list(bids.values()))

    def _rows(
        self, asks: list[int], ask_sizes: list[int], bids: list[int], bid_sizes: list[int]
    ) -> list[OrderbookUnit]:
        length = max(len(asks), len(bids))
        rows = zip(*(_padded(column, length) for column in (asks, bids, ask_sizes, bid_sizes)), strict=True)
        times, parts = self.tick.mantissa * 10 ** max(0, self.tick.power), 10 ** max(0, -self.tick.power)
        if parts == 1:  # whole prices stay whole numbers, as the exchange sends them
            return [
                OrderbookUnit(ask * times, bid * times, ask_size / UNIT, bid_size / UNIT)
                for ask, bid, ask_size, bid_size in rows
            ]
        return [
            OrderbookUnit(ask * times / parts, bid * times / parts, ask_size / UNIT, bid_size / UNIT)
            for ask, bid, ask_size, bid_size in rows
        ]

    def _deepen(self, groups: dict[int, int], step: int) -> None:
        price = next(reversed(groups))
        while len(groups) < DEPTH and price + step > 0:
            price += step
            groups[price] = 1 + int(self._mean * 2 * noise(price, step))

    def _quote(self, inside: int, *, ask: bool) -> None:
        """A maker quotes inside the spread; the deepest level leaves the view."""
        prices, sizes = (self.asks, self.ask_sizes) if ask else (self.bids, self.bid_sizes)
        prices.insert(0, prices[0] - inside if ask else prices[0] + inside)
        sizes.insert(0, self._size())
        del prices[self.depth :], sizes[self.depth :]

    def _stir(self, prices: list[int], sizes: list[int], sign: int) -> None:
        """Three makers of one side: one leaves (never the best), one changes, one comes in between."""
        gone = 1 + int(self._random() * (len(prices) - 1))
        if gone < len(prices):
            del prices[gone], sizes[gone]
        sizes[int(self._random() ** 2 * len(sizes))] = self._size()
        place = 1 + int(self._random() ** 2 * (len(prices) - 1))
        if place < len(prices) and (room := sign * (prices[place] - prices[place - 1]) - 1) > 0:
            prices.insert(place, prices[place - 1] + sign * (1 + int(self._random() * room)))
            sizes.insert(place, self._size())
            del prices[self.depth :], sizes[self.depth :]

    def _step(self) -> int:
        return 1 + int(self._random() * (2 * self._gap - 1))

    def _size(self) -> int:
        """Sizes are skewed: many small, few large."""
        draw = self._random()
        return self.whole(1 + int(self._mean * 3 * draw * draw))

    def whole(self, size: int) -> int:
        """A size as whole lots, rounded up."""
        return -(-size // self._lot) * self._lot


def _padded(items: list[int], length: int) -> list[int]:
    return items if len(items) == length else (items + [0] * length)[:length]


def _joined(prices: list[int], sizes: list[int], more: Mapping[int, int], depth: int) -> tuple[list[int], list[int]]:
    """The best ``depth`` levels with ``more`` in them; of a bid's side when it is negative."""
    levels = dict(zip(prices, sizes, strict=True))
    for price, size in more.items():
        levels[price] = levels.get(price, 0) + size
    best = sorted(levels, reverse=depth < 0)[: abs(depth)]
    return best, [levels[price] for price in best]


def _groups(prices: list[int], sizes: list[int], group: Callable[[int], int]) -> dict[int, int]:
    groups: dict[int, int] = {}
    for price, size in zip(prices, sizes, strict=True):
        key = group(price)
        groups[key] = groups.get(key, 0) + size
    return groups
