"""Two exchanges behind one gateway, and in one program: health and figures say of each thing whose it is."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from tapewire import WebSocketClient
from tapewire.apps.gateway.gateway import Gateway
from tapewire.apps.gateway.settings import GatewayOptions
from tapewire.client.lines import real_ports
from tapewire.model.events import TradeEvent
from tapewire.model.status import Stopped
from tapewire.runtime.manager import WebSocketManager
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tests.apps.gateway.stage import PATIENCE

UPBIT = Scenario(rate=50.0, markets=("KRW-BTC",))
OKX = Scenario(venue="okx", rate=50.0, markets=("BTC-USDT",))


@contextlib.asynccontextmanager
async def exchanges() -> AsyncIterator[list[WebSocketClient]]:
    """Upbit, and OKX that answers every dial with 404: a client of each, of one manager."""
    manager = WebSocketManager(real_ports)
    async with Simulator(UPBIT) as upbit, Simulator(OKX) as okx:
        okx.refuse(404, times=1_000)
        servers = (("upbit", upbit), ("okx", okx))
        yield [WebSocketClient("two", name, url=one.url, manager=manager, keep_raw=True) for name, one in servers]


async def asked(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


def judge(status: int, health: dict[str, Any], page: str) -> None:
    """OKX has given up, Upbit is well; each figure of a connection or of all has its venue's name."""
    assert (status, health["status"]) == (503, "unhealthy")
    assert [(one["venue"], one["connection"], one["text"]) for one in health["reasons"]] == [
        ("okx", "okx-1", "gave up: refused (404 Not Found)")
    ]
    samples = [line for line in page.splitlines() if re.match(r"tapewire_(connection|connects|messages|gaps)", line)]
    assert len(samples) > 20
    assert {found[1] for line in samples for found in [re.search(r'venue="(\w+)"', line)] if found} == {"upbit", "okx"}
    assert all('venue="' in line for line in samples)
    assert re.search(r'tapewire_messages_total\{kind="trade",venue="upbit"\} [1-9]', page)
    assert 'tapewire_connection_errors_total{venue="okx"} 1.0' in page
    assert 'tapewire_connection_errors_total{venue="upbit"} 0.0' in page


async def test_health_and_figures_of_a_gateway_name_the_venue() -> None:
    async with exchanges() as clients, Gateway(clients, GatewayOptions(port=0)) as gateway:
        stream = f"{gateway.url}/v1/stream"
        async with aiohttp.ClientSession() as session, session.ws_connect(stream) as socket, asyncio.timeout(PATIENCE):
            for venue, symbol in (("upbit", "KRW-BTC"), ("okx", "BTC-USDT")):
                await socket.send_json({"subscribe": [{"venue": venue, "type": "trade", "symbols": [symbol]}]})
            gave_up = heard = False
            while not (gave_up and heard):
                said = json.loads(await socket.receive_str())
                heard = heard or said.get("event", {}).get("symbol") == "KRW-BTC"
                gave_up = gave_up or said.get("news", {}).get("type") == "stopped"
            status, health = await asked(f"{gateway.url}/health")
            _, page = await asked(f"{gateway.url}/metrics")
    told = json.loads(health)
    judge(status, told, page)
    assert {(one["venue"], one["symbol"]) for one in told["streams"]} == {("upbit", "KRW-BTC"), ("okx", "BTC-USDT")}


async def test_health_and_figures_of_a_program_name_the_venue() -> None:
    """As ``tapewire watch --metrics`` serves them."""
    async with exchanges() as [upbit, okx], upbit, okx:
        heard, gave_up = asyncio.Event(), asyncio.Event()
        okx.subscribe_feed(lambda event: gave_up.set() if isinstance(event, Stopped) else None)

        def hear(_: TradeEvent) -> None:
            heard.set()

        server = await upbit.serve_metrics()
        await upbit.subscribe_trade(["KRW-BTC"], hear)
        await okx.subscribe_trade(["BTC-USDT"], hear)
        async with asyncio.timeout(PATIENCE):
            await heard.wait()
            await gave_up.wait()
        status, health = await asked(server.url.replace("/metrics", "/health"))
        _, page = await asked(server.url)
    judge(status, json.loads(health), page)
