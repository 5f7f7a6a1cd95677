"""One stream of one connection as its listeners share it: who they are, and which trades came already (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Protocol

from tapewire.config import Credentials
from tapewire.hub.bodies import Bodies
from tapewire.hub.calls import Callback, Take
from tapewire.hub.held import Held
from tapewire.model.events import Event, TradeEvent
from tapewire.model.status import TradeBody
from tapewire.model.subscription import StreamPreference, Subscription, Wish

#: Trade ids remembered per stream: so many that of a busy market those of the last seconds are among them.
REMEMBERED_TRADES = 1024
#: So many of the last are looked at in Python, all others in C: of those that are late few are later.
_LATE_BY = 32


class Told(Protocol):
    """What REST told in a stream's place (``hub.polled``)."""

    at_ms: int | None

    def knows(self, event: Event) -> bool: ...


class Listener:
    """One subscriber's ear on one stream: with whose key it listens, and which message of the stream it came at."""

    __slots__ = ("account", "callback", "finished", "joined", "name", "needs_snapshot", "preference", "take")

    def __init__(
        self,
        name: str,
        callback: Callback,
        preference: StreamPreference,
        account: Credentials | None = None,
        *,
        take: Take | None = None,
    ) -> None:
        self.account = account
        #: Takes a frame in place of its event, where that is one line of ASCII.
        self.take = take
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
    """One subscribed stream on one connection: its counters and who hears it.

    ``drops``: trades that come twice. ``counted``: a trade may stand for several (``TradeEvent.count``).
    """

    __slots__ = (
        "awaiting", "base", "bodies", "changed", "conflicted", "conflicts", "count", "counts", "deliver", "doubled",
        "drops", "hearing", "held", "highest", "holes", "known", "last", "lasting", "late", "listeners", "needing",
        "patience", "polled", "recent_ids", "shown", "subscription", "take", "timestamp_of", "unread",
    )  # fmt: skip

    #: Takes a frame that is not read, and reads of one when it was; set before one comes.
    take: Take
    timestamp_of: Callable[[bytes], int | None]

    def __init__(self, subscription: Subscription, *, drops: bool = True, counted: bool = False) -> None:
        self.subscription, self.drops = subscription, drops
        self.listeners: dict[Listener, None] = {}
        #: How many of them wait for a snapshot, want one after each reconnect, hear realtime.
        self.needing = self.lasting = self.hearing = 0
        self.deliver: Callback = _nobody_hears
        self.changed = True  # listeners came or left since ``deliver`` was made
        self.count = 0
        self.base = 0
        self.awaiting = self.patience = 0
        self.last: int | None = None  # its ``timestamp``
        self.unread: bytes | None = None  # the last frame that nobody read
        #: Holes that are being filled, and while there are any, the ids of all trades delivered before and since.
        self.holes = 0
        self.known: set[int] | None = None
        self.held: Held | None = None
        #: Set while REST is asked in the stream's place, and until its line is ahead of REST.
        self.polled: Told | None = None
        self.recent_ids: deque[int | None] | None = (
            deque(maxlen=REMEMBERED_TRADES) if subscription.kind == "trade" else None
        )
        #: How many matches each of those trades stands for, where they can be several: REST tells them singly.
        self.counts: deque[int | None] | None = (
            deque(maxlen=REMEMBERED_TRADES) if counted and subscription.kind == "trade" else None
        )
        #: What those trades were; how often one came again that was another, and who is told.
        self.bodies = Bodies() if drops and subscription.kind == "trade" else None
        self.conflicts = 0
        self.conflicted: Conflicted | None = None
        #: The highest trade id so far: what is above it is new without a search. Ids do not only rise.
        self.highest = 0
        #: Those that came behind a higher one; all others that are remembered rise.
        self.late: set[int] = set()
        #: The trade that only a snapshot showed last, and how many trades came twice.
        self.shown: int | None = None
        self.doubled = 0

    @property
    def wish(self) -> Wish:
        """What to ask the exchange for, so that every listener gets its own preference."""
        realtime = self.hearing > 0
        return Wish(self.subscription, snapshot=bool(self.needing or self.lasting or not realtime), realtime=realtime)

    @property
    def awaits_snapshot(self) -> bool:
        """Whether the next snapshot is anybody's."""
        return self.needing > 0

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
    def taker(self) -> Take | None:
        """What takes its frames in place of events: that of its only listener, if that does; else all are read."""
        first, *others = self.listeners
        return first.take if not others and first.wants_realtime else None

    @property
    def last_timestamp(self) -> int | None:
        """When the last message was, by the exchange's clock."""
        if self.unread is not None:
            at, self.unread = self.timestamp_of(self.unread), None
            self.last = self.last if at is None else max(at, self.last or at)
        return self.last

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
            found = self.drops and number <= self.highest and self._came(number)
        else:
            found = number in self.known or number == self.shown
            self.known.update((number,) if found else _ids(event))  # of one that is dropped its parts did not come
        self.doubled += found
        if found and self.bodies is not None and not event.recovered:
            self._compare(event, self.bodies)
        return found

    def _came(self, number: int) -> bool:
        """Whether this id is remembered. What is late is so by a few trades, mostly: then a few ids are looked at."""
        ids = self.recent_ids or ()
        for known in islice(reversed(ids), _LATE_BY):
            if known == number:
                return True
            if known is not None and known < number and known not in self.late:
                return False
        return number in ids

    def _compare(self, event: TradeEvent, bodies: Bodies) -> None:
        before = bodies.other_than(event, self.recent_ids or ())
        if before is not None:
            self.conflicts += 1
            if self.conflicted is not None:
                self.conflicted(self, event, before)

    def remember(self, event: TradeEvent) -> None:
        """Keep a trade's id, so that it is not delivered twice."""
        self._append(event.sequential_id)
        if self.bodies is not None:
            self.bodies.keep(event)
        if self.counts is not None:
            self.counts.append(event.count)

    def _append(self, number: int | None) -> None:
        self.recent_ids.append(number)  # type: ignore[union-attr]
        if number is not None and number > self.highest:
            self.highest = number
        elif number is not None:
            self.late.add(number)
            if len(self.late) > 2 * REMEMBERED_TRADES:
                self.late.intersection_update(self.recent_ids or ())

    @property
    def parts(self) -> list[int]:
        """Ids of the further matches that the last trades stand for, beside their own."""
        if self.counts is None or self.recent_ids is None:
            return []
        trades = zip(self.recent_ids, self.counts, strict=True)
        return [number - back for number, count in trades if number and count for back in range(count - 1, 0, -1)]

    @property
    def remembered(self) -> set[int]:
        """All ids that were delivered lately."""
        return {number for number in (*(self.recent_ids or ()), *self.parts) if number is not None}

    def show(self, event: TradeEvent) -> None:
        """A snapshot brought a trade that did not come by itself: those who hear no snapshots do not have it yet."""
        if self.known is not None and self.shown is not None:
            self.known.add(self.shown)
        if self.known is not None:
            self.known.update(_ids(event)[1:])
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

    def resume(self, ids: Iterable[int]) -> None:
        """Another process delivered these trades: none of them is delivered again."""
        for number in ids:
            self._append(number)
            if self.counts is not None:
                self.counts.append(None)
            if self.bodies is not None:
                self.bodies.skip()

    def told_to_all(self) -> tuple[Sequence[int | None], frozenset[int]]:
        """Ids of the last trades that every listener has; and while holes are filled, of all before them and since.

        A trade that only a snapshot showed is told to those who hear snapshots.
        """
        ids, known, shown = tuple(self.recent_ids or ()), frozenset(self.known or ()), self.shown
        if shown is None:
            return ids, known
        if self.lasting == self.hearing:
            return ids, known | {shown} if known else known
        return tuple(number for number in ids if number != shown), known

    def seen_at(self, trade_id: int | None) -> int:
        """Which message of the stream brought this trade last, 0 for one that is not remembered.

        1 is the first, or another process delivered it.
        """
        if trade_id is None or self.recent_ids is None:
            return 0
        for age, known in enumerate(reversed(self.recent_ids)):
            if known == trade_id:
                return max(1, self.count - age)
        return 0


#: Told of a stream's trade that is not delivered, and of what came under its id before.
Conflicted = Callable[[Stream, TradeEvent, TradeBody], None]


def _nobody_hears(_event: Event) -> None:
    """What the short road would call on a stream that was never settled."""


def _ids(trade: TradeEvent) -> range:
    """The ids that a trade stands for, its own first (``TradeEvent.count``)."""
    number = trade.sequential_id or 0
    return range(number, number - (trade.count or 1), -1)
