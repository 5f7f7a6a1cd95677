"""Customers' orders that wait in one market's book: price, then time (pure)."""

from __future__ import annotations

from bisect import insort

from msgspec import Struct


class Quote(Struct, eq=False):
    """One waiting order: whose it is, its price in ticks, what is left of it in 1e-8 units."""

    uuid: str
    price: int
    left: int
    ask: bool


class Resting:
    """The waiting orders of one market, the best first on each side."""

    def __init__(self) -> None:
        self.asks: list[Quote] = []
        self.bids: list[Quote] = []

    def __bool__(self) -> bool:
        return bool(self.asks or self.bids)

    def add(self, quote: Quote) -> None:
        """It waits behind all of its price."""
        if quote.ask:
            insort(self.asks, quote, key=lambda other: other.price)
        else:
            insort(self.bids, quote, key=lambda other: -other.price)

    def best(self, *, ask: bool) -> Quote | None:
        """The first to be met on one side."""
        quotes = self.asks if ask else self.bids
        return quotes[0] if quotes else None

    def take(self, quote: Quote, size: int) -> None:
        """Some of it is gone; it leaves when nothing is left."""
        quote.left -= size
        if quote.left == 0:
            (self.asks if quote.ask else self.bids).remove(quote)

    def levels(self, *, ask: bool) -> dict[int, int]:
        """Price → size of one side."""
        sizes: dict[int, int] = {}
        for quote in self.asks if ask else self.bids:
            sizes[quote.price] = sizes.get(quote.price, 0) + quote.left
        return sizes
