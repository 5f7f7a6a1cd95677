"""The sink for NATS JetStream: a stream made if absent, ids that the server knows doubles by, confirmed publishing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from msgspec import MsgspecError, Struct, json

from tapewire.errors import ConfigError
from tapewire.sinks.brokers.address import Address
from tapewire.sinks.brokers.letters import Message
from tapewire.sinks.brokers.link import KNOWN, Away, NotLetIn, Refused, Unconfirmed, Verdict
from tapewire.sinks.brokers.nats_line import SCHEMES, connect, hang_up, words_of
from tapewire.sinks.brokers.nats_message import encode
from tapewire.sinks.brokers.options import read_options
from tapewire.sinks.brokers.sink import BrokerSink

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

#: Bytes that are handed to the line at once, about.
_AT_ONCE = 256 * 1024


class StreamOptions(Struct, frozen=True, kw_only=True):
    """The JetStream stream, when it has to be made; one that is there stays as it is.

    Attributes:
        stream: its name.
        replicas: servers that keep it: 1, 3 or 5.
        retention: ``"limits"``, ``"interest"`` or ``"workqueue"``, as NATS means them.
        max_age: seconds for which messages are kept; 0: for ever.
        max_bytes: bytes kept at most; -1: all.
        duplicates: seconds for which the server knows ids, and drops doubles.
        storage: ``"file"`` or ``"memory"``.
    """

    stream: str = "md"
    replicas: int = 1
    retention: Literal["limits", "interest", "workqueue"] = "limits"
    max_age: float = 86400.0
    max_bytes: int = -1
    duplicates: float = 120.0
    storage: Literal["file", "memory"] = "file"

    def __post_init__(self) -> None:
        if not self.stream or set(self.stream) & set(" .*>/\\\t\r\n"):
            raise ConfigError("stream", self.stream, "a name without blanks, dots, wildcards and slashes")
        if self.replicas not in (1, 2, 3, 4, 5):
            raise ConfigError("replicas", self.replicas, "1 to 5")
        for option, words in (("retention", ("limits", "interest", "workqueue")), ("storage", ("file", "memory"))):
            if getattr(self, option) not in words:
                raise ConfigError(option, getattr(self, option), " or ".join(f'"{word}"' for word in words))
        if not self.max_age >= 0:
            raise ConfigError("max_age", self.max_age, "0 or more")
        if not self.duplicates > 0 or (self.max_age and self.duplicates > self.max_age):
            raise ConfigError("duplicates", self.duplicates, "more than 0, and max_age at most")


class NatsSink(BrokerSink):
    """Publishes to JetStream: subject ``md.upbit.kr.trade.KRW-BTC``, ``Nats-Msg-Id``, headers ``tw-…``.

    Args:
        target: ``nats://user:password@host:4222``, ``tls://…``; servers of a cluster joined by commas. A token stands
            in the place of the user.
        credentials: file of a user's JWT and seed, as ``nsc`` makes it.
        ca: file with the certificates to trust, in place of the system's (``tls://``).
        options: fields of ``StreamOptions`` and ``BrokerOptions``.
    """

    def __init__(self, target: str, *, credentials: str | None = None, ca: str | None = None, **options: Any) -> None:
        stream, common = read_options(StreamOptions, options)
        address = Address(target, SCHEMES)
        super().__init__(
            lambda: NatsLink(address, stream, common.prefix, credentials=credentials, ca=ca), address.shown, common
        )


class _Group:
    """What a group's messages were answered."""

    __slots__ = ("answered", "left", "verdicts")

    def __init__(self, count: int) -> None:
        self.verdicts: list[Verdict] = [Unconfirmed("no answer")] * count
        self.left = 0
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def hear(self, position: int, verdict: Verdict) -> None:
        self.verdicts[position] = verdict
        self.left -= 1
        if not self.left and not self.answered.done():
            self.answered.set_result(None)


