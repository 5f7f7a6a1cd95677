"""Small markets for tests."""

from __future__ import annotations

import msgspec

from tapewire.model.market import Market
from tapewire.sim.pit import Listing

START_MS = 1_786_611_600_000  # 2026-08-13 09:00:00 UTC


def listing(symbol: str = "KRW-BTC", price: float = 89_886_000.0, trades: float = 2.0, size: float = 0.01) -> Listing:
    quote, _, base = symbol.partition("-")
    levels = (0.0, 10_000.0, 100_000.0) if symbol == "KRW-BTC" else (0.0,)
    market = Market(symbol=symbol, base=base, quote=quote, name=base.title(), local_name="이름", levels=levels)
    return Listing(market=market, price=price, trades=trades, books=8.0, size=size)


BTC = listing()
XRP = listing("BTC-XRP", 0.00001579, 0.5, 100.0)
QUIET = msgspec.structs.replace(listing("BTC-XRP", 0.00001579, 0.05, 100.0), books=0.1)
