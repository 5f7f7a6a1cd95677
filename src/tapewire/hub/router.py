"""Which subscribers an event of one connection belongs to (pure): the hot table and the careful road beside it.

A stream is *hot* when its messages go to its callbacks without a question. It is *cold* until its first data on a
line (somebody must be told of it), from a request for its snapshot until that came (not everybody wants it), and
now and then for one message so that latency can be measured. The driver's short road only serves hot streams;
everything else comes to ``deliver``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping

from tapewire.config import Credentials
from tapewire.hub.calls import Callback, every, hand_over, once, one_call
from tapewire.hub.held import Held
from tapewire.model.events import EVENT_CLASSES, Event, TradeEvent
from tapewire.model.subscription import StreamPreference, Subscription, Wish

#: Trade ids remembered per stream: so many that of a busy market those of the last seconds are among them.
REMEMBERED_TRADES = 1024
#: Realtime messages after which an asked snapshot is no longer waited for (a gateway may know none).
SNAPSHOT_PATIENCE = 100


class Listener:
    """One subscriber's ear on one stream: with whose key it listens, and which message of the stream it came at."""

    __slots__ = ("account", "callback", "finished", "joined", "name", "needs_snapshot", "preference")

    def __init__(
        self, name: str, callback: Callback, preference: StreamPreference, account: Credentials | None = None
    ) -> None:
        self.account = account
        self.name = name
        self.callback = callback
        self.preference = preference
        self.needs_snapshot = preference != "realtime_only"
        self.joined = 0
        self.finished = False

    @property
    def wants_realtime(self) -> bool:
        return self.preference != "snapshot_only"


class Stream:
    """One subscribed stream on one connection: its counters and who hears it."""

    __slots__ = (
        "awaiting", "base", "changed", "count", "deliver", "doubled", "drops", "hearing", "held", "highest", "holes",
        "known", "last", "lasting", "listeners", "needing", "patience", "recent_ids", "shown", "subscription",
    )  # fmt: skip

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription
        self.listeners: dict[Listener, None] = {}
        #: How many of them wait for a snapshot, want one after each reconnect, hear realtime.
        self.needing = self.lasting = self.hearing = 0
        self.deliver: Callback = _nobody_hears
        self.changed = True  # listeners came or left since ``deliver`` was made
        self.count = 0
        self.base = 0
        self.awaiting = self.patience = 0
        self.last: int | None = None
        #: Holes that are being filled, and while there are any, the ids of all trades delivered before and since.
        self.holes = 0
        self.known: set[int] | None = None
        self.held: Held | None = None
        self.recent_ids: deque[int | None] | None = (
            deque(maxlen=REMEMBERED_TRADES) if subscription.kind == "trade" else None
        )
        #: The highest trade id so far: what is above it is new without a search. Ids do not only rise.
        self.highest = 0
        #: The trade that only a snapshot showed last, and how many trades came twice.
        self.shown: int | None = None
        self.doubled, self.drops = 0, True

    @property
    def wish(self) -> Wish:
        """What to ask the exchange for, so that every listener gets its own preference."""
        realtime = self.hearing > 0
        return Wish(self.subscription, snapshot=bool(self.needing or self.lasting or not realtime), realtime=realtime)

    def join(self, listener: Listener) -> None:
        """One more hears it, from its next message on."""
        listener.joined = self.count
        self.listeners[listener] = None
        self._note(listener, 1)

    def leave(self, listener: Listener) -> None:
        """One less hears it."""
        del self.listeners[listener]
        self._note(listener, -1)

    def need(self, listener: Listener, *, snapshot: bool) -> None:
        """A listener waits for the snapshot of this line, or has had it."""
        self.needing += snapshot - listener.needs_snapshot
        listener.needs_snapshot = snapshot

    def _note(self, listener: Listener, by: int) -> None:
        self.needing += by * listener.needs_snapshot
        self.lasting += by * (listener.preference == "both")
        self.hearing += by * listener.wants_realtime
        self.changed = True

    @property
    def last_id(self) -> int | None:
        """The id of the trade that came last; not always the largest (spec/upbit.md section 8)."""
        return next((number for number in reversed(self.recent_ids or ()) if number is not None), None)

    def doubles(self, event: TradeEvent) -> bool:
        """Whether this trade was delivered already, as far as ids are remembered; counts those that come twice.

        While a hole is filled, all ids are. Of snapshots each listener has its own view: they double nothing.
        """
        number = event.sequential_id
        if number is None or event.stream_type == "SNAPSHOT":
            return False
        if self.known is None:
            found = self.drops and number <= self.highest and number in (self.recent_ids or ())
        else:
            found = number in self.known or number == self.shown
            self.known.add(number)
        self.doubled += found
        return found

    def remember(self, event: TradeEvent) -> None:
        """Keep a trade's id, so that it is not delivered twice."""
        number = event.sequential_id
        self.recent_ids.append(number)  # type: ignore[union-attr]
        self.highest = max(self.highest, number or 0)

    def show(self, event: TradeEvent) -> None:
        """A snapshot brought a trade that did not come by itself: those who hear no snapshots do not have it yet."""
        if self.known is not None and self.shown is not None:
            self.known.add(self.shown)
        self.shown = event.sequential_id

    def unaware(self, event: TradeEvent) -> tuple[Listener, ...]:
        """Those to whom a trade that came twice is new."""
        if event.sequential_id != self.shown:
            return ()
        self.shown = None
        return tuple(listener for listener in self.listeners if listener.preference == "realtime_only")

    def repeats(self, event: TradeEvent) -> bool:
        """On the short road, of a trade whose id is not above all others: whether it came before; if not, keep it.

        The message was counted already: one that is not delivered does not count.
        """
        if not self.doubles(event):
            self.remember(event)
            return False
        self.count -= 1
        for listener in self.unaware(event):
            listener.callback(event)
        return True

    def wait_less(self, *, snapshot: bool) -> None:
        """A message came, maybe a snapshot that was waited for."""
        if snapshot:
            self.awaiting = max(0, self.awaiting - 1)
        elif self.awaiting:
            self.patience -= 1
            self.awaiting *= self.patience > 0

    def seen_at(self, trade_id: int | None) -> int:
        """Which message of the stream brought this trade last (1 is the first), 0 for one that is not remembered."""
        if trade_id is None or self.recent_ids is None:
            return 0
        for age, known in enumerate(reversed(self.recent_ids)):
            if known == trade_id:
                return self.count - age
        return 0