class NatsLink:
    """One connection to JetStream. Its own bytes and its own table of answers cost half of what nats-py's do."""

    in_order = False
    groups = 2

    def __init__(
        self, address: Address, stream: StreamOptions, prefix: str, *, credentials: str | None, ca: str | None
    ) -> None:
        self._address, self._stream, self._prefix = address, stream, prefix
        self._credentials, self._ca = credentials, ca
        self._client: Client | None = None
        self._lost: asyncio.Future[str] | None = None
        self._inbox = ""
        self._number = 0
        self._awaited: dict[str, tuple[_Group, int]] = {}

    async def connect(self) -> None:
        """Connect, and make the stream if it is absent."""
        try:
            await self._connect()
        except BaseException:
            await self.close()  # there may be a line already
            raise

    async def _connect(self) -> None:
        self._lost, self._awaited = asyncio.get_running_loop().create_future(), {}
        self._client = await connect(self._address, self._lost, credentials=self._credentials, ca=self._ca)
        from nats import errors  # noqa: PLC0415 - an optional extra
        from nats.js import errors as js_errors  # noqa: PLC0415

        try:
            await self._make(self._client.jetstream(timeout=5.0))
            self._inbox = self._client.new_inbox()
            await self._client.subscribe(f"{self._inbox}.*", cb=self._hear)
        except js_errors.APIError as error:
            raise (Away if error.code == 503 else NotLetIn)(
                f"stream {self._stream.stream}: {error.description}"
            ) from None
        except (js_errors.Error, errors.Error, TimeoutError) as error:
            raise Away(f"JetStream does not answer: {words_of(error)}") from None

    async def send(self, group: Sequence[Message]) -> Sequence[Verdict]:
        """Publish all, then wait for each to be confirmed."""
        from nats import errors  # noqa: PLC0415 - an optional extra

        client, lost = self._client, self._lost
        if client is None or lost is None or lost.done() or not client.is_connected:
            raise Away(lost.result() if lost is not None and lost.done() else "the line is lost")
        found = _Group(len(group))
        try:
            for piece in self._pieces(group, found, client.max_payload):
                await client._send_command(piece)  # noqa: SLF001 - ``publish`` makes each message by itself
            await client._flush_pending()  # noqa: SLF001 - as above
        except errors.Error as error:
            raise Away(words_of(error)) from None
        if found.left:
            waiting: set[asyncio.Future[Any]] = {found.answered, lost}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if not found.answered.done():
                raise Away(lost.result())
        return found.verdicts

    def _pieces(self, group: Sequence[Message], found: _Group, most: int) -> Iterator[bytes]:
        """The bytes of a group. What is larger than the server takes is refused here: there it would cost the line."""
        parts: list[bytes] = []
        waiting = 0
        for position, message in enumerate(group):
            self._number += 1
            reply = f"{self._inbox}.{self._number}"
            wire, size = encode(message.subject, reply, message.id, message.headers, message.payload)
            if size > most:
                found.verdicts[position] = Refused(f"{size:,} bytes are more than the server takes ({most:,})")
                continue
            self._awaited[reply] = found, position
            found.left += 1
            parts.append(wire)
            waiting += len(wire)
            if waiting > _AT_ONCE:
                yield b"".join(parts)
                parts, waiting = [], 0
        if parts:
            yield b"".join(parts)

    async def close(self) -> None:
        """Cut the line."""
        client, self._client = self._client, None
        if client is not None:
            await hang_up(client)

    async def _hear(self, answer: Msg) -> None:
        awaited = self._awaited.pop(answer.subject, None)
        if awaited is not None:
            group, position = awaited
            group.hear(position, _verdict(answer))

    async def _make(self, js: JetStreamContext) -> None:
        from nats.js import api, errors  # noqa: PLC0415 - an optional extra

        wanted = self._stream
        try:
            await js.stream_info(wanted.stream)
        except errors.NotFoundError:
            await js.add_stream(
                api.StreamConfig(
                    name=wanted.stream,
                    subjects=[f"{self._prefix}.>"],
                    num_replicas=wanted.replicas,
                    retention=api.RetentionPolicy(wanted.retention),
                    max_age=wanted.max_age,
                    max_bytes=wanted.max_bytes,
                    duplicate_window=wanted.duplicates,
                    storage=api.StorageType(wanted.storage),
                )
            )


class _Error(Struct):
    description: str = ""


class _Answer(Struct):
    error: _Error | None = None
    duplicate: bool = False


_read = json.Decoder(_Answer).decode


def _verdict(answer: Msg) -> Verdict:
    if answer.headers and answer.headers.get("Status"):
        return Unconfirmed("no stream takes this subject at present")
    try:
        read = _read(answer.data)
    except MsgspecError:
        return Unconfirmed("an answer that cannot be read")
    if read.error is not None:
        return Unconfirmed(read.error.description)
    return KNOWN if read.duplicate else None
