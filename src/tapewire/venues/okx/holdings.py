"""Executions, cash and positions as OKX's REST lists them, in the words of the streams (spec/okx.md A7, A8)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from tapewire.errors import DecodeError
from tapewire.model.events import BalanceAndPositionEvent, FillEvent
from tapewire.model.positions import PositionChange
from tapewire.venues.contract import Asking, Call, Question
from tapewire.venues.okx import values
from tapewire.venues.okx.channels import CHANNELS, Meaning
from tapewire.venues.okx.fields import PARTS
from tapewire.venues.okx.history import read_rows
from tapewire.venues.okx.rest import read_data
from tapewire.venues.okx.rows import Push, read_row

#: Rows of a full page (section A8).
PAGE = 100
#: Lists of what is over are asked for by type (section A8).
TYPES = ("SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION")
#: How far the usual call of executions looks back, less what clocks may differ; the other: three months (section A8).
FILLS_SPAN_MS = 3 * 86_400_000 - 3_600_000
BALANCES, POSITIONS = Call("/api/v5/account/balance"), Call("/api/v5/account/positions")
#: What ``balance_and_position`` tells of a position (section A7.4); REST's row tells more.
_CHANGE = frozenset({*PARTS["position"].values(), "nonSettleAvgPx", "settledPnl"})
Row = Mapping[str, Any]


def fill_rows(venue: str, path: str, asked: Mapping[str, str], since_ms: int) -> Asking[list[Row]]:
    """One list of executions, newest first, until one was before ``since_ms`` (Unix ms, UTC)."""
    rows: list[Row] = []
    page: list[Row] = [{}] * PAGE
    while len(page) == PAGE and (not rows or values.whole(rows[-1]["ts"]) >= since_ms):
        after = {"after": str(rows[-1]["billId"])} if rows else {}
        page = yield Question(Call(path, {**asked, **after, "limit": str(PAGE)}), partial(read_fills, venue))
        rows += page
    return rows


def fills(venue: str, since_ms: int, until_ms: int) -> Asking[list[FillEvent]]:
    """Executions between two times (Unix ms, UTC), maybe some from before: of all types at once, or by type."""
    if until_ms - since_ms <= FILLS_SPAN_MS:
        rows = yield from fill_rows(venue, "/api/v5/trade/fills", {}, since_ms)
        return [_fill(venue, row) for row in rows]
    rows = []
    for kind in TYPES:
        rows += yield from fill_rows(venue, "/api/v5/trade/fills-history", {"instType": kind}, since_ms)
    return [_fill(venue, row) for row in rows]


def cash(venue: str) -> Asking[BalanceAndPositionEvent]:
    """Two calls, read as one push of ``balance_and_position``; positions that are closed are left out, as there."""
    told: BalanceAndPositionEvent = yield Question(BALANCES, partial(_read_cash, venue))
    told.positions = yield Question(POSITIONS, partial(_read_changes, venue))
    return told


def read_fills(venue: str, body: bytes) -> list[Row]:
    """A list of executions, newest first. Raises DecodeError: it is something else."""
    rows: list[Row] = read_data(venue, body, list[dict[str, Any]], "list of fills")
    try:
        for row in rows:
            values.exact(row["fillSz"]), values.exact(row["fillPx"]), values.whole(row["ts"])
            values.text(row["tradeId"]), values.text(row["billId"])
            _fill(venue, row)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise DecodeError(venue, f"no list of fills: {error}", body) from error
    return rows


def _fill(venue: str, row: Row) -> FillEvent:
    """REST tells each match by itself, and the customer's own id whatever it looks like (section A7.5)."""
    told = read_row(_push(venue, "myFill"), {**row, "count": "1"})
    assert isinstance(told, FillEvent)  # noqa: S101 - the meaning says so
    return told


def _read_cash(venue: str, body: bytes) -> BalanceAndPositionEvent:
    def shown(row: Any) -> Any:
        return {"pTime": row.get("uTime"), "balData": row.get("details")} if isinstance(row, dict) else row

    push, what = _push(venue, "balanceAndPosition"), "list of balances"
    told: list[BalanceAndPositionEvent] = read_rows(venue, push, body, BalanceAndPositionEvent, what, shown=shown)
    if len(told) != 1:
        raise DecodeError(venue, f"no list of balances: of {len(told)} accounts, not of one", body)
    return told[0]


def _read_changes(venue: str, body: bytes) -> list[PositionChange]:
    def shown(row: Any) -> Any:
        if not isinstance(row, dict):
            return row
        return {"posData": [{name: value for name, value in row.items() if name in _CHANGE}]}

    push, what = _push(venue, "balanceAndPosition"), "list of positions"
    told: list[BalanceAndPositionEvent] = read_rows(venue, push, body, BalanceAndPositionEvent, what, shown=shown)
    return [one for event in told for one in event.positions if one.position]


def _push(venue: str, kind: str) -> Push:
    return Push(venue, CHANNELS[kind], Meaning(kind), "", "decimal")
