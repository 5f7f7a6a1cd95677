"""Frames that came one after the other, as lines of their streams: what a sink takes in place of events (pure)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from tapewire.model.events import Event
from tapewire.model.subscription import Subscription

#: Takes lines of one stream: their bytes, each with its line end, and how many; called by the sink's own thread.
Keep = Callable[[bytes, int], None]


#: What shows whether a frame is an object of JSON as one line of ASCII, which is written as it is. They are numbers: to
#: look for a number in bytes costs a quarter of looking for bytes.
BRACE, END_BRACE, COMMA, LINE_END, RETURN = b"{},\n\r"


class Piece(Struct, gc=False):
    """Frames of one stream that came one after the other: where they go, as lines, and how many."""

    keep: Keep
    text: bytes
    count: int

    def split(self, most: int) -> tuple[Piece, Piece]:
        """The first ``most`` frames, fewer than there are, and the others."""
        rest = self.text.split(b"\n", most)[most]
        begin = self.text[: len(self.text) - len(rest)]
        return Piece(self.keep, begin, most), Piece(self.keep, rest, self.count - most)


class FrameRun(Struct, gc=False):
    """Frames of many streams. Those of a stream are in the order in which they came.

    Attributes:
        pieces: the frames, older ones first.
        at_ns: when the first of them came, ns UTC.
        count: how many frames these are.
        size: bytes of the frames, line ends not counted.
        sample: the event of the last of them that was read; None: none was.
    """

    pieces: list[Piece]
    at_ns: int
    count: int = 0
    size: int = 0
    sample: Event | None = None

    def add(self, piece: Piece) -> None:
        """What came next."""
        self.pieces.append(piece)
        self.count += piece.count
        self.size += len(piece.text) - piece.count

    def deal(self) -> None:
        """Give each stream's frames to its ``keep``."""
        for piece in self.pieces:
            piece.keep(piece.text, piece.count)

    def split(self, most: int) -> FrameRun:
        """Take off the first ``most`` frames, fewer than there are: they are a run of their own then."""
        run, whole = FrameRun([], self.at_ns), 0
        while self.pieces[whole].count <= most - run.count:
            run.add(self.pieces[whole])
            whole += 1
        del self.pieces[:whole]
        if run.count < most:
            begin, self.pieces[0] = self.pieces[0].split(most - run.count)
            run.add(begin)
        self.count -= run.count
        self.size -= run.size
        return run


class FrameTaker(Protocol):
    """What takes frames in place of events: called on the feed's thread, all but ``Keep`` itself."""

    def keep(self, venue: str, subscription: Subscription) -> Keep | None:
        """Where frames of this stream go, whoever asks the same; None: that is to be asked of each (``keep_of``)."""
        ...

    def keep_of(self, event: Event) -> Keep:
        """Where this event's frame goes: the same for all events of one file."""
        ...

    def frame_of(self, event: Event) -> bytes:
        """What stands for an event that has no frame, or one that is not an object of JSON as one line of ASCII."""
        ...

    def until(self, at_ns: int) -> int:
        """The end of the span (ns UTC) whose frames may come in one run, of which ``at_ns`` is a moment."""
        ...
