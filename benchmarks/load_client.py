"""A client for the load bench that goes through the public WebSocketClient.

    load_client.py NAME PORT N WARM [SHM]

Connects to ws://127.0.0.1:PORT/, subscribes ticker, trade, orderbook and candle.1s of BENCH_MARKETS markets
(environment, default 100) with one plain callback that sums a price, measures from message WARM to message N, and
prints one JSON line. SHM is the file of send times of a paced run; then percentiles of the latency are printed too.
The event loop is uvloop's; ``nouv`` among the dash-separated parts of NAME takes asyncio's own.
"""

from __future__ import annotations

import array
import asyncio
import json
import os
import random
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tapewire import OrderbookEvent, Subscription, WebSocketClient

_FIRST = ("BTC", "ETH", "XRP", "SOL", "DOGE", "ADA", "TRX", "AVAX", "LINK", "USDT")
_KINDS = (("ticker", None), ("trade", None), ("orderbook", None), ("candle", "1s"))
_TIME_LIMIT = 90.0
_US_NS = 1e3


def markets(count: int) -> list[str]:
    """The codes that the load bench's corpus was made with (its seed is 7)."""
    bases, draw = list(_FIRST), random.Random(7)
    while len(bases) < count:
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        base = "".join(draw.choice(letters) for _ in range(draw.choice((3, 3, 4, 4, 5))))
        if base not in bases:
            bases.append(base)
    return [f"KRW-{base}" for base in bases[:count]]


class Meter:
    """CPU, wall time and sum of prices from message ``warm`` to ``last``; imports and connecting do not count."""

    def __init__(self, last: int, warm: int, send_times: str | None) -> None:
        self._last, self._warm, self._send_times = last, warm, send_times
        self._arrivals = array.array("q", bytes(8 * last)) if send_times else None
        self.done = asyncio.Event()
        self.result: dict[str, Any] = {}

    def callback(self) -> Callable[[Any], None]:
        """The trivial user's callback: add one price, count."""
        count, total, landmark = 0, 0.0, self._warm
        last, arrivals, now = self._last, self._arrivals, time.monotonic_ns

        def hear(event: Any) -> None:
            nonlocal count, total, landmark
            if count >= last:
                return
            total += event.orderbook_units[0].ask_price if type(event) is OrderbookEvent else event.trade_price
            if arrivals is not None:
                arrivals[count] = now()
            count += 1
            if count >= landmark:
                landmark = last
                self._pass(count, total)

        return hear

    def _pass(self, count: int, total: float) -> None:
        if count == self._warm:
            self._wall, self._usage = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
        if count == self._last:
            self._finish(total)

    def _finish(self, total: float) -> None:
        before, after = self._usage, resource.getrusage(resource.RUSAGE_SELF)
        self.result = {
            "msgs": self._last - self._warm,
            "wall": time.perf_counter() - self._wall,
            "user": after.ru_utime - before.ru_utime,
            "sys": after.ru_stime - before.ru_stime,
            "csw": after.ru_nvcsw - before.ru_nvcsw,
            "icsw": after.ru_nivcsw - before.ru_nivcsw,
            "rss_kb": _peak_rss_kb(),
            "checksum": total,
        }
        if self._send_times is not None and self._arrivals is not None:
            self.result["lat_us"] = self._latencies(Path(self._send_times), self._arrivals)
        self.done.set()

    def _latencies(self, send_times: Path, arrivals: array.array[int]) -> dict[str, float]:
        sent = array.array("Q")
        sent.frombytes(send_times.read_bytes()[: 8 * self._last])
        late = sorted(arrivals[i] - sent[i] for i in range(self._warm, self._last))
        points = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0))
        return {name: late[min(len(late) - 1, int(len(late) * share))] / _US_NS for name, share in points}


def _peak_rss_kb() -> int:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


async def measure(port: int, meter: Meter) -> dict[str, Any]:
    symbols = markets(int(os.environ.get("BENCH_MARKETS", "100")))
    wanted = [Subscription(kind, symbol, unit) for kind, unit in _KINDS for symbol in symbols]
    url = f"ws://127.0.0.1:{port}/"
    async with WebSocketClient("load", url=url, validate=False, drop_doubles=False) as client:  # the load comes round
        await client.subscribe(wanted, meter.callback())
        try:
            await asyncio.wait_for(meter.done.wait(), _TIME_LIMIT)
        except TimeoutError:
            sys.exit(f"not enough messages within {_TIME_LIMIT:.0f} s: {client.statistics()}")
    return meter.result


def main() -> None:
    name, port, last, warm, *rest = sys.argv[1:]
    run: Callable[[Any], Any] = asyncio.run
    if "nouv" not in name.split("-"):
        import uvloop  # noqa: PLC0415 - an optional part

        run = uvloop.run

    async def program() -> dict[str, Any]:
        return await measure(int(port), Meter(int(last), int(warm), rest[0] if rest else None))

    print(json.dumps(run(program())), flush=True)


if __name__ == "__main__":
    main()
