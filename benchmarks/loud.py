"""A gateway that has one thing only, and very much of it: tickers of many markets."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from aiohttp import web
from tests.dashboard.conftest import hand_out

Door = Callable[[web.Request], Awaitable[web.StreamResponse]]
TICK = 0.01
VARIANTS = 20


def ticker(symbol: str, chance: random.Random) -> dict[str, Any]:
    """One with every field that Upbit sends, so that it is as long as in life."""
    price = chance.choice((89_885_000.0, 1_418.0, 98.6)) * chance.uniform(0.99, 1.01)
    now = int(time.time() * 1000)
    figures = dict.fromkeys(
        ("opening_price", "high_price", "low_price", "trade_price", "prev_closing_price", "change_price"), round(price)
    )
    sums = dict.fromkeys(
        ("acc_trade_price", "acc_trade_volume", "acc_ask_volume", "acc_bid_volume", "acc_trade_price_24h"),
        50310444292.95902 * chance.random(),
    )
    rest = dict.fromkeys(("raw", "delisting_date", "contracts_24h", "open_interest", "opening_price_utc8", "source"))
    said = {"type": "ticker", "venue": "upbit", "symbol": symbol, "stream_type": "REALTIME", "timestamp": now}
    words = {"change": "RISE", "ask_bid": "BID", "trade_date": "20261121", "trade_time": "164745"}
    rate = {"signed_change_rate": chance.uniform(-0.1, 0.1), "received_ns": now * 10**6 + 3_000_000}
    return said | figures | sums | rest | words | rate


class LoudGateway:
    """As many tickers as are asked for, encoded beforehand."""

    def __init__(self, markets: int, rate: float) -> None:
        chance = random.Random(1)
        self.symbols = ["KRW-BTC", *(f"KRW-C{number:03}" for number in range(1, markets))]
        self.texts = [
            json.dumps({"cursor": f"x-{place}", "event": ticker(symbol, chance)})
            for place, symbol in enumerate(self.symbols * VARIANTS)
        ]
        chance.shuffle(self.texts)
        self.rate = rate

    async def venues(self, _: web.Request) -> web.Response:
        kinds = {"kinds": ["ticker", "trade", "orderbook", "candle"], "candle_units": ["1m"]}
        return web.json_response({"version": "0", "venues": [{"name": "upbit"} | kinds]})

    async def markets(self, _: web.Request) -> web.Response:
        rows = [{"symbol": one, "base": one[4:], "quote": "KRW", "name": one, "local_name": ""} for one in self.symbols]
        return web.json_response({"venue": "upbit", "markets": rows})

    async def stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        due, place = time.monotonic(), 0
        with suppress(ConnectionError):  # the page has gone to the next view
            while not socket.closed:
                due += TICK
                for _ in range(round(self.rate * TICK)):
                    await socket.send_str(self.texts[place % len(self.texts)])
                    place += 1
                await asyncio.sleep(max(0.0, due - time.monotonic()))
        return socket


async def constant(answer: Any, _: web.Request) -> web.Response:
    return web.json_response(answer)


@asynccontextmanager
async def loud(markets: int, rate: float) -> AsyncIterator[str]:
    gateway, app = LoudGateway(markets, rate), web.Application()
    nothing = {"at_ns": 0, "connections": [], "limits": [], "clients": {"open": 1, "most": 1}}
    doors: dict[str, Door] = {
        "/v1/stream": gateway.stream, "/v1/venues": gateway.venues, "/v1/markets": gateway.markets,
        "/v1/gaps": partial(constant, {"gaps": []}), "/v1/connections": partial(constant, nothing),
        "/health": partial(constant, {"status": "healthy", "reasons": [], "streams": []}),
        "/v1/candles/{symbol}": partial(constant, {"candles": []}),
        "/v1/trades/{symbol}": partial(constant, {"trades": []}), "/{path:.*}": hand_out,
    }  # fmt: skip
    for path, door in doors.items():
        app.router.add_get(path, door)
    runner = web.AppRunner(app, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
