"""The figures of a feed: per connection, per mailbox, of the process, and over all."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from tapewire.model.health import ConnectionState


class LatencyStatistics(Struct, frozen=True):
    """Milliseconds of the newest sampled messages.

    From the venue's time stamp to our receipt, the clocks of exchange and host are compared: they may differ, so
    compare values, do not trust their zero.
    """

    samples: int
    p50: float
    p90: float
    p99: float
    max: float


def latency_statistics(samples: Sequence[float]) -> LatencyStatistics | None:
    """Percentiles of sampled milliseconds, None when there are none."""
    if not samples:
        return None
    ordered = sorted(samples)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]

    return LatencyStatistics(len(ordered), at(0.5), at(0.9), at(0.99), ordered[-1])


class ConnectionMetrics(Struct, frozen=True, kw_only=True):
    """One connection. Times are ns UTC or None; counts are since the connection was made, over all its lines.

    Attributes:
        name, venue, side, url: which it is; ``side`` is ``public``, ``private`` or ``info``.
        state: see ``ConnectionState``.
        uptime_seconds: of the present line, 0.0 without one.
        connected_at_ns: when the present line opened.
        connects: dials begun; reconnects: lines that came back after a loss.
        errors: losses and failed dials, those that were asked for aside; consecutive_errors: of them in a row, without
            a stable line between.
        last_error, last_error_ns: the newest loss or refusal.
        messages_received: data messages, the exchange's own words and frames in quarantine.
        messages_sent: requests, questions and pings.
        bytes_received, bytes_sent: payload of the TCP connections, over TLS the encrypted one; from the kernel (Linux);
            None: not known for a line or system of this kind.
        messages: data messages by kind (``trade``, ``candle.1s`` …), of streams given up too.
        streams: data messages by present stream (``trade KRW-BTC``); symbols: by symbol.
        subscriptions: streams now; pending: those not yet confirmed; stale: silent beyond their rhythm.
        open_gaps, unwanted, quarantined: interrupted streams without data since; messages for nobody; bad frames.
        last_data_ns: about a second exact; last_alive_ns: data or pong.
        last_ping_sent_ns, last_pong_received_ns: signs of life.
        retry_in: seconds until the next dial.
        health_score: 0 while a wanted line is down, else 1 less 0.1 for each loss in a row (0.5 at most), less up to
            0.3 for silence beyond 60 s.
        latency_ms: exchange's time stamp → receipt, of messages whose stamp says when they were sent; handling_ms:
            receipt → callbacks returned.
        clock_offset_ms: our clock less the exchange's, estimated by the smallest latency of the window: the shortest
            way of a message is in it.
        messages_per_second: data messages, over the last ten seconds or so.
        firsts: with ``redundancy``, messages that this line brought before its sisters; copies: those that a sister had
            brought; late: those that nobody had, but older than what was delivered. None, and 0: it has no sister.
        first_share: firsts of it as a part of the firsts of all its group.
        lead_ms: by how much the next line came later, of its newest firsts.
    """

    name: str
    venue: str
    side: str
    url: str
    state: ConnectionState
    uptime_seconds: float
    connected_at_ns: int | None
    connects: int
    reconnects: int
    errors: int
    consecutive_errors: int
    last_error: str | None
    last_error_ns: int | None
    messages_received: int
    messages_sent: int
    bytes_received: int | None
    bytes_sent: int | None
    messages: dict[str, int]
    streams: dict[str, int]
    symbols: dict[str, int]
    subscriptions: int
    pending: int
    stale: int
    open_gaps: int
    unwanted: int
    quarantined: int
    last_data_ns: int | None
    last_alive_ns: int | None
    last_ping_sent_ns: int | None
    last_pong_received_ns: int | None
    retry_in: float | None
    health_score: float
    latency_ms: LatencyStatistics | None
    handling_ms: LatencyStatistics | None
    clock_offset_ms: float | None
    messages_per_second: float
    firsts: int | None = None
    copies: int = 0
    late: int = 0
    first_share: float | None = None
    lead_ms: LatencyStatistics | None = None

    @property
    def last_message_time_ns(self) -> int | None:
        """The v6 guide's name for ``last_data_ns``."""
        return self.last_data_ns

    @property
    def total_reconnects(self) -> int:
        """The v6 guide's name for ``reconnects``."""
        return self.reconnects


class MailboxMetrics(Struct, frozen=True, kw_only=True):
    """One subscriber's mailbox (an async callback, an iterator): see ``MailboxOptions``."""

    name: str
    venue: str
    rule: str
    waiting: int
    size: int
    put: int
    taken: int
    dropped: int
    conflated: int


class VenueMetrics(Struct, frozen=True, kw_only=True):
    """All connections of one venue and its options, ended ones included.

    ``recovered``, ``doubled``, ``conflicts``: as of ``client.statistics()``.
    """

    venue: str
    url: str
    messages: dict[str, int]
    total_processed: int
    connects: int
    reconnects: int
    errors: int
    rejected: int
    gaps: int
    recovered: int
    doubled: int
    conflicts: int
    quarantined: int
    callback_errors: int
    dropped: int


class ProcessMetrics(Struct, frozen=True):
    """This process: resident memory in bytes, CPU seconds so far, CPU percent of one core since the last look."""

    memory_bytes: int
    cpu_seconds: float
    cpu_percent: float


class PerformanceMetrics(Struct, frozen=True):
    """The v6 guide's summary (requirement S3-41); rates over the last ten seconds or so."""

    messages_per_second: float
    active_connections: int
    total_components: int
    memory_usage_mb: float
    cpu_usage_percent: float
