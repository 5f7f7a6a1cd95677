"""The sink for Kafka: an idempotent producer, a topic for each kind of each venue, the symbol as key."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from functools import partial
from typing import Any

from tapewire.sinks.brokers.kafka_line import Calls, Cluster, Sasl, check_usable
from tapewire.sinks.brokers.kafka_producing import Delivery, Producing, TopicOptions
from tapewire.sinks.brokers.letters import Message
from tapewire.sinks.brokers.link import Away, Verdict
from tapewire.sinks.brokers.options import BrokerOptions, read_options
from tapewire.sinks.brokers.sink import BrokerSink

#: Seconds between looks at what was delivered, and without any delivery after which a cluster in trouble is asked
#: whether it is there.
_LOOK, _DOUBT = 0.001, 1.0


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
    """One producer. What it is given and what it reports is dealt with in the event loop, what blocks on a thread.

    It is idempotent and leaves no gap: nothing of a symbol is stored behind a message that was not. Where that would
    be, the producer fails for good, and another is made. So many messages of a symbol are on their way at once, and
    what is packed meanwhile need not wait for them.
    """

    in_order = True
    groups = 4

    def __init__(self, cluster: Cluster, topics: TopicOptions, options: BrokerOptions) -> None:
        self._cluster, self._topics, self._options = cluster, topics, options
        self._producing: Producing | None = None
        self._calls = Calls()
        self._turn, self._closed = asyncio.Lock(), asyncio.Event()
        self._under_way = 0
        self._held = False

    async def connect(self) -> None:
        """Make a producer, and see that the cluster answers it."""
        check_usable(self._cluster)
        self._producing = producing = Producing(self._cluster, self._topics, self._options)
        self._calls, self._turn, self._closed = Calls(), asyncio.Lock(), asyncio.Event()
        self._under_way, self._held = 0, False
        try:
            await self._calls.begin(partial(producing.reach, self._options.connect_timeout))
        except BaseException:
            await self.close()
            raise

    async def send(self, group: Sequence[Message]) -> Sequence[Verdict]:
        """Produce all, and wait until each was delivered."""
        producing = self._producing
        if producing is None:
            raise Away("the line is lost")
        self._under_way += 1
        try:
            async with self._turn:  # in the order of the calls
                delivery = await self._produced(producing, group)
            await self._reported(producing, delivery)
        finally:
            self._under_way -= 1
            self._held = self._held and self._under_way > 0
        return delivery.verdicts

    async def close(self) -> None:
        """Forget what is on its way, and let go of the producer."""
        producing, self._producing = self._producing, None
        if producing is not None:
            producing.going = False
            self._closed.set()
            await self._calls.end(producing)

    async def _produced(self, producing: Producing, group: Sequence[Message]) -> Delivery:
        """Hand a group to librdkafka. What it does not take holds up all that is under way behind it."""
        delivery = Delivery(len(group))
        if self._held:
            return delivery
        if producing.failed:
            raise Away(producing.failed)
        if missing := producing.missing(group):
            await self._calls.begin(partial(producing.make, missing))
        for position, message in enumerate(group):
            while (taken := producing.produce(message, delivery, position)) is None:  # its queue is full
                await self._moment()
                producing.look()
            if not taken:
                self._held = True
                break
        return delivery

    async def _reported(self, producing: Producing, delivery: Delivery) -> None:
        """Wait for the reports of a group. Raises Away, NotLetIn: nobody answers."""
        now = asyncio.get_running_loop().time
        quiet, before = now(), delivery.left
        while delivery.left:
            await self._moment()
            producing.look()
            if producing.failed:
                self._held = True
            if delivery.left < before:
                quiet, before = now(), delivery.left
            elif producing.troubled and now() - quiet > _DOUBT:
                await self._calls.begin(partial(producing.reach, _DOUBT))

    async def _moment(self) -> None:
        """Let librdkafka work for a while, or until we are closed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK):
                await self._closed.wait()
