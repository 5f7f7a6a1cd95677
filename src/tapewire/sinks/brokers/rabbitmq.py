"""The sink for RabbitMQ: a topic exchange, a queue or streams behind it, each message confirmed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tapewire.sinks.brokers.address import Address
from tapewire.sinks.brokers.letters import Message
from tapewire.sinks.brokers.link import Away, Refused, Unconfirmed, Verdict
from tapewire.sinks.brokers.options import BrokerOptions, read_options
from tapewire.sinks.brokers.rabbitmq_line import SCHEMES, answering, connect, hang_up, is_there, open_channel, words_of
from tapewire.sinks.brokers.rabbitmq_queues import NAME_MOST, QueueOptions, plain_name
from tapewire.sinks.brokers.sink import BrokerSink

if TYPE_CHECKING:
    from aiormq.abc import AbstractChannel, AbstractConnection

_TYPES = {"event": "application/json", "venue": "application/json", "msgpack": "application/vnd.msgpack"}
#: What RabbitMQ says of a message that is larger than its ``max_message_size``.
_TOO_LARGE = re.compile(r"larger than (?:configured )?max size (\d+)")


class RabbitSink(BrokerSink):
    """Publishes to the topic exchange ``md``: routing key ``md.upbit.kr.trade.KRW-BTC``, message id, headers ``tw-…``.

    Args:
        target: ``amqp://user:password@host:5672/vhost``, ``amqps://…`` (TLS); servers of a cluster joined by commas.
        ca: file with the certificates to trust, in place of the system's (``amqps://``).
        options: fields of ``QueueOptions`` and ``BrokerOptions``.
    """

    def __init__(self, target: str, *, ca: str | None = None, **options: Any) -> None:
        queues, common = read_options(QueueOptions, options)
        address = Address(target, SCHEMES)
        super().__init__(lambda: RabbitLink(address, queues, common, ca), address.shown, common)


class RabbitLink:
    """One line and one channel, on which the server confirms each message."""

    in_order = False
    groups = 2

    def __init__(self, address: Address, queues: QueueOptions, options: BrokerOptions, ca: str | None) -> None:
        self._address, self._queues, self._options, self._ca = address, queues, options, ca
        self._exchange = queues.exchange or options.prefix
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._known: set[str] = set()
        self._opening = asyncio.Lock()

    async def connect(self) -> None:
        """Connect, and make exchange and queue if they are absent."""
        self._known = set()
        self._connection = await connect(self._address, self._ca)
        async with answering(refusing=True):
            self._channel = channel = await open_channel(self._connection)
            await channel.exchange_declare(self._exchange, exchange_type="topic", durable=True)
            if self._queues.queue in {"quorum", "classic"}:
                await self._make(self._exchange, f"{self._options.prefix}.#")

    async def send(self, group: Sequence[Message]) -> Sequence[Verdict]:
        """Publish all, and wait until each was confirmed."""
        async with answering():
            if self._queues.queue == "stream":
                for topic in {message.subject.rpartition(".")[0] for message in group} - self._known:
                    await self._make(plain_name(topic), f"{topic}.*")
                    self._known.add(topic)
            channel = await self._open()
            answers = await asyncio.gather(
                *(self._publish(channel, message) for message in group), return_exceptions=True
            )
        return [_verdict(message, answer, answers) for message, answer in zip(group, answers, strict=True)]

    async def close(self) -> None:
        """Cut the line."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            await hang_up(connection)

    async def _open(self) -> AbstractChannel:
        """The channel; another, if the server closed it for what was sent there."""
        if self._connection is None or self._connection.is_closed:
            raise Away("the line is lost")
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                self._channel = await open_channel(self._connection)
            return self._channel

    async def _publish(self, channel: AbstractChannel, message: Message) -> None:
        from aiormq import spec  # noqa: PLC0415 - an optional extra

        properties = spec.Basic.Properties(
            message_id=message.id, headers=dict(message.headers), delivery_mode=2,
            content_type=_TYPES[message.headers["tw-form"]],
        )  # fmt: skip
        if len(message.subject.encode()) <= NAME_MOST:
            publish: Any = channel.basic_publish  # ``wait`` is not in its abstract class
            await publish(
                message.payload, exchange=self._exchange, routing_key=message.subject, properties=properties,
                mandatory=self._queues.queue != "none", wait=False,
            )  # fmt: skip

    async def _make(self, queue: str, key: str) -> None:
        if self._connection is None:
            raise Away("the line is lost")
        channel = await self._open()
        if not await is_there(self._connection, queue):
            await channel.queue_declare(queue, durable=True, arguments=self._queues.arguments())
        await channel.queue_bind(queue, self._exchange, routing_key=key)


def _verdict(message: Message, answer: object, answers: Sequence[object]) -> Verdict:
    from aiormq import exceptions  # noqa: PLC0415 - an optional extra

    if len(message.subject.encode()) > NAME_MOST:
        return Refused(f"its routing key has more than {NAME_MOST} bytes")
    if not isinstance(answer, BaseException):
        return None
    if isinstance(answer, exceptions.PublishError):
        return Unconfirmed(f"no queue takes it: {words_of(answer)}")
    if isinstance(answer, exceptions.DeliveryError):
        return Unconfirmed("the server takes no more of it at present")
    for one in answers:  # a message that is too large closes the channel for all
        found = _TOO_LARGE.search(str(one))
        if found is not None:
            large = len(message.payload) > int(found[1])
            return Refused(f"larger than the {int(found[1]):,} bytes that the server takes") if large else _AGAIN
    raise Away(words_of(answer))


_AGAIN = Unconfirmed("the server closed the channel for another message")
