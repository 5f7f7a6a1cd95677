"""Three iterators side by side on one connection, each in a task of its own.

python iterate.py [--url ws://127.0.0.1:9001/websocket/v1] [--seconds 10]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib

from tapewire import MailboxOptions, WebSocketClient


async def tape(client: WebSocketClient) -> None:
    async for trade in client.trades(["KRW-BTC", "KRW-ETH"]):
        side = "bought" if trade.ask_bid == "BID" else "sold"
        print(f"{trade.utc:%H:%M:%S.%f} {trade.symbol} {side} {trade.trade_volume} at {trade.trade_price:,}")


async def screen(client: WebSocketClient) -> None:
    """Slow on purpose: of each symbol only the latest ticker waits."""
    async for ticker in client.tickers(["KRW-BTC", "KRW-ETH"], mailbox=MailboxOptions(size=100, rule="conflate")):
        print(f"{ticker.symbol} {ticker.trade_price:,} {(ticker.signed_change_rate or 0) * 100:+.2f} %")
        await asyncio.sleep(0.5)


async def prices_once(client: WebSocketClient) -> None:
    """Ends by itself when each symbol's present state came."""
    async for ticker in client.tickers(["KRW-XRP", "KRW-DOGE"], stream_preference="snapshot_only"):
        print(f"once: {ticker.symbol} {ticker.trade_price:,}")


async def main(url: str | None) -> None:
    async with WebSocketClient("iterate", url=url) as client, asyncio.TaskGroup() as tasks:
        for part in (tape, screen, prices_once):
            tasks.create_task(part(client))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="another server, such as that of `tapewire simulate upbit`")
    parser.add_argument("--seconds", type=float, help="end after so many seconds")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt, TimeoutError):
        asyncio.run(asyncio.wait_for(main(options.url), options.seconds))
