"""ISO 8601 as OKEX v3 writes times, and milliseconds (spec/okx.md B4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def milliseconds(text: str) -> int:
    """``2021-04-17T16:49:03.207Z`` → ms UTC; what is finer is cut off.

    Raises:
        ValueError: it is no time, or has no zone.
    """
    if len(text) == 24 and text[19] == "." and text[23] == "Z" and text[20:23].isdigit():  # the usual form, by far
        return _second(text[:19]) + int(text[20:23])
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"a time without a zone: {text!r}")
    return (moment - _EPOCH) // _MILLISECOND


def iso(ms: int) -> str:
    """The reverse: ms UTC → ``2021-04-17T16:49:03.207Z``."""
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{ms % 1000:03}Z"


@lru_cache(maxsize=1024)
def _second(text: str) -> int:
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
