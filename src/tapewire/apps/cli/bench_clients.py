"""The clients that ``tapewire bench`` compares, each measured in a process of its own.

``python -m tapewire.apps.cli.bench_clients NAME PORT MARKETS MESSAGES WARM`` prints one JSON line.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

import psutil

from tapewire.apps.cli.bench_load import market_codes

#: Seconds after which nobody waits for the result any more (a bench that was killed cannot end its client).
_LIMIT = 60.0
_KINDS = (("ticker", None), ("trade", None), ("orderbook", None), ("candle", "1s"))


class Meter:
    """CPU and wall time between message ``warm`` and message ``last``, so that imports and connecting do not count."""

    def __init__(self, last: int, warm: int) -> None:
        self._last, self._warm = last, warm
        self.done = asyncio.Event()
        self.result: dict[str, float] = {}

    def callback(self, price: Callable[[Any], float]) -> Callable[[Any], None]:
        """A trivial callback: add ``price(message)``, count."""
        count, total, landmark = 0, 0.0, self._warm
        last = self._last

        def hear(message: Any) -> None:
            nonlocal count, total, landmark
            if count >= last:
                return
            total += price(message)
            count += 1
            if count >= landmark:
                landmark = last
                self._pass(count, total)

        return hear

    def _pass(self, count: int, total: float) -> None:
        now, cpu = time.perf_counter(), time.process_time()
        if count == self._warm:
            self._start = now, cpu
        if count == self._last:
            self.result = {
                "messages": self._last - self._warm,
                "wall": now - self._start[0],
                "cpu": cpu - self._start[1],
                "rss": psutil.Process().memory_info().rss,
                "checksum": total,
            }
            self.done.set()


async def run_tapewire(port: int, markets: int, meter: Meter) -> None:
    """The public client with one plain callback for four kinds of every market."""
    from tapewire import OrderbookEvent, Subscription, WebSocketClient  # noqa: PLC0415 - no weight on the other client

    def price(event: Any) -> float:
        value: float = event.orderbook_units[0].ask_price if type(event) is OrderbookEvent else event.trade_price
        return value

    wanted = [Subscription(kind, code, unit) for kind, unit in _KINDS for code in market_codes(markets)]
    hear = meter.callback(price)
    url = f"ws://127.0.0.1:{port}/"
    async with WebSocketClient("bench", url=url, validate=False, drop_doubles=False) as client:  # the load comes round
        await client.subscribe(wanted, hear)
        await meter.done.wait()


async def run_websockets(port: int, markets: int, meter: Meter) -> None:
    """What a program without tapewire does: the websockets library and json.loads."""
    from websockets.asyncio.client import connect  # noqa: PLC0415 - an optional part

    wanted = [
        {"type": kind if unit is None else f"{kind}.{unit}", "codes": market_codes(markets)} for kind, unit in _KINDS
    ]
    hear = meter.callback(_price_of_dict)
    async with connect(f"ws://127.0.0.1:{port}/", compression=None, max_size=None, close_timeout=0.1) as line:
        await line.send(json.dumps([{"ticket": "bench"}, *wanted]))
        async for frame in line:
            hear(json.loads(frame))
            if meter.done.is_set():
                break


def _price_of_dict(message: dict[str, Any]) -> float:
    book = message["type"] == "orderbook"
    price: float = message["orderbook_units"][0]["ask_price"] if book else message["trade_price"]
    return price


CLIENTS: dict[str, Callable[[int, int, Meter], Coroutine[Any, Any, None]]] = {
    "tapewire": run_tapewire,
    "websockets + json": run_websockets,
}


def main() -> None:
    """The process: measure one client, print the result."""
    name = sys.argv[1]
    port, markets, last, warm = (int(argument) for argument in sys.argv[2:6])
    run: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run
    if importlib.util.find_spec("uvloop"):
        import uvloop  # noqa: PLC0415 - an optional part

        run = uvloop.run
    results: dict[str, float] = {}

    async def program() -> None:
        meter = Meter(last, warm)
        async with asyncio.timeout(_LIMIT):
            await CLIENTS[name](port, markets, meter)
        results.update(meter.result)

    run(program())
    print(json.dumps(results), flush=True)  # noqa: T201 - what the parent waits for


if __name__ == "__main__":
    main()
