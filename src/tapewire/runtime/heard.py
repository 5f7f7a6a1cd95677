"""What was heard of each subject of a broker: how far, and which events came already."""

from __future__ import annotations

from collections import deque
from collections.abc import Container

from tapewire.model.events import Event
from tapewire.model.status import FeedEvent
from tapewire.model.subscription import Subscription, in_full
from tapewire.sinks.brokers.identity import identity
from tapewire.sinks.brokers.letters import unpack
from tapewire.sinks.brokers.source import Begin, Received
from tapewire.sinks.brokers.subjects import FEED, Place, subject, typed

#: Ids of each subject that are known.
REMEMBERED = 4_096
#: The feed's own events of a collector that its readers must know of.
TOLD = ("gap", "stale", "recovered")


class _Subject:
    """How far one subject was heard."""

    __slots__ = ("known", "order", "position")

    def __init__(self) -> None:
        self.position: str | None = None
        self.order: deque[str] = deque()
        self.known: set[str] = set()

    def is_new(self, one: str) -> bool:
        if one in self.known:
            return False
        self.known.add(one)
        self.order.append(one)
        if len(self.order) > REMEMBERED:
            self.known.discard(self.order.popleft())
        return True


class Heard:
    """The subjects of one connection.

    Args:
        venue, prefix: of the subjects.
        begin: where a subject that is new begins.
    """

    def __init__(self, venue: str, prefix: str, begin: Begin) -> None:
        self._venue, self._prefix, self._begin = venue, prefix, begin
        self._subjects: dict[str, _Subject] = {}
        self.doubled = 0

    def name(self, subscription: Subscription) -> str:
        """The subject of a stream."""
        kind = typed(subscription.kind, subscription.unit or in_full(subscription.level))
        return subject(Place(self._venue, kind, subscription.symbol), self._prefix)

    def told(self) -> list[str]:
        """The subjects of the feed's own events."""
        return [subject(Place(self._venue, FEED, one), self._prefix) for one in TOLD]

    @property
    def first(self) -> Begin:
        """Where a subject begins that is new."""
        return self._begin

    @property
    def losses(self) -> list[str]:
        """Those of them that tell what a collector lost."""
        return [subject(Place(self._venue, FEED, "gap"), self._prefix)]

    def begin(self, name: str) -> Begin:
        """Where to go on, or to begin."""
        known = self._subjects.get(name)
        return self._begin if known is None or known.position is None else Begin(after=known.position)

    def follow(self, name: str) -> None:
        """It is heard from here on: what comes is missed when the line is lost, the very first message too."""
        self._subjects.setdefault(name, _Subject())

    def keep(self, names: Container[str]) -> None:
        """Nobody wants any others any more, but the feed's own."""
        told = self.told()
        self._subjects = {name: one for name, one in self._subjects.items() if name in names or name in told}

    def begins_at_once(self, name: str) -> bool:
        """A stream that was never heard, of which no history is wanted."""
        return self.is_new(name) and self._begin == Begin()

    def is_new(self, name: str) -> bool:
        """Nobody has followed it yet."""
        return name not in self._subjects

    def read(self, received: Received) -> list[Event | FeedEvent]:
        """The events of a message that did not come before.

        Raises:
            DecodeError: it is no message of a sink of ours; it counts as heard.
        """
        one = self._subjects.setdefault(received.subject, _Subject())
        one.position = received.position
        items = unpack(received.headers, received.payload)
        fresh = [item for item in items if one.is_new(identity(item))]
        self.doubled += len(items) - len(fresh)
        return fresh

    def newest(self, received: Received, *, begins: bool) -> list[Event | FeedEvent]:
        """The events of the newest message of a subject; with ``begins`` the stream goes on behind it.

        Raises:
            DecodeError: it is no message of a sink of ours.
        """
        items = unpack(received.headers, received.payload)
        if begins:
            one = self._subjects.setdefault(received.subject, _Subject())
            one.position = received.position
            for item in items:
                one.is_new(identity(item))
        return items
