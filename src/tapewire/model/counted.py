"""Numbers with their word: ``1 gap``, ``1,200 gaps``."""

from __future__ import annotations


def count_of(number: int, word: str) -> str:
    """``1 gap``, ``1,200 gaps``."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def clause_of(number: int, word: str, one: str, many: str) -> str:
    """``1 line waits``, ``2 lines wait``: with the verb of one, and of many."""
    return f"{count_of(number, word)} {one if number == 1 else many}"
