"""A mailbox of frames: what waits for a sink of lines is each event's frame, in runs, within bounds of bytes too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

from tapewire.config import MailboxOptions
from tapewire.errors import FeedError
from tapewire.hub.calls import Take
from tapewire.hub.mailbox import Mailbox
from tapewire.model.events import Event
from tapewire.model.frame_run import BRACE, LINE_END, RETURN, FrameRun, FrameTaker, Keep, Piece
from tapewire.model.status import Lagged
from tapewire.model.subscription import Subscription

#: Seconds after its first frame a run is over.
RUN_SECONDS = 0.02
#: Nanoseconds of a feed after which what came becomes lines: while the processor still has it at hand.
FOLD_NS = 10_000_000
#: Bytes of frames that wait at most; then the oldest go, as when there are too many.
FRAMES_BYTES = 48 * 1024 * 1024
#: Frames that are given at once to who asks for one item.
PART = 5_000


class FrameBox(Mailbox):
    """A mailbox with the rule ``drop_oldest`` whose events come as frames (``hear``), and all else as itself (``put``).

    ``take`` gives what was put, and ``FrameRun``s. Everything that is counted counts frames, not runs. What came in the
    last ``RUN_SECONDS`` is bounded when the run is over: a feed brings some thousand messages in that time. Of what is
    too much the oldest ``FOLD_NS`` go first, and of these one stream after the other.

    Args:
        name, options, on_drop: as of a ``Mailbox``.
        taker: says where frames go.
        part: frames of one item at most.
    """

    def __init__(
        self,
        name: str,
        options: MailboxOptions,
        taker: FrameTaker,
        *,
        part: int = PART,
        on_drop: Callable[[Mailbox], None] | None = None,
    ) -> None:
        super().__init__(name, options, on_drop=on_drop)
        self._taker, self._part = taker, part
        self._growing: FrameRun | None = None
        self._until = 0  # the end of its span, ns UTC
        self._timer: asyncio.TimerHandle | None = None
        self._runs = self._frames = self._bytes = 0  # in the queue
        self.put = self._put_beside
        self._road = _Road(self._begin, taker)

    def __len__(self) -> int:
        growing = 0 if self._growing is None else self._growing.count
        return self._settled + growing + self._road.growing()

    @property
    def _settled(self) -> int:
        """How many wait in the queue."""
        return len(self._queue) - self._runs + self._frames

    def hear(self, venue: str, subscription: Subscription) -> Callable[[Event], None]:
        """What is to be called with each event of a stream."""
        keep = self._taker.keep(venue, subscription)
        return self._road.hear_any if keep is None else self._road.ear(keep).hear

    def take_frames(self, venue: str, subscription: Subscription) -> Take | None:
        """What is to be called with each frame that is not read; None: its event is needed to say where it goes."""
        keep = self._taker.keep(venue, subscription)
        return None if keep is None else self._road.ear(keep).take

    def close(self, error: FeedError | None = None) -> None:
        """See ``Mailbox.close``."""
        if not self._closed:
            self.settle()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        super().close(error)

    def abandon(self) -> None:
        """See ``Mailbox.abandon``."""
        self.settle()
        super().abandon()
        self._runs = self._frames = self._bytes = 0

    def take(self) -> Any:
        """See ``Mailbox.take``; of frames a run, of ``part`` at most."""
        item = self._take_off(self._part)
        self.taken += _count(item)
        return item

    def take_many(self, most: int) -> list[Any]:
        """See ``Mailbox.take_many``: ``most`` counts frames."""
        items: list[Any] = []
        while most > 0 and self._queue:
            items.append(self._take_off(most))
            most -= _count(items[-1])
            self.taken += _count(items[-1])
        return items

    def _take_off(self, most: int) -> Any:
        """The oldest item; of a run ``most`` frames."""
        item = self._queue[0]
        if type(item) is not FrameRun:
            return self._queue.popleft()
        run = item.split(most) if item.count > most else self._queue.popleft()
        self._runs -= run is item
        self._frames -= run.count
        self._bytes -= run.size
        return run

    def _begin(self, at_ns: int) -> int:
        """Some time or a span is over before what comes now; the end of the next (ns UTC), 0: nothing is taken."""
        if self._growing is None or at_ns >= self._until:
            self.settle()
            if self._closed:
                return 0
            self._growing, self._until = FrameRun([], at_ns), self._taker.until(at_ns)
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(RUN_SECONDS, self._run_over)
        else:
            self._road.fold(self._growing)
        return min(self._until, at_ns + FOLD_NS)

    def _run_over(self) -> None:
        self._timer = None
        self.settle()

    def settle(self) -> None:
        """See ``Mailbox.settle``: the run that grows is over."""
        run, self._growing = self._growing, None
        if run is not None:
            self._road.fold(run)
            run.sample = self._road.stop()
        if run is not None and run.count:  # what stands for an event could not be made: there is none
            self._queue.append(run)
            self._runs += 1
            self._frames += run.count
            self._bytes += run.size
            self._hold_bounds()
            self._wake()

    def _put_beside(self, item: Any) -> None:
        if not self._closed:
            self._queue.append(item)
            if not isinstance(item, Lagged):  # what says that some are missing has room
                self._hold_bounds()
            self._wake()

    def _hold_bounds(self) -> None:
        """Drop the oldest of what is too much."""
        beyond = self._settled - self.options.size
        dropped = 0
        while dropped < beyond or self._bytes > FRAMES_BYTES:
            dropped += _count(self._take_off(beyond - dropped if beyond > dropped else self._part))
        if dropped:
            self._count_drop(dropped)


def _count(item: Any) -> int:
    return item.count if type(item) is FrameRun else 1


#: Of a run that is yet to begin.
_NOTHING_READ: Event | None = None


class _Ear(NamedTuple):
    """What takes the frames of one place."""

    hear: Callable[[Event], None]
    take: Take


class _Road:
    """The part of a ``FrameBox`` that each event passes: what is shared by all streams stands in cells of closures."""

    def __init__(self, begin: Callable[[int], int], taker: FrameTaker) -> None:
        self._ears: dict[Keep, _Ear] = {}
        self._filled: list[tuple[Keep, list[bytes]]] = []
        self._keep_of, frame_of = taker.keep_of, taker.frame_of
        fill, until, last_read = self._filled.append, 0, _NOTHING_READ

        def stop() -> Event | None:
            nonlocal until, last_read
            until, sample, last_read = 0, last_read, _NOTHING_READ
            return sample

        def ear(keep: Keep) -> _Ear:
            frames: list[bytes] = []

            def take(frame: bytes, received_ns: int) -> None:
                nonlocal until
                if received_ns >= until:
                    until = begin(received_ns)
                    if not until:
                        return
                if not frames:
                    fill((keep, frames))
                frames.append(frame)

            def hear(event: Event) -> None:
                nonlocal until, last_read
                # as ``take``, without the call
                if event.received_ns >= until:
                    until = begin(event.received_ns)
                    if not until:
                        return
                last_read, frame = event, event.raw
                if not (frame and frame.isascii() and frame[0] == BRACE) or LINE_END in frame or RETURN in frame:
                    frame = frame_of(event)
                if not frames:
                    fill((keep, frames))
                frames.append(frame)

            return _Ear(hear, take)

        self.stop, self._ear = stop, ear

    def ear(self, keep: Keep) -> _Ear:
        """What is to be called with what goes there."""
        if keep not in self._ears:
            self._ears[keep] = self._ear(keep)
        return self._ears[keep]

    def hear_any(self, event: Event) -> None:
        """An event whose stream does not say where its frame goes."""
        self.ear(self._keep_of(event)).hear(event)

    def fold(self, run: FrameRun) -> None:
        """Make lines of the frames that came, and pieces of these."""
        for keep, frames in self._filled:
            count = len(frames)
            frames.append(b"")  # for the last line's end
            run.add(Piece(keep, b"\n".join(frames), count))
            frames.clear()
        self._filled.clear()

    def growing(self) -> int:
        """How many frames came that are in no run yet."""
        return sum(len(frames) for _, frames in self._filled)
