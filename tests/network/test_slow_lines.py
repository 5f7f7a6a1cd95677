"""N3 and N4: a line that brings single bytes late, and one that is thinner than the feed (RELIABILITY 3.5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

import psutil
import pytest

from tapewire import Event, TradeEvent, WebSocketClient
from tapewire.client.alerts import Notice
from tapewire.hub.alert_rules import HighLatency
from tapewire.model.status import Gap
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tapewire.testing.oracle import account
from tests.network.namespace import for_seconds
from tests.network.slow import ByteByByte, Throttle, way_to
from tests.sizes import figure, size

pytestmark = pytest.mark.timeout(180)


async def until(condition: Callable[[], bool], seconds: float) -> float:
    """How long it took; fails when it took longer."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not condition():
        assert loop.time() < began + seconds
        await for_seconds(0.02)
    return loop.time() - began


async def test_n3_bytes_that_come_one_by_one_and_late_give_the_same_events() -> None:
    seconds = size(3, 60)
    exchange = Simulator(Scenario(markets=("KRW-BTC",), rate=30.0, limits=False))
    async with exchange as simulator, AsyncExitStack() as stack:
        slow = await stack.enter_async_context(way_to(simulator.url, ByteByByte(3)))
        heard: dict[str, list[Event]] = {simulator.url: [], slow: []}
        async with WebSocketClient("fast", url=simulator.url) as fast, WebSocketClient("slow", url=slow) as late:
            for client, url in ((fast, simulator.url), (late, slow)):
                for kind in ("trade", "orderbook"):
                    await getattr(client, f"subscribe_{kind}")("KRW-BTC", heard[url].append)
            await until(lambda: all(heard.values()), 10)
            await for_seconds(seconds)
            last = len(heard[simulator.url])
            await until(lambda: heard[slow][-1].timestamp >= heard[simulator.url][last - 1].timestamp, 10)  # type: ignore[operator]
            assert (late.statistics().reconnects, late.statistics().quarantined) == (0, 0)
    direct, bytewise = ([_content(event) for event in heard[url]] for url in (simulator.url, slow))
    begin = direct.index(bytewise[2])
    assert bytewise[2 : last - begin] == direct[begin : last - 2], "the same messages in the same order"
    assert last - begin > 20


def _content(event: Event) -> tuple[object, ...]:
    if isinstance(event, TradeEvent):
        return event.kind, event.sequential_id, event.trade_price, event.trade_volume
    return event.kind, event.timestamp, str(event)[str(event).index("total_ask_size") :]


async def test_n4_a_line_thinner_than_the_feed_lags_is_told_and_loses_nothing() -> None:
    thin = size(6, 60)
    heard: list[Event] = []
    notices: list[Notice] = []
    throttle = Throttle()
    exchange = Simulator(Scenario(markets=("KRW-BTC",), rate=400.0, limits=False))
    async with exchange as simulator, AsyncExitStack() as stack:
        url = await stack.enter_async_context(way_to(simulator.url, throttle))
        async with WebSocketClient("thin", url=url) as client:
            gaps: list[object] = []
            client.subscribe_feed(lambda event: gaps.append(event) if isinstance(event, Gap) else None)
            await client.alerts([HighLatency(above_ms=500.0)], [notices.append])
            for kind in ("trade", "orderbook", "ticker"):
                await getattr(client, f"subscribe_{kind}")("KRW-BTC", heard.append)
            await until(lambda: len(heard) > 200, 10)
            before = psutil.Process().memory_info().rss
            throttle.limit = 32_000  # 256 kbit/s
            told = await until(lambda: bool(notices), size(8, 5))  # 5 s on a machine of its own
            await for_seconds(max(thin - told, 0.0))
            grown = psutil.Process().memory_info().rss - before
            throttle.limit = None
            made = simulator.trades
            wanted = {trade.sequential_id for trade in made}
            back = await until(
                lambda: wanted <= {e.sequential_id for e in heard if isinstance(e, TradeEvent)} | early(heard, wanted),
                60,
            )
            trades = [event for event in heard if isinstance(event, TradeEvent)]
            assert (client.statistics().reconnects, gaps) == (0, [])
    found = account(made, trades, [])
    assert (found.doubled, found.undetected) == ((), ())
    figure(f"lag told after {told:.1f} s; caught up {back:.1f} s after; memory {grown / 2**20:+.1f} MiB")
    assert grown < 32 * 2**20


def early(heard: list[Event], wanted: set[int | None]) -> set[int | None]:
    """Trades that were made before the client came: nobody owes them."""
    first = next(event for event in heard if isinstance(event, TradeEvent))
    return {number for number in wanted if number is not None and number < (first.sequential_id or 0)}
