"""OKEX v3's REST calls that a feed needs: the list of spot markets, and the body of a refusal.

The exchange had a list for each market; only spot's is recorded (tests/data/okex3), and only spot ids are held against
one: those of futures and options come and go with their dates.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from tapewire.errors import DecodeError
from tapewire.model.market import Market
from tapewire.venues.contract import Control
from tapewire.venues.okex_v3.profile import NAME

MARKETS_REQUEST = "/api/spot/v3/instruments"


class _Instrument(Struct):
    instrument_id: str
    base_currency: str
    quote_currency: str


class _Refusal(Struct):
    """Both names of the code were sent: a number, and a text."""

    code: int | str = ""
    error_code: int | str = ""
    message: str = ""
    error_message: str = ""


def read_markets(body: bytes) -> list[Market]:
    """Body of the list of spot instruments → markets, in its order.

    Raises:
        DecodeError: it is something else (the exchange's own error text is in the reason).
    """
    listed = read_body(body, list[_Instrument], "list of instruments")
    return [Market(one.instrument_id, one.base_currency, one.quote_currency) for one in listed]


def read_body(body: bytes, form: Any, what: str) -> Any:
    """A body as ``form``. Raises DecodeError that says ``what`` it should have been, or the exchange's error text."""
    try:
        return msgspec.json.decode(body, type=form, strict=False)
    except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError) as error:
        said = read_refusal(body)
        reason = str(error) if said is None else f"{said.name} {said.message}".strip()
        raise DecodeError(NAME, f"no {what}: {reason}", body) from error


def read_refusal(body: bytes) -> Control | None:
    """The code and text of an error body; None: it is none."""
    try:
        said = msgspec.json.decode(body, type=_Refusal)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    code, message = str(said.error_code or said.code), said.error_message or said.message
    return Control("error", code, message) if code or message else None
