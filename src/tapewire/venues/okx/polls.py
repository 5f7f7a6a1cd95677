"""What OKX's REST tells of the present state of a market: its ticker, its order book (spec/okx.md A8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlencode

from tapewire.config import Numbers
from tapewire.errors import DecodeError
from tapewire.model.book import BookLevel, DepthOrderbookEvent, Row, RpiBookLevel
from tapewire.model.events import TickerEvent
from tapewire.model.subscription import Subscription
from tapewire.venues.contract import StatePoll
from tapewire.venues.okx import values
from tapewire.venues.okx.channels import DELTA_BOOKS, RPI, Meaning, channel_of
from tapewire.venues.okx.history import read_rows
from tapewire.venues.okx.rows import Push
from tapewire.venues.okx.sequence import book_path, read_book


def polls(venue: str) -> Mapping[str, StatePoll]:
    """What can be asked at the exchange of this name, of one market in a call.

    The call for all tickers wants one type of instrument each.
    """
    return {
        "ticker": StatePoll(most=1, alike=_itself, request=ticker_request, read=partial(read_tickers, venue)),
        "orderbook": StatePoll(most=1, alike=_itself, request=book_request, read=partial(read_books, venue)),
    }


def ticker_request(streams: Sequence[Subscription]) -> str:
    """Path that asks for the ticker of one instrument."""
    return f"/api/v5/market/ticker?{urlencode({'instId': streams[0].symbol})}"


def book_request(streams: Sequence[Subscription]) -> str:
    """Path that asks for the order book of one instrument, as deep as the stream."""
    return book_path(streams[0], _depth(streams[0]))


def read_tickers(venue: str, _streams: Sequence[Subscription], body: bytes, numbers: Numbers) -> list[TickerEvent]:
    """Its body → the ticker. Raises DecodeError."""
    push = Push(venue, "tickers", Meaning("ticker"), "", numbers)
    return read_rows(venue, push, body, TickerEvent, "ticker")


def read_books(venue: str, streams: Sequence[Subscription], body: bytes, numbers: Numbers) -> list[DepthOrderbookEvent]:
    """Its body → the book, which does not say its market. Raises DecodeError."""
    [stream] = streams
    book, channel = read_book(venue, stream.symbol, body), channel_of(stream)
    read = _rpi_levels if channel == RPI else _levels
    try:
        asks, bids = (read(side, numbers) for side in (book.asks, book.bids))
    except ValueError as error:
        raise DecodeError(venue, f"no order book of {stream.symbol}: {error}", body) from error
    return [
        DepthOrderbookEvent(
            venue=venue, symbol=stream.symbol, stream_type="REALTIME", timestamp=book.timestamp, asks=asks, bids=bids,
            channel=channel, sequence=book.sequence,
        )
    ]  # fmt: skip


def _levels(rows: Sequence[Row], numbers: Numbers) -> list[BookLevel]:
    number: Any = values.exact if numbers == "decimal" else values.near
    return [BookLevel(number(price), number(size), *map(values.whole, rest)) for price, size, *rest in rows]


def _rpi_levels(rows: Sequence[Row], numbers: Numbers) -> list[BookLevel]:
    number: Any = values.exact if numbers == "decimal" else values.near
    return [
        RpiBookLevel(number(price), number(size), 0, values.whole(orders), number(organic))
        for price, size, organic, orders in rows
    ]


def _depth(stream: Subscription) -> int:
    most = DELTA_BOOKS.get(channel_of(stream), max(DELTA_BOOKS.values()))
    return most if stream.depth is None else min(stream.depth, most)


def _itself(stream: Subscription) -> Subscription:
    """No call tells of two."""
    return stream
