"""What OKX's REST tells of the present state of a market: its ticker (spec/okx.md A8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from urllib.parse import urlencode

from tapewire.config import Numbers
from tapewire.model.events import TickerEvent
from tapewire.model.subscription import Subscription
from tapewire.venues.contract import StatePoll
from tapewire.venues.okx.channels import Meaning
from tapewire.venues.okx.history import read_rows
from tapewire.venues.okx.rows import Push


def polls(venue: str) -> Mapping[str, StatePoll]:
    """What can be asked at the exchange of this name: the call for all tickers wants one type of instrument each."""
    return {"ticker": StatePoll(most=1, alike=_symbol, request=ticker_request, read=partial(read_tickers, venue))}


def ticker_request(streams: Sequence[Subscription]) -> str:
    """Path that asks for the ticker of one instrument."""
    return f"/api/v5/market/ticker?{urlencode({'instId': streams[0].symbol})}"


def read_tickers(venue: str, body: bytes, numbers: Numbers) -> list[TickerEvent]:
    """Its body → the ticker. Raises DecodeError."""
    push = Push(venue, "tickers", Meaning("ticker"), "", numbers)
    return read_rows(venue, push, body, TickerEvent, "ticker")


def _symbol(stream: Subscription) -> str:
    return stream.symbol
