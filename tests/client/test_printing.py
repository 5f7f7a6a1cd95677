"""Figures as text."""

from __future__ import annotations

from msgspec.structs import replace

from tapewire import format_statistics
from tapewire.model.health import ConnectionState
from tapewire.model.metrics import ConnectionMetrics, LatencyStatistics

NS = 1_786_611_600 * 10**9
METRICS = ConnectionMetrics(
    name="upbit-1", venue="upbit", side="public", url="ws://x", state=ConnectionState.ACTIVE, uptime_seconds=61.6,
    connected_at_ns=NS, connects=2, reconnects=1, errors=1, consecutive_errors=0, last_error="closed (1001)",
    last_error_ns=NS - 10**9, messages_received=1_234_567, messages_sent=3, bytes_received=1_650_000_000,
    bytes_sent=999, messages={}, streams={}, symbols={}, subscriptions=2, pending=0, stale=0, open_gaps=0, unwanted=0,
    quarantined=0, last_data_ns=NS, last_alive_ns=NS, last_ping_sent_ns=None, last_pong_received_ns=None, retry_in=None,
    health_score=1.0, latency_ms=LatencyStatistics(3, 1.25, 2.0, 3.0, 4.0), handling_ms=None, clock_offset_ms=None,
    messages_per_second=5.0,
)  # fmt: skip


def test_one_connection_is_told_line_by_line() -> None:
    assert format_statistics(METRICS).splitlines() == [
        "upbit-1 (public, active)",
        "  Connected at   2026-08-13 09:00:00 UTC",
        "  Uptime         62 s",
        "  Received       1,234,567 messages, 1.6 GB",
        "  Sent           3 messages, 999 B",
        "  Reconnections  1",
        "  Last error     closed (1001) at 2026-08-13 08:59:59 UTC",
        "  Latency        p50 1.2 ms, p99 3.0 ms, max 4.0 ms",
    ]


def test_what_is_not_known_is_left_out() -> None:
    bare = replace(
        METRICS, state=ConnectionState.RECONNECTING, connected_at_ns=None, last_error=None, latency_ms=None,
        bytes_received=None, bytes_sent=None, handling_ms=LatencyStatistics(1, 0.1, 0.1, 0.1, 0.1),
    )  # fmt: skip
    assert format_statistics(bare).splitlines() == [
        "upbit-1 (public, reconnecting)",
        "  Received       1,234,567 messages",
        "  Sent           3 messages",
        "  Reconnections  1",
        "  Handling       p50 0.1 ms, p99 0.1 ms, max 0.1 ms",
    ]


def test_all_connections_end_with_the_total() -> None:
    text = format_statistics(
        {"connections": {"upbit-1": METRICS, "b": replace(METRICS, name="b")}, "total_processed": 2_000}
    )
    parts = text.split("\n\n")
    assert [part.splitlines()[0] for part in parts] == [
        "upbit-1 (public, active)", "b (public, active)", "Total processed  2,000",
    ]  # fmt: skip
    assert "999.9 kB" in format_statistics(replace(METRICS, bytes_sent=999_949))
    assert "1.0 MB" in format_statistics(replace(METRICS, bytes_sent=999_951))
