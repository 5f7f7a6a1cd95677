"""What OKEX v3's REST told of the past: trades and candles that a stream missed.

The specification has no REST part for v3; the calls are those of the exchange's SDKs (V3-Open-API-SDK, 2019 to 2021).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from tapewire.config import Numbers
from tapewire.errors import DecodeError
from tapewire.model.book import DepthOrderbookEvent
from tapewire.model.events import CandleEvent, Event, TickerEvent, TradeEvent
from tapewire.venues.contract import History
from tapewire.venues.digits import plain
from tapewire.venues.okex_v3.channels import CANDLE_SECONDS, DEPTH
from tapewire.venues.okex_v3.messages import CONTRACT_VOLUMES, SPOT_VOLUMES, TICKER_FIELDS, row_reader
from tapewire.venues.okex_v3.profile import NAME
from tapewire.venues.okex_v3.rest import read_body
from tapewire.venues.okex_v3.symbols import split
from tapewire.venues.okex_v3.times import iso

#: Trades and candles of one page.
TRADES_PAGE: Final = 100
CANDLES_PAGE: Final = 200

_DAY_MS, _HOUR_MS = 86_400_000, 3_600_000
#: Windows of six hours and more begin by the clock of UTC+8; weeks on a Monday, and 1 January 1970 was a Thursday.
_AHEAD_MS, _TO_MONDAY_MS = 8 * _HOUR_MS, 4 * _DAY_MS
_LONG = 21_600


def trades_request(symbol: str, cursor: int | None, _days_ago: int) -> str:
    """Path of one page of trades, newest first: those older than an id; None: the newest."""
    asked = {"limit": TRADES_PAGE} | ({} if cursor is None else {"after": cursor})
    return f"{instrument_path(symbol)}/trades?{urlencode(asked)}"


def read_trades(symbol: str, body: bytes, numbers: Numbers) -> list[TradeEvent]:
    """Its body → trades, newest first; rows do not say their instrument. Raises DecodeError."""
    rows = read_body(body, list[dict[str, Any]], "list of trades")
    events: list[TradeEvent] = read_rows(body, f"{market_of(symbol)}/trade", numbers, symbol, rows)
    return events


def candles_request(symbol: str, unit: str, before_ms: int | None) -> str:
    """Path of one page of candles, newest first: windows that began before a time (Unix ms, UTC); None: the newest."""
    asked: dict[str, Any] = {"granularity": CANDLE_SECONDS[unit]}
    if before_ms is not None:
        asked["end"] = iso(before_ms - 1)
    return f"{instrument_path(symbol)}/candles?{urlencode(asked)}"


def read_candles(symbol: str, unit: str, body: bytes, numbers: Numbers) -> list[CandleEvent]:
    """Its body → candles, newest first. Raises DecodeError."""
    rows = [{"candle": row} for row in read_body(body, list[list[str]], "list of candles")]
    events: list[CandleEvent] = read_rows(body, _candles(symbol, unit), numbers, symbol, rows)
    for event in events:
        event.__class__ = CandleEvent
    return events


def window_start(unit: str, ms: int) -> int:
    """When the window that holds a time began (both Unix ms, UTC)."""
    seconds = CANDLE_SECONDS[unit]
    origin = (_TO_MONDAY_MS if unit == "1W" else 0) - (_AHEAD_MS if seconds >= _LONG else 0)
    return (ms - origin) // (seconds * 1000) * (seconds * 1000) + origin


def frame(event: Event) -> bytes:
    """The message of an event that REST told, as text."""
    market = market_of(event.symbol)
    if isinstance(event, DepthOrderbookEvent):
        return _book_frame(market, event)
    if isinstance(event, TickerEvent):
        return _table(f"{market}/ticker", _ticker_row(market, event))
    if isinstance(event, CandleEvent):
        row: dict[str, Any] = {"candle": _candle(market, event), "instrument_id": event.symbol}
        return _table(_candles(event.symbol, event.unit or ""), row)
    if not isinstance(event, TradeEvent):
        raise TypeError(f"REST tells of trades, candles, tickers and books, not of a {event.kind}")
    return _table(
        f"{market}/trade",
        {
            "side": "buy" if event.ask_bid == "BID" else "sell", "trade_id": str(event.sequential_id),
            "price": _text(event.trade_price),
            "qty" if market in ("futures", "option") else "size": _text(event.trade_volume),
            "instrument_id": event.symbol, "timestamp": iso(event.timestamp or 0),
        },
    )  # fmt: skip


HISTORY: Final = History(
    trades_request=trades_request,
    read_trades=read_trades,
    candles_request=candles_request,
    read_candles=read_candles,
    frame=frame,
    ids_ascend=True,
    window=window_start,
    candles_late_ms=0,
)


def read_rows(body: bytes, table: str, numbers: Numbers, symbol: str, rows: list[dict[str, Any]]) -> list[Any]:
    """Rows of a body, which do not say their instrument → events of a table. Raises DecodeError."""
    read = row_reader(table, numbers)
    try:
        return [read(msgspec.json.encode(row | {"instrument_id": symbol}), None) for row in rows]
    except (msgspec.MsgspecError, ValueError, ArithmeticError) as error:
        raise DecodeError(NAME, f"no rows of {table}: {error}", body) from error


def _ticker_row(market: str, event: TickerEvent) -> dict[str, Any]:
    names = TICKER_FIELDS | (SPOT_VOLUMES if market == "spot" else CONTRACT_VOLUMES)
    said = {name: getattr(event, attribute) for attribute, name in names.items()}
    row = {name: plain(value) for name, value in said.items() if value is not None}
    return row | {"instrument_id": event.symbol, "timestamp": iso(event.timestamp or 0)}


def _book_frame(market: str, event: DepthOrderbookEvent) -> bytes:
    """A book that comes as changes begins with a ``partial``; nobody knows its checksum."""
    row: dict[str, Any] = {
        side: [[plain(one.price), plain(one.size), str(one.liquidated), str(one.orders)] for one in levels]
        for side, levels in (("asks", event.asks), ("bids", event.bids))
    }
    row |= {"instrument_id": event.symbol, "timestamp": iso(event.timestamp or 0)}
    action = {} if event.channel == f"depth{DEPTH}" else {"action": "partial"}
    return msgspec.json.encode({"table": f"{market}/{event.channel}", **action, "data": [row]})


def _candles(symbol: str, unit: str) -> str:
    return f"{market_of(symbol)}/candle{CANDLE_SECONDS[unit]}s"


def _candle(market: str, event: CandleEvent) -> list[str]:
    figures = [event.opening_price, event.high_price, event.low_price, event.trade_price]
    volumes = [event.candle_acc_trade_volume] if market == "spot" else [event.contracts, event.candle_acc_trade_volume]
    return [iso(event.timestamp or 0), *map(_text, figures + volumes)]


def _table(name: str, row: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"table": name, "data": [row]})


def instrument_path(symbol: str) -> str:
    """REST path of all that is told of one instrument."""
    return f"/api/{market_of(symbol)}/v3/instruments/{symbol}"


def market_of(symbol: str) -> str:
    """The market of an instrument. Raises ValueError for what is none."""
    parts = split(symbol)
    if parts is None:
        raise ValueError(f"{symbol!r} is no instrument id")
    return parts.market


def _text(value: float | Decimal | None) -> str:
    return plain(value or 0.0)
