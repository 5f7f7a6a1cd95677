"""Frames that came one after the other, each with where it goes: what a sink takes in place of events (pure)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any, Protocol

from msgspec import Struct

from tapewire.model.events import Event
from tapewire.model.subscription import Subscription

#: Takes one frame of one stream; called by the sink's own thread.
Keep = Callable[[bytes], None]


class FrameRun(Struct, gc=False):
    """Frames of many streams, in the order in which they came.

    Attributes:
        entries: keep, frame, keep, frame … (two entries a frame are half of what a pair would cost).
        first: the event of the run's first frame.
        size: bytes of the frames.
    """

    entries: list[Any]
    first: Event
    size: int

    @property
    def count(self) -> int:
        """How many frames these are."""
        return len(self.entries) // 2

    def deal(self) -> None:
        """Give each frame to its ``keep``."""
        each = iter(self.entries)
        for keep, frame in zip(each, each, strict=True):
            keep(frame)

    def split(self, most: int) -> FrameRun:
        """Take off the first ``most`` frames, which are a run of their own then."""
        taken, self.entries = self.entries[: 2 * most], self.entries[2 * most :]
        size = bytes_of(taken)
        self.size -= size
        return FrameRun(taken, self.first, size)


def bytes_of(entries: list[Any]) -> int:
    """Bytes of the frames among the entries of a run."""
    return sum(map(len, islice(entries, 1, None, 2)))


class FrameTaker(Protocol):
    """What takes frames in place of events: called on the feed's thread, all but ``Keep`` itself."""

    def keep(self, venue: str, subscription: Subscription) -> Keep | None:
        """Where frames of this stream go; None: that is to be asked for each event (``keep_of``)."""
        ...

    def keep_of(self, event: Event) -> Keep:
        """Where this event's frame goes."""
        ...

    def frame_of(self, event: Event) -> bytes:
        """What stands for an event whose frame is none, or not one line of ASCII that begins with ``{``."""
        ...

    def until(self, at_ns: int) -> int:
        """The end of the span (ns UTC) whose frames may come in one run, of which ``at_ns`` is a moment."""
        ...
