"""The exchange's limits, kept by all event loops of a process together: each loop has a thread of its own."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from tapewire.config import Credentials
from tapewire.session.gate import Gate
from tapewire.session.limits import Limits
from tapewire.venues.contract import Venue, Window


class SharedGate(Gate):
    """A gate for callers in several threads: whatever is asked or booked is done in one piece.

    Args:
        windows, leeway: as of ``Gate``.
        whole: entered around each step, with its time; by default a lock of this process.
    """

    def __init__(
        self,
        windows: Sequence[Window],
        leeway: float,
        whole: Callable[[float], AbstractContextManager[object]] | None = None,
    ) -> None:
        super().__init__(windows, leeway)
        lock = threading.RLock()
        self._whole = (lambda _t: lock) if whole is None else whole

    def next_at(self, t: float) -> float:
        with self._whole(t):
            return super().next_at(t)

    def ask_at(self, t: float) -> float:
        with self._whole(t):
            return super().ask_at(t)

    def take(self, t: float) -> bool:
        with self._whole(t):
            return super().take(t)

    def book(self, t: float) -> None:
        with self._whole(t):
            super().book(t)

    def arrived(self, sent: float, t: float) -> None:
        with self._whole(t):
            super().arrived(sent, t)

    def told(self, sent: float, t: float, left: int, seconds: float) -> None:
        with self._whole(t):
            super().told(sent, t, left, seconds)

    def close(self, until: float) -> None:
        with self._whole(until):
            super().close(until)

    def spent(self, t: float, at_least: float = 0.0) -> float:
        with self._whole(t):
            return super().spent(t, at_least)

    def left(self, t: float) -> list[tuple[Window, int]]:
        with self._whole(t):
            return super().left(t)


def shared_gate(_name: str, windows: Sequence[Window], leeway: float) -> Gate:
    """A gate for all threads of this process."""
    return SharedGate(windows, leeway)


class LimitFigures(NamedTuple):
    """One window as it stands: what it is called, its size, what is left, seconds until one more may go."""

    name: str
    group: str
    window: Window
    left: int
    wait: float


def figures_of(limits: Limits, t: float) -> list[LimitFigures]:
    """Every window of an address at ``t`` (monotonic seconds)."""
    gates = [("connects", "", limits.connects()), ("messages", "", limits.messages)]
    gates += [("connects", "account", gate) for gate in limits.account_connects()]
    gates += [("rest_calls", group, gate) for group, gate in limits.rest_gates()]
    return [
        LimitFigures(name, group, window, left, max(0.0, gate.next_at(t) - t))
        for name, group, gate in gates
        for window, left in gate.left(t)
    ]


def account_of(credentials: Credentials | None) -> str:
    """A name for an account's limits that does not give its key away; ``""`` for nobody's."""
    if credentials is None:
        return ""
    return hashlib.sha256(credentials.access_key.reveal().encode()).hexdigest()[:16]


def place_of(venue: Venue, address: str) -> tuple[str, str]:
    """What has limits of its own: an exchange, at one host and port."""
    return venue.name.split("-", 1)[0], address
