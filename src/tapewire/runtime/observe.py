"""Turns feed events into log lines and figures; the engine's only logger."""

from __future__ import annotations

import logging
import traceback

from msgspec import Struct

from tapewire.model.metrics import LatencyStatistics
from tapewire.model.status import (
    CallbackFailed,
    Connected,
    Disconnected,
    FeedEvent,
    Gap,
    Lagged,
    Quarantined,
    Recovered,
    Rejected,
    Stale,
    Stopped,
    Subscribed,
)
from tapewire.model.subscription import Subscription

logger = logging.getLogger("tapewire")


class ConnectionStatistics(Struct, frozen=True, kw_only=True):
    """One connection: ``state`` is idle, waiting, connecting, open or stopped; times are seconds.

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


class Statistics(Struct, frozen=True, kw_only=True):
    """What a client's connections did so far."""

    connections: tuple[ConnectionStatistics, ...]
    messages: dict[str, int]
    total_processed: int
    reconnects: int
    gaps: int
    quarantined: int
    callback_errors: int
    dropped: int
    latency_ms: LatencyStatistics | None


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


class FeedLog:
    """One line for each feed event of a pool; user text stands in it, secrets never do."""

    def __init__(self) -> None:
        self._unfilled = 0

    def tell(self, event: FeedEvent) -> None:
        """Log ``event``; the gaps of one loss are summed up in the line that tells of its end."""
        level, text = _line(event)
        if isinstance(event, Gap) and event.state == "unfilled":
            self._unfilled += 1
        elif isinstance(event, Recovered) and self._unfilled:
            level, text = logging.WARNING, f"{text}; messages may be missing in {self._unfilled} (see the Gap events)"
            self._unfilled = 0
        if logger.isEnabledFor(level):
            logger.log(level, "%s: %s", event.connection or event.venue, text)


def _line(event: FeedEvent) -> tuple[int, str]:  # noqa: C901, PLR0911, PLR0912 - one branch a kind of event
    match event:
        case Connected():
            return (
                logging.INFO,
                f"connected to {event.url}{f' (reconnect {event.reconnect})' if event.reconnect else ''}",
            )
        case Disconnected():
            if event.loss.cause == "stopped":
                return logging.INFO, f"line closed: {event.loss}"
            then = "giving up" if event.final else f"try {event.attempt} in {event.retry_in or 0:.1f} s"
            return logging.ERROR if event.final else logging.WARNING, f"line lost: {event.loss}; {then}"
        case Subscribed():
            return logging.INFO, f"{_streams(event.subscriptions)} live"
        case Rejected():
            about = ", ".join(map(str, event.subscriptions)) or "no subscription ended"
            return (
                logging.ERROR if event.final else logging.WARNING,
                f"refused: {event.name}: {event.message} ({about})",
            )
        case Gap():
            # one for each stream: a hundred at once would bury the line that says why, so they are for who asks
            return logging.INFO, f"gap ({event.state}) in {event.subscription}: {event.cause}"
        case Stale():
            state = "has data again" if event.over else f"silent for {event.silent:.0f} s (limit {event.limit:.0f} s)"
            return logging.INFO if event.over else logging.WARNING, f"{event.subscription} {state}"
        case Lagged():
            return logging.WARNING, f"{event.subscriber} fell behind: {event.dropped} dropped ({event.rule})"
        case Quarantined():
            return logging.WARNING, f"frame kept in quarantine: {event.reason}: {event.payload[:80]!r}"
        case CallbackFailed():
            return logging.ERROR, f"callback of {event.subscriber} raised {event.error}\n{event.traceback}"
        case Stopped():
            return logging.ERROR if event.error else logging.INFO, f"stopped: {event.reason}"
        case Recovered():
            return logging.INFO, f"{_streams(event.subscriptions)} back after {event.seconds:.1f} s"
        case _:
            return logging.DEBUG, str(event)


def _streams(subscriptions: tuple[Subscription, ...]) -> str:
    return str(subscriptions[0]) if len(subscriptions) == 1 else f"{len(subscriptions)} streams"
