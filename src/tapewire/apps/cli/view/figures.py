"""Numbers and times in columns: decimal places by tick, thousands separators, magnitudes, spans of time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone

NOTHING = "–"
_MAGNITUDES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))
_LEVELS = "▁▂▃▄▅▆▇█"
#: Decimals of sizes from so much on, so that a column keeps its width.
_SIZE_DECIMALS = ((100_000.0, 0), (1_000.0, 2), (10.0, 4))


def decimals_of(values: Iterable[float]) -> int:
    """Decimal places (to 8) that show every one of these prices exactly."""
    most = 0
    for value in values:
        if value % 1:
            most = max(most, len(f"{value:.8f}".rstrip("0").partition(".")[2]))
    return most


def number(value: float | None, decimals: int) -> str:
    """``143,500,000``, ``1,234.50``."""
    return NOTHING if value is None else f"{value:,.{decimals}f}"


def percent(share: float | None) -> str:
    """A share with its sign, 0.0123 as ``+1.23%``."""
    return NOTHING if share is None else f"{share * 100:+.2f}%"


def scaled(value: float | None) -> str:
    """Two decimals and a magnitude, or the place of one: ``1.23M``, ``12.00 ``; what is small has its own digits."""
    if value is None:
        return f"{NOTHING} "
    for size, letter in _MAGNITUDES:
        if abs(value) >= size * 0.999995:
            return f"{value / size:,.2f}{letter}"
    return f"{value:.2f} " if abs(value) >= 0.01 or not value else f"{value:.2g} "


def size_decimals(values: Iterable[float]) -> int:
    """Decimal places for a column of sizes: fewer where they are large."""
    largest = max(values, default=0.0)
    return next((decimals for floor, decimals in _SIZE_DECIMALS if largest >= floor), 8)


def span(seconds: float | None) -> str:
    """Whole seconds, minutes, hours, days: ``7s``, ``3m``, ``2h``, ``5d``."""
    if seconds is None:
        return NOTHING
    for size, letter in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{letter}"
    return f"{max(int(seconds), 0)}s"


def clock(milliseconds: int | None, zone: timezone) -> str:
    """Time of day in ``zone`` to the millisecond, of a UTC time stamp in ms."""
    if milliseconds is None:
        return NOTHING
    at = datetime.fromtimestamp(milliseconds / 1000, zone)
    return f"{at:%H:%M:%S}.{milliseconds % 1000:03d}"


def milliseconds(value: float | None) -> str:
    """``53 ms``, ``1.2 s``."""
    if value is None:
        return NOTHING
    return f"{value:.0f} ms" if abs(value) < 1000 else f"{value / 1000:.1f} s"


def sparkline(values: Sequence[float], width: int) -> str:
    """The course of ``values`` in at most ``width`` cells, the newest at the right; a flat one lies in the middle."""
    if not values or width <= 0:
        return " " * max(width, 0)
    shown = _thinned(values, width)
    low, high = min(shown), max(shown)
    if high <= low:
        return (_LEVELS[3] * len(shown)).rjust(width)
    step = (len(_LEVELS) - 1) / (high - low)
    return "".join(_LEVELS[round((value - low) * step)] for value in shown).rjust(width)


def _thinned(values: Sequence[float], width: int) -> Sequence[float]:
    """The last value of each of ``width`` equal parts."""
    count = len(values)
    return values if count <= width else [values[(part + 1) * count // width - 1] for part in range(width)]
