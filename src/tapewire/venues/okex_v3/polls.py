"""What OKEX v3's REST told of the present state of a market: its ticker, its order book.

As ``history``: the calls are those of the exchange's SDKs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlencode

from tapewire.config import Numbers
from tapewire.model.book import DepthOrderbookEvent
from tapewire.model.events import TickerEvent
from tapewire.model.subscription import Subscription
from tapewire.venues.contract import StatePoll
from tapewire.venues.okex_v3.channels import DEPTH, LEVELS, table_of
from tapewire.venues.okex_v3.history import instrument_path, market_of, read_rows
from tapewire.venues.okex_v3.rest import read_body


def ticker_request(streams: Sequence[Subscription]) -> str:
    """Path that asks for the ticker of one instrument."""
    return f"{instrument_path(streams[0].symbol)}/ticker"


def book_request(streams: Sequence[Subscription]) -> str:
    """Path that asks for the order book of one instrument, as deep as the stream."""
    depth = streams[0].depth
    return f"{instrument_path(streams[0].symbol)}/book?{urlencode({'size': min(depth or LEVELS, LEVELS)})}"


def read_tickers(streams: Sequence[Subscription], body: bytes, numbers: Numbers) -> list[TickerEvent]:
    """Its body → the ticker. Raises DecodeError."""
    return _read(streams, "ticker", body, numbers)


def read_books(streams: Sequence[Subscription], body: bytes, numbers: Numbers) -> list[DepthOrderbookEvent]:
    """Its body → the book, which does not say its market. Raises DecodeError."""
    [book] = _read(streams, f"depth{DEPTH}", body, numbers)
    table = table_of(streams[0])
    book.channel = book.channel if table is None else table.channel
    return [book]


def _read(streams: Sequence[Subscription], channel: str, body: bytes, numbers: Numbers) -> list[Any]:
    symbol = streams[0].symbol
    row = read_body(body, dict[str, Any], channel)
    return read_rows(body, f"{market_of(symbol)}/{channel}", numbers, symbol, [row])


def _itself(stream: Subscription) -> Subscription:
    """No call tells of two."""
    return stream


POLLS: Final[Mapping[str, StatePoll]] = MappingProxyType({
    "ticker": StatePoll(most=1, alike=_itself, request=ticker_request, read=read_tickers),
    "orderbook": StatePoll(most=1, alike=_itself, request=book_request, read=read_books),
})  # fmt: skip
