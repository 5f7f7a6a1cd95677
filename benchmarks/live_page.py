"""What the live page costs a browser: 300 markets, 5,000 events a second, in headless chromium.

    .venv/bin/python -m benchmarks.live_page [--rate 5000] [--markets 300] [--seconds 15]

Prints for each view: events taken a second, frames, long tasks (above 50 ms), and what share of one core the page's
thread worked, by kind. CPU time comes from the browser itself (``Performance.getMetrics``): other load of the machine
makes frames fewer, not the work more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from aiohttp import web
from tests.dashboard.browser import resize, start
from tests.dashboard.conftest import hand_out
from tests.dashboard.stage import Person
from tests.dashboard.threads import in_background

Door = Callable[[web.Request], Awaitable[web.StreamResponse]]
TICK = 0.01
VARIANTS = 20
WATCH = """
  window.seen = { frames: [], long: [] };
  new PerformanceObserver((list) => list.getEntries().forEach((e) => window.seen.long.push(e.duration)))
    .observe({ type: 'longtask' });
  const frame = (at) => { window.seen.frames.push(at); requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
"""
TIMES = ("TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration")


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


def measure(person: Person, view: str, seconds: float) -> str:
    driver = person.driver
    driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    counter = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": COUNT})
    person.go(view)
    driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", counter)
    person.reads("#pill", "Live")
    driver.execute_script(WATCH)
    before, began, heard = figures(person), time.monotonic(), driver.execute_script("return window.heard")
    time.sleep(seconds)
    spent = time.monotonic() - began
    work = {name: (figures(person)[name] - before[name]) / spent for name in TIMES}
    heard = (driver.execute_script("return window.heard") - heard) / spent
    seen = driver.execute_script("return window.seen")
    rows = len(person.all(".list-space .row"))
    gaps = sorted(b - a for a, b in zip(seen["frames"], seen["frames"][1:], strict=False))
    heap = figures(person)["JSHeapUsedSize"] / 1e6
    parts = ", ".join(f"{name.removesuffix('Duration').lower()} {work[name]:.0%}" for name in TIMES[1:])
    return "  ".join(
        (
            f"{view:20} {heard:7,.0f} events/s",
            f"{len(gaps) / spent:4.0f} frames/s, p99 {gaps[int(len(gaps) * 0.99)]:.0f} ms",
            f"long tasks {len(seen['long'])}, longest {max(seen['long'], default=0):.0f} ms",
            f"thread {work['TaskDuration']:.0%} of a core ({parts})",
            f"{work['TaskDuration'] / heard * 1e6:.0f} us an event",
            f"rows {rows}  heap {heap:.0f} MB",
        )
    )


#: Counts what the page's own WebSocket brings.
COUNT = """
  window.heard = 0;
  const Plain = WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...how) { super(...how); this.addEventListener('message', () => { window.heard += 1; }); }
  };
"""


def figures(person: Person) -> dict[str, float]:
    metrics = person.driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return {one["name"]: one["value"] for one in metrics}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=5_000)
    parser.add_argument("--markets", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=15)
    asked = parser.parse_args()
    with in_background(partial(loud, asked.markets, asked.rate)) as address:
        driver = start()
        try:
            resize(driver, 1280, 800)
            for view in ("markets", "market/upbit/KRW-BTC", "health"):
                print(measure(Person(driver, address), view, asked.seconds), flush=True)
        finally:
            driver.quit()


if __name__ == "__main__":
    main()
