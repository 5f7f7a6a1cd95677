"""Records trades and books to JSON lines files, as `tapewire record` does, from a program of your own.

python record_with_python.py [--out recording] [--url ws://127.0.0.1:9001/websocket/v1] [--seconds 10]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from pathlib import Path

from tapewire import Subscription, WebSocketClient
from tapewire.sinks.registry import get_sink
from tapewire.sinks.runner import SinkRunner


async def main(url: str | None, out: Path, seconds: float | None) -> None:
    sink = get_sink("jsonl")(out, form="raw")
    wanted = [Subscription(kind, symbol) for kind in ("trade", "orderbook") for symbol in ("KRW-BTC", "KRW-ETH")]
    async with WebSocketClient("record", url=url, keep_raw=True) as client:
        running = asyncio.create_task(SinkRunner(sink).run(client.stream(wanted)))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(running, seconds)  # a cancelled run writes and flushes what it has read
    for file in sink.written():
        print(f"{file.name}: {file.events} lines, {file.size} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="another server, such as that of `tapewire simulate upbit`")
    parser.add_argument("--out", type=Path, default=Path("recording"))
    parser.add_argument("--seconds", type=float, help="end after so many seconds")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(options.url, options.out, options.seconds))
