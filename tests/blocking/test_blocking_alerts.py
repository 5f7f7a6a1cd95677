"""Alerts of the blocking client, over real sockets."""

from __future__ import annotations

import queue
import threading

import pytest

from tapewire import alerts
from tapewire.blocking import WebSocketClient
from tapewire.errors import ConfigError, UsageError
from tapewire.testing.background import BackgroundSimulator


def test_rules_ring_on_the_clients_thread_until_they_are_closed() -> None:
    rang: queue.Queue[tuple[str, str]] = queue.Queue()

    def ring(notice: alerts.Notice) -> None:
        rang.put((threading.current_thread().name, notice.line))

    with (
        BackgroundSimulator(seed=7, markets=("KRW-BTC",), rate=200.0) as exchange,
        WebSocketClient("bot", url=exchange.url) as client,
    ):
        watch = client.alerts([alerts.Price("KRW-BTC", above=1)], [ring, alerts.Log(at_least="critical")])
        name, line = rang.get(timeout=10)
        assert name == "tapewire bot"
        assert line.startswith("[info] price: KRW-BTC is above 1: ")
        figures = watch.statistics()
        assert (figures.told, figures.held_back) == ({"price": 1}, {"price": 0})
        assert [one.sent for one in figures.channels] == [1, 0]
        watch.close()
        watch.close()


def test_async_functions_and_wrong_rules_are_refused() -> None:
    async def slow(notice: alerts.Notice) -> None: ...

    with WebSocketClient("bot", url="ws://127.0.0.1:9/") as client:
        with pytest.raises(UsageError, match="it must be a plain function"):
            client.alerts([alerts.Down()], [slow])
        with pytest.raises(ConfigError, match="rules is"):
            client.alerts([])
