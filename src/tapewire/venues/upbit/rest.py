"""Upbit's REST calls that a feed needs: which markets there are and by what units their books can be grouped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from tapewire.errors import DecodeError
from tapewire.model.market import Market
from tapewire.venues.contract import Control
from tapewire.venues.upbit.symbols import split

#: spec/upbit.md 9.1
MARKETS_REQUEST = "/v1/market/all?is_details=true"

_T = TypeVar("_T")


class _Notice(Struct):
    warning: bool | None = None


class _Listed(Struct):
    """One element of ``/v1/market/all``; Korea sends ``market_event``, the others ``market_warning``."""

    market: str
    korean_name: str | None = None
    english_name: str | None = None
    market_event: _Notice | None = None
    market_warning: str | None = None


class _Instrument(Struct):
    """One element of ``/v1/orderbook/instruments``."""

    market: str
    supported_levels: list[str | float] | None = None


class _Refusal(Struct):
    error: dict[str, Any]


def read_markets(venue: str, body: bytes) -> list[Market]:
    """Body of the list of markets → markets, in its order.

    Raises:
        DecodeError: it is something else (Upbit's own error text is in the reason).
    """
    listed = read_body(venue, body, list[_Listed], "list of markets")
    try:
        return [_market(one) for one in listed]
    except ValueError as error:
        raise DecodeError(venue, f"no list of markets: {error}", body) from error


def levels_request(symbols: Sequence[str]) -> str:
    """Path that asks for the grouping units of ``symbols`` (section 9.4)."""
    return f"/v1/orderbook/instruments?markets={quote(','.join(symbols), safe=',')}"


def read_levels(venue: str, body: bytes) -> dict[str, tuple[float, ...]]:
    """Its body → {symbol: grouping units, 0 among them}. A market that tells none is left out.

    Raises:
        DecodeError: it is something else.
    """
    told = read_body(venue, body, list[_Instrument], "list of instruments")
    try:
        return {
            one.market: tuple(float(level) for level in one.supported_levels)
            for one in told
            if one.supported_levels is not None
        }
    except ValueError as error:
        raise DecodeError(venue, f"no list of instruments: {error}", body) from error


def read_body(venue: str, body: bytes, form: type[_T], what: str) -> _T:
    """A body as ``form``. Raises DecodeError that says ``what`` it should have been, or the exchange's error text."""
    try:
        return msgspec.json.decode(body, type=form)
    except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError) as error:
        reason = refusal_text(body) or str(error)
        raise DecodeError(venue, f"no {what}: {reason}", body) from error


def read_refusal(body: bytes) -> Control | None:
    """The name and text of an error body of REST or of a refused handshake (section 5.2), None for any other body."""
    try:
        error = msgspec.json.decode(body, type=_Refusal).error
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return Control("error", str(error.get("name", "")), str(error.get("message", "")))


def refusal_text(body: bytes) -> str:
    """``400 Invalid parameter …``, empty for a body that is no error."""
    said = read_refusal(body)
    return "" if said is None else f"{said.name} {said.message}".strip()


def _market(listed: _Listed) -> Market:
    quote_currency, base = split(listed.market)
    return Market(
        symbol=listed.market,
        base=base,
        quote=quote_currency,
        name=listed.english_name or None,
        local_name=listed.korean_name or None,
        warning=bool(listed.market_event and listed.market_event.warning) or listed.market_warning == "CAUTION",
    )
