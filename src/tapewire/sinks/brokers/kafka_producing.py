"""One producer of librdkafka: what it is told to keep, what it takes, what it reports."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tapewire.errors import ConfigError
from tapewire.sinks.brokers.kafka_line import Cluster, Told, topic_and_key, words_of
from tapewire.sinks.brokers.letters import Message
from tapewire.sinks.brokers.link import Away, Refused, Unconfirmed, Verdict
from tapewire.sinks.brokers.options import BrokerOptions

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Producer

#: Of what librdkafka says at ``log_level`` 0: that a producer has failed for good.
logger = logging.getLogger("tapewire.sinks")
#: Header with the event's id.
ID = "tw-id"
#: Bytes of one message that librdkafka may send; what the cluster takes is its own business.
_LARGEST = 16 * 1024 * 1024
#: Milliseconds for which librdkafka collects a batch: a group is handed over within them.
_LINGER = 1


class TopicOptions(Struct, frozen=True, kw_only=True):
    """Topics, when they have to be made; one that is there stays as it is.

    Attributes:
        partitions: of each topic; a symbol's messages are all in one.
        replicas: brokers that keep it: 3 survives the loss of one.
        max_age: seconds for which messages are kept; 0: as long as the cluster says.
        compression: of batches on their way and in the log.
    """

    partitions: int = 4
    replicas: int = 1
    max_age: float = 86400.0
    compression: str = "lz4"

    def __post_init__(self) -> None:
        for option in ("partitions", "replicas"):
            if not getattr(self, option) >= 1:
                raise ConfigError(option, getattr(self, option), "1 or more")
        if not self.max_age >= 0:
            raise ConfigError("max_age", self.max_age, "0 or more")
        if self.compression not in _COMPRESSIONS:
            raise ConfigError("compression", self.compression, " or ".join(_COMPRESSIONS))


_COMPRESSIONS = ("none", "gzip", "snappy", "lz4", "zstd")


class Delivery:
    """What became of the messages of one group. Reports are written by whatever thread polls the producer."""

    __slots__ = ("_heard", "handed_over", "verdicts")

    def __init__(self, count: int) -> None:
        self.verdicts: list[Verdict] = [Unconfirmed("behind a message that was not taken")] * count
        self.handed_over = 0
        self._heard: list[int] = []

    @property
    def left(self) -> int:
        """Messages that were handed over and of which nothing was reported."""
        return self.handed_over - len(self._heard)

    def hear(self, position: int, verdict: Verdict) -> None:
        """A report."""
        self.verdicts[position] = verdict
        self._heard.append(position)


class Producing:
    """``going`` is set to False by whoever does not wait any more: what runs then ends soon."""

    def __init__(self, cluster: Cluster, topics: TopicOptions, options: BrokerOptions) -> None:
        from confluent_kafka import KafkaException, Producer  # noqa: PLC0415 - an optional extra

        self._error = KafkaException
        self.going = True
        self._told, self._topics = Told(), topics
        self._settings = cluster.settings() | {"error_cb": self._told.hear}
        self._known: set[str] = set()
        self.failed = ""
        """Why it will never take anything again."""
        self._producer: Producer = Producer({
            **self._settings, "enable.idempotence": True, "enable.gapless.guarantee": True, "linger.ms": _LINGER,
            "message.max.bytes": _LARGEST,
            "compression.type": topics.compression, "partitioner": "murmur2_random",
            "queue.buffering.max.messages": 10 * options.window,
            "message.timeout.ms": round(options.confirm_timeout * 1000) + 5_000,
        }, logger=logger)  # fmt: skip

    @property
    def troubled(self) -> bool:
        """A line of its own was lost since the cluster last answered."""
        return self._told.troubled

    def reach(self, seconds: float) -> None:
        """See that the cluster answers, and what topics it has; blocks. Raises Away, NotLetIn."""
        self._told.reach(self._producer, seconds, lambda: self.going)
        self._known = set(self._producer.list_topics(timeout=seconds).topics)

    def close(self) -> None:
        """Throw away what waits: the courier has it, and would send it twice. Blocks."""
        self._producer.purge()
        self._poll()
        self._producer.close()

    def produce(self, message: Message, delivery: Delivery, position: int) -> bool | None:
        """Hand one message over. Returns whether it was taken; None: the queue is full."""
        topic, key = topic_and_key(message.subject)
        headers: Any = [*message.headers.items(), (ID, message.id)]
        try:
            self._producer.produce(
                topic, message.payload, key, headers=headers, on_delivery=partial(self._hear, delivery, position)
            )
        except BufferError:
            return None
        except self._error as error:
            delivery.verdicts[position] = self._verdict(error.args[0])
            return False
        delivery.handed_over += 1
        return True

    def look(self) -> None:
        """Let the reports come that are there."""
        self._poll()
        if self.failed:
            self._producer.purge()  # nothing of it will be sent
            self._poll()

    def _poll(self) -> None:
        try:
            self._producer.poll(0)
        except self._error as error:
            self.failed = words_of(error.args[0])

    def missing(self, group: Iterable[Message]) -> set[str]:
        """Topics that have to be made first."""
        return {topic_and_key(message.subject)[0] for message in group} - self._known

    def make(self, missing: set[str]) -> None:
        """Make the topics that are not there; a cluster that makes none by request makes them by itself, or not.

        Blocks. Raises Away.
        """
        from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # noqa: PLC0415

        wanted = self._topics
        kept = {"retention.ms": str(round(wanted.max_age * 1000))} if wanted.max_age else {}
        admin = AdminClient(self._settings)  # its answers end with it
        made = admin.create_topics(
            [NewTopic(name, wanted.partitions, wanted.replicas, config=kept) for name in sorted(missing)],
            request_timeout=5,
        )
        for name, answer in made.items():
            try:
                answer.result()
            except self._error as error:
                if error.args[0].name() not in _MADE_OTHERWISE:
                    raise Away(f"topic {name} cannot be made: {words_of(error.args[0])}") from None
            self._known.add(name)

    def _hear(self, delivery: Delivery, position: int, error: KafkaError | None, _message: Any) -> None:
        delivery.hear(position, None if error is None else self._verdict(error))

    def _verdict(self, error: KafkaError) -> Verdict:
        words = words_of(error)
        if error.name() in _NEVER:
            return Refused(words)
        self.failed = self.failed or words
        return Unconfirmed(words)


#: The topic is there; this cluster takes no such request; we may not make any: the cluster's own rule decides.
_MADE_OTHERWISE = (
    "TOPIC_ALREADY_EXISTS", "_UNSUPPORTED_FEATURE", "TOPIC_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED",
    "INVALID_TOPIC_EXCEPTION",
)  # fmt: skip
#: What no trying again mends.
_NEVER = ("MSG_SIZE_TOO_LARGE", "INVALID_TOPIC_EXCEPTION", "INVALID_RECORD", "_BAD_MSG", "_MSG_SIZE_TOO_LARGE")
