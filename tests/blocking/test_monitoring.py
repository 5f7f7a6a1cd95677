"""Health and figures of the blocking client."""

from __future__ import annotations

import threading
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from tapewire.blocking import WebSocketClient
from tapewire.testing.background import BackgroundSimulator


def test_health_and_metrics_without_asyncio() -> None:
    heard = threading.Event()
    with (
        BackgroundSimulator(rate=300.0, markets=("KRW-BTC",)) as simulator,
        WebSocketClient("plain", url=simulator.url) as client,
    ):
        client.subscribe_trade("KRW-BTC", lambda _: heard.set())
        assert heard.wait(10)
        health = client.get_health_status()
        assert (health.status, health.idle) == ("healthy", False)
        assert client.gaps() == ()
        with urllib.request.urlopen(client.serve_metrics(), timeout=10) as answer:  # noqa: S310 - our own loopback
            families = {one.name: one for one in text_string_to_metric_families(answer.read().decode())}
    assert families["tapewire_connection_up"].samples[0].value == 1
