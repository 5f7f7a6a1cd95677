"""Which subscribers an event of one connection belongs to (pure): the hot table and the careful road beside it.

A stream is *hot* when its messages go to its callbacks without a question. It is *cold* until its first data on a
line (somebody must be told of it), from a request for its snapshot until that came (not everybody wants it), and
now and then for one message so that latency can be measured. The driver's short road only serves hot streams;
everything else comes to ``deliver``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from tapewire.hub.calls import Callback, every, hand_over, once, one_call
from tapewire.hub.heads import Heads
from tapewire.hub.listening import Conflicted, Listener, Stream
from tapewire.hub.polled import late
from tapewire.hub.unread import Unread
from tapewire.model.events import EVENT_CLASSES, Event, TradeEvent
from tapewire.model.subscription import Subscription, Wish
from tapewire.venues.contract import Head, Skim

#: Realtime messages after which an asked snapshot is no longer waited for (a gateway may know none).
SNAPSHOT_PATIENCE = 100


#: Ids that are known of a stream while it is polled; with more of them the older ones are forgotten.
KNOWN_MOST = 100_000


def _never(_subscription: Subscription) -> bool:
    """Where no book is made of changes."""
    return False


Tables = dict[type, tuple[type[Event], dict[str, Stream]]]


class Router:
    """All streams of one connection. ``tables`` is the hot part: wire class → (public class, symbol → stream).

    ``failed`` is told of a callback that raised while others had to be called after it. Kinds that no class in
    ``classes`` stands for are never hot: what is sent a few times an hour needs no short road, and may belong to two
    streams (that of its market, and that of all markets, whose symbol is "").

    ``counted``: see ``Stream``. ``skim``: of the codec; then ``unread`` is the hottest part. ``wire_name`` is a
    stream's name at a venue whose frames name theirs: then ``heads`` is the hot part.
    """

    def __init__(
        self,
        classes: Mapping[type, tuple[type[Event], str, str | None]],
        failed: Callable[[Callback, BaseException], None],
        *,
        drop_doubles: bool = True,
        counted: bool = False,
        wire_name: Callable[[Subscription], str] | None = None,
        is_kept: Callable[[Subscription], bool] = _never,
        skim: Skim | None = None,
    ) -> None:
        self.streams: dict[Subscription, Stream] = {}
        self.tables: Tables = {wire: (public, {}) for wire, (public, _, _) in classes.items()}
        self.retired: dict[str, int] = {}
        self._failed, self._drop_doubles, self._counted = failed, drop_doubles, counted
        self._doubled = self._conflicts = 0  # in streams given up
        #: Told of a trade that came under the id of another.
        self.conflicted: Conflicted | None = None
        #: Told each event of the careful road; True: REST told it first, and it was delivered.
        self.judge: Callable[[Event], bool] = lambda _event: False
        #: Streams given up on the present line, with the snapshots under way: frames of them may still come.
        self.gone: dict[Subscription, int] = {}
        self.unwanted = 0
        self._hot: dict[tuple[str, str | None], dict[str, Stream]] = {
            (kind, unit): self.tables[wire][1] for wire, (_, kind, unit) in classes.items()
        }
        #: The same for frames, where those take the event's place with the only one who hears a stream.
        self.unread = Unread(skim)
        self._index: dict[tuple[str, str | None, str, str], Stream] = {}
        #: Of a venue whose frames name their stream: the hot part.
        self.heads = Heads()
        #: Order books that are made of changes (``hub.books``): what the book is called → a stream for each depth.
        self.kept: dict[str, list[Stream]] = {}
        self._is_kept = is_kept
        #: Settled streams that are in no table of symbols.
        self.warm: set[Stream] = set()
        self._wire_name = wire_name
        self._named: dict[str, list[Stream]] = {}

    def add(self, subscription: Subscription, listener: Listener) -> Stream:
        """Let ``listener`` hear a stream; a new stream is cold."""
        stream = self.streams.get(subscription)
        if stream is None:
            stream = self._open(Stream(subscription, drops=self._drop_doubles, counted=self._counted))
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
        self._close(stream)
        return True

    def _open(self, stream: Stream) -> Stream:
        self.streams[stream.subscription] = stream
        stream.conflicted = self.conflicted
        self._enter(stream)
        stream.awaiting, stream.patience = self.gone.pop(stream.subscription, 0), SNAPSHOT_PATIENCE
        return stream

    def _close(self, stream: Stream) -> None:
        subscription = stream.subscription
        del self.streams[subscription]
        self._strike(stream)
        self.gone[subscription] = stream.awaiting
        self._doubled += stream.doubled
        self._conflicts += stream.conflicts
        name = _name(subscription)
        self.retired[name] = self.retired.get(name, 0) + stream.count

    def _enter(self, stream: Stream) -> None:
        if self._is_kept(stream.subscription):
            self.kept.setdefault(self.book_of(stream.subscription), []).append(stream)
        else:
            self._index[_key(stream.subscription)] = stream
        if self._wire_name is not None:
            namesakes = self._named.setdefault(self._wire_name(stream.subscription), [])
            namesakes.append(stream)
            for one in namesakes:  # a head leads to one stream only
                self.chill(one)

    def _strike(self, stream: Stream) -> None:
        if self._index.get(key := _key(stream.subscription)) is stream:
            del self._index[key]
        if self._is_kept(stream.subscription):
            _take_out(self.kept, self.book_of(stream.subscription), stream)
        if self._wire_name is not None:
            _take_out(self._named, self._wire_name(stream.subscription), stream)

    def book_of(self, subscription: Subscription) -> str:
        """What the book of a kept stream is called: streams that differ in depth alone have one."""
        return subscription.symbol if self._wire_name is None else self._wire_name(subscription)

    def chill(self, stream: Stream) -> None:
        """Let the stream's next message take the careful road."""
        self.heads.close(stream)
        self.unread.close(stream)
        self.warm.discard(stream)
        table, symbol = self._hot_table(stream.subscription), stream.subscription.symbol
        if table.get(symbol) is stream:
            del table[symbol]

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
            self.anew(stream)

    def anew(self, stream: Stream) -> None:
        """The stream begins anew: it counts from here, and listeners wait for their snapshots again."""
        stream.base = stream.count
        self.expect(stream)

    def expect(self, stream: Stream) -> None:
        """Listeners wait for the stream's snapshot again."""
        self.chill(stream)
        for listener in stream.listeners:
            waits = listener.preference == "snapshot_only" and not listener.finished
            stream.need(listener, snapshot=listener.preference == "both" or waits)

    def hole(self, stream: Stream) -> None:
        """A hole in a stream of trades is about to be filled: until it is whole, each trade is looked at."""
        stream.holes += 1
        self.chill(stream)
        if stream.known is None:
            stream.known = stream.remembered

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

    def trim(self, stream: Stream) -> None:
        """Forget old trades of a hole that is open for long, if no other looks at them."""
        if stream.holes == 1 and stream.known is not None and len(stream.known) > KNOWN_MOST:
            stream.known = stream.remembered

    def find(self, event: Event, name: str = "") -> tuple[Stream, ...]:
        """The streams that an event of this connection belongs to; none when nobody wants it.

        ``name``: the frame's word for its stream (``Reading.stream``). Where no stream is called so, only one of all
        markets may be meant.
        """
        if name in self._named:
            return tuple(self._named[name])
        kind, unit, detail = event.kind, getattr(event, "unit", None), getattr(event, "detail", "")
        symbols = (event.symbol, "") if event.symbol and not name else ("",)
        found = (self._index.get((kind, unit, symbol, detail)) for symbol in symbols)
        kept = self.kept.get(name or event.symbol, ()) if kind == "orderbook" else ()
        return (*(stream for stream in found if stream is not None), *kept)

    def deliver(
        self, event: Event, failed: Callable[[Listener, BaseException], None], name: str = "", head: Head | None = None
    ) -> bool:
        """The careful road for one event; False (and counts) when nobody wants it.

        ``failed``: a callback raised. ``name``, ``head``: ``Reading.stream`` and ``Reading.head``.
        """
        streams = self.find(event, name)
        only = head if len(streams) == 1 else None
        for stream in () if self.judge(event) else streams:
            self.deliver_to(stream, event, failed, only)
        self.unwanted += not streams
        return bool(streams)

    def recovered(self, event: Event, failed: Callable[[Listener, BaseException], None]) -> tuple[Stream, ...]:
        """Deliver what REST told of an account; returns the streams that it belonged to."""
        for stream in (streams := self.find(event)):
            self._hear(stream, event, failed)
        return streams

    def deliver_to(
        self,
        stream: Stream,
        event: Event,
        failed: Callable[[Listener, BaseException], None],
        head: Head | None = None,
    ) -> None:
        """As ``deliver``, where it is known whose event it is."""
        stream.wait_less(snapshot=event.stream_type == "SNAPSHOT")
        if isinstance(event, TradeEvent) and stream.doubles(event):
            for listener in stream.unaware(event):
                hand_over(listener, event, failed)
        elif stream.polled is not None and stream.polled.knows(event):
            late(stream, event, failed)
        else:
            stream.polled = None if not isinstance(event, TradeEvent) else stream.polled
            stream.last = event.timestamp
            self._hear(stream, event, failed)
        if not stream.awaiting and stream.known is None and stream.polled is None:
            self._settle(stream, event, head)

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
                _way(stream, event)(listener, event, failed)
            if snapshot and listener.needs_snapshot:
                stream.need(listener, snapshot=False)
                listener.finished = listener.preference == "snapshot_only"

    def is_hot(self, stream: Stream) -> bool:
        return stream in self.warm or self._hot_table(stream.subscription).get(stream.subscription.symbol) is stream

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

    @property
    def doubled(self) -> int:
        """Trades that came twice, streams given up included."""
        return self._doubled + sum(stream.doubled for stream in self.streams.values())

    @property
    def conflicts(self) -> int:
        """Those of them that were another trade under the same id."""
        return self._conflicts + sum(stream.conflicts for stream in self.streams.values())

    def callbacks_of(self, callback: Callback) -> Iterable[Listener]:
        """The listeners that a raising callback of the short road belongs to."""
        return (
            listener
            for stream in self.streams.values()
            for listener in stream.listeners
            if listener.callback is callback or (stream.deliver is callback and listener.wants_realtime)
        )

    def _settle(self, stream: Stream, event: Event, head: Head | None) -> None:
        if self.streams.get(stream.subscription) is stream:  # a callback may have ended it
            if stream.changed:
                self._refresh(stream)
            if self._wire_name is None and not self._is_kept(stream.subscription):
                self._hot_table(stream.subscription)[stream.subscription.symbol] = stream
                self.unread.open(stream, event)
                return
            self.warm.add(stream)
            if head is not None:
                self.heads.open(stream, event.symbol, head)

    def _refresh(self, stream: Stream) -> None:
        ears = tuple(listener.callback for listener in stream.listeners if listener.wants_realtime)
        hear = one_call(ears, self._failed)
        count = None if stream.counts is None else stream.counts.append
        if (ids := stream.recent_ids) is not None:
            hear = (
                once(stream, ids.append, stream.bodies, hear, count) if stream.drops else every(ids.append, hear, count)
            )
        stream.deliver = hear
        stream.changed = False

    def _hot_table(self, subscription: Subscription) -> dict[str, Stream]:
        return self._hot.get(_sort(subscription), {})


