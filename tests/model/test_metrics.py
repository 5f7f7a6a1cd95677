"""Percentiles; the v6 guide's words and names."""

from __future__ import annotations

from tapewire.model.health import ConnectionState, HealthState, ManagerState, SubscriptionState, utc
from tapewire.model.metrics import LatencyStatistics, latency_statistics
from tests.client.test_printing import METRICS


def test_latency_is_told_in_percentiles() -> None:
    assert latency_statistics([]) is None
    assert latency_statistics([5.0]) == LatencyStatistics(1, 5.0, 5.0, 5.0, 5.0)
    assert latency_statistics([float(number) for number in range(100, 0, -1)]) == LatencyStatistics(
        100, 51.0, 91.0, 100.0, 100.0
    )


def test_the_guides_words_are_plain_text_too() -> None:
    assert list(ConnectionState) == [
        "disconnected", "connecting", "connected", "subscribing", "active", "reconnecting", "error",
    ]  # fmt: skip
    assert list(SubscriptionState) == ["idle", "pending", "active", "paused", "error"]
    assert list(ManagerState) == ["idle", "initializing", "active", "shutting_down", "error"]
    assert list(HealthState) == ["healthy", "degraded", "unhealthy"]
    assert f"{HealthState.HEALTHY}" == "healthy"


def test_a_time_stamp_is_exact_to_the_microsecond() -> None:
    assert utc(1_786_611_600_123_456_789).isoformat() == "2026-08-13T09:00:00.123456+00:00"


def test_figures_have_the_guides_names_too() -> None:
    assert (METRICS.last_message_time_ns, METRICS.total_reconnects) == (METRICS.last_data_ns, METRICS.reconnects)
    assert (METRICS.last_data_ns, METRICS.reconnects) == (1_786_611_600 * 10**9, 1)
