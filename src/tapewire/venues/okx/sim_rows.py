"""Rows of OKX's public channels, made from the simulated market (spec/okx.md A6). All numbers are text but a few."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from math import sin
from typing import Any

import msgspec
from msgspec import Struct

from tapewire.model.events import CandleEvent, TradeEvent
from tapewire.venues.digits import plain, text_of
from tapewire.venues.exchange import MarketView
from tapewire.venues.okx.sim_books import BookChannel, Books, Change, levels, rpi_levels
from tapewire.venues.okx.sim_instruments import Instrument, instrument, listing_row
from tapewire.venues.okx.sim_switches import Switches

_DAY_MS = 86_400_000
_FUNDING_MS = 8 * 3_600_000
_ZONED = {
    "6H": "360m", "12H": "720m", "1D": "1d", "2D": "2d", "3D": "3d", "5D": "5d", "1W": "1w", "1M": "1M", "3M": "3M",
}  # fmt: skip
#: OKX's candle → the market's; those of 6 hours and more begin at UTC+8 unless they say ``utc`` (A6.5).
UNITS: Mapping[str, str] = {
    **{unit: unit for unit in ("1s", "1m", "3m", "5m", "15m", "30m")},
    "1H": "60m", "2H": "120m", "4H": "240m",
    **{name: f"{unit}+8" for name, unit in _ZONED.items()},
    **{f"{name}utc": unit for name, unit in _ZONED.items()},
}  # fmt: skip


class _Push(Struct):
    data: list[Any]


class Rows:
    """What each channel says of the market as it stands.

    Args:
        market: what is traded.
        books: whose ids are told.
        switches: whose fields are sent.
    """

    def __init__(self, market: MarketView, books: Books, switches: Switches) -> None:
        self._market, self._books = market, books
        self._is_old = switches.fields == "2022"
        self._days: dict[str, tuple[int, float, float, float]] = {}

    def ticker(self, symbol: str) -> dict[str, Any]:
        """A6.1."""
        market, one = self._market, instrument(symbol)
        said = market.ticker(symbol)
        if said.raw is not None:
            [row] = recorded(said.raw)
            return dict(row)
        ladder = market.ladder(symbol)
        opened, high, low = self._day(symbol)
        last = said.trade_price or 0.0
        volume, turnover = one.sized(said.acc_trade_volume_24h or 0.0), said.acc_trade_price_24h or 0.0
        coins, money = one.coins(volume, turnover)
        best = {}
        for side, quotes in (("ask", ladder.asks), ("bid", ladder.bids)):
            price, size = next(iter(quotes.items()))
            best[side] = text_of(price, ladder.power), text_of(size, -8)
        return {
            "instType": one.type, "instId": symbol, "last": plain(last), "lastSz": plain(said.trade_volume or 0.0),
            "askPx": best["ask"][0], "askSz": best["ask"][1], "bidPx": best["bid"][0], "bidSz": best["bid"][1],
            "open24h": plain(opened), "high24h": plain(max(high, last)), "low24h": plain(min(low, last)),
            "sodUtc0": self._opening(symbol, "1Dutc"), "sodUtc8": self._opening(symbol, "1D"),
            "volCcy24h": plain(money if one.type == "SPOT" else coins), "vol24h": plain(volume),
            "ts": str(market.now_ms),
        }  # fmt: skip

    def trade(self, trade: TradeEvent, count: int = 1) -> dict[str, Any]:
        """A6.2: an aggregation of so many matches, the last of which has the id."""
        if trade.raw is not None:
            return next(row for row in recorded(trade.raw) if row["tradeId"] == str(trade.sequential_id))
        row = self.match(trade)
        if self._is_old:
            return {name: row[name] for name in ("instId", "tradeId", "px", "sz", "side", "ts")}
        return row | {"count": str(count), "seqId": self._books.newest(trade.symbol)}

    def match(self, trade: TradeEvent) -> dict[str, Any]:
        """A6.3, and of REST: one match."""
        return {
            "instId": trade.symbol, "tradeId": str(trade.sequential_id), "px": plain(trade.trade_price or 0.0),
            "sz": plain(trade.trade_volume or 0.0), "side": "buy" if trade.ask_bid == "BID" else "sell",
            "source": "0", "ts": str(trade.trade_timestamp),
        }  # fmt: skip

    def book(self, change: Change, *, symbol: str, channel: BookChannel, flaw: str = "") -> dict[str, Any]:
        """A6.4. Books of five levels name their market; those with RPI orders have no checksum."""
        whole, made = channel.is_whole, rpi_levels if channel.rpi else levels
        row: dict[str, Any] = {"asks": made(change.asks, change.power), "bids": made(change.bids, change.power)}
        if whole and channel.depth > 1:
            row["instId"] = symbol
        row["ts"] = str(change.ms)
        if not whole and not channel.rpi:
            row["checksum"] = change.sum ^ (1 if flaw == "checksum" else 0)
        if not self._is_old:
            row |= {"seqId": change.number} if whole else {"seqId": change.number, "prevSeqId": change.previous}
        return row

    def candle(self, symbol: str, unit: str, before_ms: int | None = None) -> list[str]:
        """A6.5: the running candle, or the last one that begins before a time: final."""
        if before_ms is None:
            candle = self._market.candle(symbol, UNITS[unit])
            return self.candle_row(candle, is_final=False) if candle.raw is None else recorded(candle.raw)[-1]
        return self.candle_row(self._market.candles(symbol, UNITS[unit], before_ms, 1)[0], is_final=True)

    def candle_row(self, candle: CandleEvent, *, is_final: bool) -> list[str]:
        """A row of nine, of seven in 2022."""
        one, turnover = instrument(candle.symbol), candle.candle_acc_trade_price or 0.0
        volume = one.sized(candle.candle_acc_trade_volume or 0.0)
        coins, money = one.coins(volume, turnover)
        prices = (candle.opening_price, candle.high_price, candle.low_price, candle.trade_price)
        row = [
            str(started_ms(candle)), *(plain(price or 0.0) for price in prices), plain(volume),
            plain(money if one.type == "SPOT" else coins),
        ]  # fmt: skip
        return row if self._is_old else [*row, plain(money), "1" if is_final else "0"]

    def price_row(self, candle: CandleEvent, *, is_final: bool) -> list[str]:
        """A6.5: of the marks or of an index, six elements. Both follow what is traded."""
        prices = (candle.opening_price, candle.high_price, candle.low_price, candle.trade_price)
        return [str(started_ms(candle)), *(plain(price or 0.0) for price in prices), "1" if is_final else "0"]

    def prices(self, symbol: str, unit: str, before_ms: int | None = None) -> list[str]:
        """As ``candle``, of ``price_row``."""
        if before_ms is None:
            return self.price_row(self._market.candle(symbol, UNITS[unit]), is_final=False)
        return self.price_row(self._market.candles(symbol, UNITS[unit], before_ms, 1)[0], is_final=True)

    def source(self, index: str) -> str:
        """The market that an index follows: that of its name, or else the first of its coins."""
        listed = [symbol for symbol in self._market.symbols if instrument(symbol).index == index]
        return index if index in listed else listed[0]

    def instruments(self, kind: str, family: str = "") -> list[dict[str, Any]]:
        """A6.6: everything of a type."""
        found = map(instrument, self._market.symbols)
        return [
            listing_row(one, self._market, is_old=self._is_old)
            for one in found
            if one.type == kind and family in ("", one.family)
        ]

    def status(self) -> dict[str, Any]:
        """A6.7: the latest maintenance, which is over."""
        begin = (self._market.now_ms // _DAY_MS - 3) * _DAY_MS
        return {
            "begin": str(begin), "end": str(begin + 2_580_000), "env": "1", "href": "", "maintType": "1",
            "preOpenBegin": "", "scheDesc": "", "serviceType": "0", "state": "completed", "system": "unified",
            "title": "Trading account WebSocket system upgrade", "ts": str(begin + 2_638_470),
        }  # fmt: skip

    def mark_price(self, symbol: str) -> dict[str, Any]:
        """What positions are valued at: near the middle of the book."""
        return {
            "instId": symbol, "instType": _margin(instrument(symbol)), "markPx": self._near(symbol, self._wave()),
            "ts": str(self._market.now_ms),
        }  # fmt: skip

    def index_ticker(self, index: str) -> dict[str, Any]:
        """An index follows its spot market, or whatever of it is listed."""
        symbol = self.source(index)
        opened, high, low = self._day(symbol)
        return {
            "instId": index, "idxPx": self._near(symbol, 1.0), "high24h": plain(high), "low24h": plain(low),
            "open24h": plain(opened), "sodUtc0": self._opening(symbol, "1Dutc"),
            "sodUtc8": self._opening(symbol, "1D"), "ts": str(self._market.now_ms),
        }  # fmt: skip

    def open_interest(self, symbol: str) -> dict[str, Any]:
        """Contracts that are open, in coins and in money too."""
        one, ms = instrument(symbol), self._market.now_ms
        contracts = 1_000_000 + one.code % 1_000_000 + round(20_000 * sin(ms / 900_000))
        coins, money = one.coins(contracts, contracts * self._mid(symbol))
        row = {"instId": symbol, "instType": one.type, "oi": str(contracts), "oiCcy": plain(coins), "ts": str(ms)}
        return row if self._is_old else row | {"oiUsd": plain(round(money, 2))}

    def price_limit(self, symbol: str) -> dict[str, Any]:
        """Highest bid and lowest ask that an order may have."""
        row = {
            "instId": symbol, "buyLmt": self._near(symbol, 1.05), "sellLmt": self._near(symbol, 0.95),
            "ts": str(self._market.now_ms),
        }  # fmt: skip
        return row if self._is_old else row | {"instType": instrument(symbol).type, "enabled": True}

    def funding_rate(self, symbol: str) -> dict[str, Any]:
        """Paid every eight hours."""
        period = self._market.now_ms // _FUNDING_MS
        row = {
            "fundingRate": _rate(period, symbol), "fundingTime": str((period + 1) * _FUNDING_MS), "instId": symbol,
            "instType": "SWAP", "nextFundingRate": _rate(period + 1, symbol) if self._is_old else "",
        }  # fmt: skip
        if self._is_old:
            return row
        return row | {
            "formulaType": "noRate", "impactValue": "20000", "interestRate": "0.0001", "maxFundingRate": "0.00375",
            "method": "current_period", "minFundingRate": "-0.00375",
            "nextFundingTime": str((period + 2) * _FUNDING_MS), "premium": "0.0001",
            "prevFundingTime": str(period * _FUNDING_MS),
            "settFundingRate": _rate(period - 1, symbol), "settState": "settled", "ts": str(self._market.now_ms),
        }  # fmt: skip

    def liquidation(self, trade: TradeEvent) -> dict[str, Any]:
        """A position was closed by force with this trade."""
        one, match = instrument(trade.symbol), self.match(trade)
        side = match["side"]
        return {
            "details": [{
                "bkLoss": "0", "bkPx": match["px"], "ccy": "", "posSide": "short" if side == "buy" else "long",
                "side": side, "sz": match["sz"], "ts": match["ts"],
            }],
            "instFamily": one.family, "instId": one.id, "instType": one.type, "uly": one.family,
        }  # fmt: skip

    def _day(self, symbol: str) -> tuple[float, float, float]:
        """Opening, highest and lowest price of the last 24 hours, looked up once a minute."""
        market = self._market
        minute = market.now_ms // 60_000
        if symbol not in self._days or self._days[symbol][0] != minute:
            hours = market.candles(symbol, "60m", market.now_ms, 24)
            high = max(candle.high_price or 0.0 for candle in hours)
            low = min(candle.low_price or high for candle in hours)
            before = market.candles(symbol, "1m", market.now_ms - _DAY_MS + 1, 1)[0]
            self._days[symbol] = (minute, before.opening_price or 0.0, high, low)
        return self._days[symbol][1:]

    def _opening(self, symbol: str, unit: str) -> str:
        return plain(self._market.candle(symbol, UNITS[unit]).opening_price or 0.0)

    def _mid(self, symbol: str) -> float:
        ladder = self._market.ladder(symbol)
        middle = (next(iter(ladder.asks)) + next(iter(ladder.bids))) / 2
        return float(middle * 10.0**ladder.power)

    def _near(self, symbol: str, factor: float) -> str:
        """The middle of the book times a factor, on the tick."""
        ladder = self._market.ladder(symbol)
        middle = (next(iter(ladder.asks)) + next(iter(ladder.bids))) / 2
        return text_of(max(1, round(middle * factor)), ladder.power)

    def _wave(self) -> float:
        return 1 + 0.0001 * sin(self._market.now_ms / 30_000)


def recorded(raw: bytes) -> list[Any]:
    """The rows of a push as it was recorded."""
    return msgspec.json.decode(raw, type=_Push).data


def started_ms(candle: CandleEvent) -> int:
    """When its window began, Unix ms."""
    at = datetime.fromisoformat(candle.candle_date_time_utc or "").replace(tzinfo=UTC)
    return int(at.timestamp() * 1000)


def _rate(period: int, symbol: str) -> str:
    return f"{0.0001 * (1 + sin(period * 1.7 + len(symbol))):.16f}"


def _margin(one: Instrument) -> str:
    """Mark prices of spot are those of margin trading."""
    return "MARGIN" if one.type == "SPOT" else one.type
