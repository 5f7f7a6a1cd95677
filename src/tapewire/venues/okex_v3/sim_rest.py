"""OKEX v3's public REST calls, answered from the simulated market.

The specification has only the list of spot instruments; the other calls are what the exchange's own SDKs asked
(V3-Open-API-SDK, 2019 to 2021: instruments, ticker, trades, candles, book of each market, and the time).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tapewire.venues.exchange import HttpCall, MarketView
from tapewire.venues.okex_v3 import sim_frames as frames
from tapewire.venues.okex_v3.channels import CANDLE_SECONDS
from tapewire.venues.okex_v3.sim_books import ToldBook
from tapewire.venues.okex_v3.sim_streams import CANDLES
from tapewire.venues.okex_v3.sim_switches import Switches
from tapewire.venues.okex_v3.symbols import MARKETS, split
from tapewire.venues.okex_v3.times import iso, milliseconds

_UNITS = {str(seconds): CANDLES[unit] for unit, seconds in CANDLE_SECONDS.items()}
_TRADES, _CANDLES = 100, 200


class _Refused(Exception):
    """An answer that is not 200."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(status, code, message)
        self.status, self.code, self.message = status, code, message


def answer(call: HttpCall, market: MarketView, switches: Switches) -> tuple[int, Any]:
    """HTTP status and body of one call."""
    try:
        return 200, _answer(call, dict(call.parameters), market, switches)
    except _Refused as refused:
        words = {"code": refused.code, "message": refused.message}
        return refused.status, words | {"error_code": str(refused.code), "error_message": refused.message}


def _answer(call: HttpCall, query: Mapping[str, str], market: MarketView, switches: Switches) -> Any:
    if call.method != "GET":
        raise _Refused(405, 30030, "endpoint request failed")
    match call.path.strip("/").split("/"):
        case ["api", "general", "v3", "time"]:
            return {"iso": iso(market.now_ms), "epoch": f"{market.now_ms / 1000:.3f}"}
        case ["api", kind, "v3", "instruments"] if kind in MARKETS:
            return [_instrument(kind, symbol, market) for symbol in _of(kind, market)]
        case ["api", kind, "v3", "instruments", "ticker"] if kind in MARKETS:
            return [frames.ticker_row(kind, market, symbol) for symbol in _of(kind, market)]
        case ["api", kind, "v3", "instruments", symbol, what] if kind in MARKETS:
            if symbol not in _of(kind, market):
                raise _Refused(400, 30032, "The currency pair does not exist")
            if what == "book":
                return _book(symbol, _number(query, "size", switches.depth, switches.depth), market, switches)
            return _of_one(kind, symbol, what, query, market)
        case _:
            raise _Refused(404, 30000, "Invalid URL path")


def _of_one(kind: str, symbol: str, what: str, query: Mapping[str, str], market: MarketView) -> Any:
    match what:
        case "ticker":
            return frames.ticker_row(kind, market, symbol)
        case "trades":
            older = _number(query, "after", 0, 2**63 - 1) or None
            found = market.trades(symbol, market.now_ms + 1, older, _number(query, "limit", _TRADES, _TRADES))
            return [_trade(kind, frames.trade_row(kind, trade)) for trade in found]
        case "candles":
            return _candles(kind, symbol, query, market)
        case _:
            raise _Refused(404, 30000, "Invalid URL path")


def _trade(kind: str, row: frames.Row) -> frames.Row:
    """As on the stream without the instrument; spot tells the time twice."""
    del row["instrument_id"]
    return {"time": row["timestamp"], **row} if kind == "spot" else row


def _candles(kind: str, symbol: str, query: Mapping[str, str], market: MarketView) -> Any:
    unit = _UNITS.get(query.get("granularity", "60"))
    if unit is None:
        raise _Refused(400, 30025, "granularity is not one of " + ", ".join(_UNITS))
    start, end = (_moment(query[name]) if name in query else None for name in ("start", "end"))
    found = market.candles(symbol, unit, market.now_ms + 1 if end is None else end + 1, _CANDLES)
    rows = [frames.candle_row(kind, symbol, candle)["candle"] for candle in found]
    return rows if start is None else [row for row in rows if milliseconds(row[0]) >= start]


def _book(symbol: str, size: int, market: MarketView, switches: Switches) -> Any:
    asks, bids = ToldBook(market.ladder(symbol), market.now_ms, size).whole()
    sides = {"asks": frames.levels(symbol, asks, switches), "bids": frames.levels(symbol, bids, switches)}
    return sides | {"timestamp": iso(market.now_ms)}


def _of(kind: str, market: MarketView) -> list[str]:
    return [symbol for symbol in market.symbols if (parts := split(symbol)) is not None and parts.market == kind]


def _instrument(kind: str, symbol: str, market: MarketView) -> dict[str, str]:
    listing, tick = market.listing(symbol), market.tick_size(symbol)
    coins = {"base_currency": listing.base, "quote_currency": listing.quote}
    if kind == "spot":
        return coins | {
            "category": "1", "instrument_id": symbol, "min_size": "0.001", "size_increment": "0.00000001",
            "tick_size": tick,
        }  # fmt: skip
    inverse = listing.quote == "USD"
    return coins | {
        "contract_val": str(frames.face_value(listing.base)) if inverse else "0.01", "instrument_id": symbol,
        "is_inverse": str(inverse).lower(), "tick_size": tick, "underlying": f"{listing.base}-{listing.quote}",
    }  # fmt: skip


def _number(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= most):
        raise _Refused(400, 30024, f"{name} is not valid: a number from 1 to {most}")
    return int(text)


def _moment(text: str) -> int:
    try:
        return milliseconds(text)
    except ValueError:
        raise _Refused(400, 30025, f"not a time of ISO 8601: {text}") from None
