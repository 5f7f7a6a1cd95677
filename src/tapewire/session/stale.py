"""Is the data alive? Knows each stream's own rhythm and says which of them are silent beyond it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

from tapewire.config import SessionOptions
from tapewire.model.subscription import Subscription
from tapewire.session.actions import Progress

#: Realtime messages before a stream counts as having a rhythm.
RHYTHM = 5


class Silence(Struct, frozen=True):
    """A stream beyond its limit (seconds), or back again."""

    subscription: Subscription
    silent: float
    limit: float
    over: bool = False


class Report(Struct, frozen=True):
    """What a look found: news of streams, and what is to be done about the line (``silent`` for so long)."""

    news: list[Silence]
    advice: Literal["nothing", "ask", "replace"] = "nothing"
    silent: float = 0.0


class _Rhythm:
    """One stream over all lines: messages seen, the time they took, and the state of this line."""

    __slots__ = ("last", "messages", "seen", "snapshots", "span", "told")

    def __init__(self, clock: float, seen: int) -> None:
        self.last, self.seen = clock, seen
        self.messages = self.snapshots = 0
        self.span = 0.0
        self.told = False

    def moved(self, clock: float, count: int) -> bool:
        if count <= self.seen:
            return False
        self.messages += max(0, count - self.seen - self.snapshots)
        self.span += clock - self.last
        self.seen, self.snapshots, self.last = count, 0, clock
        return True


class Watch:
    """Looks at the counts of all streams about once a second, on the machine's tick.

    Its clock counts only the time it was watching: a process that was stopped for ten minutes has not seen
    ten minutes of silence.
    """

    def __init__(self, options: SessionOptions) -> None:
        self._after, self._factor = options.stale_after, options.stale_factor
        self._reconnect, self._grace = options.stale_reconnect, options.ping_timeout
        self._step = min(1.0, options.stale_after / 4) if options.stale_after else 0.0
        self._streams: dict[Subscription, _Rhythm] = {}
        self._clock = self._at = 0.0
        self._asked_at: float | None = None

    @property
    def deadline(self) -> float | None:
        """When to look again; None: the watch is switched off."""
        return self._at + self._step if self._after is not None else None

    def opened(self, t: float) -> None:
        """A new line: counts begin anew, what is known of the rhythms stays."""
        self._at, self._asked_at = t, None
        for stream in self._streams.values():
            stream.seen, stream.snapshots, stream.last = 0, 0, self._clock

    def snapshot(self, stream: Subscription) -> None:
        """The message that came is a snapshot: it shows life but no rhythm."""
        if stream in self._streams:
            self._streams[stream].snapshots += 1

    def forget(self, streams: Iterable[Subscription]) -> None:
        """Nobody wants these any more."""
        for stream in streams:
            self._streams.pop(stream, None)

    def look(self, t: float, streams: Iterable[Subscription], progress: Mapping[Subscription, Progress]) -> Report:
        """Compare the streams' counts with the last look's."""
        if self._after is None:
            return Report([])
        self._clock += min(t - self._at, 2 * self._step)
        self._at = t
        news: list[Silence] = []
        busy: list[_Rhythm] = []
        for subscription in streams:
            count = progress[subscription].count if subscription in progress else 0
            stream = self._streams.get(subscription)
            if stream is None:
                stream = self._streams[subscription] = _Rhythm(self._clock, count)
            news += self._look_at(stream, subscription, count)
            if stream.messages >= RHYTHM:
                busy.append(stream)
        if not busy or not all(self._beyond(stream) for stream in busy):
            self._asked_at = None
            return Report(news)
        return self._all_silent(news, self._clock - max(stream.last for stream in busy))

    def _look_at(self, stream: _Rhythm, subscription: Subscription, count: int) -> list[Silence]:
        silent, limit = self._clock - stream.last, self._limit(stream)
        if stream.moved(self._clock, count):
            was, stream.told = stream.told, False
            return [Silence(subscription, silent, limit, over=True)] if was else []
        if stream.told or not self._beyond(stream):
            return []
        stream.told = True
        return [Silence(subscription, silent, limit)]

    def _beyond(self, stream: _Rhythm) -> bool:
        return stream.messages >= RHYTHM and self._clock - stream.last > self._limit(stream)

    def _limit(self, stream: _Rhythm) -> float:
        usual = stream.span / stream.messages if stream.messages else 0.0
        return max(self._after or 0.0, self._factor * usual)

    def _all_silent(self, news: list[Silence], silent: float) -> Report:
        if self._reconnect is None:
            return Report(news)
        if self._asked_at is None:
            self._asked_at = self._clock
            return Report(news, "ask", silent)
        if silent >= self._reconnect and self._clock >= self._asked_at + self._grace:
            return Report(news, "replace", silent)
        return Report(news)
