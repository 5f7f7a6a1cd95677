"""CPU per delivered event for 1, 10 and 100 subscribers of each stream: what one more plain callback costs.

    .venv/bin/python benchmarks/fan_out.py [--messages 200000] [--markets 100]

The load is that of ``tapewire bench`` in a process of its own; each subscriber is a plain callback of its own client,
and all clients share one connection. Ends with 1 when a further callback costs more than ``--allowed`` µs.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
from collections.abc import Callable
from typing import Any

from tapewire import Subscription, WebSocketClient
from tapewire.apps.cli.bench import load
from tapewire.apps.cli.bench_load import market_codes

_KINDS = (("ticker", None), ("trade", None), ("orderbook", None), ("candle", "1s"))
_SUBSCRIBERS = (1, 10, 100)
_TIME_LIMIT = 300.0
_WARM = 20_000


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _counter() -> Callable[[Any], None]:
    count = 0

    def hear(_event: Any) -> None:
        nonlocal count
        count += 1

    return hear


async def measure(port: int, markets: int, subscribers: int, messages: int) -> float:
    """Microseconds of CPU for each message that all ``subscribers`` hear."""
    done = asyncio.Event()
    count, began, ended = 0, 0.0, 0.0

    def hear(_event: Any) -> None:
        nonlocal count, began, ended
        count += 1
        if count == _WARM:
            began = _cpu()
        elif count == _WARM + messages:
            ended = _cpu()
            done.set()

    streams = [Subscription(kind, symbol, unit) for kind, unit in _KINDS for symbol in market_codes(markets)]
    url = f"ws://127.0.0.1:{port}/"
    clients = [
        WebSocketClient(f"component-{n}", url=url, validate=False, drop_doubles=False) for n in range(subscribers)
    ]
    for client in clients[1:]:
        await client.subscribe(streams, _counter())
    await clients[0].subscribe(streams, hear)
    await asyncio.wait_for(done.wait(), _TIME_LIMIT)
    connections = len(clients[0].statistics().connections)
    for client in clients:
        await client.cleanup()
    if connections != 1:
        sys.exit(f"{connections} connections, where one was expected")
    return (ended - began) / messages * 1e6


def main() -> int:
    """Print the table; 1 when a further callback costs too much."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--markets", type=int, default=100)
    parser.add_argument("--allowed", type=float, default=0.08, help="µs for one more plain callback")
    given = parser.parse_args()
    costs: dict[int, float] = {}
    for subscribers in _SUBSCRIBERS:
        with load(given.markets, 1) as (port, _size):
            costs[subscribers] = asyncio.run(measure(port, given.markets, subscribers, given.messages))
        print(f"{subscribers:4} subscribers  {costs[subscribers]:7.2f} µs a message", flush=True)
    more = (costs[100] - costs[1]) / 99
    print(f"one more plain callback: {more:.3f} µs (allowed: {given.allowed:g})")
    return int(more > given.allowed)


if __name__ == "__main__":
    sys.exit(main())
