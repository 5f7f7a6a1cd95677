"""The line to a Redis server: one connection that never comes back by itself, and its errors in words."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from tapewire.sinks.brokers.address import Address
from tapewire.sinks.brokers.link import Away, NotLetIn
from tapewire.sinks.brokers.trust import trusting

SCHEMES = ("redis", "rediss", "unix")

Command = Sequence[bytes | str | int]
#: Text of at most so many characters is likely to come again.
_SHORT = 12


class RedisLine:
    """One connection to one server, used by one task at a time.

    redis-py's own client opens a new connection whenever it finds the old one dead; what was thrown away in between
    would be nobody's business. Here a line that is lost is ``Away``, once and for all.

    Args:
        address: of one server.
        ca: file with the certificates to trust, in place of the system's.
        timeout: seconds to connect, and for all answers to one question.
    """

    def __init__(self, address: Address, ca: str | None, timeout: float) -> None:
        self._address, self._ca, self._timeout = address, ca, timeout
        self._line: Any = None
        self._writer: Any = None

    async def connect(self) -> None:
        """Connect, and see that we are let in.

        Raises:
            Away, NotLetIn: and nothing is left open.
        """
        line = self._line = self._make()
        self._keep_writer(line)
        import redis  # noqa: PLC0415 - an optional extra

        try:
            await line.connect()
            await self._greet()
        except (redis.AuthenticationError, redis.ResponseError) as error:
            await self.close()
            raise NotLetIn(words_of(error)) from None
        except (redis.RedisError, OSError) as error:
            await self.close()
            raise Away(words_of(error)) from None
        except BaseException:
            await self.close()
            raise

    async def _greet(self) -> None:
        [answer] = await self.ask([("PING",)])
        if isinstance(answer, Exception):
            raise answer

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        """The answers to commands sent at once; an error of one is its answer. Cancelled, it drops the line.

        Raises:
            Away: the line is lost, or nothing was answered in time.
        """
        import redis  # noqa: PLC0415 - an optional extra

        line = self._line
        if line is None or not line.is_connected:
            raise Away("the line is lost")
        try:
            async with asyncio.timeout(self._timeout):
                await line.send_packed_command(pack(commands), check_health=False)
                return [await _answer(line, redis.ResponseError) for _ in commands]
        except TimeoutError:
            await self.close()
            raise Away(f"no answer within {self._timeout:g} s") from None
        except (redis.RedisError, OSError) as error:
            await self.close()
            raise Away(words_of(error)) from None
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Cut the line; never raises."""
        line, self._line = self._line, None
        writer, self._writer = self._writer, None
        if line is not None:
            with contextlib.suppress(Exception):  # it is broken: that is why it is closed
                await line.disconnect(nowait=True)
        if writer is not None:
            writer.transport.abort()  # redis-py leaves a TLS line open until the server, too, has said goodbye

    def _keep_writer(self, line: Any) -> None:
        """For ``close``: redis-py forgets it as soon as something fails, a login too, though it may still be open."""
        dial = line._connect  # noqa: SLF001

        async def connect() -> None:
            await dial()
            self._writer = line._writer  # noqa: SLF001

        line._connect = connect  # noqa: SLF001

    def _make(self) -> Any:
        try:
            import redis.asyncio  # noqa: PLC0415 - an optional extra
            from redis.asyncio.retry import Retry  # noqa: PLC0415
            from redis.backoff import NoBackoff  # noqa: PLC0415
        except ImportError:
            raise NotLetIn("the extra redis is needed: pip install tapewire[redis]") from None
        more: dict[str, Any] = {}
        if self._ca is not None:
            trusting(self._ca)
            more["ssl_ca_certs"] = self._ca
        pool: Any = redis.asyncio.ConnectionPool.from_url(
            str.__str__(self._address.urls[0]), socket_timeout=self._timeout, socket_connect_timeout=self._timeout,
            retry=Retry(NoBackoff(), 0), **more,
        )  # fmt: skip
        return pool.make_connection()


async def _answer(line: Any, refusal: type[Exception]) -> Any:
    try:
        return await line.read_response(timeout=math.inf)
    except refusal as error:
        return error


def pack(commands: Iterable[Command]) -> list[bytes]:
    """Commands as Redis reads them."""
    parts: list[bytes] = []
    add = parts.append
    for command in commands:
        add(b"*%d\r\n" % len(command))
        for word in command:
            if type(word) is bytes:
                add(b"$%d\r\n%b\r\n" % (len(word), word))
            elif type(word) is str and len(word) <= _SHORT:
                add(_packed(word))
            else:
                value = str(word).encode()
                add(b"$%d\r\n%b\r\n" % (len(value), value))
    return [b"".join(parts)]


@lru_cache(maxsize=4_096)
def _packed(word: str) -> bytes:
    """Names and values of headers are few, and come with every message."""
    value = word.encode()
    return b"$%d\r\n%b\r\n" % (len(value), value)


def words_of(error: BaseException) -> str:
    """An error of redis-py for people."""
    return str(error) or type(error).__name__
