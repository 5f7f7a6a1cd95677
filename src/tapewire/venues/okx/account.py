"""What OKX's REST tells of an account: orders, their executions, balances, positions (spec/okx.md A7, A8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from tapewire.config import Credentials
from tapewire.errors import DecodeError, HttpFailed
from tapewire.model.events import BalanceAndPositionEvent, FillEvent, MyAssetEvent, MyOrderEvent, PositionEvent
from tapewire.venues.contract import Asking, Call, OpenOrder, OrderWords, Question, Stamp
from tapewire.venues.okx import values
from tapewire.venues.okx.auth import call_headers
from tapewire.venues.okx.channels import CHANNELS, Meaning
from tapewire.venues.okx.fields import MAKER
from tapewire.venues.okx.history import read_rows
from tapewire.venues.okx.holdings import (
    BALANCES,
    FILLS_SPAN_MS,
    PAGE,
    POSITIONS,
    TYPES,
    cash,
    fill_rows,
    fills,
    read_fills,
)
from tapewire.venues.okx.rest import read_refusal
from tapewire.venues.okx.rows import Push
from tapewire.venues.okx.words import WORDS

#: How far the usual call looks back, less what clocks may differ; the other looks back three months (section A8).
ORDERS_SPAN_MS = 7 * 86_400_000 - 3_600_000
#: "Order does not exist", and an instrument that does not: it has expired.
UNKNOWN = ("51603", "51001")
#: What an order's row tells of the order itself, and not of how it stands (section A7.1: identity, terms, TP/SL).
_TERMS = frozenset({
    "instType", "tag", "algoId", "algoClOrdId", "attachAlgoClOrdId", "px", "pxUsd", "pxVol", "pxType", "sz", "tgtCcy",
    "posSide", "tdMode", "ccy", "lever", "reduceOnly", "tradeQuoteCcy", "stpId", "stpMode", "quickMgnType", "isTpLimit",
    "category", "source", "tpTriggerPx", "tpTriggerPxType", "tpOrdPx", "slTriggerPx", "slTriggerPxType", "slOrdPx",
    "attachAlgoOrds", "linkedAlgoOrd",
})  # fmt: skip
#: Names of a fill that REST and the stream do not share → the stream's.
_FILL_NAMES = {"fee": "fillFee", "feeCcy": "fillFeeCcy"}


class OkxAccount(Struct, frozen=True):
    """``contract.Account`` of one stack. ``demo``: its trading is for show, which calls say in a header (A1)."""

    venue: str
    demo: bool
    kinds: tuple[str, ...] = ("myOrder", "myAsset", "myPosition", "balanceAndPosition", "myFill")
    words: OrderWords = WORDS
    unfilled_kept: float = 2 * 3600.0
    balances: Call = BALANCES

    def sign(self, credentials: Credentials, stamp: Stamp, call: Call) -> tuple[tuple[str, str], ...]:
        """The headers of a call. Raises CredentialsError as ``auth.call_headers``."""
        return call_headers(credentials, stamp, call, demo=self.demo)

    def waiting(self) -> Asking[list[MyOrderEvent]]:
        """See ``contract.Account``: orders of all types are one list."""
        return self._pages("/api/v5/trade/orders-pending", {}, 0)

    def ended(self, since_ms: int, until_ms: int) -> Asking[list[MyOrderEvent]]:
        """See ``contract.Account``: newest first, until one was made before ``since_ms``; three months at most."""
        paths = ["/api/v5/trade/orders-history"]
        if until_ms - since_ms > ORDERS_SPAN_MS:
            paths.append("/api/v5/trade/orders-history-archive")
        found: list[MyOrderEvent] = []
        for path in paths:
            for kind in TYPES:
                found += yield from self._pages(path, {"instType": kind}, since_ms)
        return found

    def named(self, orders: Sequence[OpenOrder]) -> Asking[list[MyOrderEvent]]:
        """See ``contract.Account``: one call for each.

        An order that OKX does not know any more was cancelled: those are kept for two hours if nothing was executed.
        """
        found: list[MyOrderEvent] = []
        for order in orders:
            call = Call("/api/v5/trade/order", {"instId": order.symbol, "ordId": order.uuid})
            try:
                found += yield Question(call, self.read_orders)
            except HttpFailed as failed:
                said = read_refusal(failed.body)
                if said is None or said.name not in UNKNOWN:
                    raise
                found.append(self._forgotten(order))
        return found

    def executed(self, order: MyOrderEvent, now_ms: int) -> Asking[tuple[MyOrderEvent, list[MyOrderEvent]]]:
        """See ``contract.Account``. What was executed since the order was read is left for the stream, or the next."""
        asked = {"instId": order.symbol, "ordId": order.uuid}
        path = "/api/v5/trade/fills"
        if now_ms - (order.order_timestamp or now_ms) > FILLS_SPAN_MS:
            path, asked = "/api/v5/trade/fills-history", {"instType": str(order.fields.get("instType")), **asked}
        rows = yield from fill_rows(self.venue, path, asked, 0)
        return order, [self._fill(order, row) for row in _within(rows, order.executed_volume or Decimal(0))]

    def held(self) -> Asking[MyAssetEvent]:
        """See ``contract.Account``."""
        told: MyAssetEvent = yield Question(self.balances, self.read_balances)
        return told

    def positions(self) -> Asking[list[PositionEvent]]:
        """See ``contract.Account``: of all types at once."""
        told: list[PositionEvent] = yield Question(POSITIONS, self.read_positions)
        return [one for one in told if one.position]

    def cash(self) -> Asking[BalanceAndPositionEvent]:
        """See ``contract.Account``."""
        return cash(self.venue)

    def fills(self, since_ms: int, until_ms: int) -> Asking[list[FillEvent]]:
        """See ``contract.Account``: three months at most."""
        return fills(self.venue, since_ms, until_ms)

    def read_orders(self, body: bytes) -> list[MyOrderEvent]:
        """A list of orders → each as the stream would tell how it stands, without its last execution.

        Raises:
            DecodeError: it is something else.
        """
        push = Push(self.venue, "orders", Meaning("myOrder"), "", "decimal")
        found = read_rows(self.venue, push, body, MyOrderEvent, "list of orders", shown=_standing)
        return [replace(order, trade_timestamp=None, is_maker=None) for order in found]

    def read_fills(self, body: bytes) -> list[Mapping[str, Any]]:
        """See the function."""
        return read_fills(self.venue, body)

    def read_positions(self, body: bytes) -> list[PositionEvent]:
        """A list of positions → each as the stream would tell it. Raises DecodeError: it is something else."""
        push = Push(self.venue, CHANNELS["myPosition"], Meaning("myPosition"), "", "decimal")
        return read_rows(self.venue, push, body, PositionEvent, "list of positions")

    def read_balances(self, body: bytes) -> MyAssetEvent:
        """All balances of the account as one event. Raises DecodeError: it is something else."""
        push = Push(self.venue, CHANNELS["myAsset"], Meaning("myAsset"), "", "decimal")
        told: list[MyAssetEvent] = read_rows(self.venue, push, body, MyAssetEvent, "list of balances")
        if len(told) != 1:
            raise DecodeError(self.venue, f"no list of balances: of {len(told)} accounts, not of one", body)
        return told[0]

    def _pages(self, path: str, asked: Mapping[str, str], since_ms: int) -> Asking[list[MyOrderEvent]]:
        """One list, newest first, as far back as ``since_ms``."""
        found: list[MyOrderEvent] = []
        while True:
            after = {"after": found[-1].uuid} if found else {}
            page = yield Question(Call(path, {**asked, **after, "limit": str(PAGE)}), self.read_orders)
            found += page
            if len(page) < PAGE or (page[-1].order_timestamp or 0) < since_ms:
                return found

    def _fill(self, order: MyOrderEvent, row: Mapping[str, Any]) -> MyOrderEvent:
        """One execution in the words of the stream; its sums are not known here."""
        at = values.whole(values.said(row, "fillTime") or row["ts"])
        own = {_FILL_NAMES.get(name, name): value for name, value in row.items() if value not in ("", None)}
        fill = {name: value for name, value in own.items() if name.startswith("fill") or name == "execType"}
        fill.pop("fillTime", None)
        terms = {name: value for name, value in order.fields.items() if name in _TERMS}
        return replace(
            order, state="partially_filled", timestamp=values.whole(row["ts"]), trade_timestamp=at,
            trade_uuid=values.text(row["tradeId"]), price=values.exact(row["fillPx"]),
            volume=values.exact(row["fillSz"]), avg_price=None, is_maker=MAKER.get(str(row.get("execType", ""))),
            fields=terms | fill,
        )  # fmt: skip

    def _forgotten(self, order: OpenOrder) -> MyOrderEvent:
        return MyOrderEvent(
            venue=self.venue, symbol=order.symbol, uuid=order.uuid, state="canceled", executed_volume=order.executed
        )


def account(venue: str, *, demo: bool) -> OkxAccount:
    """All of this as the contract has it."""
    return OkxAccount(venue, demo)


def _standing(row: Any) -> Any:
    """A row without what it says of its last execution: it tells how the order stands."""
    if not isinstance(row, dict):
        return row
    return {name: value for name, value in row.items() if name not in ("tradeId", "execType") and name[:4] != "fill"}


def _within(rows: Sequence[Mapping[str, Any]], executed: Decimal) -> list[Mapping[str, Any]]:
    """Of all executions, newest first, the first ones that come to no more than ``executed``."""
    left, found = executed, list[Mapping[str, Any]]()
    for row in reversed(rows):
        left -= values.exact(row["fillSz"])
        if left < 0:
            break
        found.insert(0, row)
    return found
