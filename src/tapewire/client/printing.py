"""Figures as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tapewire.model.counted import count_of
from tapewire.model.health import utc
from tapewire.model.metrics import ConnectionMetrics, LatencyStatistics

_UNITS = ("B", "kB", "MB", "GB", "TB")


def format_statistics(metrics: ConnectionMetrics | Mapping[str, Any]) -> str:
    """Connect time, uptime, received, sent, reconnections, last error and latency, line by line (requirement S2-43).

    Args:
        metrics: of one connection, or all of ``manager.get_all_connection_metrics()``.
    """
    if isinstance(metrics, ConnectionMetrics):
        return "\n".join(_lines(metrics))
    parts = ["\n".join(_lines(one)) for one in metrics["connections"].values()]
    parts.append(f"Total processed  {metrics['total_processed']:,}")
    return "\n\n".join(parts)


def _lines(one: ConnectionMetrics) -> Iterator[str]:
    yield f"{one.name} ({one.side}, {one.state})"
    if one.connected_at_ns is not None:
        yield f"  Connected at   {_moment(one.connected_at_ns)}"
        yield f"  Uptime         {one.uptime_seconds:.0f} s"
    yield f"  Received       {count_of(one.messages_received, 'message')}{_size(one.bytes_received)}"
    yield f"  Sent           {count_of(one.messages_sent, 'message')}{_size(one.bytes_sent)}"
    yield f"  Reconnections  {one.reconnects:,}"
    if one.last_error is not None and one.last_error_ns is not None:
        yield f"  Last error     {one.last_error} at {_moment(one.last_error_ns)}"
    if one.latency_ms is not None:
        yield f"  Latency        {_percentiles(one.latency_ms)}"
    if one.handling_ms is not None:
        yield f"  Handling       {_percentiles(one.handling_ms)}"


def _moment(ns: int) -> str:
    return f"{utc(ns):%Y-%m-%d %H:%M:%S} UTC"


def _size(count: int | None) -> str:
    if count is None:
        return ""
    size, unit = float(count), 0
    while size >= 999.95 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f", {size:.1f} {_UNITS[unit]}" if unit else f", {count} B"


def _percentiles(figures: LatencyStatistics) -> str:
    return f"p50 {figures.p50:.1f} ms, p99 {figures.p99:.1f} ms, max {figures.max:.1f} ms"
