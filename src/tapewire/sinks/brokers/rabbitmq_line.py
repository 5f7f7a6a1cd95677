"""The line to a RabbitMQ server: the client beneath aio-pika, which does not come back alone; its errors in words."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from tapewire.sinks.brokers.address import Address
from tapewire.sinks.brokers.link import Away, NotLetIn
from tapewire.sinks.brokers.trust import trusting

if TYPE_CHECKING:
    from aiormq.abc import AbstractChannel, AbstractConnection

SCHEMES = ("amqp", "amqps")
#: Seconds between signs of life; after three without one the line is lost.
_HEARTBEAT = 5
#: Seconds to let go of a line; then it is cut.
_CLOSE = 0.3


async def connect(address: Address, ca: str | None = None) -> AbstractConnection:
    """A line to the first server that takes us; it does not come back by itself.

    Raises:
        Away, NotLetIn.
    """
    try:
        import aiormq  # noqa: PLC0415 - an optional extra; comes with aio-pika
        from yarl import URL  # noqa: PLC0415
    except ImportError:
        raise NotLetIn("the extra rabbitmq is needed: pip install tapewire[rabbitmq]") from None
    if ca is not None:
        trusting(ca)
    last = Away("no server is named")
    for text in address.urls:
        url = URL(str.__str__(text))
        url = url.update_query({"heartbeat": _HEARTBEAT, **({} if ca is None else {"cafile": ca}), **url.query})
        connection = aiormq.Connection(url)
        try:
            await connection.connect()
        except aiormq.exceptions.AMQPError as error:
            if isinstance(error, _not_let_in()):
                raise NotLetIn(words_of(error)) from None
            last = Away(words_of(error))
        except (OSError, ValueError) as error:
            last = Away(words_of(error))
        else:
            return connection
    raise last


async def hang_up(connection: AbstractConnection) -> None:
    """Close a line, whatever state it is in."""
    with contextlib.suppress(Exception):  # it may be broken: that is why it is closed
        async with asyncio.timeout(_CLOSE):
            await connection.close()


async def is_there(connection: AbstractConnection, queue: str) -> bool:
    """Whether there is a queue of that name. Raises Away."""
    from aiormq import exceptions  # noqa: PLC0415 - an optional extra

    channel = await open_channel(connection)
    try:
        await channel.queue_declare(queue, passive=True)
    except exceptions.ChannelNotFoundEntity:  # which closes the channel
        return False
    except lost() as error:
        raise Away(words_of(error)) from None
    await close_channel(channel)
    return True


async def open_channel(connection: AbstractConnection, **options: Any) -> AbstractChannel:
    """One more channel. Raises Away."""
    try:
        return await connection.channel(**options)
    except lost() as error:
        raise Away(words_of(error)) from None


async def close_channel(channel: AbstractChannel) -> None:
    """Let go of a channel, whatever state it is in."""
    with contextlib.suppress(Exception):  # as in ``hang_up``
        async with asyncio.timeout(_CLOSE):
            await channel.close()


def lost() -> tuple[type[Exception], ...]:
    """What is raised when the line or the channel is gone."""
    from aiormq import exceptions  # noqa: PLC0415 - an optional extra

    return exceptions.AMQPError, exceptions.ChannelInvalidStateError, OSError, RuntimeError, TimeoutError


def words_of(error: BaseException) -> str:
    """An error of the client for people."""
    words = " ".join(str(one) for one in error.args if isinstance(one, str) and one)
    return words or type(error).__name__


def _not_let_in() -> tuple[type[Exception], ...]:
    from aiormq import exceptions  # noqa: PLC0415 - an optional extra

    return exceptions.AuthenticationError, exceptions.ProbableAuthenticationError, exceptions.ConnectionNotAllowed
