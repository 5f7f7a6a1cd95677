"""What a user wants to hear: kind, symbol, options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

StreamPreference = Literal["both", "snapshot_only", "realtime_only"]


class Subscription(Struct, frozen=True, order=True):
    """One stream of one market. Hashable: it is the key of every table that speaks of streams.

    Attributes:
        kind: a kind of event: ``"ticker"``, ``"trade"``, ``"orderbook"``, ``"candle"``, ``"myOrder"`` …
        symbol: the venue's own code, such as ``KRW-BTC``; ``""`` is every market (``myOrder``), or none
            (``myAsset``, ``announcement``: they belong to no market).
        unit: candles ``"1s"``, ``"1m"`` … ``"240m"``; indicators: their time frame, ``"5m"`` … ``"1d"``.
        depth: order books only: number of levels asked (Upbit: 1, 5, 15, 30); None is the venue's default.
        level: order books only: price grouping unit, 0 is none.
        detail: what else the request says, as canonical JSON (keys sorted, no spaces, whole numbers without a
            fraction): one indicator with its parameters, or the choice of announcements. ``""``: nothing.
    """

    kind: str
    symbol: str
    unit: str | None = None
    depth: int | None = None
    level: float = 0
    detail: str = ""

    def __str__(self) -> str:
        """``ticker KRW-BTC``, ``candle.1s KRW-BTC``, ``orderbook KRW-BTC.15 level 10000``."""
        kind = f"{self.kind}.{self.unit}" if self.unit else self.kind
        depth = f".{self.depth}" if self.depth else ""
        level = f" level {in_full(self.level)}" if self.level else ""
        return " ".join(part for part in (kind, f"{self.symbol}{depth}{level}", self.detail) if part)


def in_full(number: float) -> str:
    """A number without an exponent and without idle zeros: ``1000000``, ``0.0001``."""
    return f"{number:.10f}".rstrip("0").rstrip(".")


def as_detail(choice: Mapping[str, Any]) -> str:
    """``choice`` as the canonical JSON of ``Subscription.detail``: equal choices give equal text."""
    return msgspec.json.encode(_whole(choice), order="sorted").decode()


def _whole(value: Any) -> Any:
    """14.0 and 14 are one number, whoever wrote it."""
    match value:
        case Mapping():
            return {key: _whole(item) for key, item in value.items()}
        case list() | tuple():
            return [_whole(item) for item in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


class Wish(Struct, frozen=True):
    """One line of a request: this stream, with its snapshot, its realtime part, or both."""

    subscription: Subscription
    snapshot: bool = True
    realtime: bool = True
