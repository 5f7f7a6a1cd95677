"""The sink for Redis: one stream a subject, in pipelines of many; latest values and Pub/Sub if wanted."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from tapewire.errors import ConfigError
from tapewire.sinks.brokers.address import Address
from tapewire.sinks.brokers.letters import Message
from tapewire.sinks.brokers.link import Away, NotLetIn, Refused, Unconfirmed, Verdict
from tapewire.sinks.brokers.options import BrokerOptions, read_options
from tapewire.sinks.brokers.redis_line import SCHEMES, make_client, words_of
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
        self._address, self._stream, self._options, self._ca = address, stream, options, ca
        self._client: Any = None
        self._trimmed = () if stream.max_len is None else (b"MAXLEN", b"~", stream.max_len)

    async def connect(self) -> None:
        """Connect, and see that we are let in."""
        self._client = make_client(self._address, self._ca, self._options.confirm_timeout)
        import redis  # noqa: PLC0415 - an optional extra

        try:
            await self._client.ping()
        except (redis.AuthenticationError, redis.ResponseError) as error:
            raise NotLetIn(str(error)) from None
        except (redis.RedisError, OSError) as error:
            raise Away(words_of(error)) from None

    async def send(self, group: Sequence[Message]) -> Sequence[Verdict]:
        """One pipeline."""
        import redis  # noqa: PLC0415 - an optional extra

        pipe = self._client.pipeline(transaction=False)
        each = 1 + self._stream.latest + self._stream.pubsub
        for message in group:
            self._put(pipe, message)
        try:
            answers = await pipe.execute(raise_on_error=False)
            if self._stream.replicas:
                held = await self._client.wait(self._stream.replicas, int(self._options.confirm_timeout * 900))
                if held < self._stream.replicas:
                    words = f"{held} of {self._stream.replicas} replicas have it"
                    return [Unconfirmed(words)] * len(group)
        except (redis.RedisError, OSError) as error:
            raise Away(words_of(error)) from None
        return [_verdict(answers[start : start + each]) for start in range(0, len(answers), each)]

    async def close(self) -> None:
        """Cut the line."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):  # it is broken: that is why it is closed
                await client.aclose()

    def _put(self, pipe: Any, message: Message) -> None:
        fields: list[Any] = [b"id", message.id]
        for header in message.headers.items():
            fields += header
        pipe.execute_command(b"XADD", message.subject, *self._trimmed, b"*", *fields, b"payload", message.payload)
        if self._stream.latest:
            pipe.hset(f"{self._options.prefix}:{LATEST}", message.subject, message.payload)
        if self._stream.pubsub:
            pipe.publish(message.subject, message.payload)


def _verdict(answers: Sequence[Any]) -> Verdict:
    """What Redis did with one message: a key that is no stream stays so, memory and rights may come back."""
    error = next((answer for answer in answers if isinstance(answer, Exception)), None)
    if error is None:
        return None
    return Refused(words_of(error)) if words_of(error).startswith("WRONGTYPE") else Unconfirmed(words_of(error))
