"""Closed one-second candles, and the spread of a shallow order book.

A candle's window comes many times; it is closed when the next window begins.

python candles_and_books.py [--url ws://127.0.0.1:9001/websocket/v1] [--seconds 10]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib

from tapewire import CandleEvent, OrderbookEvent, WebSocketClient


class ClosedCandles:
    """Prints each window once, when it is over."""

    def __init__(self) -> None:
        self._current: dict[str, CandleEvent] = {}

    def hear(self, candle: CandleEvent) -> None:
        before = self._current.get(candle.symbol)
        self._current[candle.symbol] = candle
        if before is not None and before.candle_date_time_utc != candle.candle_date_time_utc:
            print(
                f"{before.symbol} {before.candle_date_time_utc}Z open {before.opening_price:,}"
                f" high {before.high_price:,} low {before.low_price:,} close {before.trade_price:,}"
                f" volume {before.candle_acc_trade_volume}"
            )


def on_book(book: OrderbookEvent) -> None:
    best = book.orderbook_units[0]
    print(f"{book.symbol} bid {best.bid_price:,} ask {best.ask_price:,} spread {best.ask_price - best.bid_price:,}")


async def main(url: str | None) -> None:
    async with WebSocketClient("candles_and_books", url=url) as client:
        await client.subscribe_candle(["KRW-BTC", "KRW-ETH"], ClosedCandles().hear, unit="1s")
        await client.subscribe_orderbook("KRW-BTC", on_book, depth=1)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="another server, such as that of `tapewire simulate upbit`")
    parser.add_argument("--seconds", type=float, help="end after so many seconds")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt, TimeoutError):
        asyncio.run(asyncio.wait_for(main(options.url), options.seconds))
