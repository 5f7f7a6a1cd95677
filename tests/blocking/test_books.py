"""The present book of a market, asked from any thread, over real sockets."""

from __future__ import annotations

import threading

import pytest

from tapewire.blocking import WebSocketClient
from tapewire.errors import UsageError
from tapewire.model.events import OrderbookEvent
from tapewire.testing.background import BackgroundSimulator


def test_the_kept_book_without_asyncio() -> None:
    twice, within = threading.Semaphore(0), []

    def hear(event: OrderbookEvent) -> None:
        within.append(client.book("BTC-USDT", depth=1))  # in the client's own thread, too
        twice.release()

    with (
        BackgroundSimulator(venue="okex3", markets=("BTC-USDT",), limits=False) as simulator,
        WebSocketClient("plain", venue="okex3", url=simulator.url, validate=False) as client,
    ):
        client.subscribe_orderbook("BTC-USDT", hear, depth=10)
        assert twice.acquire(timeout=10)
        assert twice.acquire(timeout=10)
        whole, newest = client.book("BTC-USDT"), client.latest("BTC-USDT", "orderbook")
        assert whole is not None
        assert newest is not None
        assert (len(whole.orderbook_units), len(newest.orderbook_units)) == (400, 10)
        first = within[0]
        assert first is not None
        assert len(first.orderbook_units) == 1
        with pytest.raises(UsageError, match="no order book of 'ETH-USDT' is kept"):
            client.book("ETH-USDT")
