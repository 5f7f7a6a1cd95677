"""Kafka in the exchange's place: the newest of each subject, history, and what comes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from tapewire.sinks.brokers.kafka_line import Calls, Cluster, check_usable
from tapewire.sinks.brokers.kafka_reading import Reading
from tapewire.sinks.brokers.kafka_sharing import Membership
from tapewire.sinks.brokers.link import Away
from tapewire.sinks.brokers.source import Begin, Missed, Received

#: Seconds to reach the cluster.
_CONNECT = 10.0


class KafkaSource:
    """One consumer, of no group, whose blocking calls are made on a thread of its own; for who shares, one more."""

    keeps_history = True

    def __init__(self, address: str, _stream: str) -> None:
        self._cluster = Cluster(address)
        self.shown = self._cluster.shown
        self._reading: Reading | None = None
        self._member: Membership | None = None
        self._calls = Calls()
        self._polled: asyncio.Future[Sequence[Received | Missed]] | None = None

    async def connect(self) -> None:
        """Make a consumer, and see that the cluster answers it."""
        check_usable(self._cluster)
        self._polled, self._calls = None, Calls()
        self._reading = reading = Reading(self._cluster, asyncio.get_running_loop().time)
        try:
            await self._calls.begin(partial(reading.reach, _CONNECT))
        except BaseException:
            await self.close()
            raise

    async def latest(self, subjects: Sequence[str]) -> Sequence[Received]:
        """The newest of each, as far back as is looked for it."""
        return await self._calls.begin(partial(self._open().latest, subjects))

    async def follow(self, begins: Mapping[str, Begin]) -> frozenset[str]:
        """Read these, too."""
        return await self._calls.begin(partial(self._open().follow, begins))

    async def leave(self, subjects: Iterable[str]) -> None:
        """Read these no more."""
        names = tuple(subjects)
        await self._calls.begin(partial(self._open().leave, names))
        if self._member is not None:
            await self._calls.begin(partial(self._member.leave, names))

    async def share(self, begins: Mapping[str, Begin], group: str) -> frozenset[str]:
        """Be a member of Kafka's own group of this name; what is gone is told by ``receive``."""
        if self._member is None:
            reading, now = self._open(), asyncio.get_running_loop().time
            self._member = Membership(self._cluster, group, reading.looking, reading.told, now)
        await self._calls.begin(partial(self._member.share, begins))
        return frozenset()

    async def done(self, messages: Sequence[Received]) -> None:
        """The cluster is told with the next question."""
        if self._member is not None:
            self._member.done(messages)

    def release(self, messages: Sequence[Received]) -> None:
        """Passed over, unless the whole topic is left."""
        if self._member is not None:
            self._member.release(messages)

    async def receive(self) -> Sequence[Received | Missed]:
        """What is new; nothing when a while brought nothing. What was read when nobody waited any more comes next."""
        if self._polled is None:
            self._polled = self._calls.begin(partial(_poll, self._open(), self._member))
        await asyncio.wait([self._polled])
        polled, self._polled = self._polled, None
        return polled.result()

    async def close(self) -> None:
        """Let go of the consumer."""
        reading, self._reading = self._reading, None
        member, self._member = self._member, None
        polled, self._polled = self._polled, None
        if member is not None:
            member.going = False
        if reading is not None:
            reading.give_up()
            waiting: list[asyncio.Future[Any]] = [] if polled is None else [polled]
            await self._calls.end(*([] if member is None else [member]), reading)
            for one in waiting:
                one.exception()  # nobody asks for it any more

    def _open(self) -> Reading:
        if self._reading is None:
            raise Away("the line is lost")
        return self._reading


def _poll(reading: Reading, member: Membership | None) -> Sequence[Received | Missed]:
    """What one or both have; only the last of them waits."""
    return reading.poll() if member is None else [*reading.poll(0), *member.poll()]
