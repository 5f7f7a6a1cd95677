"""Words that the venues' refusals share: a choice of values, and what a malformed id should have been."""

from __future__ import annotations

from collections.abc import Iterable


def choice(values: Iterable[object]) -> str:
    """``a, b or c``."""
    *others, last = map(str, values)
    return f"{', '.join(others)} or {last}" if others else last


def quoted_choice(values: Iterable[str]) -> str:
    """``"a", "b" or "c"``."""
    return choice(f'"{value}"' for value in values)


def id_wanted(symbol: object, near: str | None, examples: Iterable[str]) -> str:
    """What an instrument id should look like, or the one that was meant (``near``)."""
    shape = f"an instrument id in upper case, such as {quoted_choice(examples)}"
    if not isinstance(symbol, str):
        return f"text: {shape}"
    return shape if near is None or near == symbol else f'"{near}"'
