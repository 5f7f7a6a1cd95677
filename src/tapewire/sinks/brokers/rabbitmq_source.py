"""RabbitMQ's streams in the exchange's place: the newest of each subject, history, and what comes."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tapewire.errors import ConfigError
from tapewire.sinks.brokers.address import Address, without_options
from tapewire.sinks.brokers.link import Away
from tapewire.sinks.brokers.rabbitmq_line import (
    ANSWER_WITHIN,
    CLOSE_WITHIN,
    SCHEMES,
    answering,
    connect,
    hang_up,
    is_there,
    open_channel,
)
from tapewire.sinks.brokers.rabbitmq_looking import PREFETCH, Looking, consume, offset_of, received, tag_of
from tapewire.sinks.brokers.rabbitmq_queues import QueueOptions, stream_of
from tapewire.sinks.brokers.rabbitmq_share import Share
from tapewire.sinks.brokers.shared_log import SharedLog
from tapewire.sinks.brokers.source import Begin, Missed, Received

if TYPE_CHECKING:
    from aiormq.abc import AbstractChannel, AbstractConnection, DeliveredMessage

logger = logging.getLogger("tapewire.sinks")

#: What an address may say of the queues that a group makes.
_OF_GROUPS = ("exchange", "queue", "max_len", "max_age")
#: Seconds between looks for streams that are not there yet.
_MISSING = 0.5


class RabbitSource:
    """One consumer for each stream that holds what is wanted, with the offsets kept here; for who shares, one for each
    queue of the group.
    """

    keeps_history = False

    def __init__(self, address: str, _stream: str) -> None:
        bare, own = without_options(address, ("ca", *_OF_GROUPS))
        self._address, self._ca = Address(bare, SCHEMES), own.pop("ca", None)
        self._queues = _of_group(own)
        self.shown = self._address.shown
        self._connection: AbstractConnection | None = None
        self._forget()

    def _forget(self) -> None:
        self._logs: dict[str, SharedLog] = defaultdict(SharedLog)
        self._tags: dict[str, str] = {}
        self._streams: dict[str, str] = {}
        self._absent: dict[str, Begin] = {}
        self._came: deque[DeliveredMessage] = deque()  # PREFETCH of each stream at most
        self._arrived = asyncio.Event()
        self._taken = 0  # the last that was taken of what came, by its number on the channel; 0: all is acknowledged
        self._kept: list[Received | Missed] = []
        self._passed: dict[str, int] = {}  # of each stream the first offset at which no message came
        self._share: Share | None = None
        self._number = 0
        self._cancelled = asyncio.Event()
        self._asking: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Connect, with one channel to read and one to look something up."""
        self._forget()
        self._connection = connection = await connect(self._address, self._ca, ANSWER_WITHIN)
        try:
            self._channel = await self._reading(connection)
            self._looking = Looking(await self._reading(connection))
        except BaseException:
            await self.close()
            raise
        self._looked = asyncio.get_running_loop().time()

    async def latest(self, subjects: Sequence[str]) -> Sequence[Received]:
        """The newest of each, as far back as is looked for it."""
        await self._asked()
        found: list[Received] = []
        for stream, names in _by_stream(subjects).items():
            if await self._has(stream):
                found += (await self._looking.newest(stream, names)).values()
        return found

    async def follow(self, begins: Mapping[str, Begin]) -> frozenset[str]:
        """Read these, too."""
        await self._asked()
        gone: set[str] = set()
        for stream, names in _by_stream(begins).items():
            wanted = {name: begins[name] for name in names}
            if await self._has(stream):
                gone |= await self._join(stream, wanted)
            else:  # nothing was published there yet: what comes first is its beginning
                logger.info("%s has no stream %s yet (a sink makes it with queue=stream)", self.shown, stream)
                self._absent |= wanted
        return frozenset(gone)

    async def share(self, begins: Mapping[str, Begin], group: str) -> frozenset[str]:
        """Take part in what the queues of this group hold; what is gone is told by ``receive``."""
        await self._asked()
        connection = self._open()
        if self._share is None:
            channel = await self._reading(connection)
            self._share = Share(connection, channel, group, self._queues, self._arrived.set)
            await self._share.listen(self._absent)  # a sink without streams
            self._absent.clear()
        for subject in begins:
            await self._share.join(subject)
        return frozenset()

    async def done(self, messages: Sequence[Received]) -> None:
        """Acknowledge them."""
        if self._share is not None:
            await self._share.done(messages)

    def release(self, messages: Sequence[Received]) -> None:
        """Put them back."""
        if self._share is not None:
            self._share.release(messages)

    async def leave(self, subjects: Iterable[str]) -> None:
        """Read these no more."""
        await self._asked()
        names = tuple(subjects)
        if self._share is not None:
            await self._share.leave(names)
        self._kept = [one for one in self._kept if one.subject not in names]
        for subject in names:
            self._absent.pop(subject, None)
            stream = stream_of(subject)
            if stream in self._logs:
                self._logs[stream].leave(subject)
                if not self._logs[stream]:
                    await self._stop(stream)
                    del self._logs[stream]
                    self._passed.pop(stream, None)

    async def receive(self) -> Sequence[Received | Missed]:
        """What is new; nothing when a while brought nothing. What was read when nobody waited any more comes next."""
        await self._ask()
        if not self._came and not self._kept and not (self._share is not None and self._share.waits):
            await self._until_something_came(self._open())
        self._take()
        if self._passed:  # before what came behind it is handed on: the next line goes on from there
            await self._ask()
        if self._taken:
            async with answering(ANSWER_WITHIN):
                await self._channel.basic_ack(self._taken, multiple=True, wait=False)
            self._taken = 0
        kept, self._kept = self._kept, []
        return kept if self._share is None else [*kept, *self._share.take()]

    async def close(self) -> None:
        """Cut the line."""
        connection, self._connection = self._connection, None
        asking, self._asking = self._asking, None
        try:
            if connection is not None:
                await hang_up(connection)
        finally:  # whoever closes may be cancelled
            if asking is not None:
                asking.cancel()
                await asyncio.wait({asking}, timeout=CLOSE_WITHIN)

    async def _reading(self, connection: AbstractConnection) -> AbstractChannel:
        async with answering(ANSWER_WITHIN):
            channel = await open_channel(connection, publisher_confirms=False)
            channel.on_consumer_cancel_callbacks.add(lambda _frame: self._cancelled.set())
            await channel.basic_qos(prefetch_count=PREFETCH)
        return channel

    async def _has(self, stream: str) -> bool:
        async with answering(ANSWER_WITHIN):
            return await is_there(self._open(), stream)

    async def _join(self, stream: str, begins: Mapping[str, Begin]) -> set[str]:
        firsts = {subject: await self._first(stream, begin) for subject, begin in begins.items()}
        after = {subject: firsts[subject] for subject, begin in begins.items() if begin.after is not None}
        oldest = await self._looking.oldest(stream) if after else 0
        log = self._logs[stream]
        again = log.position is None or min(firsts.values()) < log.position
        if again:
            await self._stop(stream)
        for subject, first in firsts.items():
            log.follow(subject, first)
        if again:
            await self._read(stream, log.position or 0)
        return {subject for subject, first in after.items() if first < oldest}

    async def _first(self, stream: str, begin: Begin) -> int:
        if begin.after is not None:
            return int(begin.after) + 1
        if begin.since_ns is not None:
            return await self._looking.at(stream, begin.since_ns)
        return begin.sequence or 0

    async def _read(self, stream: str, offset: int) -> None:
        self._number += 1
        tag = self._tags[stream] = f"{stream}-{self._number}"
        self._streams[tag] = stream
        async with answering(ANSWER_WITHIN):
            await consume(self._channel, stream, offset, tag, self._hear)

    async def _stop(self, stream: str) -> None:
        """What it was sent already is for those who are there, not for who joins now."""
        tag = self._tags.pop(stream, None)
        if tag is None:
            return
        async with answering(ANSWER_WITHIN):
            await self._channel.basic_cancel(tag)
        self._take()
        del self._streams[tag]

    def _hear(self, message: DeliveredMessage) -> None:
        self._came.append(message)
        self._arrived.set()

    def _take(self) -> None:
        """Keep of what came what is wanted; all of it is to be acknowledged, or the server sends no more some day."""
        while self._came:
            message = self._came.popleft()
            self._taken = tag_of(message)
            stream, offset = self._streams.get(_consumer(message), ""), offset_of(message)
            log = self._logs.get(stream)
            if log is None:
                continue
            if log.jump(offset) < 0:
                raise Away(f"stream {stream} began anew")
            if log.position is not None and log.jump(offset):
                self._passed.setdefault(stream, log.position)
            if log.take(message.routing_key or "", offset):
                self._kept.append(received(message))

    async def _ask(self) -> None:
        """What is asked from time to time, to its end: whoever receives may be cancelled, and a question that is given
        up closes its channel.
        """
        if self._asking is None:
            now = asyncio.get_running_loop().time()
            looks = bool(self._absent) and now - self._looked >= _MISSING
            if not looks and not self._passed and self._share is None:
                return
            self._looked = now if looks else self._looked
            self._asking = asyncio.create_task(self._look_around(looks=looks), name=f"{self.shown} ask")
            self._asking.add_done_callback(lambda one: one.cancelled() or one.exception())  # close asks nothing
        await asyncio.wait({self._asking})
        asking, self._asking = self._asking, None
        asking.result()

    async def _asked(self) -> None:
        """Nothing is being asked any more; ``receive`` says what came of it."""
        if self._asking is not None:
            await asyncio.wait({self._asking})

    async def _look_around(self, *, looks: bool) -> None:
        """Whether streams came that were not there, whether what was passed over is gone; what the share has to ask."""
        for stream, names in _by_stream(self._absent if looks else ()).items():
            if await self._has(stream):
                await self._join(stream, {name: self._absent.pop(name) for name in names})
        passed, self._passed = self._passed, {}
        for stream, offset in passed.items():  # RabbitMQ's own records have offsets, too
            if not await self._looking.reaches(stream, offset):
                self._kept += map(Missed, self._logs[stream].subjects)
        if self._share is not None:
            await self._share.look()

    async def _until_something_came(self, connection: AbstractConnection) -> None:
        """Wait for a message, which stays where it is: whoever waits may be cancelled."""
        self._arrived.clear()
        arrived, cancelled = map(asyncio.ensure_future, (self._arrived.wait(), self._cancelled.wait()))
        closing = connection.closing
        waiting: set[asyncio.Future[Any]] = {arrived, cancelled, closing}
        try:
            await asyncio.wait(waiting, timeout=_MISSING, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()
        self._open()

    def _open(self) -> AbstractConnection:
        if self._connection is None or self._connection.is_closed:
            raise Away("the line is lost")
        if self._cancelled.is_set():
            raise Away("the server ended a consumer: its stream has moved, or is gone")
        if self._channel.is_closed:
            raise Away("the server closed the channel that reads")
        return self._connection


def _of_group(given: Mapping[str, str]) -> QueueOptions:
    """What queues a group makes. Raises ConfigError."""
    values: dict[str, Any] = dict(given)
    for name in given.keys() & {"max_len", "max_age"}:
        try:
            values[name] = int(given[name])
        except ValueError:
            raise ConfigError(name, given[name], "a whole number") from None
    options = QueueOptions(**values)
    if options.queue not in {"quorum", "classic"}:
        raise ConfigError("queue", options.queue, '"quorum" or "classic": what a group shares')
    return options


def _by_stream(subjects: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for subject in subjects:
        found[stream_of(subject)].append(subject)
    return found


def _consumer(message: DeliveredMessage) -> str:
    return str(getattr(message.delivery, "consumer_tag", ""))
