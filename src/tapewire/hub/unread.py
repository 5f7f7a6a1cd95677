"""The hot table of frames that nobody reads: how a frame begins → the stream that it is a message of (pure)."""

from __future__ import annotations

from collections.abc import Mapping

from tapewire.hub.listening import Stream
from tapewire.model.events import Event
from tapewire.venues.contract import Skim


class Unread:
    """Of settled streams whose only listener takes frames. Where a codec cannot skim, there are none.

    Attributes:
        road: for the short road, which looks in here at every frame: head → stream, and ``Skim.begin``; 0: it need not.
    """

    def __init__(self, skim: Skim | None) -> None:
        self._skim = skim
        self._streams: dict[bytes, Stream] = {}
        self._heads: dict[Stream, bytes] = {}
        self.road: tuple[Mapping[bytes, Stream], int] = self._streams, 0 if skim is None else skim.begin

    def open(self, stream: Stream, event: Event) -> None:
        """The stream is settled: what comes after ``event`` and begins as its frame is not read, if nobody wants it."""
        self.close(stream)  # its frames may have begun otherwise before
        if self._skim is None or event.kind not in self._skim.kinds or (take := stream.taker) is None:
            return
        head = self._skim.head(event)
        if head is not None:
            stream.take, stream.timestamp_of = take, self._skim.timestamp
            self._streams[head], self._heads[stream] = stream, head

    def close(self, stream: Stream) -> None:
        """Its next message is read."""
        head = self._heads.pop(stream, None)
        if head is not None and self._streams.get(head) is stream:
            del self._streams[head]
