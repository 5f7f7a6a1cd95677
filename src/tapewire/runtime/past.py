"""Figures of connections that ended: what a pool did does not get less when one is closed."""

from __future__ import annotations

from collections import Counter

from tapewire.runtime.building import Carrier


class Past:
    """Figures of connections that ended."""

    def __init__(self) -> None:
        self.messages: Counter[str] = Counter()
        self.connects = self.reconnects = 0
        self.quarantined = 0
        self.callback_errors = self.doubled = self.conflicts = 0
        self.better: float | None = None

    def add(self, carrier: Carrier) -> None:
        self.messages.update(carrier.router.counts())
        self.callback_errors += carrier.callback_errors
        self.doubled += carrier.router.doubled
        self.conflicts += carrier.router.conflicts
        for driver in carrier.drivers:
            self.connects += driver.connects
            self.reconnects += driver.machine.reconnects
            self.quarantined += driver.quarantine.count
            self.better = max((t for t in (self.better, driver.notes.better) if t is not None), default=None)
