"""A mailbox of frames: what waits for a sink of lines is each event's frame, in runs, within bounds of bytes too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tapewire.config import MailboxOptions
from tapewire.errors import FeedError
from tapewire.hub.mailbox import Mailbox
from tapewire.model.events import Event
from tapewire.model.frame_run import FrameRun, FrameTaker, Keep, bytes_of
from tapewire.model.status import Lagged
from tapewire.model.subscription import Subscription

#: Seconds after its first frame a run is over.
RUN_SECONDS = 0.05
#: Bytes of frames that wait at most; then the oldest go, as when there are too many.
FRAMES_BYTES = 48 * 1024 * 1024
#: Frames that are given at once to who asks for one item.
PART = 5_000
#: As numbers: to look for a number in bytes costs a quarter of looking for bytes.
_BRACE, _LINE_END, _RETURN = b"{\n\r"


class FrameBox(Mailbox):
    """A mailbox with the rule ``drop_oldest`` whose events come as frames (``hear``), and all else as itself (``put``).

    ``take`` gives what was put, and ``FrameRun``s. Everything that is counted counts frames, not runs. What came in the
    last ``RUN_SECONDS`` is bounded when the run is over: a feed brings some thousand messages in that time.

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
        self._first: Event  # of the run that grows
        self._timer: asyncio.TimerHandle | None = None
        self._runs = self._frames = self._bytes = 0  # in the queue
        self.put = self._put_beside
        self._road = _Road(self._begin, taker)

    def __len__(self) -> int:
        return len(self._queue) - self._runs + self._frames + self._road.growing()

    def hear(self, venue: str, subscription: Subscription) -> Callable[[Event], None]:
        """What is to be called with each event of a stream."""
        keep = self._taker.keep(venue, subscription)
        return self._road.hear_any if keep is None else self._road.hear(keep)

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

    def _begin(self, event: Event) -> int:
        """A frame is the first of a run; until when the run may last (ns UTC), 0: nothing is taken any more."""
        self.settle()
        if self._closed:
            return 0
        self._first = event
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(RUN_SECONDS, self._run_over)
        return self._taker.until(event.received_ns)

    def _run_over(self) -> None:
        self._timer = None
        self.settle()

    def settle(self) -> None:
        """See ``Mailbox.settle``: the run that grows is over."""
        entries = self._road.take()
        if entries:
            run = FrameRun(entries, self._first, bytes_of(entries))
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
        beyond = len(self) - self._road.growing() - self.options.size
        dropped = 0
        while dropped < beyond or self._bytes > FRAMES_BYTES:
            dropped += _count(self._take_off(beyond - dropped if beyond > dropped else self._part))
        if dropped:
            self._count_drop(dropped)


def _count(item: Any) -> int:
    return item.count if type(item) is FrameRun else 1


class _Road:
    """The part of a ``FrameBox`` that each event passes: what is shared by all streams stands in cells of closures."""

    def __init__(self, begin: Callable[[Event], int], taker: FrameTaker) -> None:
        entries: list[Any] = []
        add, until = entries.append, 0
        frame_of, keep_of = taker.frame_of, taker.keep_of

        def take() -> list[Any]:
            nonlocal entries, add, until
            taken, entries, until = entries, [], 0
            add = entries.append
            return taken

        def hear(keep: Keep) -> Callable[[Event], None]:
            def hear_frame(event: Event) -> None:
                nonlocal until
                if event.received_ns >= until:
                    until = begin(event)
                    if not until:
                        return
                frame = event.raw
                if not (frame and frame.isascii() and frame[0] == _BRACE) or _LINE_END in frame or _RETURN in frame:
                    frame = frame_of(event)
                add(keep)
                add(frame)

            return hear_frame

        def hear_any(event: Event) -> None:
            hear(keep_of(event))(event)

        self.take, self.hear, self.hear_any = take, hear, hear_any
        self.growing: Callable[[], int] = lambda: len(entries) // 2
