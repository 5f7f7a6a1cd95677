"""Of the same messages on several lines, lets the first copy of each through, and keeps the score (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec

from tapewire.model.events import CandleEvent, Event, TradeEvent
from tapewire.model.subscription import Subscription

#: Nanoseconds for which a message is remembered at least, and twice which at most; and how many at most by half.
GENERATION_NS = 20_000_000_000
GENERATION_MOST = 8_192
#: Leads of a line that are kept for its figures.
LEADS = 4_096
#: Messages of a stream that others must have brought since a line's last one before that line is behind.
OWED = 3
#: Milliseconds of the exchange by which lines may differ at any moment: what one has brought is on its way to another.
NEARLY = 1_000
#: Candles of one stream whose newest state is known.
_CANDLES = 16

_encode = msgspec.msgpack.Encoder().encode


class Score:
    """What one line did for all streams of its group.

    Attributes:
        firsts: messages that it brought before all others.
        copies: those that another had brought before.
        late: those that nobody had brought, but that were older than the state told last, or than all memory.
        leads: milliseconds by which the next line came later, of the newest of its firsts.
    """

    __slots__ = ("_group", "copies", "firsts", "late", "leads")

    def __init__(self, group: Sequence[Score]) -> None:
        self._group = group
        self.firsts = self.copies = self.late = 0
        self.leads: deque[float] = deque(maxlen=LEADS)

    @property
    def share(self) -> float | None:
        """Its firsts as a part of those of all lines; None before the first of them."""
        total = sum(score.firsts for score in self._group)
        return self.firsts / total if total else None


class _Message:
    """One message: when it first came, by which line, how often it was let through, how often each line brought it."""

    __slots__ = ("came_ns", "counts", "leader", "passed")

    def __init__(self, came_ns: int, leader: int, lines: int) -> None:
        self.came_ns, self.leader, self.passed = came_ns, leader, 1
        self.counts = [0] * lines
        self.counts[leader] = 1


class _Memory:
    """The messages of the last while, in two generations: the older one is forgotten as a whole."""

    __slots__ = ("_began_ns", "_newest", "_old", "_young", "floor")

    def __init__(self) -> None:
        self._young: dict[int, _Message] = {}
        self._old: dict[int, _Message] = {}
        self._began_ns = 0
        self._newest = [0, 0]  # venue's ms: of the young ones, of the old ones
        #: The newest time stamp of all that was forgotten (ms).
        self.floor = -2

    def find(self, key: int) -> _Message | None:
        return self._young.get(key) or self._old.get(key)

    def put(self, key: int, message: _Message, timestamp: int) -> None:
        age = message.came_ns - self._began_ns
        if age > GENERATION_NS or age < 0 or len(self._young) >= GENERATION_MOST:  # below 0: the wall clock jumped
            self.floor = max(self.floor, self._newest[1]) if self._old else self.floor
            self._old, self._young = self._young, {}
            self._newest = [0, self._newest[0]]
            self._began_ns = message.came_ns
        self._young[key] = message
        self._newest[0] = max(self._newest[0], timestamp)

    def forget_line(self, line: int) -> None:
        for generation in (self._young, self._old):
            for message in generation.values():
                message.counts[line] = 0


class FirstCopy:
    """One stream as several lines bring it. Snapshots do not come here: who wants them knows.

    Trades are told apart by their id, books with a sequence number by that, all else by time stamp and content. What
    one line brings twice is let through twice (the exchange said it twice), a trade then goes to those who drop
    doubles. Something that nobody brought yet is let through, unless it is a state older than the one told last; of
    candles each has its own.

    Args:
        scores: one for each line, shared by all streams.
    """

    __slots__ = ("_delivered", "_memory", "_newest", "_owed", "_scores")

    def __init__(self, scores: Sequence[Score]) -> None:
        self._scores = scores
        self._memory = _Memory()
        self._newest = [-1] * len(scores)
        self._owed = [0] * len(scores)
        self._delivered: dict[str | None, int] = {}

    def is_first(self, line: int, event: Event) -> bool:
        """Whether this message of ``line`` is to be delivered."""
        state = event.candle_date_time_utc if isinstance(event, CandleEvent) else None
        newest = self._delivered.get(state, -1)
        timestamp = newest if event.timestamp is None else event.timestamp
        self._note(line, timestamp)
        key = _key(event)
        message = self._memory.find(key)
        is_trade = isinstance(event, TradeEvent)
        if message is None:
            if timestamp <= self._memory.floor if is_trade else timestamp < newest:
                self._scores[line].late += 1
                return False
            self._memory.put(key, _Message(event.received_ns, line, len(self._scores)), timestamp)
            self._deliver(state, max(timestamp, newest))
            self._scores[line].firsts += 1
            return True
        return self._again(line, message, event.received_ns, welcome=is_trade or timestamp >= newest)

    def _again(self, line: int, message: _Message, came_ns: int, *, welcome: bool) -> bool:
        message.counts[line] += 1
        if message.counts[line] > message.passed and welcome:
            message.passed += 1
            return True
        self._scores[line].copies += 1
        if sum(map(bool, message.counts)) == 2 and message.counts[line] == 1 and line != message.leader:
            self._scores[message.leader].leads.append(max(0.0, (came_ns - message.came_ns) / 1e6))
        return False

    def _note(self, line: int, timestamp: int) -> None:
        self._newest[line] = max(self._newest[line], timestamp)
        for other in range(len(self._owed)):
            self._owed[other] += 1
        self._owed[line] = 0

    def _deliver(self, state: str | None, timestamp: int) -> None:
        self._delivered[state] = timestamp
        if len(self._delivered) > _CANDLES:
            del self._delivered[next(iter(self._delivered))]

    def brought(self, line: int, trade_id: int | None) -> bool:
        """Whether the line brought this trade lately; without an id, whether it is as far as the others, or nearly."""
        if trade_id is None:
            return self._newest[line] >= max(self._newest) - NEARLY
        message = self._memory.find(trade_id)
        return message is not None and message.counts[line] > 0

    def behind(self, line: int) -> int:
        """Milliseconds of the exchange that the line's newest message is older than the others' newest.

        0 unless the others brought several messages since.
        """
        return max(self._newest) - self._newest[line] if self._owed[line] >= OWED else 0

    def begin(self, line: int) -> None:
        """The line's stream begins now: it owes nothing from before."""
        self._newest[line] = max(self._newest)
        self._owed[line] = 0

    def lost(self, line: int) -> None:
        """The line is gone: what its next one brings are copies, even of what it brought itself."""
        self._memory.forget_line(line)


def _key(event: Event) -> int:
    if isinstance(event, TradeEvent) and event.sequential_id is not None:
        return event.sequential_id
    sequence = getattr(event, "sequence", None)
    if sequence is not None:  # of a book that is kept from changes: its content would take long
        return hash((sequence, event.timestamp))
    received_ns, raw = event.received_ns, event.raw
    event.received_ns, event.raw = 0, None  # what differs from line to line
    key = hash(_encode(event))
    event.received_ns, event.raw = received_ns, raw
    return key


class FirstCopies:
    """Every stream of a group of lines."""

    def __init__(self, lines: int) -> None:
        self.scores: list[Score] = []
        self.scores += [Score(self.scores) for _ in range(lines)]
        self.streams: dict[Subscription, FirstCopy] = {}

    def follow(self, subscriptions: Sequence[Subscription]) -> list[Subscription]:
        """The whole new set; returns those that left."""
        wanted = set(subscriptions)
        left = [one for one in self.streams if one not in wanted]
        for one in left:
            del self.streams[one]
        for one in subscriptions:
            if one not in self.streams:
                self.streams[one] = FirstCopy(self.scores)
        return left

    def lost(self, line: int) -> None:
        """The line is gone."""
        for stream in self.streams.values():
            stream.lost(line)
