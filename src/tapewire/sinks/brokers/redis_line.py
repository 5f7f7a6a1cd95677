"""The line to a Redis server: redis-py's client, which tries nothing twice, and its errors in words."""

from __future__ import annotations

from typing import Any

from tapewire.sinks.brokers.address import Address
from tapewire.sinks.brokers.link import NotLetIn

SCHEMES = ("redis", "rediss", "unix")


def make_client(address: Address, ca: str | None, timeout: float) -> Any:
    """redis-py's client of one server, which tries nothing twice by itself. Raises NotLetIn: it is not installed."""
    try:
        import redis.asyncio  # noqa: PLC0415 - an optional extra
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415
    except ImportError:
        raise NotLetIn("the extra redis is needed: pip install tapewire[redis]") from None
    more: dict[str, Any] = {} if ca is None else {"ssl_ca_certs": ca}
    return redis.asyncio.Redis.from_url(
        str.__str__(address.urls[0]), socket_timeout=timeout, socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0), single_connection_client=False, **more,
    )  # fmt: skip


def words_of(error: BaseException) -> str:
    """An error of redis-py for people."""
    return str(error) or type(error).__name__
