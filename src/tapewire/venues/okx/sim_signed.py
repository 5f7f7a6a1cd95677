"""OKX's signed REST calls: orders, fills, balances, answered from the simulated desk (spec/okx.md A8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from tapewire.venues.exchange import HttpCall, MarketView, Permission, SimKey
from tapewire.venues.okx.sim_instruments import instrument
from tapewire.venues.okx.sim_ledger import (
    Terminals,
    account_row,
    bill_id,
    executed_row,
    order_id,
    order_row,
    seen_order,
)
from tapewire.venues.okx.sim_positions import position_id, position_row
from tapewire.venues.okx.sim_rest import BadCall, Query, number
from tapewire.venues.okx.sim_switches import Switches
from tapewire.venues.okx.sim_trade import Counter, Rejected
from tapewire.venues.trading import Fill, Order, TradingDesk

_DAY_MS = 86_400_000
_MOST_AT_ONCE = 20


class Asked(NamedTuple):
    """A call whose signature was accepted."""

    query: Query
    body: bytes
    key: SimKey
    market: MarketView
    desk: TradingDesk
    said: Terminals
    switches: Switches

    @property
    def counter(self) -> Counter:
        """Where its orders are taken."""
        return Counter(self.desk, self.market, self.said, self.key)

    def row(self, order: Order) -> dict[str, Any]:
        """An order as it stands."""
        return order_row(seen_order(order), self.said, self.market)


class SignedCall(NamedTuple):
    """One call: so many in two seconds, what the key must be allowed, what it answers."""

    calls: int
    permission: Permission
    make: Callable[[Asked], list[Any]]


def read_query(call: HttpCall) -> Query:
    """Its parameters; of a name that repeats the last."""
    return {name: value for name, value in call.parameters if value}


def _pending(asked: Asked) -> list[Any]:
    found = [order for order in _meant(asked) if order.state == "wait"]
    return _page(asked, [asked.row(order) for order in found], "ordId")


def _history(asked: Asked) -> list[Any]:
    """Those that ended in the last seven days."""
    return _ended_since(asked, asked.market.now_ms - 7 * _DAY_MS)


def _archive(asked: Asked) -> list[Any]:
    """Three months. Not in the specification: python-okx asks so."""
    return _ended_since(asked, asked.market.now_ms - 90 * _DAY_MS)


def _ended_since(asked: Asked, oldest: int) -> list[Any]:
    if not asked.query.get("instType"):
        raise BadCall("50014", "Parameter instType can not be empty.", 400)
    found = [
        order
        for order in _meant(asked)
        if order.state != "wait" and order.ended_ms >= oldest and not _forgotten(asked, order)
    ]
    return _page(asked, [asked.row(order) for order in found], "ordId")


def _forgotten(asked: Asked, order: Order) -> bool:
    """Cancelled ones without a fill are kept for two hours only."""
    oldest = asked.market.now_ms - asked.switches.unfilled_kept * 1000
    return order.state == "cancel" and not order.fills and order.ended_ms < oldest


def _fills(asked: Asked) -> list[Any]:
    return _fills_since(asked, asked.market.now_ms - 3 * _DAY_MS)


def _fills_history(asked: Asked) -> list[Any]:
    """Three months. Not in the specification: ccxt asks so."""
    return _fills_since(asked, asked.market.now_ms - 90 * _DAY_MS)


def _fills_since(asked: Asked, oldest: int) -> list[Any]:
    number_of = asked.query.get("ordId")
    pairs = [(order, fill) for order, fill in _executions(_meant(asked)) if fill.ms >= oldest]
    rows = [executed_row(order, fill, asked.said.of(order.uuid)) for order, fill in pairs]
    return _page(asked, [row for row in rows if number_of in (None, row["ordId"])], "billId")


def _executions(orders: Iterable[Order]) -> list[tuple[Order, Fill]]:
    """Those of some orders, newest first."""
    pairs = [(order, fill) for order in orders for fill in order.fills]
    return sorted(pairs, key=lambda pair: (pair[1].ms, pair[1].trade), reverse=True)


def _order(asked: Asked) -> list[Any]:
    try:
        order = asked.counter.find(asked.query)
    except Rejected as rejected:
        raise BadCall(rejected.code, rejected.message) from None
    if _forgotten(asked, order):
        raise BadCall("51603", "Order does not exist")
    return [asked.row(order)]


def _balance(asked: Asked) -> list[Any]:
    wanted = asked.query.get("ccy", "")
    names = wanted.split(",") if wanted else None
    balances = asked.desk.balances(asked.key.account)
    return [account_row([one for one in balances if names is None or one.currency in names], asked.market)]


def _positions(asked: Asked) -> list[Any]:
    query, found = asked.query, [one for one in asked.desk.positions(asked.key.account) if one.volume]
    names = query["instId"].split(",") if "instId" in query else None
    return [
        position_row(one, asked.market)
        for one in found
        if query.get("instType") in (None, instrument(one.symbol).type)
        and (names is None or one.symbol in names)
        and query.get("posId") in (None, position_id(one))
    ]


def _currencies(asked: Asked) -> list[Any]:
    """What there is; nothing can be paid in or out. Not in the specification: ccxt asks for it when it has a key."""
    names = sorted({coin for symbol in asked.market.symbols for coin in symbol.split("-")[:2]})
    wanted = asked.query["ccy"].split(",") if "ccy" in asked.query else names
    return [
        {
            "canDep": False, "canInternal": False, "canWd": False, "ccy": name, "chain": f"{name}-{name}",
            "ctAddr": "", "fee": "0", "logoLink": "", "mainNet": True, "maxFee": "0", "maxWd": "0", "minDep": "0",
            "minFee": "0", "minWd": "0", "name": name, "wdTickSz": "8",
        }
        for name in names
        if name in wanted
    ]  # fmt: skip


def _config(asked: Asked) -> list[Any]:
    return [{
        "acctLv": "2", "autoLoan": False, "ctIsoMode": "automatic", "greeksType": "PA", "ip": ",".join(asked.key.ips),
        "kycLv": "3", "label": asked.key.account, "level": "Lv1", "mgnIsoMode": "automatic",
        "perm": "read_only,trade" if "trade" in asked.key.permissions else "read_only", "posMode": "net_mode",
        "roleType": "0", "type": "0", "uid": asked.key.account,
    }]  # fmt: skip


def _place(asked: Asked) -> list[Any]:
    return _results(asked, asked.counter.place)


def _cancel(asked: Asked) -> list[Any]:
    return _results(asked, asked.counter.cancel)


def _amend(asked: Asked) -> list[Any]:
    return _results(asked, asked.counter.amend)


def _mass_cancel(asked: Asked) -> list[Any]:
    return _results(asked, asked.counter.mass_cancel)


def _results(asked: Asked, act: Callable[[Mapping[str, Any]], dict[str, Any]]) -> list[Any]:
    try:
        said = msgspec.json.decode(asked.body, type=dict[str, Any] | list[dict[str, Any]])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadCall("50002", "JSON syntax error", 400) from None
    bodies = said if isinstance(said, list) else [said]
    if not 1 <= len(bodies) <= _MOST_AT_ONCE:
        raise BadCall("50014", f"1 to {_MOST_AT_ONCE} orders", 400)
    return [act(body) for body in bodies]


def _meant(asked: Asked) -> list[Order]:
    """Orders of the asked type and market, newest first."""
    query, found = asked.query, []
    for order in reversed(asked.desk.orders(asked.key.account)):
        one = instrument(order.asked.symbol)
        if (
            query.get("instType") in (None, one.type, "ANY")
            and query.get("instId") in (None, one.id)
            and query.get("instFamily") in (None, one.family)
        ):
            found.append(order)
    kinds, states = query.get("ordType"), query.get("state")
    rows = [(order, asked.row(order)) for order in found]
    return [
        order
        for order, row in rows
        if (not kinds or row["ordType"] in kinds.split(",")) and (not states or row["state"] == states)
    ]


def _page(asked: Asked, rows: Sequence[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """``after``: older than this id; ``before``: newer; at most ``limit``."""
    places = _places(asked, name)
    last = len(places)
    newer, older = (places.get(asked.query.get(side, ""), edge) for side, edge in (("after", -1), ("before", last)))
    if asked.query.get("after", "") not in ("", *places):
        newer = last
    rows = [row for row in rows if newer < places[row[name]] < older]
    return rows[: number(asked.query, "limit", 100, 100)]


def _places(asked: Asked, name: str) -> Mapping[str, int]:
    """All ids of the account's orders or fills, newest first: a row that has left a list still has its place in it."""
    orders = asked.desk.orders(asked.key.account)
    if name == "ordId":
        ids = [order_id(order.uuid) for order in reversed(orders)]
    else:
        ids = [bill_id(order, fill) for order, fill in _executions(orders)]
    return {number: place for place, number in enumerate(ids)}


