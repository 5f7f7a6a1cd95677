"""Which subscribers an event of one connection belongs to (pure): the hot table and the careful road beside it.

A stream is *hot* when every message of it goes to the same callbacks without a question. It is *cold* until its
first data on a line (somebody must be told of it), while somebody waits for its snapshot, and now and then for
one message so that latency can be measured. The driver's short road only sees hot streams; everything else
comes to ``deliver``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tapewire.model.events import EVENT_CLASSES, Event, TradeEvent
from tapewire.model.subscription import StreamPreference, Subscription, Wish

#: Trade ids remembered per stream: enough for the ids that arrive out of order around one snapshot.
REMEMBERED_TRADES = 64
#: Realtime messages after which a stream no longer waits for a snapshot that did not come.
SNAPSHOT_PATIENCE = 100

Callback = Callable[[Any], object]


class Listener:
    """One subscriber's ear on one stream."""

    __slots__ = ("callback", "finished", "name", "needs_snapshot", "preference", "seen")

    def __init__(self, name: str, callback: Callback, preference: StreamPreference) -> None:
        self.name = name
        self.callback = callback
        self.preference = preference
        self.needs_snapshot = preference != "realtime_only"
        self.seen = False
        self.finished = False

    @property
    def wants_realtime(self) -> bool:
        return self.preference != "snapshot_only"


class Stream:
    """One subscribed stream on one connection: its counters and who hears it."""

    __slots__ = ("base", "callbacks", "cold_messages", "count", "last", "listeners", "recent_ids", "subscription")

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription
        self.listeners: list[Listener] = []
        self.callbacks: tuple[Callback, ...] = ()
        self.count = 0
        self.base = 0
        self.last: int | None = None
        self.cold_messages = 0
        self.recent_ids: deque[int | None] | None = (
            deque(maxlen=REMEMBERED_TRADES) if subscription.kind == "trade" else None
        )

    @property
    def wish(self) -> Wish:
        """What to ask the exchange for, so that every listener gets its own preference."""
        waiting = any(listener.needs_snapshot for listener in self.listeners)
        lasting = any(listener.preference == "both" for listener in self.listeners)
        realtime = any(listener.wants_realtime for listener in self.listeners)
        return Wish(self.subscription, snapshot=waiting or lasting or not realtime, realtime=realtime)

    @property
    def awaits_snapshot(self) -> bool:
        return any(listener.needs_snapshot for listener in self.listeners)

    @property
    def last_id(self) -> int | None:
        """The newest trade id seen: ids do not arrive in order (spec/upbit.md section 8)."""
        return max((number for number in self.recent_ids or () if number is not None), default=None)

    def remember(self, event: TradeEvent) -> None:
        """Keep a trade's id, so that the snapshot after a reconnect is not delivered twice."""
        self.recent_ids.append(event.sequential_id)  # type: ignore[union-attr]


Tables = dict[type, tuple[type[Event], dict[str, Stream]]]


