"""What Upbit's REST tells of many markets in one call: tickers and order books (spec/upbit.md 9.2, 9.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from tapewire.config import Numbers
from tapewire.model.events import OrderbookEvent, OrderbookUnit, TickerEvent
from tapewire.model.subscription import Subscription, in_full
from tapewire.venues.contract import StatePoll
from tapewire.venues.upbit.history import number_of
from tapewire.venues.upbit.rest import read_body

#: Markets of one call. No limit is documented; pyupbit, which is used a lot, splits at as many (section 9.2).
MARKETS_MOST = 100
#: Levels of a book if none are asked for, and at most (section 9.4).
COUNT = 30


class _Ticker(Struct):
    """One element of ``/v1/ticker``; without ``acc_ask_volume``, ``acc_bid_volume``, ``ask_bid``, ``market_state``."""

    market: str
    timestamp: int
    trade_price: Decimal
    opening_price: Decimal | None = None
    high_price: Decimal | None = None
    low_price: Decimal | None = None
    prev_closing_price: Decimal | None = None
    acc_trade_price: Decimal | None = None
    change: str | None = None
    change_price: Decimal | None = None
    signed_change_price: Decimal | None = None
    change_rate: Decimal | None = None
    signed_change_rate: Decimal | None = None
    trade_volume: Decimal | None = None
    acc_trade_volume: Decimal | None = None
    trade_date: str | None = None
    trade_time: str | None = None
    trade_timestamp: int | None = None
    highest_52_week_price: Decimal | None = None
    highest_52_week_date: str | None = None
    lowest_52_week_price: Decimal | None = None
    lowest_52_week_date: str | None = None
    acc_trade_price_24h: Decimal | None = None
    acc_trade_volume_24h: Decimal | None = None


class _Unit(Struct):
    ask_price: Decimal
    bid_price: Decimal
    ask_size: Decimal
    bid_size: Decimal


class _Book(Struct):
    """One element of ``/v1/orderbook``."""

    market: str
    timestamp: int
    orderbook_units: list[_Unit]
    total_ask_size: Decimal | None = None
    total_bid_size: Decimal | None = None
    level: Decimal | None = None


def polls(venue: str) -> Mapping[str, StatePoll]:
    """What can be asked at the exchange of this name."""
    tickers, books = partial(read_tickers, venue), partial(read_books, venue)
    return {
        "ticker": StatePoll(most=MARKETS_MOST, alike=_nothing, request=tickers_request, read=tickers),
        "orderbook": StatePoll(most=MARKETS_MOST, alike=_form, request=books_request, read=books),
    }


def tickers_request(streams: Sequence[Subscription]) -> str:
    """Path that asks for the tickers of these markets."""
    return f"/v1/ticker?markets={_symbols(streams)}"


def books_request(streams: Sequence[Subscription]) -> str:
    """Path that asks for the order books of these markets, all of one depth and level."""
    depth, level = _form(streams[0])
    grouped = f"&level={in_full(level)}" if level else ""
    return f"/v1/orderbook?markets={_symbols(streams)}&count={depth or COUNT}{grouped}"


def read_tickers(venue: str, _streams: Sequence[Subscription], body: bytes, numbers: Numbers) -> list[TickerEvent]:
    """Its body → tickers.

    Raises:
        DecodeError: it is something else.
    """
    rows = read_body(venue, body, list[_Ticker], "list of tickers")
    return [TickerEvent(venue=venue, stream_type="REALTIME", **_fields(row, number_of(numbers))) for row in rows]


def read_books(venue: str, _streams: Sequence[Subscription], body: bytes, numbers: Numbers) -> list[OrderbookEvent]:
    """Its body → order books, which say their markets.

    Raises:
        DecodeError: it is something else.
    """
    number, books = number_of(numbers), []
    for row in read_body(venue, body, list[_Book], "list of order books"):
        units = [OrderbookUnit(*map(number, msgspec.structs.astuple(unit))) for unit in row.orderbook_units]
        said = _fields(row, number) | {"orderbook_units": units}
        books.append(OrderbookEvent(venue=venue, stream_type="REALTIME", **said))
    return books


def _fields(row: Struct, number: Callable[[Decimal], Any]) -> dict[str, Any]:
    """What a row says, under the names of the event."""
    said = {
        name: number(value) if isinstance(value, Decimal) else value
        for name, value in msgspec.structs.asdict(row).items()
    }
    return {"symbol": said.pop("market"), **said}


def _symbols(streams: Sequence[Subscription]) -> str:
    return quote(",".join(stream.symbol for stream in streams), safe=",")


def _nothing(_stream: Subscription) -> None:
    """Tickers of all markets are alike."""


def _form(stream: Subscription) -> tuple[int | None, float]:
    return stream.depth, stream.level
