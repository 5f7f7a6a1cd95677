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
#: How often the wait for realtime data doubles from line to line, when each brings nothing but snapshots.
DOUBLINGS = 3


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

    __slots__ = ("heard", "last", "messages", "realtime", "seen", "snapshots", "span", "told")

    def __init__(self, clock: float, seen: int) -> None:
        self.last, self.realtime, self.seen = clock, clock, seen
        self.heard = clock  # something by itself, on whatever line
        self.messages = self.snapshots = 0
        self.span = 0.0
        self.told = False

    def moved(self, clock: float, count: int) -> bool:
        if count <= self.seen:
            return False
        realtime = max(0, count - self.seen - self.snapshots)
        if realtime:
            self.messages += realtime
            self.span += clock - self.realtime
            self.realtime = self.heard = clock
        self.seen, self.snapshots, self.last = count, 0, clock
        return True


class Watch:
    """Looks at the counts of all streams about once a second, on the machine's tick.

    Its clock counts only the time it was watching: a process that was stopped for ten minutes has not seen
    ten minutes of silence.

    A line on which requests are answered with snapshots, but which brings nothing by itself, may be half dead or its
    markets asleep. It is replaced too, after ``stale_reconnect`` seconds more; the next one of that kind after twice as
    many, up to eight times, until anything comes by itself again.
    """

    def __init__(self, options: SessionOptions) -> None:
        self._after, self._factor = options.stale_after, options.stale_factor
        self._reconnect, self._grace = options.stale_reconnect, options.ping_timeout
        self._step = min(1.0, options.stale_after / 4) if options.stale_after else 0.0
        self._streams: dict[Subscription, _Rhythm] = {}
        self._clock = self._at = 0.0
        self._asked_at: float | None = None
        self._barren = 0  # lines in a row that brought snapshots only

    @property
    def deadline(self) -> float | None:
        """When to look again; None: the watch is switched off."""
        return self._at + self._step if self._after is not None else None

    def opened(self, t: float) -> None:
        """A new line: counts begin anew, what is known of the rhythms stays."""
        self._at, self._asked_at = t, None
        for stream in self._streams.values():
            stream.seen, stream.snapshots = 0, 0
            stream.last = stream.realtime = self._clock

    def snapshot(self, stream: Subscription) -> None:
        """The message that came is a snapshot: it shows life but no rhythm."""
        if stream in self._streams:
            self._streams[stream].snapshots += 1

    def forget(self, streams: Iterable[Subscription]) -> None:
        """Nobody wants these any more."""
        for stream in streams:
            self._streams.pop(stream, None)

    def mute(self) -> dict[Subscription, float]:
        """Once-busy streams that bring nothing by themselves beyond their limit, whatever snapshots and lines came.

        With the seconds of it, as far as it was watching.
        """
        waits = {subscription: self._clock - one.heard for subscription, one in self._streams.items()}
        return {
            subscription: seconds
            for subscription, seconds in waits.items()
            if self._streams[subscription].messages >= RHYTHM and seconds > self._limit(self._streams[subscription])
        }

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
        if not busy or any(self._clock - stream.realtime <= self._limit(stream) for stream in busy):
            self._asked_at = None
            return Report(news)
        return self._all_silent(news, busy)

    def _look_at(self, stream: _Rhythm, subscription: Subscription, count: int) -> list[Silence]:
        silent, limit, before = self._clock - stream.last, self._limit(stream), stream.realtime
        if stream.moved(self._clock, count):
            if stream.realtime > before:
                self._barren = 0
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

    def _all_silent(self, news: list[Silence], busy: list[_Rhythm]) -> Report:
        silent = self._clock - max(stream.realtime for stream in busy)
        if self._reconnect is None:
            return Report(news)
        if self._asked_at is None:
            self._asked_at = self._clock
            return Report(news, "ask", silent)
        answered = max(stream.last for stream in busy) > self._asked_at
        wait = self._reconnect * 2 ** min(self._barren, DOUBLINGS) if answered else self._grace
        if silent < self._reconnect or self._clock < self._asked_at + wait:
            return Report(news)
        self._barren += answered
        return Report(news, "replace", silent)
