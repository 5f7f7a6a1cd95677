"""The lane of what is no data: counted and told, never given to a subscriber."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tapewire.model.status import FeedEvent, Quarantined
from tapewire.runtime.clock import Clock
from tapewire.venues.contract import Quarantine


class QuarantineLane:
    """That of one connection."""

    def __init__(self, venue: str, connection: str, clock: Clock, publish: Callable[[FeedEvent], None]) -> None:
        self._venue, self._connection, self._clock, self._publish = venue, connection, clock, publish
        self.count = 0

    def put(self, items: Iterable[Quarantine]) -> None:
        """Tell each."""
        for item in items:
            self.count += 1
            self._publish(
                Quarantined(
                    venue=self._venue,
                    connection=self._connection,
                    at_ns=self._clock.wall_ns(),
                    reason=item.reason,
                    payload=item.payload,
                    count=self.count,
                )
            )
