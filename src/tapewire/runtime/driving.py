"""What a driver is told at its beginning: who it is, whom it tells, and its place in a group."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from msgspec import Struct

from tapewire.config import Credentials
from tapewire.hub.first_copy import Score
from tapewire.hub.listening import Listener, Stream
from tapewire.hub.router import Router
from tapewire.model.events import Event
from tapewire.model.status import FeedEvent, Gap
from tapewire.model.subscription import Subscription
from tapewire.runtime.recovery import Recovery


class Origin(Struct, frozen=True):
    """Where a driver's events come from: venue, name of the connection, address; which side, with whose key."""

    venue: str
    connection: str
    url: str
    side: str = "public"
    credentials: Credentials | None = None


class Events(NamedTuple):
    """Whom a connection tells: feed events, snapshots that are done, holes; and ``fetch``: REST path → body."""

    publish: Callable[[FeedEvent], None]
    snapshot_done: Callable[[Subscription, Listener], None]
    recovery: Recovery
    fetch: Callable[[str], Awaitable[bytes]]


class Membership(Protocol):
    """What a driver has of a group, when it is one of several that carry the same streams (``runtime.group``).

    ``router`` and the other two stand in for the driver's own router and its holes; ``score`` is what its line does
    for the group.
    """

    @property
    def router(self) -> Router: ...
    @property
    def score(self) -> Score: ...
    def hear(self, event: FeedEvent) -> None: ...
    def look(self, stream: Stream, snapshot: Event) -> Gap | None: ...
