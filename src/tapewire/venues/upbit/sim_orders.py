"""Upbit's REST calls of orders and balances, answered from the simulated desk (spec/upbit.md 9.6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from tapewire.venues.exchange import HttpCall, MarketView, Permission, SimKey
from tapewire.venues.trading import (
    Fault,
    Fill,
    NewOrder,
    Order,
    OrderRefused,
    OrderType,
    Side,
    SmpType,
    TimeInForce,
    TradingDesk,
)
from tapewire.venues.upbit.sim_auth import Doorman, Unauthorized, demand, hashed_text
from tapewire.venues.upbit.sim_signed import plain

_KST = timezone(timedelta(hours=9))
_WEEK_MS = 7 * 86_400_000
_LISTED = 100  # orders by id, and open orders of one page
_CLOSED = 1_000
#: The exchange's names are documented for the first three only; the others are made up alike.
_FAULTS: Mapping[Fault, tuple[int, str]] = {
    "funds": (400, "insufficient_funds_{side}"),
    "minimum": (400, "under_min_total_{side}"),
    "unknown": (404, "order_not_found"),
    "market": (404, "market_not_found"),
    "price": (400, "invalid_price_{side}"),
    "volume": (400, "invalid_volume_{side}"),
    "type": (400, "validation_error"),
    "identifier": (400, "identifier_already_used"),
}


class _Refused(Exception):
    """An answer that is not 200; exchange calls give names as text (spec 5.2)."""

    def __init__(self, status: int, name: str, message: str) -> None:
        super().__init__(status, name, message)
        self.status, self.name, self.message = status, name, message


class _Asked(NamedTuple):
    """A call whose token was accepted."""

    call: HttpCall
    key: SimKey
    market: MarketView
    desk: TradingDesk

    def one(self, name: str, default: str | None = None) -> str | None:
        return next((value for key, value in self.call.parameters if key == name and value), default)

    def many(self, name: str) -> list[str]:
        """A list parameter, with brackets or without them."""
        return [value for key, value in self.call.parameters if key in (name, f"{name}[]")]


class _Body(Struct, frozen=True):
    """The body of a new order."""

    market: str
    side: Side
    ord_type: OrderType
    volume: Decimal | None = None
    price: Decimal | None = None
    time_in_force: TimeInForce | None = None
    smp_type: SmpType | None = None
    identifier: str | None = None


def is_signed(call: HttpCall) -> bool:
    """Whether the call needs a token."""
    return (call.method, call.path) in _CALLS


def answer_signed(
    call: HttpCall, doorman: Doorman, market: MarketView, desk: TradingDesk, *, scope_status: int
) -> tuple[int, Any]:
    """HTTP status and body.

    Args:
        call: one for which ``is_signed`` is true.
        doorman: looks at the token.
        market: whose clock counts.
        desk: where the orders are.
        scope_status: of a call that the key has no permission for.
    """
    status, permission, make = _CALLS[call.method, call.path]
    try:
        key = doorman.admit(call.headers, call.address, hashed_text(call))
        demand(key, permission)
        return status, make(_Asked(call, key, market, desk))
    except Unauthorized as error:
        return (scope_status if error.name == "out_of_scope" else 401), _error(error.name, error.message)
    except _Refused as refused:
        return refused.status, _error(refused.name, refused.message)


def _error(name: str, message: str) -> dict[str, Any]:
    return {"error": {"name": name, "message": message}}


def _accounts(asked: _Asked) -> list[dict[str, Any]]:
    return [
        {
            "currency": balance.currency, "balance": plain(balance.free), "locked": plain(balance.locked),
            "avg_buy_price": plain(balance.avg_buy_price), "avg_buy_price_modified": False, "unit_currency": "KRW",
        }
        for balance in asked.desk.balances(asked.key.account)
    ]  # fmt: skip


def _open(asked: _Asked) -> list[dict[str, Any]]:
    states = _states(asked, ("wait", "watch"), ("wait",))
    limit, page = _number(asked, "limit", _LISTED, _LISTED), _number(asked, "page", 1, 1_000_000)
    found = _sorted(asked, [order for order in _of_market(asked) if order.state in states])
    return [_row(order, listed=True) for order in found[(page - 1) * limit : page * limit]]


def _closed(asked: _Asked) -> list[dict[str, Any]]:
    states = _states(asked, ("done", "cancel"), ("done", "cancel"))
    start, end = _window(asked)
    found = [order for order in _of_market(asked) if order.state in states and start <= order.ms <= end]
    limit = _number(asked, "limit", _LISTED, _CLOSED)
    return [_row(order, listed=True) for order in _sorted(asked, found)[:limit]]


def _by_ids(asked: _Asked) -> list[dict[str, Any]]:
    uuids, identifiers = asked.many("uuids"), asked.many("identifiers")
    if bool(uuids) == bool(identifiers) or len(uuids) + len(identifiers) > _LISTED:
        raise _invalid("uuids", f"1 to {_LISTED} uuids[] or identifiers[], not both")
    found = [order for order in _of_market(asked) if order.uuid in uuids or order.asked.identifier in identifiers]
    return [_row(order, listed=True) for order in _sorted(asked, found)]


def _one(asked: _Asked) -> dict[str, Any]:
    order = _named(asked)
    fills = [_fill_row(order, fill) for fill in order.fills]
    return {**_row(order, listed=False), "trades": fills}


def _cancel(asked: _Asked) -> dict[str, Any]:
    order = _named(asked)
    before = _row(order, listed=False)
    try:
        asked.desk.cancel(asked.key.account, order.uuid)
    except OrderRefused as refused:
        raise _of_order(refused, order.asked.side) from None
    return before  # the exchange answers with the order as it stood, the cancellation follows


def _place(asked: _Asked) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(asked.call.body, type=_Body)
    except msgspec.MsgspecError as error:
        raise _Refused(400, "validation_error", str(error)) from None
    wanted = NewOrder(
        symbol=body.market, side=body.side, ord_type=body.ord_type, volume=body.volume, price=body.price,
        time_in_force=body.time_in_force, smp_type=body.smp_type, identifier=body.identifier,
    )  # fmt: skip
    try:
        return _row(asked.desk.place(asked.key.account, wanted), listed=False)
    except OrderRefused as refused:
        raise _of_order(refused, body.side) from None


def _of_order(refused: OrderRefused, side: str) -> _Refused:
    status, name = _FAULTS[refused.fault]
    return _Refused(status, name.format(side=side), refused.message)


def _named(asked: _Asked) -> Order:
    """The order that ``uuid``, else ``identifier``, names."""
    uuid, identifier = asked.one("uuid"), asked.one("identifier")
    if uuid is None and identifier is None:
        raise _invalid("uuid", "uuid or identifier")
    for order in asked.desk.orders(asked.key.account):
        if order.uuid == uuid or (uuid is None and order.asked.identifier == identifier):
            return order
    raise _Refused(404, "order_not_found", "주문을 찾지 못했습니다.")


def _of_market(asked: _Asked) -> list[Order]:
    market = asked.one("market")
    if market is not None and market not in asked.market.symbols:
        raise _Refused(404, "market_not_found", f"no market {market}")
    return [order for order in asked.desk.orders(asked.key.account) if market in (None, order.asked.symbol)]


def _sorted(asked: _Asked, orders: list[Order]) -> list[Order]:
    way = asked.one("order_by", "desc")
    if way not in ("asc", "desc"):
        raise _invalid("order_by", "asc or desc")
    return orders if way == "asc" else orders[::-1]


def _states(asked: _Asked, possible: Sequence[str], default: Sequence[str]) -> Sequence[str]:
    one, several = asked.one("state"), asked.many("states")
    if one is not None and several:
        raise _invalid("state", "state or states[], not both")
    states = several or ([one] if one is not None else list(default))
    if not set(states) <= set(possible):
        raise _invalid("state", " or ".join(possible))
    return states


def _window(asked: _Asked) -> tuple[int, int]:
    start, end = _moment(asked, "start_time"), _moment(asked, "end_time")
    if end is None:
        end = asked.market.now_ms if start is None else start + _WEEK_MS
    start = end - _WEEK_MS if start is None else start
    if not start <= end <= start + _WEEK_MS:
        raise _invalid("end_time", "at most 7 days after start_time")
    return start, end


def _moment(asked: _Asked, name: str) -> int | None:
    """ISO 8601, or ms."""
    text = asked.one(name)
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise _invalid(name, "ISO 8601 or ms") from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def _number(asked: _Asked, name: str, default: int, most: int) -> int:
    text = asked.one(name, str(default)) or ""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        raise _invalid(name, f"a number from 1 to {most}")
    return int(text)


def _invalid(name: str, right: str) -> _Refused:
    return _Refused(400, "invalid_parameter", f"{name}: {right}")


def _row(order: Order, *, listed: bool) -> dict[str, Any]:
    """Decimals are text, nulls are left out (spec 9.6)."""
    asked = order.asked
    row: dict[str, Any] = {
        "market": asked.symbol, "uuid": order.uuid, "side": asked.side, "ord_type": asked.ord_type,
        "price": asked.price, "state": order.state, "created_at": _kst(order.ms), "volume": asked.volume,
        "remaining_volume": order.remaining_volume, "executed_volume": order.executed_volume,
        "executed_funds": order.executed_funds if listed else None, "reserved_fee": order.reserved_fee,
        "remaining_fee": order.remaining_fee, "paid_fee": order.paid_fee, "locked": order.locked,
        "trades_count": len(order.fills), "time_in_force": asked.time_in_force, "identifier": asked.identifier,
        "smp_type": asked.smp_type, "prevented_volume": order.prevented_volume,
        "prevented_locked": order.prevented_locked,
    }  # fmt: skip
    return {
        name: plain(value) if isinstance(value, Decimal) else value for name, value in row.items() if value is not None
    }


def _fill_row(order: Order, fill: Fill) -> dict[str, Any]:
    return {
        "market": order.asked.symbol, "uuid": fill.uuid, "price": plain(fill.price), "volume": plain(fill.volume),
        "funds": plain(fill.funds), "trend": "up" if fill.buys else "down", "created_at": _kst(fill.ms),
        "side": order.asked.side,
    }  # fmt: skip


def _kst(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, _KST).isoformat()


_CALLS: Mapping[tuple[str, str], tuple[int, Permission, Callable[[_Asked], Any]]] = {
    ("GET", "/v1/accounts"): (200, "view_accounts", _accounts),
    ("GET", "/v1/orders/open"): (200, "view_orders", _open),
    ("GET", "/v1/orders/closed"): (200, "view_orders", _closed),
    ("GET", "/v1/orders/uuids"): (200, "view_orders", _by_ids),
    ("GET", "/v1/order"): (200, "view_orders", _one),
    ("POST", "/v1/orders"): (201, "trade", _place),
    ("DELETE", "/v1/order"): (200, "trade", _cancel),
}
