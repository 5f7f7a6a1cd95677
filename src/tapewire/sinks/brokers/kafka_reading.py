"""What reads a Kafka cluster: one consumer of all partitions that are wanted; its calls block, on one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tapewire.sinks.brokers.kafka_line import SLICE, Cluster, Told, topic_and_key
from tapewire.sinks.brokers.kafka_looking import AT_ONCE, Looking, Part, by_topic, part_of, place, received, text, told
from tapewire.sinks.brokers.link import Away
from tapewire.sinks.brokers.shared_log import SharedLog
from tapewire.sinks.brokers.source import Begin, Missed, Received

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message

#: Seconds without a message after which a cluster in trouble is asked whether it is there.
_DOUBT = 1.0
#: Seconds between looks for topics that are not there yet, and for partitions that were added.
_MISSING, _ADDED = 0.5, 30.0


class Reading:
    """The blocking half of a source.

    Args:
        cluster: where to read. now: seconds of a clock that does not jump.
    """

    def __init__(self, cluster: Cluster, now: Callable[[], float]) -> None:
        from confluent_kafka import Consumer  # noqa: PLC0415 - an optional extra

        self.told, self._now = Told(), now
        settings: dict[str, Any] = {
            **cluster.settings(), "error_cb": self.told.hear, "group.id": "tapewire", "enable.auto.commit": False,
            "auto.offset.reset": "earliest", "enable.partition.eof": True, "queued.max.messages.kbytes": 16_384,
        }  # fmt: skip
        self._consumer: Consumer = Consumer(settings)
        self.looking = Looking(settings, now)
        self._logs: dict[Part, SharedLog] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._since: dict[str, int] = {}
        self._absent: dict[str, Begin] = {}
        self._heard = self._looked = self._now()

    def give_up(self) -> None:
        """Nobody waits any more: what runs ends soon."""
        self.looking.going = False

    def reach(self, seconds: float) -> None:
        """See that it answers. Raises Away, NotLetIn."""
        self.told.reach(self._consumer, seconds, lambda: self.looking.going)

    def follow(self, begins: Mapping[str, Begin]) -> frozenset[str]:
        """Read these, too. Returns those of which something is gone. Raises Away."""
        with told():
            known, gone = self.looking.partitions(), set[str]()
            for topic, subjects in by_topic(begins).items():
                self._names |= {(topic, key): subject for subject, key in subjects.items()}
                if topic in known:
                    gone |= self._join(topic, known[topic], {name: begins[name] for name in subjects})
                else:  # nothing was published there yet: what comes first is its beginning
                    self._absent |= {name: begins[name] for name in subjects}
            return frozenset(gone)

    def leave(self, subjects: Iterable[str]) -> None:
        """Read these no more."""
        for subject in subjects:
            topic, key = topic_and_key(subject)
            self._names.pop((topic, key), None)
            self._absent.pop(subject, None)
            self._since.pop(subject, None)
            for (name, _), log in self._logs.items():
                if name == topic:
                    log.leave(subject)
        empty = [part for part, log in self._logs.items() if not log]
        for part in empty:
            del self._logs[part]
        if empty:
            self._consumer.incremental_unassign([place(part) for part in empty])

    def poll(self, seconds: float = SLICE) -> Sequence[Received | Missed]:
        """What is new, each subject's in order; waits so long for it. Raises Away."""
        with told():
            self._look_around()
            first = self._consumer.poll(seconds)
            messages = [] if first is None else [first, *self._consumer.consume(AT_ONCE, 0)]
            now = self._now()
            if messages:
                self._heard = now
            elif self.told.troubled and now - self._heard > _DOUBT:
                self.reach(_DOUBT)
            found: list[Received | Missed] = []
            for message in messages:
                found += self._take(message)
            return found

    def latest(self, subjects: Sequence[str]) -> Sequence[Received]:
        """The newest of each. Raises Away."""
        found: dict[str, Received] = {}
        with told():
            known = self.looking.partitions()
            for topic, names in by_topic(subjects).items():
                if topic in known:
                    found |= self.looking.newest(topic, known[topic], names)
        return list(found.values())

    def close(self) -> None:
        """Let go of both consumers."""
        try:
            self._consumer.close()
        finally:
            self.looking.close()

    # Where to read.

    def _join(self, topic: str, partitions: Iterable[int], begins: Mapping[str, Begin]) -> set[str]:
        gone: set[str] = set()
        again: dict[Part, SharedLog] = {}
        for part in ((topic, number) for number in partitions):
            low, high = self.looking.ends(part)
            log = self._logs.setdefault(part, SharedLog())
            for subject, begin in begins.items():
                first = self._first(part, begin, low, high)
                if begin.after is not None and not low <= first <= high:
                    gone.add(subject)
                    first = low
                if begin.since_ns is not None:
                    self._since[subject] = begin.since_ns // 1_000_000
                if log.follow(subject, first):
                    again[part] = log
        self._read_from(again)
        return gone

    def _first(self, part: Part, begin: Begin, low: int, high: int) -> int:
        if begin.after is not None:
            number, _, offset = begin.after.partition(":")
            return int(offset) + 1 if int(number) == part[1] else high
        if begin.since_ns is not None:
            return self.looking.at(part, begin.since_ns // 1_000_000)
        return max(low, begin.sequence or 0)

    def _read_from(self, logs: Mapping[Part, SharedLog]) -> None:
        """Somebody wants what was read already, or was never read."""
        read = {(one.topic, one.partition) for one in self._consumer.assignment()}
        self._consumer.incremental_unassign([place(part) for part in logs if part in read])
        self._consumer.incremental_assign([place(part, log.position or 0) for part, log in logs.items()])

    def _look_around(self) -> None:
        """Whether topics came that were not there, or partitions were added."""
        now = self._now()
        if now - self._looked < (_MISSING if self._absent else _ADDED):
            return
        self._looked, known = now, self.looking.partitions()
        there = {name: begin for name, begin in self._absent.items() if topic_and_key(name)[0] in known}
        for topic, subjects in by_topic(there).items():
            self._join(topic, known[topic], {name: there[name] for name in subjects})
            for name in subjects:
                del self._absent[name]
        for topic in {topic for topic, _ in self._logs} & set(known):
            added = [number for number in known[topic] if (topic, number) not in self._logs]
            self._join(topic, added, {one: Begin() for (name, _), one in self._names.items() if name == topic})

    def _take(self, message: Message) -> Iterator[Received | Missed]:
        error = message.error()
        if error is not None:
            if error.name() != "_PARTITION_EOF":
                self.told.hear(error)
            return
        part, offset = part_of(message), message.offset() or 0
        log = self._logs.get(part)
        if log is None:
            return
        if log.jump(offset):
            yield from self._jumped(part, log, offset)
        subject = self._names.get((part[0], text(message.key())), "")
        if log.take(subject, offset) and message.timestamp()[1] >= self._since.get(subject, 0):
            yield received(subject, message)

    def _jumped(self, part: Part, log: SharedLog, offset: int) -> Iterator[Missed]:
        """Offsets may be left out; they may also have been thrown away before we came to them."""
        if log.jump(offset) < 0:
            raise Away(f"topic {part[0]} began anew")
        if self.looking.ends(part)[0] > (log.position or 0):
            yield from map(Missed, log.subjects)
