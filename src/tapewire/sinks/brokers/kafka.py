"""The sink for Kafka: an idempotent producer, a topic for each kind of each venue, the symbol as key."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tapewire.errors import ConfigError
from tapewire.sinks.brokers.kafka_line import (
    SLICE,
    Calls,
    Cluster,
    Sasl,
    Told,
    check_usable,
    topic_and_key,
    words_of,
)
from tapewire.sinks.brokers.letters import Message
from tapewire.sinks.brokers.link import Away, Refused, Unconfirmed, Verdict
from tapewire.sinks.brokers.options import BrokerOptions, read_options
from tapewire.sinks.brokers.sink import BrokerSink

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Producer

#: Of what librdkafka says at ``log_level`` 0: that a producer has failed for good.
logger = logging.getLogger("tapewire.sinks")
#: Header with the event's id.
ID = "tw-id"
#: Bytes of one message that librdkafka may send; what the cluster takes is its own business.
_LARGEST = 16 * 1024 * 1024
#: Milliseconds for which librdkafka collects a batch: a group is handed over within them, and ``flush`` ends them.
_LINGER = 20
#: Seconds without any confirmation after which a cluster in trouble is asked whether it is there.
_DOUBT = 1.0


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


class KafkaSink(BrokerSink):
    """Produces to the topic ``md.upbit.kr.trade`` with the key ``KRW-BTC`` and headers ``tw-…``.

    Args:
        target: ``kafka://user:password@host:9092``, ``kafkas://…`` (TLS); brokers joined by commas.
        sasl: how the password is shown: ``"PLAIN"``, ``"SCRAM-SHA-256"``, ``"SCRAM-SHA-512"``.
        ca: file with the certificates to trust, in place of the system's (``kafkas://``).
        options: fields of ``TopicOptions`` and ``BrokerOptions``.
    """

    def __init__(self, target: str, *, sasl: Sasl | None = None, ca: str | None = None, **options: Any) -> None:
        topics, common = read_options(TopicOptions, options)
        cluster = Cluster(target, sasl, ca)
        super().__init__(lambda: KafkaLink(cluster, topics, common), cluster.shown, common)


class KafkaLink:
    """One producer, whose blocking calls are made on a thread of its own, one after the other.

    It is idempotent and leaves no gap: nothing of a symbol is stored behind a message that was not. Where that would
    be, the producer fails for good, and another is made. So many messages of a symbol are on their way at once.
    """

    in_order = True

    def __init__(self, cluster: Cluster, topics: TopicOptions, options: BrokerOptions) -> None:
        self._cluster, self._topics, self._options = cluster, topics, options
        self._producing: _Producing | None = None
        self._calls = Calls()

    async def connect(self) -> None:
        """Make a producer, and see that the cluster answers it."""
        check_usable(self._cluster)
        self._producing = producing = _Producing(
            self._cluster, self._topics, self._options, asyncio.get_running_loop().time
        )
        self._calls = Calls()
        try:
            await self._calls.begin(partial(producing.reach, self._options.connect_timeout))
        except BaseException:
            await self.close()
            raise

    async def send(self, group: Sequence[Message]) -> Sequence[Verdict]:
        """Produce all, and wait until each was delivered."""
        if self._producing is None:
            raise Away("the line is lost")
        return await self._calls.begin(partial(self._producing.deliver, group))

    async def close(self) -> None:
        """Forget what is on its way, and let go of the producer."""
        producing, self._producing = self._producing, None
        if producing is not None:
            producing.going = False
            await self._calls.end(producing)


class _Producing:
    """The blocking half. ``going`` is set to False by whoever does not wait any more: what runs then ends soon."""

    def __init__(
        self, cluster: Cluster, topics: TopicOptions, options: BrokerOptions, now: Callable[[], float]
    ) -> None:
        from confluent_kafka import Producer  # noqa: PLC0415 - an optional extra

        self.going = True
        self._told, self._topics, self._now = Told(), topics, now
        self._settings = cluster.settings() | {"error_cb": self._told.hear}
        self._known: set[str] = set()
        self._failed = ""
        self._producer: Producer = Producer({
            **self._settings, "enable.idempotence": True, "enable.gapless.guarantee": True, "linger.ms": _LINGER,
            "message.max.bytes": _LARGEST,
            "compression.type": topics.compression, "partitioner": "murmur2_random",
            "queue.buffering.max.messages": 10 * options.window,
            "message.timeout.ms": round(options.confirm_timeout * 1000) + 5_000,
        }, logger=logger)  # fmt: skip

    def reach(self, seconds: float) -> None:
        """See that it answers. Raises Away, NotLetIn."""
        self._told.reach(self._producer, seconds, self._is_going)
        self._known = set(self._producer.list_topics(timeout=seconds).topics)

    def deliver(self, group: Sequence[Message]) -> Sequence[Verdict]:
        """Produce all, wait for their reports. Raises Away: nobody answers, or this producer has failed for good."""
        if self._failed:
            raise Away(self._failed)
        places = [topic_and_key(message.subject) for message in group]
        self._make({topic for topic, _ in places} - self._known)
        verdicts: list[Verdict] = [Unconfirmed("no answer")] * len(group)
        self._produce(group, places, verdicts)
        quiet, left = self._now(), len(self._producer)
        while left and self.going:
            before, left = left, self._left_after_reports()
            if left < before:
                quiet = self._now()
            elif self._told.troubled and self._now() - quiet > _DOUBT:
                self._told.reach(self._producer, _DOUBT, self._is_going)
        return verdicts

    def _left_after_reports(self) -> int:
        """Let reports come for a moment. Returns of how many messages there is none yet."""
        from confluent_kafka import KafkaException  # noqa: PLC0415 - an optional extra

        try:
            return self._producer.flush(SLICE)
        except KafkaException as error:  # it has failed for good, and gives back what waits
            self._failed = words_of(error.args[0])
            self._producer.poll(SLICE)
            return len(self._producer)

    def close(self) -> None:
        """Throw away what waits: the courier has it, and would send it twice."""
        self._producer.purge()
        self._producer.poll(0)
        self._producer.close()

    def _produce(self, group: Sequence[Message], places: Sequence[tuple[str, str]], verdicts: list[Verdict]) -> None:
        """Hand all to librdkafka. Nothing is handed over behind a message of its symbol that was not."""
        from confluent_kafka import KafkaException  # noqa: PLC0415 - an optional extra

        produce, held_up = self._producer.produce, set[str]()

        def hear(position: int, error: KafkaError | None, _message: Any) -> None:
            verdicts[position] = None if error is None else _verdict(error)

        for position, (message, (topic, key)) in enumerate(zip(group, places, strict=True)):
            if message.subject in held_up:
                verdicts[position] = Unconfirmed("behind a message that was not taken")
                continue
            headers: Any = [*message.headers.items(), (ID, message.id)]
            try:
                produce(topic, message.payload, key, headers=headers, on_delivery=partial(hear, position))
            except BufferError:
                verdicts[position] = Unconfirmed("the producer's queue is full")
                held_up.add(message.subject)
            except KafkaException as error:
                verdicts[position] = _verdict(error.args[0])
                held_up.add(message.subject)

    def _make(self, missing: set[str]) -> None:
        """Make the topics that are not there; a cluster that makes none by request makes them by itself, or not."""
        if not missing:
            return
        from confluent_kafka import KafkaException  # noqa: PLC0415 - an optional extra
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
            except KafkaException as error:
                if error.args[0].name() not in _MADE_OTHERWISE:
                    raise Away(f"topic {name} cannot be made: {words_of(error.args[0])}") from None
            self._known.add(name)

    def _is_going(self) -> bool:
        return self.going


#: The topic is there; this cluster takes no such request; we may not make any: the cluster's own rule decides.
_MADE_OTHERWISE = (
    "TOPIC_ALREADY_EXISTS", "_UNSUPPORTED_FEATURE", "TOPIC_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED",
    "INVALID_TOPIC_EXCEPTION",
)  # fmt: skip
#: What no trying again mends.
_NEVER = ("MSG_SIZE_TOO_LARGE", "INVALID_TOPIC_EXCEPTION", "INVALID_RECORD", "_BAD_MSG", "_MSG_SIZE_TOO_LARGE")


def _verdict(error: KafkaError) -> Verdict:
    words = words_of(error)
    return Refused(words) if error.name() in _NEVER else Unconfirmed(words)
