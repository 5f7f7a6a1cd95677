"""The exchange's limits in Redis: the grants of each gate are one key."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from tapewire.errors import ConfigError
from tapewire.runtime.server_limits import ANSWER_WITHIN, Gone, Link, mark_of, server_gates, shown
from tapewire.session.limits import MakeGate

#: Sets the state if it is still the one that was read; tells whether, what it is now, and the server's time.
_SCRIPT = """
local found = redis.call('GET', KEYS[1]) or ''
local ok = 0
if ARGV[1] == '1' and found == ARGV[2] then
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
  ok = 1
end
local now = redis.call('TIME')
return {ok, found, now[1], now[2]}
"""


class RedisStore:
    """One key of a Redis server. ``client`` is redis-py's."""

    #: Its clock is read in the same step.
    spread = 0.0

    def __init__(self, client: Any, key: str, where: str) -> None:
        import redis  # noqa: PLC0415 - an optional extra

        self._script, self._key, self._where = client.register_script(_SCRIPT), key, where
        self._errors = (redis.RedisError, OSError)

    def read(self) -> tuple[bytes, float]:
        _, found, seconds, micros = self._ask("0", b"", b"", 1)
        return found, int(seconds) + int(micros) / 1e6

    def swap(self, before: bytes, after: bytes, keep: float) -> bool:
        return bool(self._ask("1", before, after, max(1, round(keep * 1000)))[0])

    def _ask(self, *arguments: Any) -> Any:
        try:
            return self._script(keys=[self._key], args=arguments)
        except self._errors as error:
            raise Gone(f"{self._where} does not answer: {type(error).__name__}: {error}") from None


def redis_gates(url: str, place: Sequence[str], own: MakeGate) -> MakeGate:
    """Makes the gates of one address for all programs that name this Redis.

    Args:
        url: ``redis://``, ``rediss://`` (TLS) or ``unix://``, with user and password if it needs any; never shown.
        place: what the limits belong to; states of another place have other keys.
        own: makes the gates of this host.

    Raises:
        ConfigError: the ``redis`` package is not there, the address is none, or Redis refuses the password.
    """
    where = f"Redis at {shown(url)}"
    try:
        import redis  # noqa: PLC0415 - an optional extra
    except ImportError:
        raise ConfigError("limits", shown(url), "used with the extra redis: pip install tapewire[redis]") from None
    try:
        client = redis.Redis.from_url(str(url), socket_timeout=ANSWER_WITHIN, socket_connect_timeout=ANSWER_WITHIN)
    except ValueError as error:
        raise ConfigError("limits", shown(url), f"an address of Redis ({error})") from None
    with suppress(redis.ConnectionError, redis.TimeoutError):  # told when it is needed
        try:
            client.ping()
        except (redis.AuthenticationError, redis.ResponseError) as error:
            raise ConfigError("limits", shown(url), f"an address that lets us in ({error})") from None
    start = f"tapewire:limits:{'-'.join(place)}-{mark_of(place)}"
    return server_gates(lambda name: RedisStore(client, f"{start}:{name}", where), own, Link("Redis"))
