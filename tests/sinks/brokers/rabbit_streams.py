"""Streams of a RabbitMQ server, as ``sink_kit`` wants to torment and to read them."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import ChannelNotFoundEntity

from tapewire.sinks.brokers.rabbitmq_queues import QueueOptions
from tests.sinks.brokers.rabbit_server import RabbitServer
from tests.sinks.brokers.servers import PASSWORD, Stored

_MARK = "mark"


class RabbitStreams:
    """A broker for ``sink_kit``.

    Args:
        server: which may have the streams of others, too.
        names: of the streams; they are read in this order.
    """

    secret = PASSWORD

    def __init__(self, server: RabbitServer, *names: str) -> None:
        self._server, self._names = server, names
        self.start, self.kill, self.pause, self.resume = server.start, server.kill, server.pause, server.resume

    @property
    def address(self) -> str:
        return self._server.stream_address

    @property
    def refused_address(self) -> str:
        return self.address.replace(PASSWORD, f"Wrong{PASSWORD}")

    def make(self, **others: Any) -> None:
        """With the arguments that a sink gives them, or others."""
        asyncio.run(self._make(QueueOptions(queue="stream").arguments() | others))

    def stored(self) -> list[Stored]:
        return asyncio.run(self._stored())

    async def _make(self, arguments: Any) -> None:
        async with await aio_pika.connect(self._server.address) as connection:
            channel = await connection.channel()
            for name in self._names:
                await channel.declare_queue(name, durable=True, arguments=arguments)

    async def _stored(self) -> list[Stored]:
        async with asyncio.timeout(60), await aio_pika.connect(self._server.address) as connection:
            return [one for name in self._names for one in await _read(connection, name)]


async def _read(connection: AbstractConnection, name: str) -> list[Stored]:
    """What stands before a mark that is written now: for some moments after the server starts a stream is not there,
    then empty; when it takes the mark it is whole.
    """
    channel, queue = await _found(connection, name)
    await channel.set_qos(prefetch_count=1_000)
    mark = aio_pika.Message(os.urandom(16), type=_MARK, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    await channel.default_exchange.publish(mark, name)
    came: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
    await queue.consume(came.put, arguments={"x-stream-offset": "first"})
    found: list[Stored] = []
    while (message := await came.get()).body != mark.body:
        await message.ack()
        if message.type != _MARK:
            found.append(({key: str(value) for key, value in message.headers.items()}, message.body))
    await channel.close()
    return found


async def _found(connection: AbstractConnection, name: str) -> tuple[AbstractChannel, AbstractQueue]:
    """A question that is refused closes its channel."""
    while True:
        channel = await connection.channel()
        try:
            return channel, await channel.get_queue(name)
        except ChannelNotFoundEntity:
            await asyncio.sleep(0.1)
