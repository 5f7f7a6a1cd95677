"""Best bid and ask of an OKEX v3 instrument once a second, as the monitor scripts of 2019 did it.

The exchange has retired v3: start `tapewire simulate okex3 --port 9001` and name its address.

python okex_v3_monitor.py --url ws://127.0.0.1:9001/ws/v3 [--raw] [--seconds 10]
"""

from __future__ import annotations

import argparse
import contextlib
import time

from tapewire import Event
from tapewire.blocking import WebSocketClient

INSTRUMENT = "BTC-USD-190517"


def on_message(event: Event) -> None:
    """Every message as the exchange wrote it; it arrived deflated."""
    print((event.raw or b"").decode())


def main(url: str | None, seconds: float | None, *, raw: bool) -> None:
    until = None if seconds is None else time.monotonic() + seconds
    with WebSocketClient("monitor", "okex3", url=url, keep_raw=raw) as client:
        client.subscribe_orderbook(INSTRUMENT, on_message if raw else None, depth=5)
        client.subscribe_trade(INSTRUMENT, on_message if raw else None)
        while until is None or time.monotonic() < until:
            if book := client.latest(INSTRUMENT, "orderbook"):
                best = book.orderbook_units[0]
                print(f"{INSTRUMENT}: best bid {best.bid_price:,}, best ask {best.ask_price:,}")
            time.sleep(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="a simulator's address, or that of a served recording")
    parser.add_argument("--raw", action="store_true", help="print every message, too")
    parser.add_argument("--seconds", type=float, help="end after so many seconds")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        main(options.url, options.seconds, raw=options.raw)
    print("Stopping monitoring...")
