"""The price levels of one side of a book, sorted, each with the text that the exchange wrote (pure)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from decimal import Decimal
from math import inf, isfinite
from typing import Any

from tapewire.model.book import BookLevel, Row, RpiBookLevel


class Ladder:
    """One side of a book: each price once. A changed level costs well under 3 µs (benchmarks/books.py).

    Prices are one when they are the same number (``3865`` and ``3865.0``), and kept as they were written, because
    checksums are made of that. Where two of them are different numbers and yet one ``float``, the ladder goes over to
    exact numbers by itself. Levels are never changed, so that what ``best`` hands out stays as it is.

    Args:
        number: makes a number of a text, ``float`` or ``Decimal``: what levels are made of.
        best_is_last: the best price is the highest (bids), not the lowest (asks).
    """

    __slots__ = ("_best_is_last", "_key", "_levels", "_number", "_prices", "_rows")

    def __init__(self, number: Callable[[str], Any], *, best_is_last: bool) -> None:
        self._number = self._key = number
        self._best_is_last = best_is_last
        self._prices: list[Any] = []
        self._levels: list[BookLevel] = []
        self._rows: list[Row] = []

    def __len__(self) -> int:
        return len(self._prices)

    def replace(self, rows: Iterable[Row]) -> None:
        """These levels, and no others. Raises as ``change`` does."""
        self._key = self._number
        self._prices, self._levels, self._rows = [], [], []
        self.change(rows)

    def change(self, rows: Iterable[Row]) -> None:
        """Set each row's price to its size; size 0 takes the price away, and nothing happens if it was not there.

        Raises:
            ValueError, ArithmeticError: a price that is no finite number, or a size that is none or below 0. The rows
                before it count: the ladder is not to be used until it is replaced.
        """
        number, prices = self._number, self._prices
        for row in rows:
            text = row[0]
            price, size = self._key(text), number(row[1])
            at = bisect_left(prices, price)
            known = at < len(prices) and prices[at] == price
            if known and self._rows[at][0] != text and self._are_two(at, text):
                self._be_exact()
                self.change((row,))
                prices = self._prices
            elif size == 0:
                if known:
                    del prices[at], self._levels[at], self._rows[at]
            elif not 0 < size < inf:
                raise ValueError(f"size {row[1]!r} of price {text!r} is no number from 0")
            elif known:
                self._levels[at], self._rows[at] = self._level(price, size, row), row
            else:
                self._insert(at, price, size, row)

    def trim(self, most: int) -> None:
        """Keep the best ``most`` levels."""
        surplus = len(self._prices) - most
        if surplus > 0:
            gone = slice(0, surplus) if self._best_is_last else slice(most, None)
            del self._prices[gone], self._levels[gone], self._rows[gone]

    def best(self, most: int) -> list[BookLevel]:
        """The best ``most`` levels, the best first."""
        return self._levels[self._chosen(most)]

    def written(self, most: int) -> list[Row]:
        """The best ``most`` levels as they came, the best first."""
        return self._rows[self._chosen(most)]

    def _chosen(self, most: int) -> slice:
        return slice(-1, -most - 1, -1) if self._best_is_last else slice(most)

    def _insert(self, at: int, price: Any, size: Any, row: Row) -> None:
        if not isfinite(price):
            raise ValueError(f"price {row[0]!r} is no finite number")
        self._prices.insert(at, price)
        self._levels.insert(at, self._level(price, size, row))
        self._rows.insert(at, row)

    def _level(self, price: Any, size: Any, row: Row) -> BookLevel:
        return BookLevel(price if self._key is self._number else self._number(row[0]), size, *_counts(row))

    def _are_two(self, at: int, text: str) -> bool:
        return self._key is not Decimal and Decimal(self._rows[at][0]) != Decimal(text)

    def _be_exact(self) -> None:
        self._key = Decimal
        self._prices = [Decimal(row[0]) for row in self._rows]


class RpiLadder(Ladder):
    """One side of a book whose rows are (price, all, without RPI orders, orders)."""

    __slots__ = ()

    def _level(self, price: Any, size: Any, row: Row) -> RpiBookLevel:
        _, _, organic, orders = row
        met = self._number(organic)
        if not 0 <= met <= size:
            raise ValueError(f"{organic!r} without RPI orders, of {row[1]!r} at {row[0]!r}: it is no part of it")
        own = price if self._key is self._number else self._number(row[0])
        return RpiBookLevel(own, size, 0, int(orders), met)


def _counts(row: Row) -> tuple[int, ...]:
    """(liquidated, orders) of a row of four, (0, orders) of one of three (OKEX v3 until 2019), or nothing."""
    if len(row) == 4:
        return int(row[2]), int(row[3])
    return (0, int(row[2])) if len(row) == 3 else ()
