"""Percentiles; the v6 guide's words and names."""

from __future__ import annotations

from tapewire.model.health import ConnectionState, HealthState, ManagerState, SubscriptionState, utc
from tapewire.model.metrics import LatencyStatistics, latency_statistics


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
