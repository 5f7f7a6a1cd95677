"""A member of a group at RabbitMQ: queues that all members read, one for each subject; no plugin is needed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tapewire.sinks.brokers.link import Away, NotLetIn
from tapewire.sinks.brokers.rabbitmq_line import ANSWER_WITHIN, answering, is_there
from tapewire.sinks.brokers.rabbitmq_looking import tag_of
from tapewire.sinks.brokers.rabbitmq_queues import NAME_MOST, QueueOptions, plain_name
from tapewire.sinks.brokers.source import Missed, Received

if TYPE_CHECKING:
    from aiormq.abc import AbstractChannel, AbstractConnection, DeliveredMessage

#: Seconds between two questions whether something was thrown away, and subjects of one question.
_CHECK, _AT_ONCE = 1.0, 100
#: Events of the feed that may wait.
_TOLD = 1_000
#: Position of what was told by a queue: were it in a stream, that would be heard from its beginning.
_NOWHERE = "-1"


class Share:
    """What one member takes part in, on one channel: what it does not acknowledge goes to another when the line ends.

    What the server throws away, because a queue is full or a message too old, leaves a mark: one message in a queue
    beside, which is taken by the member that tells it.

    Args:
        connection, channel: the line.
        group: its name: of each queue the first part.
        queues: what is made: its exchange, type and bounds.
        arrived: called when there is something to ``take``.
    """

    def __init__(
        self,
        connection: AbstractConnection,
        channel: AbstractChannel,
        group: str,
        queues: QueueOptions,
        arrived: Callable[[], None],
    ) -> None:
        self._connection, self._channel, self._group, self._queues = connection, channel, group, queues
        self._arrived = arrived
        self._checked: dict[str, float] = {}  # the one that was asked longest ago first
        self._came: deque[Received | Missed] = deque()  # PREFETCH of each queue at most
        self._released: list[int] = []

    @property
    def waits(self) -> bool:
        """Whether there is something to ``take``."""
        return bool(self._came)

    async def listen(self, subjects: Iterable[str]) -> None:
        """Hear these beside the group, from now on; of what came while nobody listened nothing is known."""
        async with answering(ANSWER_WITHIN, refusing=True):
            bounds: dict[str, Any] = {"x-max-length": _TOLD}
            made: Any = await self._channel.queue_declare("", exclusive=True, auto_delete=True, arguments=bounds)
            name = str(made.queue)
            for subject in subjects:
                await self._bind(name, subject)

            async def hear(message: DeliveredMessage) -> None:
                self._hear(message.routing_key or "", _NOWHERE, message)

            await self._channel.basic_consume(name, hear, no_ack=True)

    async def join(self, subject: str) -> None:
        """Take part in one more. Raises Away, NotLetIn."""
        name = _queue(self._group, subject)
        if len(_marks(name).encode()) > NAME_MOST:
            raise NotLetIn(f"the name of the queue {_marks(name)} has more than {NAME_MOST} bytes")
        async with answering(ANSWER_WITHIN, refusing=True):
            await self._make(_marks(name), {"x-queue-type": "classic", "x-max-length": 1})
            marked = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": _marks(name)}
            await self._make(name, self._queues.arguments() | marked)
            await self._bind(name, subject)

            async def hear(message: DeliveredMessage) -> None:
                if subject in self._checked:  # else it was on its way when it was left, and goes back with the line
                    self._hear(subject, str(tag_of(message)), message)
                else:
                    self._released.append(tag_of(message))

            self._checked[subject] = float("-inf")
            await self._channel.basic_consume(name, hear, consumer_tag=subject)

    async def leave(self, subjects: Iterable[str]) -> None:
        """Take part in these no more. Raises Away."""
        for subject in subjects:
            if self._checked.pop(subject, None) is None:
                continue
            async with answering(ANSWER_WITHIN, refusing=True):
                await self._channel.basic_cancel(subject)
            left = [one for one in self._came if one.subject == subject]
            self._came = deque(one for one in self._came if one.subject != subject)
            self.release(one for one in left if isinstance(one, Received))

    async def done(self, messages: Sequence[Received]) -> None:
        """Nobody gets them again; waits until that was written. Raises Away."""
        async with answering(ANSWER_WITHIN, refusing=True):
            for left, message in zip(range(len(messages) - 1, -1, -1), messages, strict=True):
                await self._channel.basic_ack(int(message.position), wait=not left)

    def release(self, messages: Iterable[Received]) -> None:
        """They go back to their queues."""
        self._released += [int(message.position) for message in messages]

    async def look(self) -> None:
        """Give back what was released; from time to time ask for marks. Raises Away."""
        if self._channel.is_closed:
            raise Away(
                "the server closed the channel: a message was undone for longer than its consumer_timeout allows"
            )
        async with answering(ANSWER_WITHIN, refusing=True):
            while self._released:
                await self._channel.basic_nack(self._released.pop(), wait=False)
        now = asyncio.get_running_loop().time()
        due = [subject for subject, asked in self._checked.items() if now - asked >= _CHECK][:_AT_ONCE]
        for subject in due:
            del self._checked[subject]
            self._checked[subject] = now
            await self._ask(subject)  # a channel asks one after the other

    def take(self) -> Sequence[Received | Missed]:
        """What came since."""
        came, self._came = self._came, deque()
        return list(came)

    async def _ask(self, subject: str) -> None:
        async with answering(ANSWER_WITHIN, refusing=True):
            mark = await self._channel.basic_get(_marks(_queue(self._group, subject)), no_ack=True)
        if mark.delivery_tag:
            self._came.append(Missed(subject))

    async def _make(self, queue: str, arguments: dict[str, Any]) -> None:
        if not await is_there(self._connection, queue):
            await self._channel.queue_declare(queue, durable=True, arguments=arguments)

    async def _bind(self, queue: str, subject: str) -> None:
        exchange = self._queues.exchange or subject.rsplit(".", 4)[0]
        await self._channel.exchange_declare(exchange, exchange_type="topic", durable=True)
        await self._channel.queue_bind(queue, exchange, routing_key=subject)

    def _hear(self, subject: str, position: str, message: DeliveredMessage) -> None:
        headers: Any = message.header.properties.headers or {}
        words = {name: str(value) for name, value in headers.items()}
        self._came.append(Received(subject, words, bytes(message.body), position))
        self._arrived()


def _queue(group: str, subject: str) -> str:
    return plain_name(f"{group}:{subject}")


def _marks(queue: str) -> str:
    return f"{queue}:dropped"
