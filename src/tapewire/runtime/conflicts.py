"""Tells trades that came under the id of another, one a minute of each stream."""

from __future__ import annotations

from collections.abc import Callable

from tapewire.hub.bodies import body_of
from tapewire.hub.listening import Stream
from tapewire.model.events import TradeEvent
from tapewire.model.status import Conflict, FeedEvent, TradeBody
from tapewire.model.subscription import Subscription
from tapewire.runtime.clock import Clock

#: Seconds between two events of one stream, and streams that are remembered.
EVERY = 60.0
STREAMS_MOST = 10_000


class Conflicts:
    """One connection's (``Router.conflicted``). ``publish`` is told; the streams count by themselves."""

    def __init__(self, venue: str, connection: str, clock: Clock, publish: Callable[[FeedEvent], None]) -> None:
        self._venue, self._connection, self._clock, self._publish = venue, connection, clock, publish
        self._told: dict[Subscription, float] = {}

    def hear(self, stream: Stream, refused: TradeEvent, delivered: TradeBody) -> None:
        """The stream brought a trade that is not delivered, and what came under its id before."""
        now = self._clock.now()
        last = self._told.get(stream.subscription)
        if last is not None and now.t - last < EVERY:
            return
        self._told.pop(stream.subscription, None)
        self._told[stream.subscription] = now.t
        if len(self._told) > STREAMS_MOST:
            del self._told[next(iter(self._told))]
        self._publish(
            Conflict(
                venue=self._venue, connection=self._connection, at_ns=now.ns, subscription=stream.subscription,
                sequential_id=refused.sequential_id or 0, delivered=delivered, refused=body_of(refused),
                count=stream.conflicts,
            )
        )  # fmt: skip
