"""Prices of two markets by callback, trades of one by iteration, until Ctrl-C.

python hello_world.py [--url ws://127.0.0.1:9001/websocket/v1] [--seconds 10]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib

from tapewire import TickerEvent, WebSocketClient


async def on_price_change(event: TickerEvent) -> None:
    print(f"{event.symbol}: {event.trade_price:,}")


async def main(url: str | None) -> None:
    async with WebSocketClient("my_app", url=url) as client:
        await client.subscribe_ticker(["KRW-BTC", "KRW-ETH"], on_price_change)
        async for trade in client.trades(["KRW-BTC"]):
            print(trade.trade_price, trade.trade_volume)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="another server, such as that of `tapewire simulate upbit`")
    parser.add_argument("--seconds", type=float, help="end after so many seconds")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt, TimeoutError):
        asyncio.run(asyncio.wait_for(main(options.url), options.seconds))
