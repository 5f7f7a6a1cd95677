"""The simulated REST calls of orders and balances (spec/upbit.md 9.6), signed by our own client's signature."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import count
from typing import Any
from urllib.parse import urlencode

import pytest

from tapewire.config import Credentials
from tapewire.sim.desk import Desk
from tapewire.sim.market import SeededMarket
from tapewire.venues.exchange import HttpCall, SimKey
from tapewire.venues.trading import NewOrder, Order
from tapewire.venues.upbit.auth import rest_authorize
from tapewire.venues.upbit.profile import KR
from tapewire.venues.upbit.sim import exchange
from tests.sim.draws import seeded
from tests.sim.listed import BTC, START_MS, XRP

KEY = SimKey(access_key="a", secret_key="s" * 40)  # type: ignore[arg-type]  # text is wrapped
READER = SimKey(access_key="r", secret_key="s" * 40, permissions=frozenset({"view_orders"}))  # type: ignore[arg-type]
CODE = "KRW-BTC"


class Bank:
    """One exchange, called by REST."""

    def __init__(self, **switches: Any) -> None:
        self.market = SeededMarket("upbit", [BTC, XRP], START_MS, seeded())
        self.desk = Desk("upbit", self.market, 1, {"main": {"KRW": Decimal(10_000_000), "BTC": Decimal("1.50")}})
        self.side = exchange(KR, switches, [KEY, READER])
        self._nonces = count()

    def call(self, method: str, path: str, key: SimKey = KEY, body: Any = None, **query: Any) -> tuple[int, Any]:
        parameters = {
            name: [str(one) for one in value] if isinstance(value, list) else str(value)
            for name, value in (body or query).items()
        }
        own = Credentials(key.access_key, key.secret_key.reveal())  # type: ignore[arg-type]  # text is wrapped
        headers = {name.lower(): value for name, value in rest_authorize(own, str(next(self._nonces)), parameters)}
        sent = b"" if body is None else json.dumps(body).encode()
        answer = self.side.http(
            HttpCall(path, urlencode(query, doseq=True), headers, method=method, body=sent), self.market, self.desk
        )
        return answer.status, json.loads(answer.body)

    def ok(self, method: str, path: str, **more: Any) -> Any:
        status, body = self.call(method, path, **more)
        assert status in (200, 201), body
        return body

    def why(self, method: str, path: str, **more: Any) -> tuple[int, str]:
        status, body = self.call(method, path, **more)
        return status, body["error"]["name"]

    def place(self, side: Any = "bid", price: Any = 89_000_000, volume: Any = "0.001", **more: Any) -> Order:
        numbers = {"price": price, "volume": volume}
        asked = {name: None if value is None else Decimal(value) for name, value in numbers.items()}
        return self.desk.place("main", NewOrder(symbol=CODE, side=side, **(asked | more)))


def test_balances() -> None:
    bank = Bank()
    bank.place()
    assert bank.ok("GET", "/v1/accounts") == [
        {
            "currency": "KRW", "balance": "9910955.5", "locked": "89044.5", "avg_buy_price": "0",
            "avg_buy_price_modified": False, "unit_currency": "KRW",
        },
        {
            "currency": "BTC", "balance": "1.5", "locked": "0", "avg_buy_price": "0", "avg_buy_price_modified": False,
            "unit_currency": "KRW",
        },
    ]  # fmt: skip


def test_an_order_from_its_placement_to_its_cancellation() -> None:
    bank = Bank()
    wanted = {"market": CODE, "side": "bid", "ord_type": "limit", "price": "89000000", "volume": "0.001"}
    wanted["identifier"] = "my-1"
    status, placed = bank.call("POST", "/v1/orders", body=wanted)
    assert status == 201
    assert placed == {
        "market": CODE, "uuid": bank.desk.orders("main")[0].uuid, "side": "bid", "ord_type": "limit",
        "price": "89000000", "state": "wait", "created_at": "2026-08-13T18:00:00+09:00", "volume": "0.001",
        "remaining_volume": "0.001", "executed_volume": "0", "reserved_fee": "44.5", "remaining_fee": "44.5",
        "paid_fee": "0", "locked": "89044.5", "trades_count": 0, "identifier": "my-1", "prevented_volume": "0",
        "prevented_locked": "0",
    }  # fmt: skip
    assert bank.ok("GET", "/v1/order", uuid=placed["uuid"]) == {**placed, "trades": []}
    assert bank.ok("GET", "/v1/order", identifier="my-1")["uuid"] == placed["uuid"]
    assert bank.ok("DELETE", "/v1/order", uuid=placed["uuid"]) == placed
    assert bank.ok("GET", "/v1/order", uuid=placed["uuid"])["state"] == "cancel"
    assert bank.why("DELETE", "/v1/order", uuid=placed["uuid"]) == (404, "order_not_found")


def test_fills_are_told_with_the_order() -> None:
    bank = Bank()
    order = bank.place("ask", price=None, volume="0.7", ord_type="market")
    told = bank.ok("GET", "/v1/order", uuid=order.uuid)
    assert told["state"] == "done"
    assert "price" not in told
    assert sum(Decimal(trade["funds"]) for trade in told["trades"]) == order.executed_funds
    first = order.fills[0]
    assert told["trades"][0] == {
        "market": CODE, "uuid": first.uuid, "price": f"{first.price:f}", "volume": f"{first.volume:f}".rstrip("0"),
        "funds": f"{first.funds:f}".rstrip("0").rstrip("."), "trend": "down",
        "created_at": "2026-08-13T18:00:00+09:00", "side": "ask",
    }  # fmt: skip
    bought = bank.place(price=100_000, volume=None, ord_type="price")
    told = bank.ok("GET", "/v1/order", uuid=bought.uuid)
    assert (told["state"], told["price"], "volume" in told) == ("cancel", "100000", False)
    assert told["trades"][0]["trend"] == "up"


class TestLists:
    def ids(self, found: list[dict[str, Any]]) -> list[str]:
        return [row["identifier"] for row in found]

    def bank(self) -> Bank:
        bank = Bank()
        for name in "abcd":
            bank.place(identifier=name)
        for order in bank.desk.orders("main")[:2]:
            bank.desk.cancel("main", order.uuid)
        bank.place("ask", price=None, ord_type="market", identifier="sold")
        return bank

    def test_open_ones(self) -> None:
        bank = self.bank()
        found = bank.ok("GET", "/v1/orders/open")
        assert self.ids(found) == ["d", "c"]
        assert found[0]["executed_funds"] == "0"
        assert self.ids(bank.ok("GET", "/v1/orders/open", order_by="asc", market=CODE)) == ["c", "d"]
        assert self.ids(bank.ok("GET", "/v1/orders/open", limit=1, page=2)) == ["c"]
        assert bank.ok("GET", "/v1/orders/open", market="BTC-XRP") == []
        assert bank.ok("GET", "/v1/orders/open", state="watch") == []
        assert self.ids(bank.ok("GET", "/v1/orders/open", **{"states[]": ["wait", "watch"]})) == ["d", "c"]

    def test_closed_ones(self) -> None:
        bank = self.bank()
        assert self.ids(bank.ok("GET", "/v1/orders/closed")) == ["sold", "b", "a"]
        assert self.ids(bank.ok("GET", "/v1/orders/closed", state="cancel", limit=1)) == ["b"]
        assert self.ids(bank.ok("GET", "/v1/orders/closed", state="done", end_time=START_MS)) == ["sold"]
        assert bank.ok("GET", "/v1/orders/closed", start_time=START_MS + 1) == []
        begin = "2026-08-13T18:00:00+09:00"
        assert self.ids(bank.ok("GET", "/v1/orders/closed", start_time=begin)) == ["sold", "b", "a"]
        early = {"start_time": "2026-08-13T08:00:00", "end_time": "2026-08-13T08:59:59"}
        assert bank.ok("GET", "/v1/orders/closed", **early) == []

    def test_by_id(self) -> None:
        bank = self.bank()
        uuids = [order.uuid for order in bank.desk.orders("main")]
        assert self.ids(bank.ok("GET", "/v1/orders/uuids", **{"uuids[]": uuids[:2]})) == ["b", "a"]
        named = bank.ok("GET", "/v1/orders/uuids", order_by="asc", **{"identifiers[]": ["d", "nobody", "a"]})
        assert self.ids(named) == ["a", "d"]

    @pytest.mark.parametrize(
        ("path", "query", "answer"),
        [
            ("/v1/orders/open", {"state": "done"}, (400, "invalid_parameter")),
            ("/v1/orders/open", {"state": "wait", "states[]": "wait"}, (400, "invalid_parameter")),
            ("/v1/orders/open", {"limit": 101}, (400, "invalid_parameter")),
            ("/v1/orders/open", {"page": 0}, (400, "invalid_parameter")),
            ("/v1/orders/open", {"page": "one"}, (400, "invalid_parameter")),
            ("/v1/orders/open", {"order_by": "up"}, (400, "invalid_parameter")),
            ("/v1/orders/open", {"market": "KRW-NOPE"}, (404, "market_not_found")),
            ("/v1/orders/closed", {"limit": 1001}, (400, "invalid_parameter")),
            ("/v1/orders/closed", {"start_time": "yesterday"}, (400, "invalid_parameter")),
            ("/v1/orders/closed", {"start_time": 1, "end_time": START_MS}, (400, "invalid_parameter")),
            ("/v1/orders/closed", {"start_time": 2, "end_time": 1}, (400, "invalid_parameter")),
            ("/v1/orders/uuids", {}, (400, "invalid_parameter")),
            ("/v1/orders/uuids", {"uuids[]": "a", "identifiers[]": "b"}, (400, "invalid_parameter")),
            ("/v1/orders/uuids", {"uuids[]": [str(n) for n in range(101)]}, (400, "invalid_parameter")),
            ("/v1/order", {}, (400, "invalid_parameter")),
            ("/v1/order", {"uuid": "nobody", "identifier": "a"}, (404, "order_not_found")),
        ],
    )
    def test_refusals(self, path: str, query: dict[str, Any], answer: tuple[int, str]) -> None:
        assert self.bank().why("GET", path, **query) == answer


class TestPlacing:
    @pytest.mark.parametrize(
        ("changes", "answer"),
        [
            ({"price": "900000000000"}, (400, "insufficient_funds_bid")),
            ({"side": "ask", "volume": "9"}, (400, "insufficient_funds_ask")),
            ({"volume": "0.00001"}, (400, "under_min_total_bid")),
            ({"market": "KRW-NOPE"}, (404, "market_not_found")),
            ({"price": "89000001"}, (400, "invalid_price_bid")),
            ({"volume": "0.0000000001"}, (400, "invalid_volume_bid")),
            ({"time_in_force": "post_only", "smp_type": "reduce"}, (400, "validation_error")),
            ({"side": "up"}, (400, "validation_error")),
            ({"volume": "much"}, (400, "validation_error")),
            ({"identifier": "used"}, (400, "identifier_already_used")),
        ],
    )
    def test_refusals(self, changes: dict[str, Any], answer: tuple[int, str]) -> None:
        bank = Bank()
        bank.place(identifier="used")
        body = {"market": CODE, "side": "bid", "ord_type": "limit", "price": "89000000", "volume": "0.001"} | changes
        assert bank.why("POST", "/v1/orders", body=body) == answer

    def test_every_choice_reaches_the_desk(self) -> None:
        bank = Bank()
        body = {
            "market": CODE, "side": "ask", "ord_type": "best", "volume": 0.001, "time_in_force": "ioc",
            "smp_type": "cancel_maker",
        }  # fmt: skip
        placed = bank.ok("POST", "/v1/orders", body=body)
        assert (placed["time_in_force"], placed["smp_type"], placed["state"]) == ("ioc", "cancel_maker", "done")


def test_a_key_may_do_what_it_may() -> None:
    assert Bank().why("GET", "/v1/accounts", key=READER) == (401, "out_of_scope")
    assert Bank(scope_status=403).why("GET", "/v1/accounts", key=READER) == (403, "out_of_scope")
    assert Bank().ok("GET", "/v1/orders/open", key=READER) == []
    assert Bank().why("POST", "/v1/orders", key=READER, body={"market": CODE}) == (401, "out_of_scope")


def test_a_call_without_a_token_or_with_another_query_is_refused() -> None:
    bank = Bank()
    answer = bank.side.http(HttpCall("/v1/accounts"), bank.market, bank.desk)
    assert (answer.status, json.loads(answer.body)["error"]["name"]) == (401, "no_authorization_token")
    own = Credentials("a", "s" * 40)  # type: ignore[arg-type]  # text is wrapped
    headers = {name.lower(): value for name, value in rest_authorize(own, "x", {"uuid": "1"})}
    answer = bank.side.http(HttpCall("/v1/order", "uuid=2", headers), bank.market, bank.desk)
    assert (answer.status, json.loads(answer.body)["error"]["name"]) == (401, "invalid_query_payload")


def test_an_order_is_known_to_others_by_what_its_owner_is_told() -> None:
    bank = Bank()
    order = bank.place()
    assert bank.side.told_order(order) == (order.uuid, bank.ok("GET", "/v1/order", uuid=order.uuid)["state"])