class Router:
    """All streams of one connection. ``tables`` is the hot part: wire class → (public class, symbol → stream)."""

    def __init__(self, classes: Mapping[type, tuple[type[Event], str, str | None]]) -> None:
        self.streams: dict[Subscription, Stream] = {}
        self.tables: Tables = {wire: (public, {}) for wire, (public, _, _) in classes.items()}
        self.retired: dict[str, int] = {}
        self.unwanted = 0
        self._hot: dict[tuple[str, str | None], dict[str, Stream]] = {
            (kind, unit): self.tables[wire][1] for wire, (_, kind, unit) in classes.items()
        }
        self._index: dict[tuple[str, str | None, str], Stream] = {}

    def add(self, subscription: Subscription, listener: Listener) -> Stream:
        """Let ``listener`` hear a stream; the stream is cold until it got what it wants."""
        stream = self.streams.get(subscription)
        if stream is None:
            stream = self.streams[subscription] = Stream(subscription)
            self._index[_key(subscription)] = stream
        stream.listeners.append(listener)
        self._refresh(stream)
        if listener.needs_snapshot:
            self.chill(stream)
        return stream

    def remove(self, subscription: Subscription, listener: Listener) -> bool:
        """Take ``listener`` off; True when the stream has no listener any more and was dropped."""
        stream = self.streams.get(subscription)
        if stream is None or listener not in stream.listeners:
            return False
        stream.listeners.remove(listener)
        self._refresh(stream)
        if stream.listeners:
            return False
        self.chill(stream)
        del self.streams[subscription]
        del self._index[_key(subscription)]
        name = _name(subscription)
        self.retired[name] = self.retired.get(name, 0) + stream.count
        return True

    def chill(self, stream: Stream) -> None:
        """Let the stream's next message take the careful road."""
        stream.cold_messages = 0
        self._hot_table(stream.subscription).pop(stream.subscription.symbol, None)

    def chill_all(self) -> None:
        """The line is new: every stream's next message is its first."""
        for stream in self.streams.values():
            self.chill(stream)
            stream.base = stream.count
            for listener in stream.listeners:
                listener.needs_snapshot = listener.preference == "both" or (
                    listener.preference == "snapshot_only" and not listener.finished
                )

    def find(self, event: Event) -> Stream | None:
        """The stream that an event of this connection belongs to, None when nobody wants it."""
        return self._index.get((_KIND_OF[event.__class__], getattr(event, "unit", None), event.symbol))

    def deliver(self, event: Event, failed: Callable[[Listener, BaseException], None]) -> Stream | None:
        """The careful road for one event; returns its stream, None (and counts) when nobody wants it.

        ``failed`` is told of a callback that raised. Afterwards ``is_hot`` says whether the stream settled.
        """
        stream = self.find(event)
        if stream is None:
            self.unwanted += 1
            return None
        stream.count += 1
        stream.cold_messages += 1
        stream.last = event.timestamp
        snapshot = event.stream_type == "SNAPSHOT"
        known = isinstance(event, TradeEvent) and self._known(stream, event)
        for listener in tuple(stream.listeners):
            if _wants(listener, snapshot=snapshot, known=known):
                self._hand_over(listener, event, failed)
            if snapshot and listener.needs_snapshot:
                listener.needs_snapshot = False
                listener.finished = listener.preference == "snapshot_only"
        if not stream.awaits_snapshot or stream.cold_messages >= SNAPSHOT_PATIENCE:
            self._settle(stream)
        return stream

    def is_hot(self, stream: Stream) -> bool:
        return self._hot_table(stream.subscription).get(stream.subscription.symbol) is stream

    def wishes(self) -> dict[Subscription, Wish]:
        """Everything that is wanted on this connection."""
        return {subscription: stream.wish for subscription, stream in self.streams.items()}

    def counts(self) -> dict[str, int]:
        """Messages received per kind (``ticker``, ``candle.1s`` …), streams given up included."""
        counts = dict(self.retired)
        for subscription, stream in self.streams.items():
            name = _name(subscription)
            counts[name] = counts.get(name, 0) + stream.count
        return counts

    def callbacks_of(self, callback: Callback) -> Iterable[Listener]:
        """The listeners that a raising callback of the short road belongs to."""
        return (
            listener
            for stream in self.streams.values()
            for listener in stream.listeners
            if listener.callback is callback
        )

    def _known(self, stream: Stream, event: TradeEvent) -> bool:
        recent = stream.recent_ids
        if recent is None or event.sequential_id is None:
            return False
        known = event.stream_type == "SNAPSHOT" and event.sequential_id in recent
        recent.append(event.sequential_id)
        return known

    def _hand_over(self, listener: Listener, event: Event, failed: Callable[[Listener, BaseException], None]) -> None:
        listener.seen = True
        try:
            listener.callback(event)
        except Exception as error:  # a user's callback may raise anything; the feed goes on
            failed(listener, error)

    def _settle(self, stream: Stream) -> None:
        if any(listener.wants_realtime for listener in stream.listeners):
            self._hot_table(stream.subscription)[stream.subscription.symbol] = stream

    def _refresh(self, stream: Stream) -> None:
        ears = tuple(listener.callback for listener in stream.listeners if listener.wants_realtime)
        stream.callbacks = (stream.remember, *ears) if stream.recent_ids is not None else ears

    def _hot_table(self, subscription: Subscription) -> dict[str, Stream]:
        return self._hot[(subscription.kind, subscription.unit)]


def _wants(listener: Listener, *, snapshot: bool, known: bool) -> bool:
    if known and listener.seen:
        return False
    return listener.needs_snapshot if snapshot else listener.wants_realtime


def _key(subscription: Subscription) -> tuple[str, str | None, str]:
    return subscription.kind, subscription.unit, subscription.symbol


def _name(subscription: Subscription) -> str:
    return f"{subscription.kind}.{subscription.unit}" if subscription.unit else subscription.kind


_KIND_OF: dict[type, str] = {cls: kind for kind, cls in EVENT_CLASSES.items()}
