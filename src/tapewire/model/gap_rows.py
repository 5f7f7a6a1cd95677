"""The gap ledger as it is read afterwards: the newest state of each interruption, the latest of them kept."""

from __future__ import annotations

from collections.abc import Iterable

from tapewire.model.status import FeedEvent, Gap
from tapewire.model.subscription import Subscription

#: Rows that are kept: those of a dozen losses of a connection with eight hundred streams.
KEPT_GAPS = 10_000
#: States of a row in which messages may be missing now.
MISSING = frozenset({"open", "filling", "unfilled"})

#: What makes a row the same one when it is told again: connection, stream, beginning (ns UTC).
Key = tuple[str, Subscription, int]


class GapRows:
    """Told every feed event, it keeps each row of the ledger as it was told last.

    Args:
        most: rows kept; of more the oldest are let go.
    """

    def __init__(self, most: int = KEPT_GAPS) -> None:
        self._most = most
        self._rows: dict[Key, Gap] = {}

    def hear(self, event: FeedEvent) -> None:
        """Keep it, if it is a row."""
        if isinstance(event, Gap):
            self._rows[event.connection, event.subscription, event.from_ns] = event
            if len(self._rows) > self._most:
                del self._rows[next(iter(self._rows))]

    def with_open(self, still_open: Iterable[Gap] = ()) -> tuple[Gap, ...]:
        """All rows in the order of their beginnings, with those that were not told yet."""
        return tuple(sorted((*self._rows.values(), *still_open), key=lambda row: row.from_ns))
