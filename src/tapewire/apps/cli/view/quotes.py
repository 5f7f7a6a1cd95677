"""One market of the live view: its newest events, written at every message, and the quote made of them at a repaint."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from tapewire.apps.cli.view.figures import decimals_of
from tapewire.model.events import OrderbookEvent, OrderbookUnit, TickerEvent, TradeEvent

#: Kinds of events that a quote is made of.
IN_QUOTE = frozenset({"ticker", "trade", "orderbook", "candle"})

_TRADES = 200  # kept of each market
_TREND = 60  # seconds
_FLASH = 0.5  # seconds that a new price is lit
_LOOK = 5  # levels and trades that are looked at for their decimals


class Quote(Struct, frozen=True, kw_only=True):
    """What is known of one market at one moment; numbers are floats, None is unknown.

    Attributes:
        decimals: places that show its prices exactly.
        flash: 1 or -1 while a new price, up or down, is lit.
        change: the exchange's word: RISE, EVEN, FALL. rate: the same as a share.
        volume, value: of 24 hours, in the base and in the quote currency.
        heard: when its newest event was seen, monotonic seconds.
        trend: price at the end of each of the last 60 seconds, the newest last.
        units: the order book's levels, the best first. trades: the newest last.
        refused, stale: the exchange does not serve it; a stream of it is silent beyond its rhythm.
    """

    symbol: str
    name: str = ""
    price: float | None = None
    decimals: int = 0
    flash: int = 0
    change: str | None = None
    rate: float | None = None
    volume: float | None = None
    value: float | None = None
    bid: float | None = None
    ask: float | None = None
    heard: float | None = None
    trend: tuple[float, ...] = ()
    units: tuple[OrderbookUnit, ...] = ()
    trades: tuple[TradeEvent, ...] = ()
    refused: bool = False
    stale: bool = False

    @property
    def spread(self) -> float | None:
        """Best ask minus best bid."""
        return self.ask - self.bid if self.ask is not None and self.bid is not None else None


class MarketNow:
    """The newest event of each kind; ``quote`` is as of the last ``advance``."""

    __slots__ = ("_flash_until", "_second", "_trend", "fresh", "latest", "quote", "silent", "trades")

    def __init__(self, symbol: str) -> None:
        self.latest: dict[str, Any] = {}
        self.trades: deque[TradeEvent] = deque(maxlen=_TRADES)
        self.fresh = False
        self.silent: set[str] = set()
        self.quote = Quote(symbol=symbol)
        self._trend: deque[float] = deque(maxlen=_TREND)
        self._second = 0
        self._flash_until = 0.0

    def change(self, **changes: Any) -> None:
        """Replace single fields of the quote."""
        self.quote = replace(self.quote, **changes)

    def advance(self, now: float) -> bool:
        """Make the quote as of ``now`` (monotonic seconds); whether it changed."""
        before = self.quote
        if self.fresh:
            self._refresh(now)
        elif before.flash and now >= self._flash_until:
            self.change(flash=0)
        if self._trend and int(now) != self._second:
            self._extend(int(now))
            self.change(trend=tuple(self._trend))
        return self.quote is not before

    def _refresh(self, now: float) -> None:
        self.fresh = False
        before, facts = self.quote, self._facts()
        price = facts["price"]
        move = 0 if price is None or before.price is None else (price > before.price) - (price < before.price)
        if move:
            self._flash_until = now + _FLASH
        if price is not None:
            self._extend(int(now), price)
        flash = move or (before.flash if now < self._flash_until else 0)
        self.change(heard=now, flash=flash, trend=tuple(self._trend), refused=False, **facts)

    def _extend(self, second: int, price: float | None = None) -> None:
        """Let the trend reach ``second``; seconds without a new price keep the one before."""
        for _ in range(min(second - self._second, _TREND) if self._trend else 0):
            self._trend.append(self._trend[-1])
        if price is not None and self._trend:
            self._trend[-1] = price
        elif price is not None:
            self._trend.append(price)
        self._second = second

    def _facts(self) -> dict[str, Any]:
        ticker: TickerEvent | None = self.latest.get("ticker")
        book: OrderbookEvent | None = self.latest.get("orderbook")
        last = ticker or (self.trades[-1] if self.trades else None)
        units = _levels(book)
        bid = units[0].bid_price if units else last and last.best_bid_price
        ask = units[0].ask_price if units else last and last.best_ask_price
        last = last or self.latest.get("candle")
        price = _float(last and last.trade_price)
        prices = [price, *(price for unit in units[:_LOOK] for price in (unit.bid_price, unit.ask_price))]
        prices += [trade.trade_price for trade in islice(reversed(self.trades), _LOOK)]
        facts: dict[str, Any] = {"price": price, "units": units, "bid": _float(bid or None), "ask": _float(ask or None)}
        facts |= {"trades": tuple(self.trades), "decimals": decimals_of(filter(None, prices))}
        return facts | (_day(ticker) if ticker else {})


def _day(ticker: TickerEvent) -> dict[str, Any]:
    return {
        "change": ticker.change,
        "rate": _float(ticker.signed_change_rate),
        "volume": _float(ticker.acc_trade_volume_24h),
        "value": _float(ticker.acc_trade_price_24h),
    }


def _levels(book: OrderbookEvent | None) -> tuple[OrderbookUnit, ...]:
    """Levels that hold something on either side; exact numbers become floats."""
    units = book.orderbook_units if book else []
    if units and type(units[0].ask_price) is not float:
        units = [OrderbookUnit(*map(float, (u.ask_price, u.bid_price, u.ask_size, u.bid_size))) for u in units]
    return tuple(unit for unit in units if unit.ask_price or unit.bid_price)


def _float(value: Any) -> float | None:
    return None if value is None else float(value)
