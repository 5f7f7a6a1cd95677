"""Counts what a stream brought, for status lines and summaries."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator

from tapewire.apps.cli.terminal import kind_of
from tapewire.model.events import Event
from tapewire.model.status import Connected, Disconnected, FeedEvent, Gap, Lagged, Quarantined, Rejected
from tapewire.model.subscription import Subscription
from tapewire.sinks.contract import Item

_MISSED = ("open", "unfilled")


class Tally:
    """Figures of one stream so far.

    Attributes:
        received: events by kind (``trade``, ``candle.1s``).
        gaps: the newest state of each row of the gap ledger.
        connected: connections that are open now.
    """

    def __init__(self) -> None:
        self.received: Counter[str] = Counter()
        self.gaps: dict[tuple[Subscription, int], Gap] = {}
        self.connected: set[str] = set()
        self.reconnects = 0
        self.dropped = 0
        self.quarantined = 0
        self.rejected: list[Rejected] = []

    @property
    def total(self) -> int:
        """Events of all kinds."""
        return self.received.total()

    @property
    def missed(self) -> int:
        """Gaps in which messages may be missing."""
        return sum(gap.state in _MISSED for gap in self.gaps.values())

    def add(self, item: Item) -> None:
        """Count one event."""
        if isinstance(item, Event):
            self.received[kind_of(item)] += 1
        else:
            self._step(item)

    async def counting(self, source: AsyncIterable[Item]) -> AsyncIterator[Item]:
        """The source as it is, counted."""
        async for item in source:
            self.add(item)
            yield item

    def _step(self, event: FeedEvent) -> None:
        match event:
            case Connected():
                self.connected.add(event.connection)
                self.reconnects += event.reconnect > 0
            case Disconnected():
                self.connected.discard(event.connection)
            case Gap():
                self.gaps[event.subscription, event.from_ns] = event
            case Lagged():
                self.dropped += event.dropped
            case Quarantined():
                self.quarantined += 1
            case Rejected():
                self.rejected.append(event)
            case _:
                pass
