"""OKX's REST calls that a feed needs: which markets there are, what time it is, and the word of a refusal (A8)."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from tapewire.errors import DecodeError
from tapewire.model.market import Market
from tapewire.venues.contract import Control, Trouble
from tapewire.venues.okx.symbols import split

#: One call for each type: options can be listed by family only, and so are not held against a list.
MARKETS_REQUEST = "/api/v5/public/instruments?instType=SPOT"
MORE_MARKETS = tuple(f"/api/v5/public/instruments?instType={name}" for name in ("SWAP", "FUTURES"))
#: Types that the list has.
LISTED = ("SPOT", "SWAP", "FUTURES")
TIME_REQUEST = "/api/v5/public/time"

#: Codes of an answer with status 200 → the status that says the same (A8).
_STATUSES = {
    "50001": 503, "50004": 504, "50011": 429, "50013": 503, "50026": 500, "50061": 429,
    "50035": 403, "50101": 401, "50102": 408, "50103": 401, "50104": 401, "50105": 401, "50106": 401, "50107": 401,
    "50110": 403, "50111": 401, "50112": 408, "50113": 401, "50119": 401, "50120": 403, "51603": 404,
}  # fmt: skip
#: Any other code: a parameter or a market that is wrong, and will be the next time.
_WRONG = 400

_T = TypeVar("_T")


class _Answer(Struct, Generic[_T]):
    code: str
    data: _T


class _Refusal(Struct):
    code: str | int
    msg: str = ""


class _Instrument(Struct):
    """One element of ``/public/instruments``: of spot with both currencies, of the others only with its id."""

    instId: str  # noqa: N815 - the wire's name
    baseCcy: str = ""  # noqa: N815
    quoteCcy: str = ""  # noqa: N815
    state: str = "live"


class _Time(Struct):
    ts: str


def read_markets(venue: str, body: bytes) -> list[Market]:
    """Body of one list of instruments → those that are traded or soon will be, in its order.

    Raises:
        DecodeError: it is something else (OKX's own error text is in the reason).
    """
    listed = read_data(venue, body, list[_Instrument], "list of instruments")
    return [_market(one) for one in listed if one.state != "expired"]


def read_time(venue: str, body: bytes) -> int:
    """Body of the exchange's time → Unix ms (UTC). Raises DecodeError."""
    told = read_data(venue, body, list[_Time], "time")
    if len(told) != 1 or not told[0].ts.isdecimal():
        raise DecodeError(venue, "no time: not one number of milliseconds", body)
    return int(told[0].ts)


def read_data(venue: str, body: bytes, form: Any, what: str) -> Any:
    """``data`` of an answer as ``form``. Raises DecodeError that says ``what`` it should be, or OKX's error text."""
    try:
        return msgspec.json.decode(body, type=_Answer[form], strict=False).data
    except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError) as error:
        said = read_refusal(body)
        reason = str(error) if said is None else f"{said.name} {said.message}".strip()
        raise DecodeError(venue, f"no {what}: {reason}", body) from error


def read_refusal(body: bytes) -> Control | None:
    """The code and text of an error body; None: it is none."""
    try:
        said = msgspec.json.decode(body, type=_Refusal)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return None if str(said.code) == "0" else Control("error", str(said.code), said.msg)


def read_trouble(body: bytes) -> Trouble | None:
    """An error in an answer whose status says that all is well; None: there is none."""
    if body.startswith(b'{"code":"0"'):
        return None
    said = read_refusal(body)
    return None if said is None else Trouble(_STATUSES.get(said.name, _WRONG), f"{said.name} {said.message}".strip())


def _market(listed: _Instrument) -> Market:
    parts = split(listed.instId)
    base, quote = ("", "") if parts is None else (parts.base, parts.quote)
    return Market(symbol=listed.instId, base=listed.baseCcy or base, quote=listed.quoteCcy or quote)
