"""Upbit's quotation REST calls, answered from the simulated market (spec/upbit.md 9.1 to 9.5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Any

from tapewire.model.events import CandleEvent, OrderbookEvent, TickerEvent, TradeEvent
from tapewire.venues.exchange import HttpCall, MarketView
from tapewire.venues.upbit.profile import Region

_DAY_MS = 86_400_000
_KST = timedelta(hours=9)
_MINUTES = ("1", "3", "5", "10", "15", "30", "60", "240")
_PERIODS = {"days": "1d", "weeks": "1w", "months": "1M", "years": "1y"}
_TICKER = (
    "opening_price", "high_price", "low_price", "trade_price", "prev_closing_price", "change", "change_price",
    "change_rate", "signed_change_price", "signed_change_rate", "trade_volume", "acc_trade_price",
    "acc_trade_price_24h", "acc_trade_volume", "acc_trade_volume_24h", "highest_52_week_price",
    "highest_52_week_date", "lowest_52_week_price", "lowest_52_week_date", "timestamp",
)  # fmt: skip
_CANDLE = (
    "candle_date_time_utc", "candle_date_time_kst", "opening_price", "high_price", "low_price", "trade_price",
    "timestamp", "candle_acc_trade_price", "candle_acc_trade_volume",
)  # fmt: skip
_GROUPS = {
    "market": "market", "ticker": "ticker", "trades": "crix-trades", "orderbook": "orderbook",
    "accounts": "default", "order": "default", "orders": "default",
}  # fmt: skip

Query = Mapping[str, str]
Body = Any


class _Refused(Exception):
    """An answer that is not 200; quotation calls give integer names (spec 5.2)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status, self.message = status, message


def group_of(call: HttpCall, *, korea: bool) -> tuple[str, int, float]:
    """The limit group of a call as the ``Remaining-Req`` header gives it, and its calls a second (spec 7.2).

    Args:
        call: the call.
        korea: whether it is Upbit Korea: orders have a wider limit there.
    """
    if call.method == "POST" and call.path == "/v1/orders":
        return "order", 12 if korea else 8, 1.0
    parts = call.path.split("/")
    name = _GROUPS.get(parts[2] if len(parts) > 2 else "", "candles")
    return name, 30 if name == "default" else 10, 1.0


def is_public(path: str) -> bool:
    """Whether a path is one of these calls."""
    return path in _CALLS or (
        path.startswith("/v1/candles/") and path.split("/")[3] in ("minutes", "seconds", *_PERIODS)
    )


def answer(call: HttpCall, market: MarketView, region: Region) -> tuple[int, Body]:
    """HTTP status and body for one call without a token."""
    path, query = call.path, dict(call.parameters)
    if call.method != "GET":
        return 405, {"error": {"name": 405, "message": "Method Not Allowed"}}
    try:
        if path.startswith("/v1/candles/"):
            return 200, _candles(path.removeprefix("/v1/candles/"), query, market, region)
        return 200, _CALLS.get(path, _nothing)(query, market, region)
    except _Refused as refused:
        return refused.status, {"error": {"name": refused.status, "message": refused.message}}


def _nothing(query: Query, market: MarketView, region: Region) -> Body:  # noqa: ARG001 - one of many calls
    raise _Refused(404, "Not Found")


def _market_all(query: Query, market: MarketView, region: Region) -> Body:
    details = query.get("is_details", query.get("isDetails", "false")) == "true"
    rows = []
    for symbol in market.symbols:
        listing = market.listing(symbol)
        row: dict[str, Any] = {
            "market": symbol, "korean_name": listing.local_name or listing.base,
            "english_name": listing.name or listing.base,
        }  # fmt: skip
        if details and region.levels:
            row["market_event"] = {"warning": listing.warning, "caution": dict.fromkeys(_CAUTIONS, False)}
        elif details:
            row["market_warning"] = "CAUTION" if listing.warning else "NONE"
        rows.append(row)
    return rows


