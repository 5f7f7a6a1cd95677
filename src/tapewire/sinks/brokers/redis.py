"""The sink for Redis: one stream a subject, in pipelines of many; latest values and Pub/Sub if wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from tapewire.errors import ConfigError
from tapewire.sinks.brokers.address import Address
from tapewire.sinks.brokers.letters import Message
from tapewire.sinks.brokers.link import Refused, Unconfirmed, Verdict
from tapewire.sinks.brokers.options import BrokerOptions, read_options
from tapewire.sinks.brokers.redis_line import SCHEMES, Command, RedisLine, words_of
from tapewire.sinks.brokers.sink import BrokerSink

#: Hash of the newest message of each subject, behind the prefix.
LATEST = "latest"


class StreamOptions(Struct, frozen=True, kw_only=True):
    """What is kept in Redis.

    Attributes:
        max_len: messages of each stream that are kept, about; None: all.
        latest: the newest message of each subject is also in the hash ``md:latest``.
        pubsub: each message is also published on the channel of its subject, for whoever listens at that moment.
        replicas: Redis's replicas that must have it, too, before it counts as confirmed.
    """

    max_len: int | None = 100_000
    latest: bool = False
    pubsub: bool = False
    replicas: int = 0

    def __post_init__(self) -> None:
        if self.max_len is not None and not self.max_len >= 1:
            raise ConfigError("max_len", self.max_len, "1 or more, or None for all")
        if not self.replicas >= 0:
            raise ConfigError("replicas", self.replicas, "0 or more")


class RedisSink(BrokerSink):
    """Adds to the stream ``md.upbit.kr.trade.KRW-BTC``: fields ``id``, ``payload``, ``tw-…``.

    Args:
        target: ``redis://user:password@host:6379/0``, ``rediss://…`` (TLS) or ``unix:///path``.
        ca: file with the certificates to trust, in place of the system's (``rediss://``).
        options: fields of ``StreamOptions`` and ``BrokerOptions``.
    """

    def __init__(self, target: str, *, ca: str | None = None, **options: Any) -> None:
        stream, common = read_options(StreamOptions, options)
        address = Address(target, SCHEMES)
        if len(address.urls) > 1:
            raise ConfigError("address", address.shown, "one server: the client finds no others")
        super().__init__(lambda: RedisLink(address, stream, common, ca), address.shown, common)


class RedisLink:
    """One connection to Redis. A group is one pipeline, no transaction: one message of each subject needs none, and a
    Redis 7.0 whose user ``default`` is off does not read transactions back from its append-only file.
    """

    in_order = False

    def __init__(self, address: Address, stream: StreamOptions, options: BrokerOptions, ca: str | None) -> None:
        self._stream, self._options = stream, options
        self._line = RedisLine(address, ca, options.confirm_timeout)
        self._trimmed: Command = () if stream.max_len is None else (b"MAXLEN", b"~", stream.max_len)
        self._each = 1 + stream.latest + stream.pubsub

    async def connect(self) -> None:
        """Connect, and see that we are let in."""
        await self._line.connect()

    async def send(self, group: Sequence[Message]) -> Sequence[Verdict]:
        """One pipeline."""
        commands: list[Command] = []
        for message in group:
            self._put(commands, message)
        replicas, each = self._stream.replicas, self._each
        if replicas:
            commands.append((b"WAIT", replicas, int(self._options.confirm_timeout * 900)))
        answers = await self._line.ask(commands)
        if replicas and (why := _too_few(answers.pop(), replicas)):
            return [Unconfirmed(why)] * len(group)
        return [_verdict(answers[start : start + each]) for start in range(0, len(answers), each)]

    async def close(self) -> None:
        """Cut the line."""
        await self._line.close()

    def _put(self, commands: list[Command], message: Message) -> None:
        fields: list[bytes | str | int] = [b"XADD", message.subject, *self._trimmed, b"*", b"id", message.id]
        for header in message.headers.items():
            fields += header
        fields += (b"payload", message.payload)
        commands.append(fields)
        if self._stream.latest:
            commands.append((b"HSET", f"{self._options.prefix}:{LATEST}", message.subject, message.payload))
        if self._stream.pubsub:
            commands.append((b"PUBLISH", message.subject, message.payload))


def _too_few(held: Any, replicas: int) -> str:
    """Why a group is not confirmed: what ``WAIT`` said."""
    if isinstance(held, Exception):
        return words_of(held)
    return f"{held} of {replicas} replicas have it" if held < replicas else ""


def _verdict(answers: Sequence[Any]) -> Verdict:
    """What Redis did with one message: a key that is no stream stays so, memory and rights may come back."""
    error = next((answer for answer in answers if isinstance(answer, Exception)), None)
    if error is None:
        return None
    return Refused(words_of(error)) if words_of(error).startswith("WRONGTYPE") else Unconfirmed(words_of(error))
