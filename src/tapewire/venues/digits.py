"""Numbers as exchanges write them: plain decimal text without exponent and without zeros at its end (pure)."""

from __future__ import annotations

from decimal import Decimal


def text_of(units: int, power: int) -> str:
    """``units * 10**power`` as text: ``(302435, -1)`` is ``30243.5``, ``(30, -1)`` is ``3``."""
    if power >= 0:
        return str(units * 10**power)
    whole, part = divmod(abs(units), 10**-power)
    sign = "-" if units < 0 else ""
    return f"{sign}{whole}.{str(part).zfill(-power).rstrip('0')}" if part else f"{sign}{whole}"


def plain(value: float | Decimal) -> str:
    """A number as text: the shortest that reads back to the same float, all digits of a decimal."""
    text = f"{value if isinstance(value, Decimal) else Decimal(repr(value)):f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
