"""What looks something up in a RabbitMQ stream while another reads: its ends, a time, the newest messages."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import aclosing
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

from tapewire.sinks.brokers.link import Away
from tapewire.sinks.brokers.rabbitmq_line import ANSWER_WITHIN, answering, lost, words_of
from tapewire.sinks.brokers.shared_log import look_back
from tapewire.sinks.brokers.source import Received

if TYPE_CHECKING:
    from aiormq.abc import AbstractChannel, DeliveredMessage

#: Messages that the server sends before any is acknowledged.
PREFETCH = 500
#: Seconds without a message after which the last chunk of a stream is over; until its first; for its end.
_QUIET, _BEGIN, _LAST = 0.25, 1.0, 2.0
#: Seconds without a message that must be there.
_MESSAGE_WITHIN = 5.0


class Looking:
    """A channel on which streams are read a little."""

    def __init__(self, channel: AbstractChannel) -> None:
        self._channel = channel
        self._numbers = count(1)

    async def newest(self, stream: str, subjects: Collection[str]) -> dict[str, Received]:
        """The newest message of each subject, as far back as is looked; or one shortly before it."""
        found: dict[str, Received] = {}
        oldest: int | None = None
        for message in await self._last(stream):
            oldest = offset_of(message) if oldest is None else oldest
            found[message.routing_key or ""] = received(message)
        for first, end in look_back(0, oldest or 0):
            if found.keys() >= set(subjects):
                break
            late: dict[str, Received] = {}
            reached: int | None = None
            async with aclosing(self._read(stream, first, end)) as messages:
                async for message in messages:
                    reached = offset_of(message) if reached is None else reached
                    late[message.routing_key or ""] = received(message)
            found = late | found
            if reached is None or reached > first:  # what was before is gone
                break
        return {name: message for name, message in found.items() if name in subjects}

    async def oldest(self, stream: str) -> int:
        """The first offset that is kept; 0: the stream is empty."""
        return await self._one(stream, "first") or 0

    async def reaches(self, stream: str, offset: int) -> bool:
        """Whether a stream that has messages still has all from an offset on; not, when nothing is known."""
        oldest = await self._one(stream, "first")
        return oldest is not None and oldest <= offset

    async def at(self, stream: str, nanoseconds: int) -> int:
        """Where the messages of a time (ns UTC) begin, or a little before; if there are none: behind the last."""
        found = await self._one(stream, datetime.fromtimestamp(nanoseconds / 1e9, UTC))
        if found is not None:
            return found
        last = await self._last(stream)
        return offset_of(last[-1]) + 1 if last else 0

    async def _one(self, stream: str, offset: Any) -> int | None:
        with contextlib.suppress(TimeoutError):
            async with aclosing(self._read(stream, offset)) as messages:
                async for message in messages:
                    return offset_of(message)
        return None

    async def _last(self, stream: str) -> list[DeliveredMessage]:
        """The last chunk, and what comes while it is read; the protocol does not say where it ends."""
        found: list[DeliveredMessage] = []
        now = asyncio.get_running_loop().time
        until: float | None = None
        with contextlib.suppress(TimeoutError):
            async with aclosing(self._read(stream, "last")) as messages:
                async for message in messages:
                    found.append(message)
                    until = now() + _LAST if until is None else until
                    if now() >= until:
                        break
        return found

    async def _read(self, stream: str, offset: Any, end: int | None = None) -> AsyncGenerator[DeliveredMessage, None]:
        """Messages from an offset on. Raises TimeoutError: no more comes; Away: the end does not."""
        came: asyncio.Queue[DeliveredMessage] = asyncio.Queue()
        tag = f"look-{next(self._numbers)}"
        try:
            async with answering(ANSWER_WITHIN):
                await consume(self._channel, stream, offset, tag, came.put_nowait)
            patience = _BEGIN if end is None else _MESSAGE_WITHIN
            while True:
                async with asyncio.timeout(patience):
                    message = await came.get()
                yield message
                await self._channel.basic_ack(tag_of(message), wait=False)
                if end is not None and offset_of(message) + 1 >= end:
                    return
                patience = _QUIET if end is None else _MESSAGE_WITHIN
        except TimeoutError:
            if end is None:
                raise
            raise Away(f"stream {stream}: nothing was read within {_MESSAGE_WITHIN:g} s") from None
        except lost() as error:
            raise Away(words_of(error)) from None
        finally:
            with contextlib.suppress(Away):  # the line may be gone
                async with answering(ANSWER_WITHIN):
                    await self._channel.basic_cancel(tag)


async def consume(
    channel: AbstractChannel, stream: str, offset: Any, tag: str, hear: Callable[[DeliveredMessage], None]
) -> None:
    """Be told the messages of a stream, from an offset, a time, its ``"first"`` or ``"last"`` on."""

    async def tell(message: DeliveredMessage) -> None:
        hear(message)

    await channel.basic_consume(stream, tell, consumer_tag=tag, arguments={"x-stream-offset": offset})


def offset_of(message: DeliveredMessage) -> int:
    """Where it stands in its stream."""
    headers: Any = message.header.properties.headers
    return int(headers["x-stream-offset"])


def tag_of(message: DeliveredMessage) -> int:
    """Its number on its channel."""
    return message.delivery_tag or 0


def received(message: DeliveredMessage) -> Received:
    """A message for whoever hears the source."""
    headers: Any = message.header.properties.headers or {}
    words = {name: str(value) for name, value in headers.items()}
    return Received(message.routing_key or "", words, bytes(message.body), words["x-stream-offset"])
