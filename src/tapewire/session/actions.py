"""What a session may ask for, and the facts it is told: the whole language between machine and driver."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from tapewire.errors import FeedError
from tapewire.model.line import Loss
from tapewire.model.status import FeedEvent


class Now(NamedTuple):
    """The time of a fact: ``t`` monotonic seconds (all decisions), ``ns`` wall clock ns UTC (only for telling)."""

    t: float
    ns: int


class Progress(Struct, frozen=True):
    """What a stream delivered on this line so far. ``count`` counts every message of it."""

    count: int = 0
    last_id: int | None = None
    last_timestamp: int | None = None


class Connect(Struct, frozen=True):
    """Dial ``url``; answer with ``opened`` or ``failed``."""

    url: str


class Send(Struct, frozen=True):
    """Send one text message: a ``request`` for streams, or else a question (a text ping, what is subscribed)."""

    payload: bytes
    request: bool = True


class Replace(Struct, frozen=True):
    """The exchange is about to close this line: open another beside it, and let go of this one when that has it all."""


class LogIn(Struct, frozen=True):
    """Send the message that shows the key; the machine never sees it. The answer comes as a control."""


class Ping(Struct, frozen=True):
    """Send a PING frame; answer with ``pong`` when it comes."""

    payload: bytes


class Close(Struct, frozen=True):
    """End the line with this loss; answer with ``lost``."""

    loss: Loss
    graceful: bool = True


class Publish(Struct, frozen=True):
    """Tell the feed's own event to whoever listens."""

    event: FeedEvent


class Finish(Struct, frozen=True):
    """The session is over: nothing more will come. ``error`` None: it was asked to stop."""

    error: FeedError | None = None


Action = Connect | LogIn | Replace | Send | Ping | Close | Publish | Finish
