"""Streams of a RabbitMQ server, as ``sink_kit`` wants to torment and to read them."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import aio_pika
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage
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

    def make(self, arguments: dict[str, Any] | None = None) -> None:
        """None: with the arguments that a sink gives them."""
        asyncio.run(self._make(arguments or QueueOptions(queue="stream").arguments()))

    def stored(self) -> list[Stored]:
        self._server.wait_until(self._are_there)
        return asyncio.run(self._stored())

    async def _make(self, arguments: Any) -> None:
        async with await aio_pika.connect(self._server.address) as connection:
            channel = await connection.channel()
            for name in self._names:
                await channel.declare_queue(name, durable=True, arguments=arguments)

    def _are_there(self) -> bool:
        """For some moments after the server starts they are not."""
        return asyncio.run(self._answer())

    async def _answer(self) -> bool:
        async with await aio_pika.connect(self._server.address) as connection:
            for name in self._names:
                try:  # a question that is refused closes its channel
                    await (await connection.channel()).get_queue(name)
                except ChannelNotFoundEntity:
                    return False
            return True

    async def _stored(self) -> list[Stored]:
        async with asyncio.timeout(60), await aio_pika.connect(self._server.address) as connection:
            return [one for name in self._names for one in await _read(connection, name)]


async def _read(connection: AbstractConnection, name: str) -> list[Stored]:
    """What stands before a mark that is written now: for some moments after the server starts a stream reads as empty;
    when it takes the mark it is whole.
    """
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=1_000)
    mark = aio_pika.Message(os.urandom(16), type=_MARK, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    await channel.default_exchange.publish(mark, name)
    came: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
    queue = await channel.get_queue(name)
    await queue.consume(came.put, arguments={"x-stream-offset": "first"})
    found: list[Stored] = []
    while (message := await came.get()).body != mark.body:
        await message.ack()
        if message.type != _MARK:
            found.append(({key: str(value) for key, value in message.headers.items()}, message.body))
    await channel.close()
    return found
