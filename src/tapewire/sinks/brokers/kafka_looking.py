"""What looks something up in a Kafka cluster while another reads: ends of partitions, times, the newest messages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from tapewire.sinks.brokers.kafka_line import SLICE, topic_and_key, words_of
from tapewire.sinks.brokers.link import Away
from tapewire.sinks.brokers.shared_log import look_back
from tapewire.sinks.brokers.source import Received

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message, TopicPartition

#: Messages of one turn.
AT_ONCE = 1_000
#: Seconds for one answer of the cluster; that are spent looking for newest messages.
_ANSWER_WITHIN, _LOOK = 5.0, 3.0
#: Milliseconds for which the cluster holds an answer back when there is nothing: others wait behind it.
_HOLD = 10

#: Topic and partition.
Part = tuple[str, int]


class Looking:
    """A consumer that reads nothing but what it is asked for; every call blocks."""

    def __init__(self, settings: Mapping[str, Any], now: Callable[[], float]) -> None:
        from confluent_kafka import Consumer  # noqa: PLC0415 - an optional extra

        self.going, self._now = True, now
        self._consumer: Consumer = Consumer({**settings, "fetch.wait.max.ms": _HOLD})

    def partitions(self) -> dict[str, list[int]]:
        """The partitions of every topic that there is."""
        topics = self._consumer.list_topics(timeout=_ANSWER_WITHIN).topics
        return {name: sorted(topic.partitions) for name, topic in topics.items() if topic.partitions}

    def ends(self, part: Part) -> tuple[int, int]:
        """The first message that is kept, and the one behind the last."""
        low, high = self._consumer.get_watermark_offsets(place(part), timeout=_ANSWER_WITHIN)
        return low, high

    def at(self, part: Part, milliseconds: int) -> int:
        """The first message of that time or later; a cluster that keeps no times is read from its beginning."""
        [found] = self._consumer.offsets_for_times([place(part, milliseconds)], timeout=_ANSWER_WITHIN)
        if found.offset >= 0:
            return int(found.offset)
        low, high = self.ends(part)
        newest = list(self._span({part: (high - 1, high)})) if high > low else []
        return low if any(message.timestamp()[1] >= milliseconds for message in newest) else high

    def newest(self, topic: str, partitions: Iterable[int], names: Mapping[str, str]) -> dict[str, Received]:
        """The newest message of each subject (of a key each), as far back as is looked."""
        wanted, until = {key: subject for subject, key in names.items()}, self._now() + _LOOK
        found: dict[str, Message] = {}
        parts = [(topic, number) for number in partitions]
        for spans in zip_longest(*(look_back(*self.ends(part)) for part in parts)):
            if len(found) == len(wanted) or self._now() > until:
                break
            late: dict[str, Message] = {}
            for message in self._span({part: span for part, span in zip(parts, spans, strict=True) if span}):
                key = text(message.key())
                if key in wanted and key not in found and not _later(late.get(key), message):
                    late[key] = message
            found |= late
        return {wanted[key]: received(wanted[key], message) for key, message in found.items()}

    def close(self) -> None:
        """Let go of the consumer."""
        self._consumer.close()

    def _span(self, spans: Mapping[Part, tuple[int, int]]) -> Iterator[Message]:
        """Every message of these spans."""
        self._consumer.assign([place(part, first) for part, (first, _) in spans.items()])
        left, until = {part: end for part, (_, end) in spans.items()}, self._now() + _ANSWER_WITHIN
        while left:
            if self._now() > until or not self.going:
                raise Away(f"nothing was read within {_ANSWER_WITHIN:g} s")
            first = self._consumer.poll(SLICE)
            for message in [] if first is None else [first, *self._consumer.consume(AT_ONCE, 0)]:
                part, offset = part_of(message), message.offset() or 0
                error = message.error()
                if error is not None and error.name() != "_PARTITION_EOF":
                    raise Away(words_of(error))
                if part in left and error is None and offset < left[part]:
                    yield message
                if part in left and (error is not None or offset + 1 >= left[part]):
                    del left[part]
        self._consumer.unassign()


@contextmanager
def told() -> Iterator[None]:
    """Errors of the client as ``Away``."""
    from confluent_kafka import KafkaException  # noqa: PLC0415 - an optional extra

    try:
        yield
    except KafkaException as error:
        raise Away(words_of(error.args[0])) from None


def by_topic(subjects: Iterable[str]) -> dict[str, dict[str, str]]:
    """Subjects and their keys, by topic."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for subject in subjects:
        topic, key = topic_and_key(subject)
        found[topic][subject] = key
    return found


def place(part: Part, offset: int = 0) -> TopicPartition:
    """A partition as confluent-kafka names it."""
    from confluent_kafka import TopicPartition  # noqa: PLC0415 - an optional extra

    return TopicPartition(*part, offset)


def part_of(message: Message) -> Part:
    """Where a message stands."""
    return message.topic() or "", message.partition() or 0


def text(value: str | bytes | None) -> str:
    """A key or a header."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value or ""


def received(subject: str, message: Message) -> Received:
    """A message for whoever hears the source."""
    payload: Any = message.value()
    return Received(subject, headers_of(message), payload or b"", f"{message.partition()}:{message.offset()}")


def headers_of(message: Message) -> dict[str, str]:
    """A message's headers."""
    pairs: Any = message.headers() or ()
    return {name: text(value) for name, value in pairs}


def _later(one: Message | None, other: Message) -> bool:
    """Whether one was stored later; in one partition what is read later is."""
    return one is not None and one.partition() != other.partition() and one.timestamp()[1] > other.timestamp()[1]