def _way(stream: Stream, event: Event) -> Callable[[Listener, Event, Callable[[Listener, BaseException], None]], None]:
    """To a listener: at once, or behind what waits for a hole to be filled."""
    if stream.held is None:
        return hand_over
    return stream.held.put_missed if event.recovered else stream.held.put


def _wants_snapshot(listener: Listener, event: Event, seen_at: int) -> bool:
    """A trade is new or not by its id; of other kinds one snapshot is wanted (spec/upbit.md section 8)."""
    if listener.preference == "both" and isinstance(event, TradeEvent):
        return seen_at <= listener.joined if seen_at else True
    return listener.needs_snapshot


def _key(subscription: Subscription) -> tuple[str, str | None, str, str]:
    """As ``Router.find`` sees an event: only of events that say their detail (indicators), it tells streams apart."""
    told = hasattr(EVENT_CLASSES[subscription.kind], "detail")
    return subscription.kind, subscription.unit, subscription.symbol, subscription.detail if told else ""


def _take_out(table: dict[str, list[Stream]], name: str, stream: Stream) -> None:
    table[name].remove(stream)
    if not table[name]:
        del table[name]


def _sort(subscription: Subscription) -> tuple[str, str | None]:
    return subscription.kind, subscription.unit


def _name(subscription: Subscription) -> str:
    return f"{subscription.kind}.{subscription.unit}" if subscription.unit else subscription.kind
