"""A member of one of Kafka's own groups: whole partitions are his until the group gives them to another; blocks."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING

from tapewire.sinks.brokers.kafka_given import Given
from tapewire.sinks.brokers.kafka_line import SLICE, Cluster, Told, topic_and_key, words_of
from tapewire.sinks.brokers.kafka_looking import AT_ONCE, Looking, Part, by_topic, part_of, place, received, text, told
from tapewire.sinks.brokers.link import Away
from tapewire.sinks.brokers.source import Begin, Missed, Received

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

#: Milliseconds after which the group gives a silent member's partitions to others.
SESSION = 30_000
#: Seconds without a new subject after which a member joins: so all that a program begins with is there from the start.
_SETTLE = 0.3
#: Seconds between two looks for topics that are not there yet; for one answer; between two confirmations of what was
#: only passed over; to finish what was begun before a partition goes to another; for the last confirmation.
_MISSING, _ANSWER_WITHIN, _PASSED, _HAND_OVER, _LAST = 0.5, 5.0, 1.0, 5.0, 1.0


class Membership:
    """One consumer that is in a group.

    Args:
        cluster, group: where, and its name.
        looking: looks something up there. heard: hears what librdkafka says.
        now: seconds of a clock that does not jump.
    """

    def __init__(self, cluster: Cluster, group: str, looking: Looking, heard: Told, now: Callable[[], float]) -> None:
        from confluent_kafka import Consumer  # noqa: PLC0415 - an optional extra

        self._looking, self._heard, self._now = looking, heard, now
        self._consumer: Consumer | None = Consumer({
            **cluster.settings(), "error_cb": heard.hear, "on_commit": self._answered, "group.id": group,
            "enable.auto.commit": False, "auto.offset.reset": "earliest", "queued.max.messages.kbytes": 16_384,
            "partition.assignment.strategy": "cooperative-sticky", "session.timeout.ms": SESSION,
            "heartbeat.interval.ms": SESSION // 10, "topic.metadata.refresh.interval.ms": 30_000,
        })  # fmt: skip
        self.going = True
        self._given: dict[Part, Given] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._starts: dict[Part, int] = {}
        self._joined: frozenset[str] = frozenset()
        self._joins = inf
        self._confirmed = now()
        self._unanswered = 0
        self._missed: list[Missed] = []
        # Filled on another thread; no more than was given.
        self._done: deque[tuple[Part, int]] = deque()
        self._released: deque[tuple[Part, int]] = deque()
        self._finished = threading.Event()

    def share(self, begins: Mapping[str, Begin]) -> None:
        """Take part in these, too. Raises Away."""
        with told():
            known = self._looking.partitions()
            for topic, subjects in by_topic(begins).items():
                self._names |= {(topic, key): subject for subject, key in subjects.items()}
                begin = next(begins[subject] for subject in subjects)
                for part in ((topic, number) for number in known.get(topic, ())):
                    self._starts[part] = self._first(part, begin)
            self._begin_group([part for part in self._starts if part not in self._given])
        self._joins = self._now() + _SETTLE

    def leave(self, subjects: Iterable[str]) -> None:
        """Take part in these no more; what was not done of a topic that is left goes to others. Raises Away."""
        with told():
            self._confirm(at_once=True)
            for subject in subjects:
                self._names.pop(topic_and_key(subject), None)
            wanted = {topic for topic, _ in self._names}
            for part in [part for part in self._given if part[0] not in wanted]:
                del self._given[part]
            if not wanted >= self._joined:
                self._join()

    def done(self, messages: Iterable[Received]) -> None:
        """These were worked on; to be called on any thread. The next ``poll`` tells the cluster."""
        self._done.extend(map(_place_of, messages))
        self._finished.set()

    def release(self, messages: Iterable[Received]) -> None:
        """Nobody here will work on these. If their topic is not left, they are passed over; on any thread."""
        self._released.extend(map(_place_of, messages))

    def poll(self) -> Sequence[Received | Missed]:
        """What is new, each subject's in order. Raises Away."""
        consumer = self._open()
        with told():
            self._look_around()
            while self._released:
                self._done.append(self._released.popleft())
            self._confirm()
            first = consumer.poll(SLICE)
            messages = [] if first is None else [first, *consumer.consume(AT_ONCE, 0)]
            found = [one for message in messages for one in self._take(message)]
            self._hold_up(consumer)
        missed, self._missed = self._missed, []
        return [*missed, *found]

    def close(self) -> None:
        """Leave the group: its other members have what is not done at once."""
        self.going = False
        consumer, self._consumer = self._consumer, None
        if consumer is not None and not self._heard.troubled and self._last_word(consumer):
            self._given.clear()
            consumer.close()
        # else it is let go of without a word: its own ``close`` would wait until the cluster is back

    # Where a group begins.

    def _first(self, part: Part, begin: Begin) -> int:
        low, high = self._looking.ends(part)
        if begin.since_ns is not None:
            return self._looking.at(part, begin.since_ns // 1_000_000)
        return high if begin.sequence is None else max(low, begin.sequence)

    def _begin_group(self, parts: Sequence[Part]) -> None:
        """Fix where a group begins that is not there yet, so that who is given a partition first begins there. The ends
        were asked before: who does this beside another does not go past what that one waits for.
        """
        from confluent_kafka import KafkaException  # noqa: PLC0415 - an optional extra

        new = [place(part, self._starts[part]) for part, offset in self._known(parts).items() if offset is None]
        try:
            if new:
                self._open().commit(offsets=new, asynchronous=False)
        except KafkaException as error:
            if error.args[0].name() not in _LATER:  # the group has members: the one who is given a partition tells
                raise

    def _known(self, parts: Sequence[Part]) -> dict[Part, int | None]:
        """The group's place in each partition; None: it has none."""
        if not parts:
            return {}
        found = self._open().committed([place(part) for part in parts], timeout=_ANSWER_WITHIN)
        for one in found:
            if one.error is not None:
                raise Away(words_of(one.error))
        return {_part(one): one.offset if one.offset >= 0 else None for one in found}

    # Partitions come and go.

    def _look_around(self) -> None:
        """Join when all is known that a program begins with, and when topics come that were not there."""
        now = self._now()
        if now >= self._joins:
            missing = {topic for topic, _ in self._names} - self._join()
            self._joins = now + _MISSING if missing else inf

    def _join(self) -> frozenset[str]:
        """Be a member for those topics that there are. Returns them."""
        wanted, consumer = frozenset(topic for topic, _ in self._names), self._open()
        topics = wanted & self._looking.partitions().keys() if wanted else wanted
        if topics != self._joined:
            self._joined = topics
            if topics:
                told_of = {"on_assign": self._assigned, "on_revoke": self._revoked, "on_lost": self._lost}
                consumer.subscribe(sorted(topics), **told_of)
            else:
                consumer.unsubscribe()
        return topics

    def _assigned(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        places: list[TopicPartition] = []
        for part, known in self._known([_part(one) for one in parts]).items():
            low, high = self._looking.ends(part)
            start = self._starts.get(part, low) if known is None else known
            if not low <= start <= high:
                self._missed += self._all_of(part)
                start = low
            self._given[part] = Given(start, known)
            places.append(place(part, start))
        consumer.incremental_assign(places)

    def _revoked(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        """Others will have them: finish what was begun, if it does not take long."""
        leaving = [self._given[part] for part in map(_part, parts) if part in self._given]
        until = self._now() + _HAND_OVER
        self._take_done()
        while self.going and self._now() < until and not all(one.is_done for one in leaving):
            self._finished.wait(SLICE)
            self._take_done()
        self._confirm(at_once=True)
        self._lost(consumer, parts)

    def _lost(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        """Others have them already."""
        for part in map(_part, parts):
            self._given.pop(part, None)
        consumer.incremental_unassign(parts)

    # Data.

    def _take(self, message: Message) -> Iterator[Received | Missed]:
        error = message.error()
        if error is not None:
            if error.name() in _REFUSED:
                raise Away(words_of(error))
            self._heard.hear(error)
            return
        part, offset = part_of(message), message.offset() or 0
        given = self._given.get(part)
        if given is None:  # another's by now
            return
        if given.jump(offset) < 0:
            raise Away(f"topic {part[0]} began anew")
        if given.jump(offset) and self._looking.ends(part)[0] > given.position:
            yield from self._all_of(part)
        subject = self._names.get((part[0], text(message.key())))
        given.read(offset, wanted=subject is not None)
        if subject is not None:
            yield received(subject, message)

    def _all_of(self, part: Part) -> list[Missed]:
        return [Missed(subject) for (topic, _), subject in self._names.items() if topic == part[0]]

    def _hold_up(self, consumer: Consumer) -> None:
        """Read no more of a partition of which too much is undone."""
        for part, given in self._given.items():
            if given.is_full != given.is_paused:
                given.is_paused = given.is_full
                (consumer.pause if given.is_full else consumer.resume)([place(part)])

    # What is done.

    def _take_done(self) -> bool:
        self._finished.clear()
        found = bool(self._done)
        while self._done:
            part, offset = self._done.popleft()
            if part in self._given:
                self._given[part].done(offset)
        return found

    def _confirm(self, *, at_once: bool = False) -> None:
        """Tell the cluster what is done; of what was only passed over, from time to time."""
        now = self._now()
        if not self._take_done() and not at_once and now - self._confirmed < _PASSED:
            return
        self._confirmed = now
        due = {
            part: offset for part, given in self._given.items() if (offset := given.due(at_once=at_once)) is not None
        }
        if due:
            self._open().commit(offsets=[place(part, offset) for part, offset in due.items()], asynchronous=True)
            self._unanswered += 1
            for part, offset in due.items():
                self._given[part].send(offset)

    def _answered(self, error: KafkaError | None, parts: list[TopicPartition]) -> None:
        """An ``on_commit``: what was not taken is told again."""
        self._unanswered -= 1
        for one in parts:
            given, taken = self._given.get(_part(one)), error is None and one.error is None
            if given is not None:
                given.answered(one.offset, taken=taken)
            if not taken:
                self._confirmed = -inf

    def _last_word(self, consumer: Consumer) -> bool:
        """Tell what is done for the last time. Returns whether everything was answered."""
        with contextlib.suppress(Away), told():
            self._consumer = consumer
            self._confirmed, until = -inf, self._now() + _LAST
            while self._now() < until and (self._unanswered or self._confirmed == -inf):
                if not self._unanswered:
                    self._confirm(at_once=True)
                consumer.poll(SLICE)
        self._consumer = None
        return not self._unanswered

    def _open(self) -> Consumer:
        if self._consumer is None:
            raise Away("the line is lost")
        return self._consumer


#: We are no member at this moment, or the group is being shared out anew: it is told again, or somebody else tells it.
_LATER = ("UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION", "REBALANCE_IN_PROGRESS")
#: What no waiting mends.
_REFUSED = ("GROUP_AUTHORIZATION_FAILED", "TOPIC_AUTHORIZATION_FAILED")


def _part(one: TopicPartition) -> Part:
    return one.topic, one.partition


def _place_of(message: Received) -> tuple[Part, int]:
    number, _, offset = message.position.partition(":")
    return (topic_and_key(message.subject)[0], int(number)), int(offset)