def _ticker(query: Query, market: MarketView, region: Region) -> Body:  # noqa: ARG001 - one of many calls
    return [_ticker_row(market.ticker(symbol)) for symbol in _markets(query, market)]


def _ticker_all(query: Query, market: MarketView, region: Region) -> Body:  # noqa: ARG001 - one of many calls
    quotes = _required(query, "quote_currencies").split(",")
    symbols = [symbol for symbol in market.symbols if market.listing(symbol).quote in quotes]
    return [_ticker_row(market.ticker(symbol)) for symbol in symbols]


def _trades(query: Query, market: MarketView, region: Region) -> Body:  # noqa: ARG001 - one of many calls
    symbol = _one_market(query, market)
    count, days_ago = _number(query, "count", 1, 1, 500), _number(query, "days_ago", 0, 0, 7)
    cursor = _number(query, "cursor", 0, 0, 2**63 - 1) if "cursor" in query else None
    begin = (market.now_ms // _DAY_MS - days_ago) * _DAY_MS
    end = begin + _DAY_MS if "to" not in query else begin + _time_of_day(query["to"])
    found = market.trades(symbol, end, cursor, count)
    return [_trade_row(trade) for trade in found if (trade.trade_timestamp or 0) >= begin]


def _orderbook(query: Query, market: MarketView, region: Region) -> Body:  # noqa: ARG001 - one of many calls
    symbols, count = _markets(query, market), _number(query, "count", 30, 1, 30)
    try:
        level = float(query.get("level", "0"))
    except ValueError:
        raise _Refused(400, "Type mismatch error. Check the parameters type!") from None
    if level and not all(level in (market.listing(symbol).levels or ()) for symbol in symbols):
        return []
    return [_book_row(market.orderbook(symbol, level), count) for symbol in symbols]


def _instruments(query: Query, market: MarketView, region: Region) -> Body:
    rows = []
    for symbol in _markets(query, market):
        listing = market.listing(symbol)
        row = {"market": symbol, "quote_currency": listing.quote, "tick_size": market.tick_size(symbol)}
        rows.append({**row, "supported_levels": _levels(listing.levels)} if region.levels else row)
    return rows


def _supported_levels(query: Query, market: MarketView, region: Region) -> Body:  # noqa: ARG001 - one of many calls
    return [
        {"market": symbol, "supported_levels": [float(level) for level in _levels(market.listing(symbol).levels)]}
        for symbol in _markets(query, market)
    ]


def _candles(path: str, query: Query, market: MarketView, region: Region) -> Body:
    kind, _, minutes = path.partition("/")
    unit = _unit(kind, minutes)
    symbol = _one_market(query, market)
    count = _number(query, "count", 1, 1, 200)
    before = _moment(query["to"]) if query.get("to") else market.now_ms + 1
    found = market.candles(symbol, unit, before, count + 1)
    rows = []
    for candle, older in zip_longest(found, found[1:]):
        row = {"market": symbol, **{name: getattr(candle, name) for name in _CANDLE}}
        if kind == "minutes":
            row["unit"] = int(minutes)
        elif kind == "days":
            row |= _day_change(candle, older)
            if query.get("converting_price_unit") == region.quotes[0]:
                row["converted_trade_price"] = candle.trade_price
        elif kind in _PERIODS:
            row["first_day_of_period"] = (candle.candle_date_time_utc or "")[:10]
        rows.append(row)
    return rows[:count]


def _day_change(candle: CandleEvent, older: CandleEvent | None) -> dict[str, Any]:
    before = older.trade_price if older else candle.opening_price
    change = round((candle.trade_price or 0.0) - (before or 0.0), 8)
    rate = round(change / before, 10) if before else 0.0
    return {"prev_closing_price": before, "change_price": change, "change_rate": rate}


def _unit(kind: str, minutes: str) -> str:
    if kind == "minutes" and minutes in _MINUTES:
        return f"{minutes}m"
    if kind == "minutes":
        raise _Refused(400, "Invalid parameter. Check the given value!")
    if kind == "seconds":
        return "1s"
    if kind not in _PERIODS:
        raise _Refused(404, "Not Found")
    return _PERIODS[kind]


def _ticker_row(ticker: TickerEvent) -> dict[str, Any]:
    at = datetime.fromtimestamp((ticker.trade_timestamp or 0) / 1000, UTC)
    return {
        "market": ticker.symbol, "trade_date": ticker.trade_date, "trade_time": ticker.trade_time,
        "trade_date_kst": (at + _KST).strftime("%Y%m%d"), "trade_time_kst": (at + _KST).strftime("%H%M%S"),
        "trade_timestamp": ticker.trade_timestamp, **{name: getattr(ticker, name) for name in _TICKER},
    }  # fmt: skip


def _trade_row(trade: TradeEvent) -> dict[str, Any]:
    price, before = trade.trade_price or 0.0, trade.prev_closing_price or 0.0
    return {
        "market": trade.symbol, "trade_date_utc": trade.trade_date, "trade_time_utc": trade.trade_time,
        "timestamp": trade.trade_timestamp, "trade_price": price, "trade_volume": trade.trade_volume,
        "prev_closing_price": before, "change_price": round(price - before, 8), "ask_bid": trade.ask_bid,
        "sequential_id": trade.sequential_id,
    }  # fmt: skip


def _book_row(book: OrderbookEvent, count: int) -> dict[str, Any]:
    return {
        "market": book.symbol, "timestamp": book.timestamp, "total_ask_size": book.total_ask_size,
        "total_bid_size": book.total_bid_size, "orderbook_units": book.orderbook_units[:count], "level": book.level,
    }  # fmt: skip


def _levels(levels: Sequence[float] | None) -> list[str]:
    return [f"{level:f}".rstrip("0").rstrip(".") or "0" for level in levels or (0,)]


def _required(query: Query, name: str) -> str:
    value = query.get(name)
    if not value:
        raise _Refused(400, "Missing request parameter error. Check the required parameters!")
    return value


def _markets(query: Query, market: MarketView) -> list[str]:
    symbols = _required(query, "markets").split(",")
    if not all(symbol in market.symbols for symbol in symbols):
        raise _Refused(404, "Code not found")
    return symbols


def _one_market(query: Query, market: MarketView) -> str:
    symbol = _required(query, "market")
    if symbol not in market.symbols:
        raise _Refused(404, "Code not found")
    return symbol


def _number(query: Query, name: str, default: int, low: int, high: int) -> int:
    text = query.get(name) or str(default)
    if not text.removeprefix("-").isdigit() or not text.isascii():
        raise _Refused(400, "Type mismatch error. Check the parameters type!")
    if not low <= (number := int(text)) <= high:
        raise _Refused(400, "Invalid parameter. Check the given value!")
    return number


def _time_of_day(text: str) -> int:
    """``HHmmss`` or ``HH:mm:ss`` as ms since midnight."""
    digits = text.replace(":", "")
    if len(digits) != 6 or not digits.isdigit() or digits[:2] > "23" or max(digits[2:4], digits[4:]) > "59":
        raise _Refused(400, "Invalid parameter. Check the given value!")
    return (int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + int(digits[4:])) * 1000


def _moment(text: str) -> int:
    """ISO 8601 as ms UTC; without a zone it is UTC."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise _Refused(400, "Invalid parameter. Check the given value!") from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


_CAUTIONS = (
    "PRICE_FLUCTUATIONS", "TRADING_VOLUME_SOARING", "DEPOSIT_AMOUNT_SOARING", "GLOBAL_PRICE_DIFFERENCES",
    "CONCENTRATION_OF_SMALL_ACCOUNTS",
)  # fmt: skip
_CALLS: dict[str, Callable[[Query, MarketView, Region], Body]] = {
    "/v1/market/all": _market_all,
    "/v1/ticker": _ticker,
    "/v1/ticker/all": _ticker_all,
    "/v1/trades/ticks": _trades,
    "/v1/orderbook": _orderbook,
    "/v1/orderbook/instruments": _instruments,
    "/v1/orderbook/supported_levels": _supported_levels,
}
