"""One member's lease: its value in the fleet's bucket at NATS, written again while it lives; and what others write."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from tapewire.errors import ConfigError, DecodeError
from tapewire.fleet.words import FleetOptions, State, encode, read
from tapewire.sinks.brokers.address import Address
from tapewire.sinks.brokers.link import Away, NotLetIn
from tapewire.sinks.brokers.nats_line import connect, hang_up, words_of

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js import JetStreamContext
    from nats.js.kv import KeyValue

_MEMBER = "member."
#: How the stream behind a fleet's bucket begins.
_STREAM = "KV_tapewire-"
#: Seconds that one answer may take: a cluster that elects a leader answers later, and is asked again.
ANSWER_WITHIN = 2.0

Answer = TypeVar("Answer")
Heard = Callable[[str, State | None], None]


class LeaseLost(Exception):
    """The value is not ours any more: it ran out, or another member of that name wrote it."""


class Bucket:
    """One line to NATS, with the fleet's bucket and JetStream.

    Args:
        address: of NATS.
        options: see ``FleetOptions``.
        credentials, ca: as of the sink for NATS.

    Attributes:
        shown: the address for people.
    """

    def __init__(
        self, address: Address, options: FleetOptions, *, credentials: str | None = None, ca: str | None = None
    ) -> None:
        self._address, self._options, self.shown = address, options, address.shown
        self._credentials, self._ca = credentials, ca
        self._client: Client | None = None
        self._watcher: KeyValue.KeyWatcher | None = None
        self._watching: asyncio.Task[None] | None = None
        self._js: JetStreamContext | None = None
        self._kv: KeyValue | None = None
        self._revision = 0

    @property
    def js(self) -> JetStreamContext:
        """JetStream. Raises Away: there is no line."""
        if self._js is None or not self.is_open:
            raise Away("the line is lost")
        return self._js

    @property
    def is_open(self) -> bool:
        return self._client is not None and self._client.is_connected

    async def open(self, *, make: bool) -> bool:
        """Connect; the bucket is made if it is absent and ``make`` says so. Returns whether it is there.

        Raises:
            Away, NotLetIn: nothing is left open then.
            ConfigError: it is there with another lease.
        """
        try:
            self._client = await connect(
                self._address, asyncio.get_running_loop().create_future(), credentials=self._credentials, ca=self._ca
            )
            self._js = self._client.jetstream(timeout=ANSWER_WITHIN)
            self._kv = await self._asked(self._found(self._js, make=make))
        except BaseException:
            await self.close()
            raise
        return self._kv is not None

    async def join(self, state: State) -> None:
        """Write the value for the first time. Raises LeaseLost: there is one of that name. Away."""
        self._revision = await self._write(self._opened().create(_key(state.name), encode(state)))

    async def renew(self, state: State) -> None:
        """Write it again. Raises LeaseLost, Away."""
        update = self._opened().update(_key(state.name), encode(state), last=self._revision)
        self._revision = await self._write(update)

    async def leave(self, name: str) -> None:
        """Take the value away, if it is ours still. Raises LeaseLost, Away."""
        await self._write(self._opened().delete(_key(name), last=self._revision))

    async def watch(self, hear: Heard) -> None:
        """Have ``hear`` told of each member's value, those there are first; None: it took its leave. Raises Away."""
        await self._deafen()
        self._watcher = await self._asked(self._opened().watch(f"{_MEMBER}*"))
        self._watching = asyncio.create_task(_hear(self._watcher, hear), name="watching a fleet")

    async def states(self) -> list[State]:
        """Every member's value now, by name. Raises Away."""
        found: dict[str, State] = {}

        async def gather() -> None:
            watcher = await self._opened().watch(f"{_MEMBER}*", ignore_deletes=True)
            try:
                async for entry in watcher:
                    if entry is None:
                        return
                    state = _state(entry)
                    if state is not None:
                        found[state.name] = state
            finally:
                await _stopped(watcher)

        await self._asked(gather())
        return [found[name] for name in sorted(found)]

    async def fleets(self) -> list[str]:
        """Names of all fleets there, sorted. Raises Away."""
        listed: list[Any] = await self._asked(self.js.streams_info())
        names = [str(info.config.name) for info in listed]
        return sorted(name.removeprefix(_STREAM) for name in names if name.startswith(_STREAM))

    async def close(self) -> None:
        """Let go of the line; the value stays until its lease is over."""
        with contextlib.suppress(Away):
            await self._deafen()
        client, self._client, self._js, self._kv = self._client, None, None, None
        if client is not None:
            await hang_up(client)

    async def _found(self, js: JetStreamContext, *, make: bool) -> KeyValue | None:
        from nats.js.errors import BucketNotFoundError  # noqa: PLC0415 - an optional extra

        options = self._options
        try:
            kv = await js.key_value(options.bucket)
        except BucketNotFoundError:
            if not make:
                return None
            description = "collectors of tapewire; one value each, which ends with its lease"
            return await js.create_key_value(
                bucket=options.bucket, ttl=options.lease, history=1, replicas=options.replicas, description=description
            )
        lease = (await kv.status()).ttl
        if make and lease != options.lease:
            raise ConfigError("lease", options.lease, f"{lease or 0:g} s, as the fleet {options.fleet} has it already")
        return kv

    async def _deafen(self) -> None:
        watcher, self._watcher = self._watcher, None
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.wait([watching])
        if watcher is not None and self.is_open:
            await self._asked(_stopped(watcher))

    async def _write(self, call: Coroutine[Any, Any, Any]) -> int:
        from nats.js.errors import KeyWrongLastSequenceError  # noqa: PLC0415 - an optional extra

        try:
            return int(await self._asked(call))
        except KeyWrongLastSequenceError as error:
            raise LeaseLost(words_of(error)) from None

    async def _asked(self, call: Coroutine[Any, Any, Answer]) -> Answer:
        """An answer of NATS. Raises Away; what it means by a wrong sequence is for the caller."""
        from nats import errors  # noqa: PLC0415 - an optional extra
        from nats.js import errors as js_errors  # noqa: PLC0415

        try:
            async with asyncio.timeout(2 * ANSWER_WITHIN):
                return await call
        except js_errors.KeyWrongLastSequenceError:
            raise
        except js_errors.APIError as error:
            if error.code == 503:
                raise Away(f"JetStream is not ready: {error.description}") from None
            raise NotLetIn(f"bucket {self._options.bucket}: {error.description}") from None
        except (errors.Error, js_errors.Error, TimeoutError, ConnectionError) as error:
            raise Away(f"NATS does not answer: {words_of(error)}") from None

    def _opened(self) -> KeyValue:
        if self._kv is None or not self.is_open:
            raise Away("the line is lost")
        return self._kv


async def _stopped(watcher: Any) -> None:
    """End it; nats-py's method has no types."""
    await watcher.stop()


async def _hear(watcher: KeyValue.KeyWatcher, hear: Heard) -> None:
    async for entry in watcher:
        if entry is None:  # so far they were there before
            continue
        if entry.operation in ("DEL", "PURGE"):
            hear(entry.key.removeprefix(_MEMBER), None)
            continue
        state = _state(entry)
        if state is not None:
            hear(state.name, state)


def _state(entry: KeyValue.Entry) -> State | None:
    """What a member of another version wrote is as if it was not there: it does not know ours either."""
    try:
        return read(entry.value or b"")
    except DecodeError:
        return None


def _key(name: str) -> str:
    return f"{_MEMBER}{name}"
