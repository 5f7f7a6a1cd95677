"""An exchange that sends two trades under one id: the client delivers one, counts, and says so once a minute."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry

from tapewire import WebSocketClient
from tapewire.client import metrics
from tapewire.model.status import Conflict, FeedEvent, TradeBody
from tapewire.model.subscription import Subscription
from tapewire.runtime.clock import LoopClock
from tapewire.runtime.manager import WebSocketManager
from tapewire.testing.clock import VirtualTimeLoop, elapse, run_virtual
from tapewire.transport.http import AiohttpHttp
from tapewire.transport.memory import FarEnd, MemoryLine


def frame(number: int, price: float) -> bytes:
    return msgspec.json.encode({
        "type": "trade", "code": "KRW-BTC", "timestamp": 1_786_611_600_000 + number, "trade_price": price,
        "trade_volume": 0.5, "ask_bid": "BID", "sequential_id": number, "stream_type": "REALTIME",
    })  # fmt: skip


class Exchange:
    """Accepts, and sends what it is told to."""

    def __init__(self) -> None:
        self.end: FarEnd

    def line(self, options: Any, wall_ns: Callable[[], int]) -> MemoryLine:
        return MemoryLine(self._dialled, options, wall_ns)

    def _dialled(self, end: FarEnd) -> None:
        self.end = end
        end.accept()


def test_two_trades_under_one_id() -> None:
    async def story() -> None:
        exchange, prices, told = Exchange(), list[float | None](), list[FeedEvent]()
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        manager = WebSocketManager(lambda *_: (exchange.line, AiohttpHttp(loop.wall_ns)), clock=LoopClock(loop.wall_ns))
        try:
            async with WebSocketClient("me", manager=manager, validate=False, recover=False) as client:
                client.subscribe_feed(told.append)
                await client.subscribe_trade("KRW-BTC", lambda trade: prices.append(trade.trade_price))
                await elapse(2)
                for number in range(1, 5):
                    for price in (100.0, 100.0, 101.0):
                        exchange.end.send(frame(number, price))
                await elapse(70)
                exchange.end.send(frame(4, 102.0))
                await elapse(1)
                assert prices == [100.0] * 4
                figures = client.statistics()
                assert (figures.doubled, figures.conflicts, figures.total_processed) == (9, 5, 4)
                registry = CollectorRegistry()
                registry.register(metrics.collector(manager))
                counts = {
                    name: registry.get_sample_value(f"tapewire_{name}_total", {"venue": "upbit"})
                    for name in ("doubled", "conflicts", "recovered")
                }
                assert counts == {"doubled": 9.0, "conflicts": 5.0, "recovered": 0.0}
            assert client.statistics().conflicts == 5
        finally:
            manager.kill()
        first, second = (event for event in told if isinstance(event, Conflict))
        assert (first.subscription, first.connection) == (Subscription("trade", "KRW-BTC"), "upbit-1")
        assert (first.sequential_id, first.count, second.sequential_id, second.count) == (1, 1, 4, 5)
        assert (first.delivered, first.refused) == (TradeBody(100.0, 0.5, "BID"), TradeBody(101.0, 0.5, "BID"))

    run_virtual(story())
