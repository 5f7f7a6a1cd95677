"""What a sink is: open, write a batch, flush, close, and the delivery promise it declares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

from msgspec import Struct

from tapewire.model.events import Event
from tapewire.model.status import FeedEvent

#: What a sink is given: market events and the feed's own, in the order in which they came.
Item = Event | FeedEvent


class Promise(Struct, frozen=True):
    """What holds for an event once ``write`` (``survives="process"``) or ``flush`` has returned.

    Attributes:
        delivery: ``at_most_once`` (a failed batch is not tried again) or ``at_least_once`` (duplicates possible).
        survives: ``process``: our own death by ``kill -9``; ``power``: that of the machine, after ``flush``.
    """

    delivery: Literal["at_most_once", "at_least_once"]
    survives: Literal["process", "power"]


class Written(Struct, frozen=True):
    """What one target (a file, a topic) got from this sink: events written, its size in bytes now."""

    name: str
    events: int
    size: int


class Sink(Protocol):
    """Takes events elsewhere. Every method may block: ``SinkRunner`` calls them on a thread of their own,
    one at a time. Each raises ``SinkError`` with target, reason and what is safe; after that only ``close``
    is called. If the error is ``retryable``, the sink keeps what it was given, and ``flush`` is called until that is
    written. ``written`` may be called from another thread at any time.
    """

    promise: Promise

    def open(self) -> None:
        """Make ready, and fail now if writing could never work (an unwritable folder, an unknown host)."""
        ...

    def write(self, batch: Sequence[Item]) -> None:
        """Write the batch in its order."""
        ...

    def flush(self) -> None:
        """Make what was written as safe as the promise says."""
        ...

    def close(self) -> None:
        """Flush and let go of everything; a second call does nothing."""
        ...

    def written(self) -> tuple[Written, ...]:
        """What was written so far, one row a target."""
        ...


@runtime_checkable
class Taking(Protocol):
    """A source that can be asked for what waits already (``EventStream``)."""

    def take_waiting(self, most: int) -> list[Any]:
        """At most so many items, oldest first; none when none waits."""
        ...


#: Makes a sink for a target (a folder, an address) with its own options.
SinkFactory = Callable[..., Sink]
