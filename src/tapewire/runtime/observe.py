"""The engine's only logger, and the figures of ``client.statistics()``."""

from __future__ import annotations

import logging
import traceback

from msgspec import Struct

from tapewire.model.metrics import LatencyStatistics
from tapewire.model.status import CallbackFailed

logger = logging.getLogger("tapewire")


class ConnectionStatistics(Struct, frozen=True, kw_only=True):
    """One connection: ``state`` is idle, waiting, connecting, open or stopped; times are seconds.

    With ``redundancy``: ``firsts`` are the messages that it brought before its sisters, ``first_share`` is their part
    of those of all, ``lead_ms`` by how much the next one came later; ``copies`` had been brought by a sister, ``late``
    ones by nobody, but they were older than what was delivered.
    ``messages`` counts every data message per kind (``trade``, ``candle.1s`` …) since the start.
    """

    name: str
    url: str
    state: str
    subscriptions: int
    connects: int
    reconnects: int
    messages: dict[str, int]
    unwanted: int
    quarantined: int
    open_gaps: int
    retry_in: float | None = None
    last_error: str | None = None
    firsts: int | None = None
    copies: int = 0
    late: int = 0
    first_share: float | None = None
    lead_ms: LatencyStatistics | None = None


class Statistics(Struct, frozen=True, kw_only=True):
    """What a client's connections did so far.

    ``recovered``: events that a line missed and REST told. ``polled``: events that REST told while there was no line.
    ``doubled``: trades that came twice and were dropped; ``conflicts``: those of them that were another trade under
    the same id.
    """

    connections: tuple[ConnectionStatistics, ...]
    messages: dict[str, int]
    total_processed: int
    reconnects: int
    gaps: int
    recovered: int
    polled: int = 0
    doubled: int
    conflicts: int
    quarantined: int
    callback_errors: int
    dropped: int
    latency_ms: LatencyStatistics | None


def log_fields(event: str, venue: str, connection: str = "") -> dict[str, str]:
    """The fields of a log record that tells of no feed event (``logger.warning(…, extra=log_fields(…))``)."""
    return {"event": event, "venue": venue, "connection": connection}


def log_internal_error(venue: str, connection: str, error: Exception) -> None:
    """A fault of ours, with its traceback."""
    logger.error(
        "%s: internal error", connection, exc_info=error, extra=log_fields("internal_error", venue, connection)
    )


def callback_failed(venue: str, connection: str, at_ns: int, subscriber: str, error: BaseException) -> CallbackFailed:
    """The event that tells of a user's callback that raised, with its traceback."""
    return CallbackFailed(
        venue=venue,
        connection=connection,
        at_ns=at_ns,
        subscriber=subscriber,
        error=repr(error),
        traceback="".join(traceback.format_exception(error)),
    )