SIGNED_CALLS: Mapping[tuple[str, str], SignedCall] = {
    ("GET", "/api/v5/trade/orders-pending"): SignedCall(60, "view_orders", _pending),
    ("GET", "/api/v5/trade/orders-history"): SignedCall(40, "view_orders", _history),
    ("GET", "/api/v5/trade/orders-history-archive"): SignedCall(20, "view_orders", _archive),
    ("GET", "/api/v5/trade/fills"): SignedCall(60, "view_orders", _fills),
    ("GET", "/api/v5/trade/fills-history"): SignedCall(10, "view_orders", _fills_history),
    ("GET", "/api/v5/trade/order"): SignedCall(60, "view_orders", _order),
    ("POST", "/api/v5/trade/order"): SignedCall(60, "trade", _place),
    ("POST", "/api/v5/trade/batch-orders"): SignedCall(300, "trade", _place),
    ("POST", "/api/v5/trade/cancel-order"): SignedCall(60, "trade", _cancel),
    ("POST", "/api/v5/trade/cancel-batch-orders"): SignedCall(300, "trade", _cancel),
    ("POST", "/api/v5/trade/amend-order"): SignedCall(60, "trade", _amend),
    ("POST", "/api/v5/trade/amend-batch-orders"): SignedCall(300, "trade", _amend),
    ("POST", "/api/v5/trade/mass-cancel"): SignedCall(5, "trade", _mass_cancel),
    ("GET", "/api/v5/account/balance"): SignedCall(10, "view_accounts", _balance),
    ("GET", "/api/v5/account/positions"): SignedCall(10, "view_accounts", _positions),
    ("GET", "/api/v5/account/config"): SignedCall(5, "view_accounts", _config),
    ("GET", "/api/v5/asset/currencies"): SignedCall(12, "view_accounts", _currencies),
}
