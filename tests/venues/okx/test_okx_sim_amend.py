"""The simulated OKX: orders that are changed, families of options that are cancelled at once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tapewire.sim.peer import Exchange
from tests.venues.okx.sim_stage import Client, make, signed
from tests.venues.okx.test_okx_sim_account import ORDERS, ask, listening, place, told


def amend(okx: Exchange, **body: Any) -> dict[str, Any]:
    """By REST: its result."""
    _, answer = signed(okx, "/api/v5/trade/amend-order", {"instId": "BTC-USDT", **body}, now=okx.moment)
    result: dict[str, Any] = answer["data"][0]
    return result


def operate(client: Client, *args: dict[str, Any], **request: str) -> dict[str, Any]:
    """An operation by WebSocket: its reply."""
    [reply] = [one for one in client.ask(*args, **request) if "op" in one]
    return reply


def cash(okx: Exchange) -> dict[str, tuple[Decimal, Decimal]]:
    return {one.currency: (one.free, one.locked) for one in okx.desk.balances("main")}


def test_a_waiting_order_gets_another_price_and_size_and_what_it_locks_follows() -> None:
    okx = make()
    client = listening(okx, ORDERS)
    number = place(okx, clOrdId="mine1")["ordId"]
    before = cash(okx)["USDT"]
    result = amend(okx, ordId=number, newPx="20000", newSz="0.03", reqId="r1")
    assert (result["sCode"], result["ordId"], result["reqId"]) == ("0", number, "r1")
    live, amended = told(client)
    assert [(row["state"], row["px"], row["sz"]) for row in (live, amended)] == [
        ("live", "30000", "0.01"), ("live", "20000", "0.03"),
    ]  # fmt: skip
    assert ask(okx, f"trade/order?instId=BTC-USDT&ordId={number}") == [amended]
    free, locked = cash(okx)["USDT"]
    assert locked == before[1] * 2
    assert free + locked == sum(before)
    signed(okx, "/api/v5/trade/cancel-order", {"instId": "BTC-USDT", "clOrdId": "mine1"}, now=okx.moment)
    assert cash(okx)["USDT"] == (before[0] + before[1], Decimal(0))


def test_what_an_amended_order_meets_is_traded_at_once() -> None:
    okx = make()
    client = listening(okx, ORDERS)
    number = place(okx)["ordId"]
    best = next(iter(okx.market.ladder("BTC-USDT").asks))
    price = Decimal(best).scaleb(okx.market.ladder("BTC-USDT").power) * 2
    assert amend(okx, ordId=number, newPx=str(price))["sCode"] == "0"
    assert [row["state"] for row in told(client)][-1] == "filled"
    assert cash(okx)["USDT"][1] == 0
    assert amend(okx, ordId=number, newPx="5")["sCode"] == "51503"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"newSz": "0"}, "51000"), ({"newPx": "cheap"}, "51000"), ({}, "51000"),
        ({"newSz": "1000000"}, "51008"), ({"ordId": "5", "newSz": "1"}, "51603"),
    ],
)  # fmt: skip
def test_an_impossible_change_changes_nothing(body: dict[str, str], code: str) -> None:
    okx = make()
    number = place(okx)["ordId"]
    before, row = cash(okx), ask(okx, f"trade/order?instId=BTC-USDT&ordId={number}")
    assert amend(okx, **{"ordId": number} | body)["sCode"] == code
    assert cash(okx) == before
    assert ask(okx, f"trade/order?instId=BTC-USDT&ordId={number}") == row


def test_by_websocket_too_alone_and_several() -> None:
    okx = make()
    client = listening(okx, ORDERS)
    one, two = (place(okx, px=price)["ordId"] for price in ("30000", "31000"))
    reply = operate(client, {"ordId": one, "newPx": "25000"}, op="amend-order", id="a1")
    assert (reply["op"], reply["code"], reply["data"][0]["ordId"]) == ("amend-order", "0", one)
    reply = operate(client, {"ordId": two, "newPx": "26000"}, {"ordId": "7"}, op="batch-amend-orders", id="a2")
    assert (reply["code"], [row["sCode"] for row in reply["data"]]) == ("2", ["0", "51603"])


def test_mass_cancel_is_of_a_family_of_options() -> None:
    okx = make()
    client = listening(okx, ORDERS)
    place(okx)
    reply = operate(client, {"instType": "OPTION", "instFamily": "BTC-USD"}, op="mass-cancel", id="m1")
    assert (reply["code"], reply["data"][0]["result"]) == ("0", True)
    assert len(ask(okx, "trade/orders-pending")) == 1, "no option was among them"
    reply = operate(client, {"instType": "SPOT"}, op="mass-cancel", id="m2")
    assert (reply["code"], reply["data"][0]["result"]) == ("1", False)


def test_options_of_the_family_alone_are_cancelled() -> None:
    option = "BTC-USD-261225-90000-C"
    okx = make(markets=("BTC-USDT", option))
    client = listening(okx, ORDERS)
    price = Decimal(next(iter(okx.market.ladder(option).bids))).scaleb(okx.market.ladder(option).power)
    placed = place(okx, instId=option, tdMode="cross", px=str(price), sz="1")
    spot = place(okx)["ordId"]
    assert placed["sCode"] == "0", placed
    operate(client, {"instType": "OPTION", "instFamily": "BTC-USD"}, op="mass-cancel", id="m1")
    assert [row["ordId"] for row in ask(okx, "trade/orders-pending")] == [spot]


def test_mass_cancel_by_rest_answers_as_by_websocket() -> None:
    okx = make()
    for kind, result in (("OPTION", True), ("SPOT", False)):
        body = {"instType": kind, "instFamily": "BTC-USD"}
        _, answer = signed(okx, "/api/v5/trade/mass-cancel", body, now=okx.moment)
        assert [row["result"] for row in answer["data"]] == [result]
