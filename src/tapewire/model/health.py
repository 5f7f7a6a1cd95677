"""How well the feed is: healthy, degraded or unhealthy, each reason with its place and its beginning."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from tapewire.model.subscription import Subscription

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class HealthState(StrEnum):
    """The three words of ``HealthStatus.status``; each equals its text (``"healthy"``)."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


class ConnectionState(StrEnum):
    """What one connection is doing, in the words of the v6 guide (requirement S3-42).

    ``connected``: open, and nothing was asked yet; ``subscribing``: some streams are asked and not yet confirmed;
    ``active``: all are; ``error``: it gave up for good.
    """

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    SUBSCRIBING = "subscribing"
    ACTIVE = "active"
    RECONNECTING = "reconnecting"
    ERROR = "error"


class SubscriptionState(StrEnum):
    """What one subscription is doing: ``pending`` until confirmed, ``paused`` while its line is held or down."""

    IDLE = "idle"
    PENDING = "pending"
    ACTIVE = "active"
    PAUSED = "paused"
    ERROR = "error"


class ManagerState(StrEnum):
    """What a manager is doing."""

    IDLE = "idle"
    INITIALIZING = "initializing"
    ACTIVE = "active"
    SHUTTING_DOWN = "shutting_down"
    ERROR = "error"


class Reason(Struct, frozen=True):
    """One thing that is not as it should be.

    Attributes:
        status: what it makes of the whole, ``degraded`` or ``unhealthy``.
        connection: name of the connection, or of the subscriber that lags; ``""`` for what was refused before sending.
        text: what is wrong, for people; names the first streams.
        since_ns: when it began, ns UTC.
        subscriptions: every stream that it concerns.
        venue: name of the exchange.
    """

    status: HealthState
    connection: str
    text: str
    since_ns: int
    subscriptions: tuple[Subscription, ...] = ()
    venue: str = ""

    @property
    def since(self) -> datetime:
        """When it began, UTC."""
        return utc(self.since_ns)

    def __str__(self) -> str:
        """``upbit-1: trade KRW-BTC silent (since 12:03:04 UTC)``."""
        where = self.connection or self.venue
        place = f"{where}: " if where else ""
        return f"{place}{self.text} (since {self.since:%H:%M:%S} UTC)"


class HealthStatus(Struct, frozen=True, kw_only=True):
    """The answer of ``get_health_status()``.

    Attributes:
        status: ``healthy``, ``degraded`` or ``unhealthy``: the worst of the reasons.
        reasons: what is wrong, the worst first; none while healthy.
        since_ns: when that status's oldest trouble began, or since when there is none, ns UTC.
        idle: nothing is wanted, so that nothing can be wrong.
        uptime_seconds: since the first line opened; 0.0 before.
        total_messages_processed: data messages of all connections, ended ones included.
        connection_errors: lines lost and dials failed, those that were asked for aside.
        last_error: the newest loss or refusal in words; None: there was none.
        last_error_ns: when that was, ns UTC.
    """

    status: HealthState
    reasons: tuple[Reason, ...]
    since_ns: int
    idle: bool
    uptime_seconds: float
    total_messages_processed: int
    connection_errors: int
    last_error: str | None = None
    last_error_ns: int | None = None

    @property
    def since(self) -> datetime:
        """``since_ns`` as UTC."""
        return utc(self.since_ns)

    @property
    def last_error_time(self) -> datetime | None:
        """``last_error_ns`` as UTC."""
        return None if self.last_error_ns is None else utc(self.last_error_ns)

    def __str__(self) -> str:
        """One line for people: ``degraded: upbit-1: …; …``."""
        return f"{self.status}: {'; '.join(map(str, self.reasons))}" if self.reasons else str(self.status)


def utc(ns: int) -> datetime:
    """A time stamp in ns UTC as a datetime, exact to the microsecond."""
    return _EPOCH + timedelta(microseconds=ns // 1000)
