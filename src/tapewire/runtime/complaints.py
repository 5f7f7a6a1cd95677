"""Callbacks that raise: each is counted, and told with its traceback at most once a second a subscriber."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tapewire.hub.calls import Callback
from tapewire.hub.listening import Listener
from tapewire.model.status import FeedEvent
from tapewire.runtime.clock import Clock
from tapewire.runtime.observe import callback_failed

#: Seconds between two reports of the same raising callback (each is counted).
REPORT_INTERVAL = 1.0
#: Subscribers whose last report is remembered before those that are due again are let go.
REMEMBERED = 1_000


class Complaints:
    """The raising callbacks of one connection; ``count`` is all of them."""

    def __init__(self, venue: str, connection: str, clock: Clock, publish: Callable[[FeedEvent], None]) -> None:
        self._venue, self._connection, self._clock, self._publish = venue, connection, clock, publish
        self._told: dict[str, float] = {}
        #: Callbacks that raised since the streams last changed, with their subscribers' names, by identity.
        self._blamed: dict[int, tuple[Callback, str]] = {}
        self.count = 0

    def add(self, subscriber: str, error: BaseException, *, always: bool = False) -> None:
        """Count it; tell it if nothing of this subscriber was told within the last second, or ``always``."""
        self.count += 1
        now = self._clock.now()
        if always or now.t - self._told.get(subscriber, float("-inf")) >= REPORT_INTERVAL:
            if len(self._told) >= REMEMBERED:
                self._told = {name: t for name, t in self._told.items() if now.t - t < REPORT_INTERVAL}
            self._told[subscriber] = now.t
            self._publish(callback_failed(self._venue, self._connection, now.ns, subscriber, error))

    def blame(self, callback: Callback, error: BaseException, find: Callable[[Callback], Iterable[Listener]]) -> None:
        """As ``add``, for a callback of the short road, whose subscriber is looked for once, not at each message."""
        known = self._blamed.get(id(callback))
        if known is None or known[0] is not callback:
            listener = next(iter(find(callback)), None)
            known = callback, listener.name if listener else repr(callback)
            self._blamed[id(callback)] = known
        self.add(known[1], error)

    def forget(self) -> None:
        """The streams changed: whose callback it is must be looked for again."""
        self._blamed.clear()
