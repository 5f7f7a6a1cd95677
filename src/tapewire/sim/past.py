"""A market's past before the simulation began: a function of time, so that nothing need be stored (pure).

Price is a sum of slow waves through the opening price, turnover grows steadily with a wave: every window of every
unit agrees with every other, and any past trade or candle can be had at any time without order or memory.
"""

from __future__ import annotations

from math import floor, pi, sin

_MASK = (1 << 64) - 1
#: (amplitude as part of the price, period in seconds)
_WAVES = ((0.02, 700_000.0), (0.006, 40_000.0), (0.002, 2_900.0), (0.0005, 170.0))


def noise(*key: int) -> float:
    """A number in [0, 1) that depends on the key alone (splitmix64)."""
    state = 0
    for part in key:
        state = (state ^ part) + 0x9E3779B97F4A7C15 & _MASK
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        state = (state ^ state >> 27) * 0x94D049BB133111EB & _MASK
        state ^= state >> 31
    return state / 2**64


class Past:
    """What happened before ``end`` (seconds, Unix time).

    Args:
        key: makes one market's past differ from another's.
        price: the price at ``end``.
        rate: trades a second.
        size: mean size of a trade.
    """

    def __init__(self, key: int, end: float, price: float, rate: float, size: float) -> None:
        self._key, self.end = key, end
        self._slot, self._size = 1 / rate, size
        self._phases = [2 * pi * noise(key, wave) for wave in range(len(_WAVES))]
        self._scale = price / (1 + self._waves(end))

    def price(self, at: float) -> float:
        """The price at a moment."""
        return self._scale * (1 + self._waves(at))

    def volume(self, start: float, stop: float) -> float:
        """What was traded from ``start`` to ``stop``, in base units."""
        return max(0.0, self._grown(stop) - self._grown(start))

    def bars(self, start: float, stop: float) -> tuple[float, float, float, float]:
        """Opening, highest, lowest and closing price of a window."""
        step = (stop - start) / 8
        samples = [self.price(start + step * part) for part in range(9)]
        return samples[0], max(samples), min(samples), samples[-1]

    def traded(self, start: float, stop: float) -> bool:
        """Whether any trade fell into the window."""
        first = floor(start / self._slot)
        last = min(floor(stop / self._slot), first + 2)
        return any(start <= self.trade_at(slot) < stop for slot in range(first, last + 1))

    def slot(self, at: float) -> int:
        """Number of the trade at or before a moment."""
        slot = floor(at / self._slot)
        return slot if self.trade_at(slot) < at else slot - 1

    def trade_at(self, slot: int) -> float:
        """When the numbered trade happened."""
        return (slot + noise(self._key, slot, 1)) * self._slot

    def trade_size(self, slot: int) -> float:
        """Its size in base units."""
        return self._size * (0.05 + 1.9 * noise(self._key, slot, 2) ** 2)

    def buys(self, slot: int) -> bool:
        """Whether the taker bought."""
        return noise(self._key, slot, 3) < 0.5

    def _waves(self, at: float) -> float:
        return sum(
            part * sin(2 * pi * at / period + phase) for (part, period), phase in zip(_WAVES, self._phases, strict=True)
        )

    def _grown(self, at: float) -> float:
        return self._size / self._slot * (at + 2_000 * sin(2 * pi * at / 20_000 + self._phases[0]))
