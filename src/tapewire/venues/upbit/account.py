"""What Upbit's REST tells of an account: its orders, their executions, its balances (spec/upbit.md 9.6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct

from tapewire.config import Credentials
from tapewire.errors import DecodeError
from tapewire.model.events import Asset, MyAssetEvent, MyOrderEvent
from tapewire.venues.contract import Asking, Call, OpenOrder, OrderWords, Question, Stamp
from tapewire.venues.orders import OWN
from tapewire.venues.upbit.auth import rest_authorize
from tapewire.venues.upbit.rest import read_body

#: Orders of one page of the open ones, of the closed ones, and by id; and how far one call looks back (section 9.6).
OPEN_PAGE, CLOSED_PAGE, IDS_MOST = 100, 1_000, 100
CLOSED_SPAN_MS = 7 * 86_400_000


class _Fill(Struct):
    """One element of ``trades`` of ``/v1/order``."""

    uuid: str
    price: Decimal
    volume: Decimal
    created_at: str


class _Order(Struct):
    """One order; nulls are left out, decimals are text."""

    market: str
    uuid: str
    side: str
    ord_type: str
    state: str
    created_at: str
    price: Decimal | None = None
    volume: Decimal | None = None
    remaining_volume: Decimal | None = None
    executed_volume: Decimal | None = None
    executed_funds: Decimal | None = None
    reserved_fee: Decimal | None = None
    remaining_fee: Decimal | None = None
    paid_fee: Decimal | None = None
    locked: Decimal | None = None
    trades_count: int | None = None
    time_in_force: str | None = None
    identifier: str | None = None
    smp_type: str | None = None
    prevented_volume: Decimal | None = None
    prevented_locked: Decimal | None = None
    trades: list[_Fill] = []


class _Balance(Struct):
    """One element of ``/v1/accounts``."""

    currency: str
    balance: Decimal
    locked: Decimal


#: Fields that REST and the stream call alike.
_SAME = (
    "price", "volume", "remaining_volume", "executed_volume", "executed_funds", "reserved_fee", "remaining_fee",
    "paid_fee", "locked", "trades_count", "time_in_force", "identifier", "smp_type", "prevented_volume",
    "prevented_locked",
)  # fmt: skip


class UpbitAccount(Struct, frozen=True):
    """``contract.Account`` of one region."""

    venue: str
    kinds: tuple[str, ...] = ("myOrder", "myAsset")
    words: OrderWords = OWN
    unfilled_kept: float = float("inf")
    balances: Call = Call("/v1/accounts")
    positions: None = None
    cash: None = None
    fills: None = None

    def sign(self, credentials: Credentials, stamp: Stamp, call: Call) -> tuple[tuple[str, str], ...]:
        """The headers of a call. Raises CredentialsError as ``auth.authorize``."""
        return rest_authorize(credentials, stamp.nonce, call.parameters)

    # -- calls --------------------------------------------------------------------------------------------------

    def open_orders(self, page: int) -> Call:
        """One page (from 1) of the orders that wait, oldest first."""
        states = ("wait", "watch")
        return Call(
            "/v1/orders/open",
            {"states[]": states, "page": str(page), "limit": str(OPEN_PAGE), "order_by": "asc"},
        )

    def closed_orders(self, start_ms: int, end_ms: int) -> Call:
        """Orders that were made between these times (Unix ms, UTC; 7 days at most) and have ended, oldest first."""
        return Call(
            "/v1/orders/closed",
            {
                "states[]": ("done", "cancel"), "start_time": str(start_ms), "end_time": str(end_ms),
                "limit": str(CLOSED_PAGE), "order_by": "asc",
            },
        )  # fmt: skip

    def orders_by_id(self, uuids: Sequence[str]) -> Call:
        """These orders, 100 at most."""
        return Call("/v1/orders/uuids", {"uuids[]": tuple(uuids)})

    def order(self, uuid: str) -> Call:
        """One order with its executions."""
        return Call("/v1/order", {"uuid": uuid})

    # -- what they are asked for --------------------------------------------------------------------------------

    def waiting(self) -> Asking[list[MyOrderEvent]]:
        """See ``contract.Account``: page by page."""
        found: list[MyOrderEvent] = []
        page = 1
        while True:
            told = yield Question(self.open_orders(page), self.read_orders)
            found += told
            if len(told) < OPEN_PAGE:
                return found
            page += 1

    def ended(self, since_ms: int, until_ms: int) -> Asking[list[MyOrderEvent]]:
        """See ``contract.Account``: in windows that the exchange allows; a full answer is asked on from its last."""
        found: list[MyOrderEvent] = []
        start = since_ms
        while start < until_ms:
            until = min(until_ms, start + CLOSED_SPAN_MS)
            told = yield Question(self.closed_orders(start, until), self.read_orders)
            found += told
            last = max((order.order_timestamp or 0 for order in told), default=0)
            start = max(last, start + 1) if len(told) >= CLOSED_PAGE else until
        return found

    def named(self, orders: Sequence[OpenOrder]) -> Asking[list[MyOrderEvent]]:
        """See ``contract.Account``."""
        found: list[MyOrderEvent] = []
        for first in range(0, len(orders), IDS_MOST):
            uuids = [order.uuid for order in orders[first : first + IDS_MOST]]
            found += yield Question(self.orders_by_id(uuids), self.read_orders)
        return found

    def executed(self, order: MyOrderEvent, now_ms: int) -> Asking[tuple[MyOrderEvent, list[MyOrderEvent]]]:  # noqa: ARG002 - all are told
        """See ``contract.Account``: one call tells both, at one moment.

        Their times are whole seconds; whether the oldest is first is nowhere said, so it is looked at where it shows.
        """
        told: tuple[MyOrderEvent, list[MyOrderEvent]] = yield Question(self.order(order.uuid), self.read_order)
        whole, fills = told
        falls = bool(fills) and (fills[0].trade_timestamp or 0) > (fills[-1].trade_timestamp or 0)
        return whole, fills if falls else fills[::-1]

    def held(self) -> Asking[MyAssetEvent]:
        """See ``contract.Account``."""
        told: MyAssetEvent = yield Question(self.balances, self.read_balances)
        return told

    # -- answers ------------------------------------------------------------------------------------------------

    def read_orders(self, body: bytes) -> list[MyOrderEvent]:
        """See the function."""
        return read_orders(self.venue, body)

    def read_order(self, body: bytes) -> tuple[MyOrderEvent, list[MyOrderEvent]]:
        """See the function."""
        return read_order(self.venue, body)

    def read_balances(self, body: bytes) -> MyAssetEvent:
        """See the function."""
        return read_balances(self.venue, body)


def read_orders(venue: str, body: bytes) -> list[MyOrderEvent]:
    """A list of orders → each as the stream would tell how it stands, ``timestamp`` unknown.

    Raises:
        DecodeError: it is something else.
    """
    rows = read_body(venue, body, list[_Order], "list of orders")
    return [_event(venue, body, row) for row in rows]


def read_order(venue: str, body: bytes) -> tuple[MyOrderEvent, list[MyOrderEvent]]:
    """One order → how it stands, and its executions (state ``trade``; REST tells neither fee nor maker).

    Raises:
        DecodeError: it is something else.
    """
    row = read_body(venue, body, _Order, "order")
    whole = _event(venue, body, row)
    fills = [
        MyOrderEvent(
            venue=venue, symbol=row.market, stream_type="REALTIME", timestamp=_ms(venue, body, fill.created_at),
            uuid=row.uuid, ask_bid=whole.ask_bid, order_type=row.ord_type, state="trade", trade_uuid=fill.uuid,
            price=fill.price, volume=fill.volume, time_in_force=row.time_in_force, identifier=row.identifier,
            smp_type=row.smp_type, trade_timestamp=_ms(venue, body, fill.created_at),
            order_timestamp=whole.order_timestamp,
        )
        for fill in row.trades
    ]  # fmt: skip
    return whole, fills


def read_balances(venue: str, body: bytes) -> MyAssetEvent:
    """All balances of the account as one event.

    Raises:
        DecodeError: it is something else.
    """
    rows = read_body(venue, body, list[_Balance], "list of balances")
    assets = [Asset(row.currency, row.balance, row.locked) for row in rows]
    return MyAssetEvent(venue=venue, stream_type="REALTIME", assets=assets)


def account(venue: str) -> UpbitAccount:
    """All of this as the contract has it."""
    return UpbitAccount(venue)


def _event(venue: str, body: bytes, row: _Order) -> MyOrderEvent:
    same: dict[str, Any] = {name: getattr(row, name) for name in _SAME}
    mean = None
    if row.executed_volume and row.executed_funds is not None:
        mean = row.executed_funds / row.executed_volume
    return MyOrderEvent(
        venue=venue, symbol=row.market, stream_type="REALTIME", uuid=row.uuid, ask_bid=row.side.upper(),
        order_type=row.ord_type, state=row.state, avg_price=mean,
        order_timestamp=_ms(venue, body, row.created_at), **same,
    )  # fmt: skip


def _ms(venue: str, body: bytes, moment: str) -> int:
    """ISO 8601 with a zone → Unix ms."""
    try:
        at = datetime.fromisoformat(moment)
    except ValueError as error:
        raise DecodeError(venue, f"no order: {error}", body) from error
    if at.tzinfo is None:
        raise DecodeError(venue, f"no order: {moment!r} has no time zone", body)
    return int(at.timestamp() * 1000)
