"""A test of a bot with tapewire's pytest fixture: no network, no key, and the line is lost on purpose.

pytest test_my_bot.py
"""

# ruff: noqa: S101 - a test asserts
from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tapewire import TradeEvent, WebSocketClient
from tapewire.model.status import Connected, FeedEvent
from tapewire.testing.background import BackgroundSimulator


class Bot:
    """Buys after three rising trades in a row. Knows only the address it is given."""

    def __init__(self, url: str, orders: int) -> None:
        self.url = url
        self.wanted = orders
        self.done = asyncio.Event()
        self.prices: list[float] = []
        self.orders: list[float] = []
        self.connects = 0

    def on_trade(self, trade: TradeEvent) -> None:
        self.prices.append(trade.trade_price or 0.0)
        last = self.prices[-3:]
        if len(last) == 3 and last[0] < last[1] < last[2]:
            self.orders.append(last[2])
        if len(self.orders) >= self.wanted and self.connects > 1:
            self.done.set()

    def on_feed(self, event: FeedEvent) -> None:
        self.connects += isinstance(event, Connected)

    async def run(self) -> None:
        async with WebSocketClient("bot", url=self.url) as client:
            client.subscribe_feed(self.on_feed)
            await client.subscribe_trade("KRW-BTC", self.on_trade)
            await asyncio.wait_for(self.done.wait(), 60)


@pytest.fixture
def upbit_scenario() -> dict[str, Any]:
    """The exchange that ``upbit_simulator`` plays: one busy market, closing the line after half a second."""
    return {"markets": ("KRW-BTC",), "rate": 400, "seed": 3, "faults": ("drop:1001@0.5x1",)}


def test_the_bot_buys_and_lives_through_a_loss(upbit_simulator: BackgroundSimulator) -> None:
    bot = Bot(upbit_simulator.url, orders=2)
    asyncio.run(bot.run())
    assert bot.connects == 2
    assert len(bot.orders) >= 2
    assert upbit_simulator.violations == []
