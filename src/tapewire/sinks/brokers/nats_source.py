"""NATS JetStream in the exchange's place: the newest of each subject, history, and what comes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tapewire.sinks.brokers.address import Address
from tapewire.sinks.brokers.link import Away, NotLetIn
from tapewire.sinks.brokers.nats_line import SCHEMES, connect, hang_up, words_of
from tapewire.sinks.brokers.source import Begin, Received

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

#: Messages that were received and wait to be taken; then the server waits.
_WAITING = 10_000


class NatsSource:
    """One connection to JetStream, with an ordered consumer for each subject: what it misses it asks for anew."""

    def __init__(self, address: str, stream: str) -> None:
        self._address, self._stream = Address(address, SCHEMES), stream
        self.shown = self._address.shown
        self._client: Client | None = None
        self._js: JetStreamContext | None = None
        self._lost: asyncio.Future[str] | None = None
        self._heard: asyncio.Queue[Received] = asyncio.Queue(_WAITING)
        self._arrived = asyncio.Event()
        self._subscriptions: dict[str, Any] = {}

    async def connect(self) -> None:
        """Connect, and see that the stream is there."""
        self._heard, self._subscriptions = asyncio.Queue(_WAITING), {}
        self._lost = asyncio.get_running_loop().create_future()
        self._client = await connect(self._address, self._lost)
        self._js = self._client.jetstream(timeout=5.0)
        from nats import errors  # noqa: PLC0415 - an optional extra
        from nats.js import errors as js_errors  # noqa: PLC0415

        try:
            await self._js.stream_info(self._stream)
        except js_errors.NotFoundError:
            raise NotLetIn(f"there is no stream {self._stream}: nothing was published there yet") from None
        except (errors.Error, TimeoutError) as error:
            raise Away(f"JetStream does not answer: {words_of(error)}") from None

    async def latest(self, subjects: Sequence[str]) -> Sequence[Received]:
        """The newest of each."""
        return [one for subject in subjects if (one := await self._latest(subject)) is not None]

    async def follow(self, begins: Mapping[str, Begin]) -> frozenset[str]:
        """A consumer for each."""
        from nats import errors  # noqa: PLC0415 - an optional extra
        from nats.js import api  # noqa: PLC0415

        js = self._context()
        try:
            first = (await js.stream_info(self._stream)).state.first_seq
            for subject, begin in begins.items():
                self._subscriptions[subject] = await js.subscribe(
                    subject, stream=self._stream, ordered_consumer=True, cb=self._hear, config=_config(api, begin)
                )
        except (errors.Error, TimeoutError) as error:
            raise Away(words_of(error)) from None
        return frozenset(name for name, one in begins.items() if one.after is not None and int(one.after) + 1 < first)

    async def leave(self, subjects: Iterable[str]) -> None:
        """End their consumers."""
        from nats import errors  # noqa: PLC0415 - an optional extra

        for subject in subjects:
            subscription = self._subscriptions.pop(subject, None)
            if subscription is not None:
                with contextlib.suppress(errors.Error, TimeoutError):  # a line that is gone has ended it, too
                    await subscription.unsubscribe()

    async def receive(self) -> Sequence[Received]:
        """All that is there; waits for the first."""
        lost = self._lost
        if lost is None or lost.done():
            raise Away("the line is lost" if lost is None else lost.result())
        if self._heard.empty():
            await self._until_heard(lost)
        return [self._heard.get_nowait() for _ in range(self._heard.qsize())]

    async def close(self) -> None:
        """Cut the line."""
        client, self._client, self._js = self._client, None, None
        if client is not None:
            await hang_up(client)

    async def _until_heard(self, lost: asyncio.Future[str]) -> None:
        """Wait for a message, which stays where it is: whoever waits may be cancelled."""
        self._arrived.clear()
        arrived = asyncio.ensure_future(self._arrived.wait())
        waiting: set[asyncio.Future[Any]] = {arrived, lost}
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            arrived.cancel()
        if self._heard.empty():
            raise Away(lost.result())

    async def _latest(self, subject: str) -> Received | None:
        from nats import errors  # noqa: PLC0415 - an optional extra
        from nats.js import errors as js_errors  # noqa: PLC0415

        try:
            found = await self._context().get_last_msg(self._stream, subject)
        except js_errors.NotFoundError:
            return None
        except (errors.Error, TimeoutError) as error:
            raise Away(words_of(error)) from None
        return Received(subject, found.headers or {}, found.data or b"", str(found.seq))

    async def _hear(self, message: Msg) -> None:
        position = str(message.metadata.sequence.stream)
        await self._heard.put(Received(message.subject, message.headers or {}, message.data, position))
        self._arrived.set()

    def _context(self) -> JetStreamContext:
        if self._js is None:
            raise Away("the line is lost")
        return self._js


def _config(api: Any, begin: Begin) -> Any:
    policy = api.DeliverPolicy
    if begin.after is not None:
        return api.ConsumerConfig(deliver_policy=policy.BY_START_SEQUENCE, opt_start_seq=int(begin.after) + 1)
    if begin.since_ns is not None:
        when = datetime.fromtimestamp(begin.since_ns / 1e9, UTC)
        return api.ConsumerConfig(deliver_policy=policy.BY_START_TIME, opt_start_time=when)
    if begin.sequence is not None:
        return api.ConsumerConfig(deliver_policy=policy.BY_START_SEQUENCE, opt_start_seq=max(1, begin.sequence))
    return api.ConsumerConfig(deliver_policy=policy.ALL)
