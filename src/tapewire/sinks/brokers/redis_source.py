"""Redis Streams in the exchange's place: the newest of each subject, history, and what comes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tapewire.sinks.brokers.address import Address
from tapewire.sinks.brokers.link import Away, NotLetIn
from tapewire.sinks.brokers.redis_line import SCHEMES, make_client, words_of
from tapewire.sinks.brokers.source import Begin, Received

#: Milliseconds that one question waits for something new: so late may a new subject be heard.
_BLOCK = 200
#: Messages of one answer.
_AT_ONCE = 1_000
_ANSWER_WITHIN = 10.0


class RedisSource:
    """One connection that asks for what is new in all streams at once."""

    def __init__(self, address: str, _stream: str) -> None:
        self._address = Address(address, SCHEMES)
        self.shown = self._address.shown
        self._client: Any = None
        self._positions: dict[str, str] = {}

    async def connect(self) -> None:
        """Connect, and see that we are let in."""
        self._positions = {}
        self._client = make_client(self._address, None, _ANSWER_WITHIN)
        import redis  # noqa: PLC0415 - an optional extra

        try:
            await self._client.ping()
        except (redis.AuthenticationError, redis.ResponseError) as error:
            raise NotLetIn(str(error)) from None
        except (redis.RedisError, OSError) as error:
            raise Away(words_of(error)) from None

    async def latest(self, subjects: Sequence[str]) -> Sequence[Received]:
        """The newest of each."""
        answers = await self._ask([("XREVRANGE", subject, "+", "-", "COUNT", 1) for subject in subjects])
        return [
            _received(subject, entries[0]) for subject, entries in zip(subjects, answers, strict=True) if entries
        ]  # fmt: skip

    async def follow(self, begins: Mapping[str, Begin]) -> frozenset[str]:
        """Ask for these, too."""
        oldest = await self._ask([("XRANGE", subject, "-", "+", "COUNT", 1) for subject in begins])
        for subject, begin in begins.items():
            since = 0 if begin.since_ns is None else begin.since_ns // 1_000_000
            self._positions[subject] = begin.after or (f"{since - 1}-{2**64 - 1}" if since else "0-0")
        return frozenset(
            subject
            for (subject, begin), entries in zip(begins.items(), oldest, strict=True)
            if begin.after is not None and (not entries or _number(entries[0][0]) > _number(begin.after.encode()))
        )

    async def leave(self, subjects: Iterable[str]) -> None:
        """Ask for these no more."""
        for subject in subjects:
            self._positions.pop(subject, None)

    async def receive(self) -> Sequence[Received]:
        """What is new; nothing when a while brought nothing."""
        if not self._positions:
            return []
        command = ("XREAD", "COUNT", _AT_ONCE, "BLOCK", _BLOCK, "STREAMS", *self._positions, *self._positions.values())
        [answer] = await self._ask([command])
        pairs = answer.items() if isinstance(answer, dict) else answer or ()
        found = [_received(name.decode(), entry) for name, entries in pairs for entry in _entries(entries)]
        for one in found:
            self._positions[one.subject] = one.position
        return found

    async def close(self) -> None:
        """Cut the line."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):  # it is broken: that is why it is closed
                await client.aclose()

    async def _ask(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        import redis  # noqa: PLC0415 - an optional extra

        if self._client is None:
            raise Away("the line is lost")
        try:
            pipe = self._client.pipeline(transaction=False)
            for command in commands:
                pipe.execute_command(*command)
            return list(await pipe.execute())
        except (redis.RedisError, OSError) as error:
            raise Away(words_of(error)) from None


def _received(subject: str, entry: tuple[bytes, Mapping[bytes, bytes]]) -> Received:
    position, fields = entry
    headers = {name.decode(): value.decode() for name, value in _pairs(fields) if name != b"payload"}
    return Received(subject, headers, dict(_pairs(fields)).get(b"payload", b""), position.decode())


def _pairs(fields: Any) -> list[tuple[bytes, bytes]]:
    return list(fields.items()) if isinstance(fields, dict) else list(zip(fields[::2], fields[1::2], strict=True))


def _entries(answer: Any) -> Sequence[Any]:
    """Redis's newer protocol puts the entries of a stream into one more list."""
    return answer[0] if len(answer) == 1 and isinstance(answer[0], list) else answer


def _number(position: bytes) -> tuple[int, int]:
    milliseconds, _, number = position.partition(b"-")
    return int(milliseconds), int(number or 0)