Tables = dict[type, tuple[type[Event], dict[str, Stream]]]


class Router:
    """All streams of one connection. ``tables`` is the hot part: wire class → (public class, symbol → stream).

    ``failed`` is told of a callback that raised while others had to be called after it. Kinds that no class in
    ``classes`` stands for are never hot: what is sent a few times an hour needs no short road, and may belong to two
    streams (that of its market, and that of all markets, whose symbol is "").
    """

    def __init__(
        self,
        classes: Mapping[type, tuple[type[Event], str, str | None]],
        failed: Callable[[Callback, BaseException], None],
    ) -> None:
        self.streams: dict[Subscription, Stream] = {}
        self.tables: Tables = {wire: (public, {}) for wire, (public, _, _) in classes.items()}
        self.retired: dict[str, int] = {}
        self._failed, self.drop_doubles = failed, True
        #: Told each event of the careful road; True: REST told it first, and it was delivered.
        self.judge: Callable[[Event], bool] = lambda _event: False
        #: Streams given up on the present line, with the snapshots under way: frames of them may still come.
        self.gone: dict[Subscription, int] = {}
        self.unwanted = 0
        self._hot: dict[tuple[str, str | None], dict[str, Stream]] = {
            (kind, unit): self.tables[wire][1] for wire, (_, kind, unit) in classes.items()
        }
        self._index: dict[tuple[str, str | None, str, str], Stream] = {}

    def add(self, subscription: Subscription, listener: Listener) -> Stream:
        """Let ``listener`` hear a stream; a new stream is cold."""
        stream = self.streams.get(subscription)
        if stream is None:
            stream = self.streams[subscription] = Stream(subscription)
            stream.drops = self.drop_doubles
            self._index[_key(subscription)] = stream
            stream.awaiting, stream.patience = self.gone.pop(subscription, 0), SNAPSHOT_PATIENCE
        stream.join(listener)
        self.chill(stream)  # what the short road calls is made when the next message settles the stream
        return stream

    def remove(self, subscription: Subscription, listener: Listener) -> bool:
        """Take ``listener`` off; True when the stream has no listener any more and was dropped."""
        stream = self.streams.get(subscription)
        if stream is None or listener not in stream.listeners:
            return False
        stream.leave(listener)
        self.chill(stream)
        if stream.listeners:
            return False
        del self.streams[subscription]
        del self._index[_key(subscription)]
        self.gone[subscription] = stream.awaiting
        name = _name(subscription)
        self.retired[name] = self.retired.get(name, 0) + stream.count
        return True

    def chill(self, stream: Stream) -> None:
        """Let the stream's next message take the careful road."""
        self._hot_table(stream.subscription).pop(stream.subscription.symbol, None)

    def asked(self, stream: Stream, *, snapshot: bool) -> None:
        """The stream was asked for: its messages are careful ones until the snapshot came, if one was asked.

        Several requests may be under way, and each brings a snapshot of its own.
        """
        self.chill(stream)
        if snapshot:
            stream.awaiting, stream.patience = stream.awaiting + 1, SNAPSHOT_PATIENCE

    def line_lost(self) -> None:
        """Nothing more comes from this line: every stream's next message is the first of another."""
        self.gone.clear()
        for stream in self.streams.values():
            self.chill(stream)
            stream.awaiting = 0

    def line_opened(self) -> None:
        """The line is new: streams count from here, and listeners wait for their snapshots again."""
        self.line_lost()
        for stream in self.streams.values():
            stream.base = stream.count
            for listener in stream.listeners:
                waits = listener.preference == "snapshot_only" and not listener.finished
                stream.need(listener, snapshot=listener.preference == "both" or waits)

    def hole(self, stream: Stream) -> None:
        """A hole in a stream of trades is about to be filled: until it is whole, each trade is looked at."""
        stream.holes += 1
        self.chill(stream)
        if stream.known is None:
            stream.known = {number for number in stream.recent_ids or () if number is not None}

    def fill(self, stream: Stream, missed: Iterable[Event], failed: Callable[[Listener, BaseException], None]) -> int:
        """Deliver what was missed, but for trades that came meanwhile; returns how many."""
        count = 0
        for event in missed:
            if isinstance(event, TradeEvent) and stream.doubles(event):
                for listener in stream.unaware(event):
                    hand_over(listener, event, failed)
            else:
                self._hear(stream, event, failed)
                count += 1
        return count

    def whole(self, stream: Stream) -> None:
        """The hole is filled, or will not be; the next message of the stream settles it."""
        stream.holes -= 1
        if not stream.holes:
            stream.known = None

    def find(self, event: Event) -> tuple[Stream, ...]:
        """The streams that an event of this connection belongs to; none when nobody wants it."""
        kind, unit, detail = _KIND_OF[event.__class__], getattr(event, "unit", None), getattr(event, "detail", "")
        symbols = (event.symbol, "") if event.symbol else ("",)
        found = (self._index.get((kind, unit, symbol, detail)) for symbol in symbols)
        return tuple(stream for stream in found if stream is not None)

    def deliver(self, event: Event, failed: Callable[[Listener, BaseException], None]) -> bool:
        """The careful road for one event; False (and counts) when nobody wants it. ``failed``: a callback raised."""
        streams = self.find(event)
        for stream in () if self.judge(event) else streams:
            self._deliver_to(stream, event, failed)
        self.unwanted += not streams
        return bool(streams)

    def recovered(self, event: Event, failed: Callable[[Listener, BaseException], None]) -> tuple[Stream, ...]:
        """Deliver what REST told of an account; returns the streams that it belonged to."""
        for stream in (streams := self.find(event)):
            self._hear(stream, event, failed)
        return streams

    def _deliver_to(self, stream: Stream, event: Event, failed: Callable[[Listener, BaseException], None]) -> None:
        stream.wait_less(snapshot=event.stream_type == "SNAPSHOT")
        if isinstance(event, TradeEvent) and stream.doubles(event):
            for listener in stream.unaware(event):
                hand_over(listener, event, failed)
        else:
            stream.last = event.timestamp
            self._hear(stream, event, failed)
        if not stream.awaiting and stream.known is None:
            self._settle(stream)

    def _hear(self, stream: Stream, event: Event, failed: Callable[[Listener, BaseException], None]) -> None:
        snapshot = event.stream_type == "SNAPSHOT"
        seen_at = stream.seen_at(event.sequential_id) if snapshot and isinstance(event, TradeEvent) else 0
        stream.count += 1
        if isinstance(event, TradeEvent):
            if snapshot and not seen_at:
                stream.show(event)
            stream.remember(event)
        for listener in tuple(stream.listeners):
            if _wants_snapshot(listener, event, seen_at) if snapshot else listener.wants_realtime:
                (hand_over if stream.held is None or event.recovered else stream.held.put)(listener, event, failed)
            if snapshot and listener.needs_snapshot:
                stream.need(listener, snapshot=False)
                listener.finished = listener.preference == "snapshot_only"

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
            if listener.callback is callback or (stream.deliver is callback and listener.wants_realtime)
        )

    def _settle(self, stream: Stream) -> None:
        if self.streams.get(stream.subscription) is stream:  # a callback may have ended it
            if stream.changed:
                self._refresh(stream)
            self._hot_table(stream.subscription)[stream.subscription.symbol] = stream

    def _refresh(self, stream: Stream) -> None:
        ears = tuple(listener.callback for listener in stream.listeners if listener.wants_realtime)
        hear = one_call(ears, self._failed)
        if (ids := stream.recent_ids) is not None:
            hear = once(stream, ids.append, hear) if stream.drops else every(ids.append, hear)
        stream.deliver = hear
        stream.changed = False

    def _hot_table(self, subscription: Subscription) -> dict[str, Stream]:
        return self._hot.get((subscription.kind, subscription.unit), {})


def _wants_snapshot(listener: Listener, event: Event, seen_at: int) -> bool:
    """A trade is new or not by its id; of other kinds one snapshot is wanted (spec/upbit.md section 8)."""
    if listener.preference == "both" and isinstance(event, TradeEvent):
        return seen_at <= listener.joined if seen_at else True
    return listener.needs_snapshot


def _nobody_hears(_event: Event) -> None:
    """What the short road would call on a stream that was never settled."""


def _key(subscription: Subscription) -> tuple[str, str | None, str, str]:
    """As ``Router.find`` sees an event: only of events that say their detail (indicators), it tells streams apart."""
    told = hasattr(EVENT_CLASSES[subscription.kind], "detail")
    return subscription.kind, subscription.unit, subscription.symbol, subscription.detail if told else ""


def _name(subscription: Subscription) -> str:
    return f"{subscription.kind}.{subscription.unit}" if subscription.unit else subscription.kind


_KIND_OF: dict[type, str] = {cls: kind for kind, cls in EVENT_CLASSES.items()}
