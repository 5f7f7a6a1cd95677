"""Tells what a subscriber's mailbox dropped: at most once a second, with exact counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tapewire.hub.mailbox import Mailbox
from tapewire.model.status import FeedEvent, Lagged

#: Seconds between two reports of one mailbox's drops.
LAG_INTERVAL = 1.0


class LagReporter:
    """One mailbox's ``on_drop``: the first drop starts a wait, what was dropped until its end is told in one event."""

    def __init__(self, venue: str, wall_ns: Callable[[], int], publish: Callable[[FeedEvent], None]) -> None:
        self._venue, self._wall_ns, self._publish = venue, wall_ns, publish
        self._told = 0
        self._pending: asyncio.TimerHandle | None = None

    def __call__(self, mailbox: Mailbox) -> None:
        if self._pending is None:
            self._pending = asyncio.get_running_loop().call_later(LAG_INTERVAL, self.flush, mailbox)

    def flush(self, mailbox: Mailbox) -> None:
        """Tell now what was not told yet."""
        if self._pending is not None:
            self._pending.cancel()
            self._pending = None
        dropped, self._told = mailbox.dropped - self._told, mailbox.dropped
        if dropped:
            self._publish(
                Lagged(
                    venue=self._venue,
                    connection="",
                    at_ns=self._wall_ns(),
                    subscriber=mailbox.name,
                    rule=mailbox.options.rule,
                    dropped=dropped,
                    total_dropped=mailbox.dropped,
                    size=mailbox.options.size,
                )
            )
