"""What was sent lately, for clients that come back: numbered, bounded in time and size (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Hashable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from tapewire.apps.gateway.frames import Part

#: Seconds and bytes that are kept.
SECONDS, BYTES = 60.0, 32 * 1024 * 1024
#: Bytes that one client is sent again at most.
REPEATED = 8 * 1024 * 1024
#: What one kept message takes beside its body.
_OVERHEAD = 200


class Kept(NamedTuple):
    """One message: its number, when it was sent (monotonic seconds), of which stream, and what it was."""

    number: int
    at: float
    stream: Hashable
    part: Part
    body: bytes


class Window:
    """Every message of the last seconds, oldest first.

    Args:
        name: unlike that of any gateway before: a cursor of another is of no use here.
        seconds, size: how much is kept at most.
    """

    def __init__(self, name: str, *, seconds: float = SECONDS, size: int = BYTES) -> None:
        self._name, self._seconds, self._size = name, seconds, size
        self._kept: deque[Kept] = deque()
        self._bytes = 0
        self.number = 0

    def add(self, at: float, stream: Hashable, part: Part, body: bytes) -> int:
        """Number a message and keep it; ``at`` in monotonic seconds."""
        self.number += 1
        self._kept.append(Kept(self.number, at, stream, part, body))
        self._bytes += len(body) + _OVERHEAD
        while self._bytes > self._size or self._kept[0].at < at - self._seconds:
            self._bytes -= len(self._kept.popleft().body) + _OVERHEAD
            if not self._kept:
                break
        return self.number

    def cursor(self, number: int | None = None) -> str:
        """Where a message stands; None: the newest."""
        return f"{self._name}-{self.number if number is None else number}"

    def place(self, cursor: str) -> int | None:
        """The number that a cursor stands for, None when it is another gateway's, or none at all."""
        name, _, digits = cursor.rpartition("-")
        if name != self._name or not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
            return None
        number = int(digits)
        return number if number <= self.number else None

    def since(self, number: int, streams: Container[Hashable], begun: Iterable[int]) -> list[Kept] | None:
        """What came after ``number`` of these streams, in its order; None: not all of it is kept, or it is too much.

        Args:
            number: see ``place``.
            streams: which.
            begun: the newest number when each of them began to be kept.
        """
        oldest = self._kept[0].number if self._kept else self.number + 1
        if number < oldest - 1 or any(one > number for one in begun):
            return None
        found = [one for one in self._newer(number) if one.stream in streams]
        return found if sum(len(one.body) for one in found) <= REPEATED else None

    def _newer(self, number: int) -> Iterator[Kept]:
        """Those after ``number``: numbers are without holes, so that their places are known."""
        return islice(self._kept, max(0, number + 1 - self._kept[0].number) if self._kept else 0, None)
