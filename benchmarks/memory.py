"""Memory over ten million messages through the public client: resident memory at 1, 5 and 10 million.

    .venv/bin/python benchmarks/memory.py [--millions 10] [--markets 100]

The load is that of ``tapewire bench`` in a process of its own. Ends with 1 when memory grew by more than
``--allowed`` MB from the first mark to the last. A program that is held up finds more in its socket than it ever read
at once, and needs room for it: that is made to happen before the first mark, since a busy machine does it later.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from typing import Any

import psutil

from tapewire import Subscription, WebSocketClient
from tapewire.apps.cli.bench import load
from tapewire.apps.cli.bench_load import market_codes

_KINDS = (("ticker", None), ("trade", None), ("orderbook", None), ("candle", "1s"))
_MILLION = 1_000_000
#: Messages after which the program is held up, and for how many seconds: the socket fills to the kernel's limit.
_HELD_UP, _SECONDS = (200_000, 400_000, 600_000), 2.0


async def run(port: int, markets: int, marks: list[int]) -> list[float]:
    """Resident memory in MB at each mark (counted in messages)."""
    found: list[float] = []
    done = asyncio.Event()
    count, left = 0, [*marks]
    process, start = psutil.Process(), time.perf_counter()

    def hear(_: Any) -> None:
        nonlocal count
        count += 1
        if count in _HELD_UP:
            time.sleep(_SECONDS)
        if left and count == left[0]:
            left.pop(0)
            found.append(process.memory_info().rss / 1e6)
            rate = count / (time.perf_counter() - start)
            print(f"{count:>12,} messages  {found[-1]:7.1f} MB  {rate:,.0f} a second", flush=True)
            if not left:
                done.set()

    wanted = [Subscription(kind, code, unit) for kind, unit in _KINDS for code in market_codes(markets)]
    async with WebSocketClient("memory", url=f"ws://127.0.0.1:{port}/", validate=False, drop_doubles=False) as client:
        await client.subscribe(wanted, hear)
        await done.wait()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=float, default=10.0)
    parser.add_argument("--markets", type=int, default=100)
    parser.add_argument("--allowed", type=float, default=2.0, help="MB of growth between the first mark and the last")
    options = parser.parse_args()
    marks = [int(options.millions * _MILLION * share) for share in (0.1, 0.5, 1.0)]
    with load(options.markets, seed=1) as (port, _):
        found = asyncio.run(run(port, options.markets, marks))
    growth = found[-1] - found[0]
    print(f"growth from {marks[0]:,} to {marks[-1]:,} messages: {growth:+.1f} MB")
    return 1 if growth > options.allowed else 0


if __name__ == "__main__":
    sys.exit(main())
