"""NATS JetStream in the exchange's place: the newest of each subject, history, and what comes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tapewire.sinks.brokers.address import Address, without_options
from tapewire.sinks.brokers.link import Away, NotLetIn
from tapewire.sinks.brokers.nats_holes import Ledger
from tapewire.sinks.brokers.nats_line import SCHEMES, connect, ended, hang_up, in_step, words_of
from tapewire.sinks.brokers.nats_share import Share
from tapewire.sinks.brokers.source import Begin, Missed, Received

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

#: Messages that were received and wait to be taken; then the server waits.
_WAITING = 10_000
#: Seconds between two questions whether something was thrown away, and how many may go without an answer.
_CHECK, _UNANSWERED = 1.0, 3
#: Subjects whose newest message is asked for in one of these rounds.
_PROVED = 20


class _Followed(Struct):
    """One subject that is heard: its consumer, how far, and the time of its last message (ns UTC)."""

    ledger: Ledger
    subscription: Any = None
    heard_ns: int | None = None


class NatsSource:
    """One connection to JetStream, with an ordered consumer for each subject: what it misses it asks for anew."""

    keeps_history = True

    def __init__(self, address: str, stream: str) -> None:
        bare, self._trust = without_options(address, ("ca", "credentials"))
        self._address, self._stream = Address(bare, SCHEMES), stream
        self.shown = self._address.shown
        self._client: Client | None = None
        self._js: JetStreamContext | None = None
        self._lost: asyncio.Future[str] | None = None
        self._heard: asyncio.Queue[Received | Missed] = asyncio.Queue(_WAITING)
        self._arrived = asyncio.Event()
        self._followed: dict[str, _Followed] = {}
        self._before: dict[str, Ledger] = {}  # of the line that was lost
        self._watching: asyncio.Task[None] | None = None
        self._share: Share | None = None
        self._shared: set[str] = set()

    async def connect(self) -> None:
        """Connect, and see that the stream is there."""
        try:
            await self._connect()
        except BaseException:
            await self.close()  # there may be a line already
            raise

    async def _connect(self) -> None:
        self._before |= {name: one.ledger for name, one in self._followed.items()}
        self._heard, self._followed, self._share = asyncio.Queue(_WAITING), {}, None
        self._lost = asyncio.get_running_loop().create_future()
        self._client = await connect(self._address, self._lost, **self._trust)
        self._js = self._client.jetstream(timeout=5.0)
        from nats import errors  # noqa: PLC0415 - an optional extra
        from nats.js import errors as js_errors  # noqa: PLC0415

        try:
            await self._js.stream_info(self._stream)
        except js_errors.NotFoundError:
            raise NotLetIn(f"there is no stream {self._stream}: nothing was published there yet") from None
        except (errors.Error, TimeoutError) as error:
            raise Away(f"JetStream does not answer: {words_of(error)}") from None
        self._watching = asyncio.create_task(
            self._watch(self._client, self._js, self._lost), name=f"{self.shown} watch"
        )

    async def latest(self, subjects: Sequence[str]) -> Sequence[Received]:
        """The newest of each."""
        return [one for subject in subjects if (one := await self._latest(subject)) is not None]

    async def subjects(self, prefix: str) -> Sequence[str]:
        """What the stream has."""
        from nats import errors  # noqa: PLC0415 - an optional extra

        try:
            found = await self._context().stream_info(self._stream, subjects_filter=f"{prefix}.>")
        except (errors.Error, TimeoutError) as error:
            raise Away(words_of(error)) from None
        return list(found.state.subjects or ())

    async def follow(self, begins: Mapping[str, Begin]) -> frozenset[str]:
        """A consumer for each."""
        from nats import errors  # noqa: PLC0415 - an optional extra
        from nats.js import api  # noqa: PLC0415

        js, missing = self._context(), set()
        try:
            first = (await js.stream_info(self._stream)).state.first_seq
            for subject, begin in begins.items():
                one = self._followed[subject] = _Followed(self._ledger(subject, begin, first))
                if one.ledger.begin(first):
                    missing.add(subject)
                one.subscription = await js.subscribe(
                    subject, stream=self._stream, ordered_consumer=True, cb=self._hear, config=_config(api, begin)
                )
        except (errors.Error, TimeoutError) as error:
            raise Away(words_of(error)) from None
        return frozenset(missing)

    async def share(self, begins: Mapping[str, Begin], group: str) -> frozenset[str]:
        """Take part in what the group's durable consumers give."""
        from nats import errors  # noqa: PLC0415 - an optional extra
        from nats.js import api  # noqa: PLC0415

        js, client, missing = self._context(), self._client, set()
        assert client is not None  # noqa: S101 - as the context
        try:
            first = (await js.stream_info(self._stream)).state.first_seq
            if self._share is None:
                self._share = Share(client, js, self._stream, group, self._put)
            for subject, begin in begins.items():
                new = api.ConsumerConfig(deliver_policy=api.DeliverPolicy.NEW)
                config = new if begin == Begin() else _config(api, begin)
                if await self._share.join(subject, config, first, again=subject in self._shared):
                    missing.add(subject)
                self._shared.add(subject)
        except (errors.Error, TimeoutError) as error:
            raise Away(words_of(error)) from None
        return frozenset(missing)

    async def done(self, messages: Sequence[Received]) -> None:
        """Confirm them."""
        from nats import errors  # noqa: PLC0415 - an optional extra

        try:
            if self._share is not None:
                await self._share.done(messages)
        except (errors.Error, TimeoutError) as error:
            raise Away(words_of(error)) from None

    def release(self, messages: Sequence[Received]) -> None:
        """Confirm them never."""
        if self._share is not None:
            self._share.release(messages)

    async def leave(self, subjects: Iterable[str]) -> None:
        """End their consumers."""
        from nats import errors  # noqa: PLC0415 - an optional extra

        subjects = tuple(subjects)
        if self._share is not None:
            with contextlib.suppress(errors.Error, TimeoutError):  # as below
                await self._share.leave(subjects)
        for subject in subjects:
            self._shared.discard(subject)
            self._before.pop(subject, None)
            one = self._followed.pop(subject, None)
            if one is not None and one.subscription is not None:
                with contextlib.suppress(errors.Error, TimeoutError):  # a line that is gone has ended it, too
                    await one.subscription.unsubscribe()

    async def receive(self) -> Sequence[Received | Missed]:
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
        watching, self._watching = self._watching, None
        share, self._share = self._share, None
        try:
            if watching is not None:
                await ended(watching)
            if share is not None:
                await share.end()
        finally:  # whoever closes may be cancelled
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
        one = self._followed.get(message.subject)
        metadata = message.metadata
        number = metadata.sequence.stream
        if one is None or number <= one.ledger.heard:  # left; or nats-py has made its consumer anew, from too far back
            return
        if one.ledger.hear(number):
            await self._miss(message.subject, one)
        one.heard_ns = int(metadata.timestamp.timestamp() * 1e9)
        await self._put(Received(message.subject, message.headers or {}, message.data, str(number)))

    async def _miss(self, subject: str, one: _Followed) -> None:
        await self._put(Missed(subject, one.heard_ns))

    async def _put(self, one: Received | Missed) -> None:
        await self._heard.put(one)
        self._arrived.set()

    def _ledger(self, subject: str, begin: Begin, first: int) -> Ledger:
        """What is known of a subject from before, or begins now."""
        before = self._before.pop(subject, None)
        if begin.after is None:  # if it was followed before, nothing came
            return Ledger(0, max(first, begin.sequence or 0) - 1 if before is None else before.known)
        heard = int(begin.after)
        return Ledger(heard, before.known if before is not None and before.heard == heard else heard)

    async def _watch(self, client: Client, js: JetStreamContext, lost: asyncio.Future[str]) -> None:
        """Ask once a second what the stream has thrown away, while the line lives."""
        from nats import errors  # noqa: PLC0415 - an optional extra
        from nats.js import errors as js_errors  # noqa: PLC0415

        unanswered = 0
        while not lost.done():
            await asyncio.wait({lost}, timeout=_CHECK)
            try:
                await self._check(client, js)
            except js_errors.NotFoundError as error:
                _end(lost, f"what was read is there no more: {words_of(error)}")
            except (errors.Error, Away, TimeoutError) as error:
                unanswered += 1
                if unanswered == _UNANSWERED:
                    _end(lost, f"JetStream does not answer: {words_of(error)}")
            else:
                unanswered = 0

    async def _check(self, client: Client, js: JetStreamContext) -> None:
        state = (await js.stream_info(self._stream)).state
        await in_step(client, 5)
        old = []
        for subject, one in tuple(self._followed.items()):
            if one.subscription is None:
                continue
            if one.ledger.check(state.first_seq, one.subscription.pending_msgs):
                await self._miss(subject, one)
            if one.ledger.is_old(state.first_seq, state.last_seq):
                old.append((one.ledger.known, subject, one.ledger))
        for _, subject, ledger in sorted(old, key=lambda each: each[0])[:_PROVED]:
            newest = await self._latest(subject)
            ledger.nothing_new(None if newest is None else int(newest.position), state.last_seq)
        if self._share is not None:
            await self._share.look(state.first_seq, state.last_seq)

    def _context(self) -> JetStreamContext:
        if self._js is None:
            raise Away("the line is lost")
        return self._js


def _end(lost: asyncio.Future[str], reason: str) -> None:
    if not lost.done():
        lost.set_result(reason)


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
