"""Figures for Prometheus and Grafana: ``tapewire.metrics``."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from tapewire.runtime.manager import WebSocketManager

if TYPE_CHECKING:
    from tapewire.runtime.prometheus import MetricsCollector


def collector(manager: WebSocketManager, *, per_symbol: bool = False) -> MetricsCollector:
    """For a registry of ``prometheus_client``: ``REGISTRY.register(metrics.collector(manager))``.

    Call it on the manager's event loop; scraped it may be from any thread.

    Args:
        manager: whose figures (``await get_global_websocket_manager()``); held weakly.
        per_symbol: also one series for each stream (``tapewire_stream_messages_total``).

    Raises:
        RuntimeError: no event loop runs.
    """
    from tapewire.runtime.prometheus import MetricsCollector  # noqa: PLC0415 - heavy, loaded when used

    return MetricsCollector(manager, per_symbol=per_symbol)


def dashboard() -> str:
    """The Grafana dashboard, as JSON to import; it names only metrics of ``collector``."""
    return (files("tapewire.client") / "data" / "grafana.json").read_text("utf-8")
