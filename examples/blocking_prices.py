"""Prices without asyncio: once, by callback, by a plain loop, until Ctrl-C.

python blocking_prices.py [--url ws://127.0.0.1:9001/websocket/v1] [--seconds 10]
"""

from __future__ import annotations

import argparse
import contextlib
import time

from tapewire import TickerEvent
from tapewire.blocking import WebSocketClient


def on_price_change(event: TickerEvent) -> None:
    """Runs on the client's thread: keep it short."""
    print(f"{event.symbol}: {event.trade_price:,}")


def main(url: str | None, seconds: float | None) -> None:
    until = None if seconds is None else time.monotonic() + seconds
    with WebSocketClient("my_app", url=url) as client:
        for ticker in client.ticker_snapshot(["KRW-BTC", "KRW-ETH"], timeout=15):
            print(f"once: {ticker.symbol} {ticker.trade_price:,}")
        client.subscribe_ticker(["KRW-BTC", "KRW-ETH"], on_price_change)
        client.subscribe_orderbook("KRW-BTC", depth=5)
        for trade in client.trades("KRW-BTC"):
            book = client.latest("KRW-BTC", "orderbook")
            best = "?" if book is None else f"{book.orderbook_units[0].ask_price:,}"
            print(f"traded {trade.trade_volume} at {trade.trade_price:,}, best ask {best}")
            if until is not None and time.monotonic() > until:
                break


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="another server, such as that of `tapewire simulate upbit`")
    parser.add_argument("--seconds", type=float, help="end after so many seconds")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        main(options.url, options.seconds)
