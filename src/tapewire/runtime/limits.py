"""The exchange's limits, kept by all event loops of a process together: each loop has a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from tapewire.session.gate import Gate
from tapewire.venues.contract import Window


class SharedGate(Gate):
    """A gate for callers in several threads: whatever is asked or booked is done in one piece."""

    def __init__(self, windows: Sequence[Window], leeway: float) -> None:
        super().__init__(windows, leeway)
        self._lock = threading.RLock()

    def next_at(self, t: float) -> float:
        with self._lock:
            return super().next_at(t)

    def take(self, t: float) -> bool:
        with self._lock:
            return super().take(t)

    def reserve(self, t: float) -> float:
        with self._lock:
            return super().reserve(t)

    def book(self, t: float) -> None:
        with self._lock:
            super().book(t)

    def spent(self, t: float, at_least: float = 0.0) -> float:
        with self._lock:
            return super().spent(t, at_least)

    def left(self, t: float) -> list[tuple[Window, int]]:
        with self._lock:
            return super().left(t)
