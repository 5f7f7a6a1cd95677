"""What a driver is told at its beginning: who it is, whom it tells, and its place in a group."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from tapewire.config import Credentials
from tapewire.hub.first_copy import Score
from tapewire.hub.listening import Listener, Stream
from tapewire.hub.router import Router
from tapewire.model.events import Event
from tapewire.model.status import FeedEvent, Gap
from tapewire.model.subscription import Subscription
from tapewire.runtime.polling import Polling
from tapewire.runtime.recovery import Recovery
from tapewire.runtime.standby import Standby


class Origin(Struct, frozen=True):
    """Where a driver's events come from: venue, name of the connection, address; which side, with whose key."""

    venue: str
    connection: str
    url: str
    side: str = "public"
    credentials: Credentials | None = None


class Events(NamedTuple):
    """Whom a connection tells: feed events, snapshots done, holes, what has no line; ``fetch``: REST path → body;
    ``moving``: the driver whose line the exchange is about to close.
    """

    publish: Callable[[FeedEvent], None]
    snapshot_done: Callable[[Subscription, Listener], None]
    recovery: Recovery
    polling: Polling
    fetch: Callable[[str], Awaitable[bytes]]
    moving: Callable[[Any], None]


class Membership(Protocol):
    """What a driver has of a group, when it is one of several that carry the same streams (``runtime.group``).

    ``router``, ``standby`` and the last three stand in for the driver's own, and for its holes; ``score`` is what its
    line does for the group.
    """

    @property
    def router(self) -> Router: ...
    @property
    def score(self) -> Score: ...
    @property
    def standby(self) -> Standby: ...
    def hear(self, event: FeedEvent) -> None: ...
    def look(self, stream: Stream, snapshot: Event) -> Gap | None: ...
    def is_filling(self, subscription: Subscription, /) -> bool: ...
