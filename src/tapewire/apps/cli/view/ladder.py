"""The order book of one market as a ladder: asks above, bids below, sizes as bars."""

from __future__ import annotations

from collections.abc import Sequence

from tapewire.apps.cli.view.cells import Line, bar, filled, fit
from tapewire.apps.cli.view.figures import decimals_of, number, size_decimals
from tapewire.apps.cli.view.quotes import Quote

_WIDE = 60  # cells from which on the sum of the sizes up to a level is shown
Level = tuple[float, float]  # price, size


def ladder(quote: Quote, width: int, height: int) -> list[Line]:
    """The best levels that there is room for, in exactly ``height`` lines of ``width`` cells."""
    each = max((height - 1) // 2, 0)
    asks = [(unit.ask_price, unit.ask_size) for unit in quote.units if unit.ask_price][:each]
    bids = [(unit.bid_price, unit.bid_size) for unit in quote.units if unit.bid_price][:each]
    if not quote.units:
        lines: list[Line] = [[("waiting for the order book", "dim")]]
        return _padded(lines, width, height)
    row = _Row(asks, bids, width)
    upper = _summed(asks)[::-1]
    lines = [[] for _ in range(each - len(upper))]
    lines += [row.line(price, size, total, "down") for price, size, total in upper]
    lines.append(_middle(quote, asks, bids, width))
    lines += [row.line(price, size, total, "up") for price, size, total in _summed(bids)]
    return _padded(lines, width, height)


class _Row:
    """Widths and scales that all levels of one picture share."""

    def __init__(self, asks: Sequence[Level], bids: Sequence[Level], width: int) -> None:
        levels = [*asks, *bids]
        self._decimals = decimals_of(price for price, _ in levels)
        self._size_decimals = size_decimals(size for _, size in levels)
        self._largest = max((size for _, size in levels), default=0.0) or 1.0
        self._price = max((len(number(price, self._decimals)) for price, _ in levels), default=0)
        self._size = max((len(number(size, self._size_decimals)) for _, size in levels), default=0)
        sums = [sum(size for _, size in side) for side in (asks, bids)]
        self._total = max(len(number(total, self._size_decimals)) for total in sums) if width >= _WIDE else 0
        self._bar = max(width - self._price - self._size - 4 - (self._total + 2 if self._total else 0), 0)

    def line(self, price: float, size: float, total: float, style: str) -> Line:
        line: Line = [
            (number(price, self._decimals).rjust(self._price), style),
            (f"  {number(size, self._size_decimals).rjust(self._size)}  ", ""),
        ]
        if self._total:
            line.append((f"{number(total, self._size_decimals).rjust(self._total)}  ", "dim"))
        return [*line, (bar(size / self._largest, self._bar), style)]


def _summed(levels: Sequence[Level]) -> list[tuple[float, float, float]]:
    """(price, size, sum of the sizes from the best level to this one)."""
    total, rows = 0.0, []
    for price, size in levels:
        total += size
        rows.append((price, size, total))
    return rows


def _middle(quote: Quote, asks: Sequence[Level], bids: Sequence[Level], width: int) -> Line:
    """The line between the sides: spread, and the bids' share of the sizes shown."""
    if not asks or not bids:
        return [("one side is empty", "dim")]
    apart = asks[0][0] - bids[0][0]
    decimals = max(decimals_of((asks[0][0], bids[0][0])), quote.decimals)
    bought, sold = sum(size for _, size in bids), sum(size for _, size in asks)
    share = bought / (bought + sold) if bought + sold else 0.0
    words = f"spread {number(apart, decimals)} ({apart / bids[0][0] * 100:.4f}%)"
    more = f"  bids {share * 100:.0f}% of {len(asks) + len(bids)} levels"
    return [(fit(words + more, width) if len(words + more) <= width else fit(words, width), "dim")]


def _padded(lines: list[Line], width: int, height: int) -> list[Line]:
    return [filled(line, width) for line in (lines + [[] for _ in range(height)])[:height]]
