"""Knows which streams of one connection have had no data for how long, and when REST is to be asked in their place."""

from __future__ import annotations

from collections.abc import Iterable

from tapewire.model.subscription import Subscription

#: Seconds that a silent stream has to answer, once it was called silent: it is asked for its snapshot then.
GRACE = 5.0


class Blind:
    """Facts with their time (monotonic seconds) in; which streams are ``due``, and when the next will be, out.

    A stream is blind from the loss of its line, or from when it was first wanted, until a line brings its data: an
    open line alone is no sign, since it may close or be silent.

    Args:
        after: seconds of it after which a stream is due; infinite: none ever is.
    """

    def __init__(self, after: float) -> None:
        self._after = after
        self._since: dict[Subscription, float] = {}
        self._due: dict[Subscription, float] = {}
        self._wanted: dict[Subscription, None] = {}
        #: Since when no stream of the connection has had data; None: some have.
        self._down: float | None = None

    @property
    def down(self) -> float | None:
        """Since when the whole connection has brought nothing, None: it does, or nothing is wanted."""
        return self._down

    def next_due(self, t: float) -> float:
        """When a stream is due that is not at ``t``; infinite: none will be."""
        return min((due for due in self._due.values() if due > t), default=float("inf"))

    def want(self, t: float, streams: Iterable[Subscription], elsewhere: float | None = None) -> None:
        """The complete new set. ``elsewhere``: since when other connections like this one bring nothing."""
        before, self._wanted = self._wanted, dict.fromkeys(streams)
        for stream in before:
            if stream not in self._wanted:
                self._forget(stream)
        if not before:
            self._down = t if elsewhere is None else min(t, elsewhere)
        for stream in self._wanted:
            if stream not in before:
                self._note(stream, t if self._down is None else self._down)
        if not self._wanted:
            self._down = None

    def lost(self, t: float) -> None:
        """There is no line (any more)."""
        if self._wanted and self._down is None:
            self._down = t
        for stream in self._wanted:
            if stream not in self._since:
                self._note(stream, t)

    def data(self, stream: Subscription) -> None:
        """A line brought something of this stream."""
        self._down = None
        self._forget(stream)

    def confirmed(self, streams: Iterable[Subscription]) -> None:
        """These were accepted, and may be silent now while all is well."""
        for stream in streams:
            self.data(stream)

    def silent(self, t: float, stream: Subscription, seconds: float) -> None:
        """The line is alive, and has brought nothing of this stream for so long: beyond its rhythm."""
        if stream in self._wanted and stream not in self._since:
            self._since[stream] = t - seconds
            self._due[stream] = max(t - seconds + self._after, t + GRACE)

    def due(self, t: float) -> dict[Subscription, float]:
        """Streams that REST is to be asked for, and since when they are blind."""
        return {stream: self._since[stream] for stream, due in self._due.items() if due <= t}

    def _note(self, stream: Subscription, since: float) -> None:
        self._since[stream], self._due[stream] = since, since + self._after

    def _forget(self, stream: Subscription) -> None:
        self._since.pop(stream, None)
        self._due.pop(stream, None)
