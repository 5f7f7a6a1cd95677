"""The line to a RabbitMQ server: the client beneath aio-pika, which does not come back alone; its errors in words."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
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
CLOSE_WITHIN = 0.3
#: Seconds for an answer of the server to whoever reads. (Who writes has limits of his own: ``BrokerOptions``.)
ANSWER_WITHIN = 10.0


async def connect(address: Address, ca: str | None = None, within: float | None = None) -> AbstractConnection:
    """A line to the first server that takes us; it does not come back by itself.

    Args:
        address: of the servers.
        ca: file with the certificates to trust.
        within: seconds for each server; None: who calls has a limit.

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
            async with asyncio.timeout(within):
                await connection.connect()
        except aiormq.exceptions.AMQPError as error:
            if isinstance(error, _not_let_in()):
                raise NotLetIn(words_of(error)) from None
            last = Away(words_of(error))
        except TimeoutError:
            last = Away(_no_answer(within))
        except (OSError, ValueError) as error:
            last = Away(words_of(error))
        else:
            return connection
    raise last


async def hang_up(connection: AbstractConnection) -> None:
    """Close a line, whatever state it is in."""
    with contextlib.suppress(Exception):  # it may be broken: that is why it is closed
        async with asyncio.timeout(CLOSE_WITHIN):
            await connection.close()


async def is_there(connection: AbstractConnection, queue: str) -> bool:
    """Whether there is a queue of that name. Raises Away."""
    from aiormq import exceptions  # noqa: PLC0415 - an optional extra

    channel = await open_channel(connection)
    async with answering():
        try:
            await channel.queue_declare(queue, passive=True)
        except exceptions.ChannelNotFoundEntity:  # which closes the channel
            return False
    await close_channel(channel)
    return True


async def open_channel(connection: AbstractConnection, **options: Any) -> AbstractChannel:
    """One more channel. Raises Away."""
    async with answering():
        return await connection.channel(**options)


async def close_channel(channel: AbstractChannel) -> None:
    """Let go of a channel, whatever state it is in."""
    with contextlib.suppress(Exception):  # as in ``hang_up``
        async with asyncio.timeout(CLOSE_WITHIN):
            await channel.close()


@contextlib.asynccontextmanager
async def answering(within: float | None = None, *, refusing: bool = False) -> AsyncIterator[None]:
    """The server is asked.

    Args:
        within: seconds for its answer; None: who calls has a limit.
        refusing: it may say that it never will.

    Raises:
        Away: the line is lost, or there is no answer in time.
        NotLetIn: rights are missing, or what is there has other properties.
    """
    try:
        async with asyncio.timeout(within) as patience:
            yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise Away("the line is lost: no sign of life") from None  # aiormq cancels who asks, not the line alone
    except lost() as error:
        if patience.expired():
            raise Away(_no_answer(within)) from None
        raise _refused(error) if refusing else Away(words_of(error)) from None


def lost() -> tuple[type[Exception], ...]:
    """What is raised when the line or the channel is gone."""
    from aiormq import exceptions  # noqa: PLC0415 - an optional extra

    return exceptions.AMQPError, exceptions.ChannelInvalidStateError, OSError, RuntimeError, TimeoutError


def words_of(error: BaseException) -> str:
    """An error of the client for people."""
    words = " ".join(str(one) for one in error.args if isinstance(one, str) and one)
    return words or type(error).__name__


def _no_answer(within: float | None) -> str:
    return f"no answer within {within:g} s" if within is not None else "no answer"


def _refused(error: Exception) -> Away | NotLetIn:
    from aiormq import exceptions  # noqa: PLC0415 - an optional extra

    never = exceptions.ChannelAccessRefused, exceptions.ChannelPreconditionFailed
    return NotLetIn(words_of(error)) if isinstance(error, never) else Away(words_of(error))


def _not_let_in() -> tuple[type[Exception], ...]:
    from aiormq import exceptions  # noqa: PLC0415 - an optional extra

    return exceptions.AuthenticationError, exceptions.ProbableAuthenticationError, exceptions.ConnectionNotAllowed
