"""Prices as whole numbers of ticks: the tick size of a price band, and ticks to exact floats (pure)."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

#: (price from, tick as mantissa and power of ten); no source says all of them: made up in the manner of the exchange.
_KRW = (
    (1_000_000, 1, 3), (500_000, 5, 2), (100_000, 1, 2), (50_000, 5, 1), (10_000, 1, 1), (5_000, 5, 0), (100, 1, 0),
    (10, 1, -1), (1, 1, -2), (0.1, 1, -3), (0.01, 1, -4), (0.001, 1, -5), (0.0001, 1, -6), (0.00001, 1, -7),
)  # fmt: skip
#: Dollars: five significant digits, as the order books of USDT and SGD markets show them.
_DOLLAR = (
    (10_000, 1, 0), (1_000, 1, -1), (100, 1, -2), (10, 1, -3), (1, 1, -4), (0.1, 1, -5), (0.01, 1, -6), (0.001, 1, -7),
)  # fmt: skip
_IDR = (
    (100_000_000, 1, 4), (1_000_000, 1, 3), (100_000, 1, 2), (10_000, 1, 1), (100, 1, 0), (10, 1, -1), (1, 1, -2),
    (0.1, 1, -3),
)  # fmt: skip
_THB = ((100_000, 1, 1), (1_000, 1, 0), (100, 1, -1), (10, 1, -2), (1, 1, -3), (0.1, 1, -4), (0.01, 1, -5))
_BANDS = {"KRW": _KRW, "USDT": _DOLLAR, "SGD": _DOLLAR, "IDR": _IDR, "THB": _THB}


class Tick(NamedTuple):
    """A tick of ``mantissa × 10**power``."""

    mantissa: int
    power: int

    def price(self, ticks: int) -> float:
        """The float nearest to that many ticks."""
        whole = ticks * self.mantissa
        return float(whole * 10**self.power) if self.power >= 0 else whole / 10**-self.power

    def decimal(self, ticks: int) -> Decimal:
        """That many ticks, exactly."""
        return Decimal(ticks * self.mantissa * 10 ** max(0, self.power)).scaleb(min(0, self.power))

    def ticks(self, price: float) -> int:
        """The whole number of ticks nearest to a price, at least 1."""
        return max(1, round(price / self.price(1)))

    def __str__(self) -> str:
        """Plain decimal text, as REST gives it: ``1000``, ``0.00000001``."""
        return str(self.mantissa * 10**self.power) if self.power >= 0 else f"{self.price(1):.{-self.power}f}"


def tick_of(quote: str, price: float) -> Tick:
    """The tick of a market quoted in ``quote`` at ``price``; 1e-8 where no band says otherwise (all BTC markets)."""
    for floor, mantissa, power in _BANDS.get(quote, ()):
        if price >= floor:
            return Tick(mantissa, power)
    return Tick(1, -8)
