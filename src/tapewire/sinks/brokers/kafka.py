"""The sink for Kafka: an idempotent producer, a topic for each kind of each venue, the symbol as key."""

from __future__ import annotations

import asyncio
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
    check_installed,
    topic_and_key,
    words_of,
)
from tapewire.sinks.brokers.letters import Message
from tapewire.sinks.brokers.link import Away, Refused, Unconfirmed, Verdict
from tapewire.sinks.brokers.options import BrokerOptions, read_options
from tapewire.sinks.brokers.sink import BrokerSink

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Producer

#: Header with the event's id.
ID = "tw-id"
#: Bytes of one message that librdkafka may send; what the cluster takes is its own business.
_LARGEST = 16 * 1024 * 1024
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
    """One producer, whose blocking calls are made on a thread of its own, one after the other."""

    in_order = False

    def __init__(self, cluster: Cluster, topics: TopicOptions, options: BrokerOptions) -> None:
        self._cluster, self._topics, self._options = cluster, topics, options
        self._producing: _Producing | None = None
        self._calls = Calls()

    async def connect(self) -> None:
        """Make a producer, and see that the cluster answers it."""
        check_installed()
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
        self._verdicts: list[Verdict] = []
        self._producer: Producer = Producer({
            **self._settings, "enable.idempotence": True, "linger.ms": 0, "message.max.bytes": _LARGEST,
            "compression.type": topics.compression, "partitioner": "murmur2_random",
            "queue.buffering.max.messages": 10 * options.window,
            "message.timeout.ms": round(options.confirm_timeout * 1000) + 5_000,
        })  # fmt: skip

    def reach(self, seconds: float) -> None:
        """See that it answers. Raises Away, NotLetIn."""
        self._told.reach(self._producer, seconds, self._is_going)
        self._known = set(self._producer.list_topics(timeout=seconds).topics)

    def deliver(self, group: Sequence[Message]) -> Sequence[Verdict]:
        """Produce all, wait for their reports. Raises Away: the cluster answers nobody."""
        places = [topic_and_key(message.subject) for message in group]
        self._make({topic for topic, _ in places} - self._known)
        verdicts: list[Verdict] = [Unconfirmed("no answer")] * len(group)
        self._verdicts = verdicts
        for position, (message, place) in enumerate(zip(group, places, strict=True)):
            self._produce(position, message, *place)
        quiet, left = self._now(), len(self._producer)
        while left and self.going:
            before, left = left, self._producer.flush(SLICE)
            if left < before:
                quiet = self._now()
            elif self._told.troubled and self._now() - quiet > _DOUBT:
                self._told.reach(self._producer, _DOUBT, self._is_going)
        return verdicts

    def close(self) -> None:
        """Throw away what waits: the courier has it, and would send it twice."""
        self._producer.purge()
        self._producer.poll(0)
        self._producer.close()

    def _produce(self, position: int, message: Message, topic: str, key: str) -> None:
        from confluent_kafka import KafkaException  # noqa: PLC0415 - an optional extra

        try:
            self._producer.produce(
                topic, message.payload, key, headers=[*message.headers.items(), (ID, message.id)],
                on_delivery=partial(self._hear, self._verdicts, position),
            )  # fmt: skip
        except BufferError:
            self._verdicts[position] = Unconfirmed("the producer's queue is full")
        except KafkaException as error:
            self._hear(self._verdicts, position, error.args[0], None)

    def _hear(self, verdicts: list[Verdict], position: int, error: KafkaError | None, _message: Any) -> None:
        verdicts[position] = None if error is None else _verdict(error)

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
