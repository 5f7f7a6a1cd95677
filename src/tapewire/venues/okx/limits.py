"""OKX's limits of REST calls: each path has its own, most by address, those with a key by account (spec/okx.md A8)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tapewire.venues.contract import Window

#: Path → calls in two seconds.
_PUBLIC = {
    "/api/v5/public/time": 10,
    "/api/v5/public/instruments": 20,
    "/api/v5/market/ticker": 20,
    "/api/v5/market/tickers": 20,
    "/api/v5/market/books": 40,
    "/api/v5/market/books-full": 10,
    "/api/v5/market/books-rpi": 10,  # not in the specification: the least that any book has
    "/api/v5/market/trades": 100,
    "/api/v5/market/history-trades": 20,
    "/api/v5/market/candles": 40,
    "/api/v5/market/history-candles": 20,
}
_SIGNED = {
    "/api/v5/trade/orders-pending": 60,
    "/api/v5/trade/orders-history": 40,
    "/api/v5/trade/orders-history-archive": 20,
    "/api/v5/trade/order": 60,
    "/api/v5/trade/fills": 60,
    "/api/v5/trade/fills-history": 10,
    "/api/v5/account/balance": 10,
    "/api/v5/account/positions": 10,
}
GROUPS: Mapping[str, tuple[Window, ...]] = MappingProxyType({
    path: (Window(calls, 2.0),) for path, calls in (_PUBLIC | _SIGNED).items()
})  # fmt: skip
SIGNED_GROUPS = frozenset(_SIGNED)


def rest_group(path: str) -> str:
    """The path itself: each is counted alone."""
    return path.partition("?")[0]
