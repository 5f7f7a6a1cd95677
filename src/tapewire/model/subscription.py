"""What a user wants to hear: kind, symbol, options."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

StreamPreference = Literal["both", "snapshot_only", "realtime_only"]


class Subscription(Struct, frozen=True, order=True):
    """One stream of one market. Hashable: it is the key of every table that speaks of streams.

    Attributes:
        kind: ``"ticker"``, ``"trade"``, ``"orderbook"`` or ``"candle"``.
        symbol: the venue's own code, such as ``KRW-BTC``.
        unit: candles only: ``"1s"``, ``"1m"`` … ``"240m"``.
        depth: order books only: number of levels asked (Upbit: 1, 5, 15, 30); None is the venue's default.
        level: order books only: price grouping unit, 0 is none.
    """

    kind: str
    symbol: str
    unit: str | None = None
    depth: int | None = None
    level: float = 0

    def __str__(self) -> str:
        """``ticker KRW-BTC``, ``candle.1s KRW-BTC``, ``orderbook KRW-BTC.15 level 10000``."""
        kind = f"{self.kind}.{self.unit}" if self.unit else self.kind
        depth = f".{self.depth}" if self.depth else ""
        level = f" level {self.level:g}" if self.level else ""
        return f"{kind} {self.symbol}{depth}{level}"


class Wish(Struct, frozen=True):
    """One line of a request: this stream, with its snapshot, its realtime part, or both."""

    subscription: Subscription
    snapshot: bool = True
    realtime: bool = True
