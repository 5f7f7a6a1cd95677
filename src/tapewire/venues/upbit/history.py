"""What Upbit's REST tells of the past: trades and candles that a stream missed (spec/upbit.md 9.3, 9.5)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from tapewire.config import Numbers
from tapewire.model.events import CandleEvent, Event, TradeEvent
from tapewire.venues.upbit.fields import attribute_names
from tapewire.venues.upbit.rest import read_body

#: Trades of one page, days that the exchange keeps them (section 9.3).
TRADES_PAGE, TRADES_DAYS = 500, 7
#: Candles of one page (section 9.5).
CANDLES_PAGE = 200

#: What an event says of itself beyond the message.
_MARKS = ("recovered", "polled", "final")
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class _Trade(Struct):
    """One element of ``/v1/trades/ticks``. Its ``change_price`` is signed; the stream's is not, and has ``change``."""

    market: str
    trade_date_utc: str
    trade_time_utc: str
    timestamp: int
    trade_price: Decimal
    trade_volume: Decimal
    ask_bid: str
    sequential_id: int
    prev_closing_price: Decimal | None = None
    change_price: Decimal | None = None


class _Candle(Struct):
    """One element of ``/v1/candles/…``."""

    market: str
    candle_date_time_utc: str
    opening_price: Decimal
    high_price: Decimal
    low_price: Decimal
    trade_price: Decimal
    timestamp: int
    candle_acc_trade_price: Decimal
    candle_acc_trade_volume: Decimal
    candle_date_time_kst: str | None = None


def trades_request(symbol: str, cursor: int | None, days_ago: int) -> str:
    """Path of one page of trades, newest first.

    Args:
        symbol: one market.
        cursor: only trades older than this id; None: the newest.
        days_ago: which UTC day of the exchange's is searched, 0 (today) to 7.
    """
    older = f"&cursor={cursor}" if cursor is not None else ""
    day = f"&days_ago={days_ago}" if days_ago else ""
    return f"/v1/trades/ticks?market={quote(symbol)}&count={TRADES_PAGE}{older}{day}"


def read_trades(venue: str, body: bytes, numbers: Numbers) -> list[TradeEvent]:
    """Its body → trades, newest first, as the stream would have sent them but for best prices and publication time.

    ``timestamp`` is that of the execution: REST does not tell the publication's.

    Raises:
        DecodeError: it is something else.
    """
    rows = read_body(venue, body, list[_Trade], "list of trades")
    return [_trade(venue, row, number_of(numbers)) for row in rows]


def frame(event: Event) -> bytes:
    """The DEFAULT message of an event that REST told, with its marks, without what REST does not tell."""
    kind = str(event.__struct_config__.tag)
    said: dict[str, Any] = {"type": f"{kind}.{event.unit}" if isinstance(event, CandleEvent) else kind}
    for attribute, name in attribute_names(kind, simple=False).items():
        value = getattr(event, attribute)
        if value is not None:
            said[name] = value
    return _ENCODER.encode(said | {mark: True for mark in _MARKS if getattr(event, mark, False)})


def candles_request(symbol: str, unit: str, before_ms: int | None) -> str:
    """Path of one page of candles, newest first: those that began before ``before_ms`` (Unix ms, UTC; None: newest).

    Args:
        symbol: one market.
        unit: ``1s``, or minutes from ``1m`` to ``240m``.
        before_ms: upper bound, not included.
    """
    kind = "seconds" if unit == "1s" else f"minutes/{unit.removesuffix('m')}"
    until = ""
    if before_ms is not None:
        until = f"&to={quote(datetime.fromtimestamp(before_ms / 1000, UTC).strftime('%Y-%m-%dT%H:%M:%SZ'))}"
    return f"/v1/candles/{kind}?market={quote(symbol)}&count={CANDLES_PAGE}{until}"


def read_candles(venue: str, unit: str, body: bytes, numbers: Numbers) -> list[CandleEvent]:
    """Its body → candles, newest first.

    Raises:
        DecodeError: it is something else.
    """
    rows = read_body(venue, body, list[_Candle], "list of candles")
    number = number_of(numbers)
    return [
        CandleEvent(
            venue=venue,
            symbol=row.market,
            stream_type="REALTIME",
            timestamp=row.timestamp,
            unit=unit,
            candle_date_time_utc=row.candle_date_time_utc,
            candle_date_time_kst=row.candle_date_time_kst,
            opening_price=number(row.opening_price),
            high_price=number(row.high_price),
            low_price=number(row.low_price),
            trade_price=number(row.trade_price),
            candle_acc_trade_volume=number(row.candle_acc_trade_volume),
            candle_acc_trade_price=number(row.candle_acc_trade_price),
        )
        for row in rows
    ]


def _trade(venue: str, row: _Trade, number: Any) -> TradeEvent:
    change = row.change_price
    word = None if change is None else "RISE" if change > 0 else "FALL" if change < 0 else "EVEN"
    return TradeEvent(
        venue=venue,
        symbol=row.market,
        stream_type="REALTIME",
        timestamp=row.timestamp,
        trade_date=row.trade_date_utc,
        trade_time=row.trade_time_utc,
        trade_timestamp=row.timestamp,
        trade_price=number(row.trade_price),
        trade_volume=number(row.trade_volume),
        ask_bid=row.ask_bid,
        prev_closing_price=None if row.prev_closing_price is None else number(row.prev_closing_price),
        change=word,
        change_price=None if change is None else number(abs(change)),
        sequential_id=row.sequential_id,
    )


def number_of(numbers: Numbers) -> Any:
    """What makes a number of the kind asked for of an exact one."""
    return float if numbers == "float" else Decimal
