"""A member of a group at NATS JetStream: durable pull consumers that all members share, one for each subject."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct, json

from tapewire.sinks.brokers.link import Away
from tapewire.sinks.brokers.nats_line import in_step
from tapewire.sinks.brokers.source import Missed, Received

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

#: Seconds after which the server gives a message to another member, unless it was told that its own still works.
ACK_WAIT = 30.0
#: Seconds between two times that it is told so.
_ALIVE = 10.0
#: Messages of one question, messages of one subject that a member may have undone, and seconds of one question.
_AT_ONCE, _UNDONE, _EXPIRES = 20, 1_000, 30.0
#: Seconds that taking leave may take.
_END_WITHIN = 1.0


class _Part(Struct):
    """One subject: its consumer, the question that is open (how many messages may still come, since when)."""

    subject: str
    consumer: str
    known: int
    inbox: str = ""
    subscription: Any = None
    coming: int = 0
    asked: float = 0.0
    undone: int = 0


class Share:
    """What one member takes part in, on one line.

    Args:
        client, js, stream: the line, and what is read there.
        group: its name: of each consumer the first part.
        put: takes what comes.
    """

    def __init__(
        self,
        client: Client,
        js: JetStreamContext,
        stream: str,
        group: str,
        put: Callable[[Received | Missed], Awaitable[None]],
    ) -> None:
        self._client, self._js, self._stream, self._group, self._put = client, js, stream, group, put
        self._parts: dict[str, _Part] = {}
        self._undone: dict[tuple[str, str], str] = {}
        self._alive = 0.0
        self._leaving: asyncio.Task[None]

    async def join(self, subject: str, config: Any, first: int, *, again: bool) -> bool:
        """Take part in one more.

        Args:
            subject: of its messages.
            config: nats-py's, for a consumer that is not there yet: where it begins.
            first: number of the stream.
            again: we took part in it before.

        Returns:
            whether something may be gone already.

        Raises:
            errors of nats-py.
        """
        consumer = f"{self._group}={subject.replace('.', '=')}"  # a subject's own "=" is percent-encoded
        delivered, is_new = await self._consumer(subject, consumer, config)
        part = _Part(subject, consumer, max(delivered, first - 1), self._client.new_inbox())
        self._parts[subject] = part

        async def hear(message: Msg) -> None:
            await self._hear(part, message)

        part.subscription = await self._client.subscribe(part.inbox, cb=hear)
        await self._ask(part)
        return again if is_new else 0 < delivered < first - 1

    async def leave(self, subjects: Iterable[str]) -> None:
        """Take part in these no more. Raises errors of nats-py."""
        for subject in subjects:
            part = self._parts.pop(subject, None)
            if part is not None and part.subscription is not None:  # who joined may have been cancelled before it was
                await part.subscription.unsubscribe()

    async def end(self) -> None:
        """Take part no more, before the line is closed: what comes from here on goes to other members at once."""
        self._leaving = asyncio.create_task(self._leave(), name=f"leaving the group {self._group}")
        try:  # not ``asyncio.timeout``: nats-py forgets cancellations while it waits for a server that reads nothing
            await asyncio.wait({self._leaving}, timeout=_END_WITHIN)
        finally:
            self._leaving.cancel()

    async def _leave(self) -> None:
        from nats import errors  # noqa: PLC0415 - an optional extra

        with contextlib.suppress(errors.Error, Away):  # a line that is gone has ended it, too
            await self.leave(tuple(self._parts))
            await in_step(self._client, _END_WITHIN)

    async def done(self, messages: Sequence[Received]) -> None:
        """Nobody gets them again. Raises errors of nats-py."""
        for message in messages:
            await self._answer(message, b"+ACK")
        for part in {one.subject: one for message in messages if (one := self._parts.get(message.subject))}.values():
            if not part.coming:
                await self._ask(part)

    def release(self, messages: Sequence[Received]) -> None:
        """They come again when nobody has said for a while that he works on them."""
        for message in messages:
            self._take_off(message)

    async def look(self, first: int, last: int) -> None:
        """Once a second: what was thrown away, questions that are over, and that we still live.

        ``first`` and ``last``: numbers of the stream, asked just now. Raises errors of nats-py, one of them that there
        is no such consumer any more.
        """
        now = asyncio.get_running_loop().time()
        for part in tuple(self._parts.values()):
            info = await self._js.consumer_info(self._stream, part.consumer)
            if first > part.known + 1:
                await self._put(Missed(part.subject))
            delivered = 0 if info.delivered is None else info.delivered.stream_seq
            part.known = max(part.known, first - 1, delivered, 0 if info.num_pending else last)
            if not part.coming or now - part.asked > _EXPIRES + 1:
                await self._ask(part)
        if now - self._alive >= _ALIVE:
            self._alive = now
            for reply in tuple(self._undone.values()):
                await self._client.publish(reply, b"+WPI")

    async def _consumer(self, subject: str, name: str, config: Any) -> tuple[int, bool]:
        """The number of the last message that the consumer gave anybody, and whether it had to be made."""
        from nats.js import api, errors  # noqa: PLC0415 - an optional extra

        try:
            info, is_new = await self._js.consumer_info(self._stream, name), False
        except errors.NotFoundError:
            config.durable_name, config.filter_subject = name, subject
            config.ack_policy, config.ack_wait, config.max_ack_pending = api.AckPolicy.EXPLICIT, ACK_WAIT, 10_000
            info, is_new = await self._js.add_consumer(self._stream, config), True
        return 0 if info.delivered is None else info.delivered.stream_seq, is_new

    async def _ask(self, part: _Part) -> None:
        if part.undone >= _UNDONE:
            return
        part.coming, part.asked = _AT_ONCE, asyncio.get_running_loop().time()
        question = json.encode({"batch": _AT_ONCE, "expires": int(_EXPIRES * 1e9)})
        await self._client.publish(f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{part.consumer}", question, part.inbox)

    async def _hear(self, part: _Part, message: Msg) -> None:
        if message.headers and "Status" in message.headers and not message.reply:
            part.coming = 0  # it is over: asked anew at the next look, so that a server that refuses is not hurried
            return
        if self._parts.get(part.subject) is not part:
            return
        position = str(message.metadata.sequence.stream)
        part.coming -= 1
        part.undone += (message.subject, position) not in self._undone
        self._undone[message.subject, position] = message.reply
        if part.coming <= 0:
            part.coming = 0
            await self._ask(part)
        await self._put(Received(message.subject, message.headers or {}, message.data, position))

    async def _answer(self, message: Received, word: bytes) -> None:
        reply = self._take_off(message)
        if reply is not None:
            await self._client.publish(reply, word)

    def _take_off(self, message: Received) -> str | None:
        reply = self._undone.pop((message.subject, message.position), None)
        part = self._parts.get(message.subject)
        if reply is not None and part is not None:
            part.undone -= 1
        return reply
