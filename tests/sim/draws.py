"""Chance for tests: seeded, or dealt from a list."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random


def seeded(seed: int = 1) -> Random:
    return Random(seed)


class Dealt:
    """Gives the listed numbers, then the last one for ever."""

    def __init__(self, numbers: Iterable[float]) -> None:
        self._numbers = list(numbers)

    def random(self) -> float:
        return self._numbers.pop(0) if len(self._numbers) > 1 else self._numbers[0]
