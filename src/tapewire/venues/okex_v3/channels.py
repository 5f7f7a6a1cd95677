"""Streams and their names on the wire, ``market/channel:instrument`` (spec/okx.md B2, B3)."""

from __future__ import annotations

from typing import Final, NamedTuple

from tapewire.model.subscription import Subscription, as_detail
from tapewire.venues.okex_v3.symbols import MARKETS, split

#: Candle unit → its seconds, as channels are called (B3).
CANDLE_SECONDS: Final = {
    "1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1800, "1H": 3600, "2H": 7200, "4H": 14400, "6H": 21600,
    "12H": 43200, "1D": 86400, "1W": 604800,
}  # fmt: skip
#: Channel of every change of a book, and of candles of an index, as ``Subscription.detail`` names them.
TICK_BY_TICK = as_detail({"channel": "depth_l2_tbt"})
INDEX = as_detail({"market": "index"})
#: Levels of the book that is always sent in full; any other number is cut from the one that is kept.
DEPTH: Final = 5
#: Levels a side of a book that comes as changes (B3).
LEVELS: Final = 400


class Table(NamedTuple):
    """What one ``market/channel`` carries: kind of event, candle unit, ``Subscription`` depth and detail."""

    market: str
    channel: str
    kind: str
    unit: str | None = None
    depth: int | None = None
    detail: str = ""

    @property
    def name(self) -> str:
        """As ``table`` says it."""
        return f"{self.market}/{self.channel}"


def _tables() -> list[Table]:
    made = []
    for market in MARKETS:
        made += [
            Table(market, "ticker", "ticker"),
            Table(market, "trade", "trade"),
            Table(market, "depth5", "orderbook", depth=DEPTH),
            Table(market, "depth", "orderbook"),
            Table(market, "depth_l2_tbt", "orderbook", detail=TICK_BY_TICK),
        ]
    for market in (*MARKETS, "index"):
        detail = INDEX if market == "index" else ""
        made += [
            Table(market, f"candle{seconds}s", "candle", unit=unit, detail=detail)
            for unit, seconds in CANDLE_SECONDS.items()
        ]
    made.append(Table("swap", "funding_rate", "fundingRate"))
    for market in ("futures", "swap"):
        made += [Table(market, "mark_price", "markPrice"), Table(market, "price_range", "priceLimit")]
    made.append(Table("index", "ticker", "indexTicker"))
    return made


#: ``market/channel`` → what it carries: all that is read and can be asked.
TABLES: Final = {table.name: table for table in _tables()}
_BY_WISH = {(table.market, table.kind, table.unit, table.depth, table.detail): table for table in TABLES.values()}


def market_of(subscription: Subscription) -> str | None:
    """The market that a stream is of; None: the symbol is no instrument id."""
    parts = split(subscription.symbol)
    if parts is None:
        return None
    if parts.market == "spot" and (subscription.kind == "indexTicker" or subscription.detail == INDEX):
        return "index"
    return parts.market


def table_of(subscription: Subscription) -> Table | None:
    """What a stream is called; None: there is no such channel. Kept books of all depths are one stream."""
    market = market_of(subscription)
    if market is None:
        return None
    depth = subscription.depth if subscription.depth == DEPTH else None
    return _BY_WISH.get((market, subscription.kind, subscription.unit, depth, subscription.detail))


def argument(subscription: Subscription) -> str:
    """One element of a request's ``args``.

    Raises:
        ValueError: there is no such channel.
    """
    table = table_of(subscription)
    if table is None:
        raise ValueError(f"{subscription}: no channel of OKEX v3")
    return f"{table.name}:{subscription.symbol}"


def read_argument(text: str) -> Subscription | None:
    """The stream that an acknowledgement names; None: a channel that is not known here."""
    name, _, symbol = text.partition(":")
    table = TABLES.get(name)
    if table is None or not symbol:
        return None
    return Subscription(table.kind, symbol, unit=table.unit, depth=table.depth, detail=table.detail)


def same_line(one: Subscription, other: Subscription) -> bool:
    """False where events do not say which of two they are for: books of one market by different channels, candles of
    an index and of the spot market of the same name.
    """
    if (one.kind, one.unit, one.symbol) != (other.kind, other.unit, other.symbol):
        return True
    return table_of(one) == table_of(other)
