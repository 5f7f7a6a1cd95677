"""The simulated OKX's private path and signed calls: the life of an order as its owner hears and asks of it."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tapewire.config import Secret
from tapewire.sim.peer import Exchange
from tapewire.sim.scenario import DEMO_KEY
from tapewire.venues.exchange import SimKey
from tapewire.venues.okx import sim_ledger as ledger
from tapewire.venues.trading import NewOrder
from tests.venues.okx.sim_stage import Client, get, login_of, make, run, signed

EXAMPLES = Path(__file__).parents[2] / "data" / "okx5" / "examples_specification.jsonl"
ORDERS = {"channel": "orders", "instType": "ANY"}
READER = SimKey(access_key="reader", secret_key=Secret("r" * 32), permissions=frozenset({"view_orders"}))
OTHER = SimKey(access_key="other", secret_key=Secret("o" * 32), account="second")


def listening(okx: Exchange, *args: dict[str, Any], key: SimKey = DEMO_KEY) -> Client:
    client = Client(okx, "private", now=okx.moment)
    client.say(login_of(client, key))
    client.ask(*args)
    client.wire.frames.clear()
    return client


def order(**changes: Any) -> dict[str, Any]:
    return {
        "instId": "BTC-USDT",
        "tdMode": "cash",
        "side": "buy",
        "ordType": "limit",
        "sz": "0.01",
        "px": "30000",
    } | changes


def place(okx: Exchange, **changes: Any) -> dict[str, Any]:
    """An order by REST: its result."""
    _, body = signed(okx, "/api/v5/trade/order", order(**changes), now=okx.moment)
    result: dict[str, Any] = body["data"][0]
    return result


def ask(okx: Exchange, path: str, **how: Any) -> list[dict[str, Any]]:
    _, body = signed(okx, f"/api/v5/{path}", now=okx.moment, **how)
    assert body["code"] == "0", body
    rows: list[dict[str, Any]] = body["data"]
    return rows


def told(client: Client, channel: str = "orders") -> list[dict[str, Any]]:
    run(client.okx, client.okx.moment + 0.001)
    return [row for one in client.pushes() if one["arg"]["channel"] == channel for row in one["data"]]


class TestOrders:
    def test_a_waiting_order_is_told_found_and_cancelled(self) -> None:
        okx = make()
        client = listening(okx, ORDERS)
        number = place(okx, clOrdId="mine1", tag="t1")["ordId"]
        [live] = told(client)
        names = ("ordId", "clOrdId", "tag", "state", "px", "sz", "side", "ordType", "tdMode", "accFillSz", "avgPx")
        assert [live[name] for name in names] == [
            number, "mine1", "t1", "live", "30000", "0.01", "buy", "limit", "cash", "0", "0",
        ]  # fmt: skip
        assert ask(okx, "trade/orders-pending?instType=SPOT") == [live]
        assert ask(okx, f"trade/order?instId=BTC-USDT&ordId={number}") == [live]
        assert ask(okx, "trade/order?instId=BTC-USDT&clOrdId=mine1") == [live]
        _, body = signed(okx, "/api/v5/trade/cancel-order", {"instId": "BTC-USDT", "clOrdId": "mine1"}, now=okx.moment)
        assert body["data"][0] | {"ts": ""} == {
            "ordId": number, "clOrdId": "mine1", "tag": "", "ts": "", "sCode": "0", "sMsg": "Order placed",
        }  # fmt: skip
        assert [(row["state"], row["cancelSource"]) for row in told(client)] == [("live", ""), ("canceled", "1")]
        assert ask(okx, "trade/orders-pending") == []
        assert [row["state"] for row in ask(okx, "trade/orders-history?instType=SPOT")] == ["canceled"]
        _, body = signed(okx, "/api/v5/trade/cancel-order", {"ordId": number}, now=okx.moment)
        assert (body["code"], body["data"][0]["sCode"]) == ("1", "51400")

    def test_a_fill_that_completes_an_order_is_one_message(self) -> None:
        okx = make()
        client = listening(okx, ORDERS, {"channel": "fills"})
        public = Client(okx, "business", now=okx.moment)
        public.ask({"channel": "trades-all", "instId": "BTC-USDT"})
        number = place(okx, side="sell", sz="0.05", px="60000", ordType="ioc")["ordId"]
        rows = told(client)
        fills = [row for row in rows if row["tradeId"]]
        assert {row["ordId"] for row in rows} == {number}
        assert [row["state"] for row in rows] == ["live", *["partially_filled"] * (len(fills) - 1), "filled"]
        assert sum(Decimal(row["fillSz"]) for row in fills) == Decimal("0.05")
        assert rows[-1]["accFillSz"] == "0.05"
        assert all(row["execType"] == "T" and row["fillFee"].startswith("-") for row in fills)
        run(okx, 1.0)
        ids = {one["data"][0]["tradeId"] for one in public.pushes()}
        assert {row["tradeId"] for row in fills} <= ids, "the public trades have the same ids"
        told_fills = [row for one in client.pushes() if one["arg"]["channel"] == "fills" for row in one["data"]]
        assert [row["tradeId"] for row in told_fills] == [row["tradeId"] for row in fills]
        listed = ask(okx, f"trade/fills?instType=SPOT&ordId={number}")
        assert [row["tradeId"] for row in reversed(listed)] == [row["tradeId"] for row in fills]
        assert ask(okx, f"trade/fills-history?instType=SPOT&ordId={number}") == listed

    def test_a_waiting_order_is_met_by_the_market(self) -> None:
        okx = make(markets=("BTC-USDT",))
        client = listening(okx, ORDERS)
        best = okx.market.pits["BTC-USDT"].tick.decimal(okx.market.pits["BTC-USDT"].book.bids[0])
        place(okx, px=str(best), sz="0.0001")
        client.stay(30.0)
        assert [(row["state"], row["execType"]) for row in told(client)] == [("live", ""), ("filled", "M")]

    def test_the_last_price_of_an_order_stands_still_when_it_has_ended(self) -> None:
        okx = make()
        number = place(okx, ordType="market", sz="100", px="")["ordId"]
        client = listening(okx, ORDERS)
        waiting = place(okx, px="30001")["ordId"]
        [ended] = ask(okx, "trade/orders-history?instType=SPOT")
        [live] = ask(okx, f"trade/order?instId=BTC-USDT&ordId={waiting}")
        before = ended["lastPx"]
        assert live["lastPx"] == before == str(okx.market.last_trade("BTC-USDT").trade_price).removesuffix(".0")
        while str(okx.market.last_trade("BTC-USDT").trade_price).removesuffix(".0") == before:
            run(client.okx, okx.moment + 1)
        [again] = ask(okx, f"trade/order?instId=BTC-USDT&ordId={waiting}")
        assert again["lastPx"] != before
        assert ask(okx, "trade/orders-history?instType=SPOT") == [ended]
        assert ended["ordId"] == number

    def test_market_orders_are_in_money_or_coins(self) -> None:
        okx = make()
        client = listening(okx, ORDERS)
        place(okx, ordType="market", sz="500", px="")
        *_, last = told(client)
        assert (last["state"], last["tgtCcy"], last["sz"], last["px"], last["ordType"]) == (
            "filled", "quote_ccy", "500", "", "market",
        )  # fmt: skip
        assert last["tradeId"] == "", "the completion is a message of its own (A7.1)"
        for side in ("buy", "sell"):
            client.wire.frames.clear()
            place(okx, ordType="market", sz="0.002", side=side, tgtCcy="base_ccy")
            *_, last = told(client)
            assert (last["state"], last["accFillSz"], last["ordType"]) == ("filled", "0.002", "market")

    @pytest.mark.parametrize(
        ("changes", "source"),
        [
            ({"ordType": "ioc", "px": "30000"}, "14"),
            ({"ordType": "fok", "px": "64700", "sz": "500"}, "13"),
            ({"ordType": "post_only", "px": "70000"}, "31"),
        ],
    )
    def test_an_order_that_ends_by_itself_says_why(self, changes: dict[str, str], source: str) -> None:
        okx = make()
        okx.desk._purses["main"].earn("USDT", Decimal(10**9))
        client = listening(okx, ORDERS)
        place(okx, **changes)
        assert [(row["state"], row["cancelSource"]) for row in told(client)][-1] == ("canceled", source)

    def test_a_post_only_order_that_rests_is_cancelled_by_its_owner(self) -> None:
        okx = make()
        number = place(okx, ordType="post_only")["ordId"]
        run(okx, 1.0)
        client = listening(okx, ORDERS)
        signed(okx, "/api/v5/trade/cancel-order", {"ordId": number}, now=okx.moment)
        assert [(row["ordType"], row["cancelSource"]) for row in told(client)] == [("post_only", "1")]

    def test_self_trades_are_prevented_without_a_message(self) -> None:
        okx = make()
        best = okx.market.pits["BTC-USDT"].tick.decimal(okx.market.pits["BTC-USDT"].book.asks[0])
        place(okx, side="sell", px=str(best), sz="0.01", clOrdId="maker1")
        client = listening(okx, ORDERS)
        place(okx, side="buy", px=str(best), sz="0.01", clOrdId="taker1", stpMode="cancel_taker")
        assert [(row["clOrdId"], row["state"]) for row in told(client)] == [("taker1", "live"), ("taker1", "canceled")]

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"instId": "BTC-DOGE"}, "51001"),
            ({"side": "up"}, "51000"),
            ({"tdMode": "cross"}, "51000"),
            ({"ordType": "wish"}, "51000"),
            ({"sz": "x"}, "51000"),
            ({"sz": "-1"}, "51000"),
            ({"sz": None}, "51000"),
            ({"px": "nan"}, "51000"),
            ({"px": "30000.05"}, "51006"),
            ({"sz": "0.000000001"}, "51121"),
            ({"sz": "0.00001"}, "51020"),
            ({"sz": "1000"}, "51008"),
            ({"ordType": "market", "side": "sell", "tgtCcy": "quote_ccy"}, "51000"),
            ({"clOrdId": "twice"}, "51016"),
        ],
    )
    def test_refused_orders_say_why(self, changes: dict[str, Any], code: str) -> None:
        okx = make()
        place(okx, clOrdId="twice")
        assert place(okx, **changes)["sCode"] == code

    @pytest.mark.parametrize("body", [[], [order()] * 21])
    def test_a_batch_has_one_to_twenty_orders(self, body: list[Any]) -> None:
        status, answer = signed(make(), "/api/v5/trade/batch-orders", body)
        assert (status, answer["code"]) == (400, "50014")

    def test_a_batch_may_succeed_in_part(self) -> None:
        okx = make()
        _, answer = signed(okx, "/api/v5/trade/batch-orders", [order(), order(sz="x")])
        assert (answer["code"], [row["sCode"] for row in answer["data"]]) == ("2", ["0", "51000"])
        _, answer = signed(okx, "/api/v5/trade/order", order(sz="x"))
        assert (answer["code"], answer["msg"]) == ("1", "All operations failed")
        _, answer = signed(okx, "/api/v5/trade/order", "no object")
        assert answer["code"] == "50002"


class TestByMessage:
    def test_orders_are_placed_and_cancelled(self) -> None:
        okx = make()
        client = listening(okx)
        [row] = get(okx, "/api/v5/public/instruments?instType=SPOT&instId=BTC-USDT")["data"]
        [reply] = client.ask(order(instId="", instIdCode=row["instIdCode"]), op="order", id="o1")
        assert (reply["id"], reply["op"], reply["code"], reply["data"][0]["sCode"]) == ("o1", "order", "0", "0")
        assert int(reply["outTime"]) > int(reply["inTime"]) > 10**15
        number = reply["data"][0]["ordId"]
        [reply] = client.ask({"ordId": number}, {"ordId": "5"}, op="batch-cancel-orders", id="o2")
        assert (reply["code"], [one["sCode"] for one in reply["data"]]) == ("2", ["0", "51603"])
        [reply] = client.ask("5", op="cancel-order", id="o3")
        assert (reply["code"], reply["data"]) == ("1", [])

    @pytest.mark.parametrize(
        ("key", "said", "code"),
        [
            (DEMO_KEY, {"op": "order"}, "60027"),
            (DEMO_KEY, {"op": "dance", "id": "1"}, "60019"),
            (READER, {"op": "order", "id": "1"}, "50120"),
        ],
    )
    def test_what_cannot_be_done_is_named(self, key: SimKey, said: dict[str, str], code: str) -> None:
        client = listening(make(keys=(DEMO_KEY, READER)), key=key)
        assert [one["code"] for one in client.say({"args": [order()]} | said)] == [code]

    def test_orders_do_not_count_as_requests(self) -> None:
        client = listening(make())
        for number in range(485):
            client.ask({"ordId": "5"}, op="cancel-order", id=f"o{number}")
        assert client.okx.violations == type(client.okx.violations)()


class TestAccount:
    def test_it_begins_with_all_balances_and_then_tells_changes(self) -> None:
        okx = make()
        client = Client(okx, "private")
        client.say(login_of(client))
        *_, push = client.ask({"channel": "account"})
        assert (push["eventType"], push["curPage"], push["lastPage"]) == ("snapshot", 1, True)
        details = push["data"][0]["details"]
        assert {one["ccy"] for one in details} == {"USDT", "BTC", "ETH"}
        example = json.loads(next(line for line in EXAMPLES.read_text().splitlines() if '"channel":"account"' in line))
        assert set(details[0]) == set(example["data"][0]["details"][0])
        client.wire.frames.clear()
        place(okx)
        [row] = told(client, "account")
        assert [(one["ccy"], one["frozenBal"], one["cashBal"]) for one in row["details"]] == [
            ("USDT", "300.15", "1000000")
        ]

    @pytest.mark.parametrize(
        ("more", "pushes"),
        [
            ({}, 3),
            ({"extraParams": '{"updateInterval":"0"}'}, 0),
            ({"extraParams": '{"updateInterval":"3000"}'}, 6),
            ({"extraParams": "no json"}, 3),
            ({"extraParams": '{"updateInterval":"often"}'}, 3),
        ],
    )
    def test_full_pushes_come_now_and_then(self, more: dict[str, str], pushes: int) -> None:
        okx = make()
        client = listening(okx, {"channel": "account"} | more)
        client.stay(19.0)
        assert [one["eventType"] for one in client.pushes()] == ["snapshot"] * pushes

    def test_one_currency_may_be_asked_for(self) -> None:
        okx = make()
        client = listening(okx, {"channel": "account", "ccy": "ETH"})
        place(okx)
        client.stay(6.0)
        assert [[one["ccy"] for one in push["data"][0]["details"]] for push in client.pushes()] == [["ETH"]]
        [row] = ask(okx, "account/balance?ccy=ETH,BTC")
        assert [one["ccy"] for one in row["details"]] == ["BTC", "ETH"]

    def test_balances_and_positions_are_told_with_fills(self) -> None:
        okx = make()
        client = listening(okx, {"channel": "balance_and_position"})
        place(okx)
        assert told(client, "balance_and_position") == []
        place(okx, ordType="market", sz="1", px="", tgtCcy="quote_ccy")
        [row] = told(client, "balance_and_position")
        assert (row["eventType"], [one["ccy"] for one in row["balData"]]) == ("filled", ["USDT", "BTC"])
        assert [one["instId"] for one in row["trades"]] == ["BTC-USDT"]

    def test_others_hear_nothing_and_see_nothing(self) -> None:
        okx = make(keys=(DEMO_KEY, OTHER))
        client = listening(okx, ORDERS, {"channel": "account"}, {"channel": "fills"}, key=OTHER)
        place(okx, ordType="market", sz="100", px="")
        assert told(client) == []
        assert ask(okx, "trade/orders-history?instType=SPOT", key=OTHER) == []

    def test_orders_by_hand_are_told_too(self) -> None:
        okx = make()
        client = listening(okx, {"channel": "orders", "instType": "SPOT", "instId": "ETH-USDT"})
        for symbol in ("ETH-USDT", "BTC-USDT"):
            okx.desk.place(
                "main",
                NewOrder(symbol=symbol, side="ask", ord_type="best", volume=Decimal("0.001"), time_in_force="ioc"),
            )
        rows = told(client)
        assert {row["instId"] for row in rows} == {"ETH-USDT"}
        assert {row["ordType"] for row in rows} == {"optimal_limit_ioc"}


class TestPositions:
    ARG = {"channel": "positions", "instType": "ANY"}

    def test_bought_contracts_are_held_told_and_sold_again(self) -> None:
        okx = make()
        client = listening(okx, self.ARG, {"channel": "balance_and_position"}, {"channel": "account"})
        place(okx, instId="BTC-USDT-SWAP", tdMode="cross", ordType="market", sz="3", px="")
        *_, row = told(client, "positions")
        assert (row["pos"], row["posSide"], row["mgnMode"], row["ccy"]) == ("3", "net", "cross", "USDT")
        assert 64_000 < float(row["avgPx"]) < 65_500
        assert float(row["imr"]) == pytest.approx(3 * 0.01 * float(row["markPx"]) / 10)
        assert [one["posId"] for one in ask(okx, "account/positions?instType=SWAP")] == [row["posId"]]
        assert ask(okx, f"account/positions?posId={row['posId']}&instId=BTC-USDT-SWAP,ETH-USDT-SWAP")
        assert ask(okx, "account/positions?instType=FUTURES") == []
        [*_, both] = told(client, "balance_and_position")
        assert [(one["instId"], one["pos"]) for one in both["posData"]] == [("BTC-USDT-SWAP", "3")]
        place(okx, instId="BTC-USDT-SWAP", tdMode="cross", ordType="market", side="sell", sz="3", px="")
        *_, row = told(client, "positions")
        assert (row["pos"], row["avgPx"], row["upl"], row["uplRatio"]) == ("0", "0", "0", "")
        assert ask(okx, "account/positions") == []
        [cash] = [one for one in ask(okx, "account/balance")[0]["details"] if one["ccy"] == "USDT"]
        assert Decimal(cash["cashBal"]) == 1_000_000 + Decimal(row["realizedPnl"])
        assert cash["frozenBal"] == "0"

    def test_inverse_contracts_are_paid_in_coins(self) -> None:
        okx = make()
        client = listening(okx, {"channel": "positions", "instType": "SWAP", "instFamily": "BTC-USD"})
        place(okx, instId="BTC-USD-SWAP", tdMode="isolated", ordType="market", side="sell", sz="20", px="")
        place(okx, instId="BTC-USDT-SWAP", tdMode="cross", ordType="market", sz="1", px="")
        rows = told(client, "positions")
        assert {row["instId"] for row in rows} == {"BTC-USD-SWAP"}
        assert (rows[-1]["pos"], rows[-1]["ccy"]) == ("-20", "BTC")
        assert float(rows[-1]["imr"]) == pytest.approx(20 * 100 / float(rows[-1]["markPx"]) / 10)
        assert float(rows[-1]["notionalUsd"]) == pytest.approx(2_000)

    def test_it_begins_with_what_is_held(self) -> None:
        okx = make()
        place(okx, instId="BTC-USDT-261225", tdMode="cross", ordType="market", sz="2", px="")
        client = Client(okx, "private")
        client.say(login_of(client))
        [_, _, push] = client.ask(self.ARG)
        assert (push["eventType"], [row["pos"] for row in push["data"]]) == ("snapshot", ["2"])
        [_, _, both] = client.ask({"channel": "balance_and_position"})
        assert [row["pos"] for row in both["data"][0]["posData"]] == ["2"]
        client.stay(11.0)
        assert [one["eventType"] for one in client.pushes() if one["arg"]["channel"] == "positions"] == ["snapshot"] * 3

    def test_margin_lies_in_waiting_orders_and_comes_back(self) -> None:
        okx = make()
        number = place(okx, instId="BTC-USDT-SWAP", tdMode="cross", sz="10")["ordId"]
        [usdt] = [one for one in okx.desk.balances("main") if one.currency == "USDT"]
        assert usdt.locked == 10 * Decimal("0.01") * 30_000 * (Decimal("0.1") + Decimal("0.0005"))
        signed(okx, "/api/v5/trade/cancel-order", {"ordId": number}, now=okx.moment)
        assert [usdt.locked, usdt.free] == [Decimal(0), Decimal(1_000_000)]


class TestPages:
    def test_pages_follow_ids(self) -> None:
        okx = make()
        numbers = [place(okx, px=str(30_000 + step))["ordId"] for step in range(5)][::-1]

        def page(query: str) -> list[str]:
            return [row["ordId"] for row in ask(okx, f"trade/orders-pending?instId=BTC-USDT&{query}")]

        assert page("limit=100") == numbers
        assert page("limit=2") == numbers[:2]
        assert page(f"after={numbers[1]}&limit=2") == numbers[2:4]
        assert page(f"before={numbers[2]}") == numbers[:2]
        assert page("after=5") == []
        assert page("before=5") == numbers
        assert (
            page("instType=SWAP") == page("instFamily=ETH-USD") == page("ordType=market") == page("state=filled") == []
        )
        assert page("ordType=limit,ioc&state=live&instType=ANY") == numbers

    def test_a_page_goes_on_where_the_one_before_ended_though_its_last_row_is_there_no_more(self) -> None:
        okx = make()
        numbers = [place(okx, px=str(30_000 + step))["ordId"] for step in range(4)][::-1]
        signed(okx, "/api/v5/trade/cancel-order", {"instId": "BTC-USDT", "ordId": numbers[1]}, now=okx.moment)

        def page(query: str) -> list[str]:
            return [row["ordId"] for row in ask(okx, f"trade/orders-pending?{query}")]

        assert page(f"after={numbers[1]}") == numbers[2:]
        assert page(f"before={numbers[1]}") == numbers[:1]

    def test_executions_are_paged_by_their_bills(self) -> None:
        okx = make()
        best = okx.market.pits["BTC-USDT"].tick.decimal(okx.market.pits["BTC-USDT"].book.asks[0] - 1)
        place(okx, px=str(best), sz="0.01")
        place(okx, side="sell", px=str(best), sz="0.01", ordType="ioc")
        place(okx, side="sell", px="60000", sz="0.1", ordType="ioc")
        rows = ask(okx, "trade/fills")
        bills = [row["billId"] for row in rows]
        assert len(set(bills)) == len(bills) > 2
        walked = [bills[0]]
        while page := ask(okx, f"trade/fills-history?instType=SPOT&limit=1&after={walked[-1]}"):
            walked += [row["billId"] for row in page]
        assert walked == bills

    def test_what_was_cancelled_with_no_fill_is_forgotten_after_a_while(self) -> None:
        okx = make(unfilled_kept=10.0)
        gone, kept = place(okx)["ordId"], place(okx, ordType="market", sz="100", px="")["ordId"]
        run(okx, 1.0)
        signed(okx, "/api/v5/trade/cancel-order", {"instId": "BTC-USDT", "ordId": gone}, now=okx.moment)
        found = f"/api/v5/trade/order?instId=BTC-USDT&ordId={gone}"

        def ended(path: str) -> list[str]:
            return [row["ordId"] for row in ask(okx, f"trade/{path}?instType=SPOT")]

        assert ended("orders-history") == ended("orders-history-archive") == [kept, gone]
        [row] = ask(okx, found.removeprefix("/api/v5/"))
        assert int(row["uTime"]) - int(row["cTime"]) == 1_000, "when it ended"
        run(okx, 12.0)
        assert ended("orders-history") == ended("orders-history-archive") == [kept]
        assert signed(okx, found, now=okx.moment)[1]["code"] == "51603"

    @pytest.mark.parametrize(
        ("path", "code"),
        [
            ("trade/orders-history", "50014"),
            ("trade/orders-history-archive", "50014"),
            ("trade/orders-pending?limit=0", "51000"),
            ("trade/orders-pending?limit=many", "51000"),
            ("trade/order?instId=BTC-USDT&ordId=5", "51603"),
            ("trade/order?instId=BTC-USDT", "51603"),
        ],
    )
    def test_bad_calls_are_named(self, path: str, code: str) -> None:
        assert signed(make(), f"/api/v5/{path}")[1]["code"] == code

    def test_the_accounts_ways_are_told(self) -> None:
        [row] = ask(make(), "account/config")
        assert (row["posMode"], row["perm"]) == ("net_mode", "read_only,trade")
        assert ask(make(), "account/positions") == []
        assert [one["ccy"] for one in ask(make(), "asset/currencies")] == ["BTC", "ETH", "USD", "USDT"]
        assert [one["ccy"] for one in ask(make(), "asset/currencies?ccy=ETH,XRP")] == ["ETH"]

    def test_what_was_said_with_an_order_is_kept_of_the_latest(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ledger, "_KEPT", 1)
        okx = make()
        for tag in ("first", "second"):
            place(okx, tag=tag)
        assert [row["tag"] for row in ask(okx, "trade/orders-pending")] == ["second", ""]

    def test_a_coin_without_a_price_in_dollars_is_worth_nothing(self) -> None:
        [row] = ask(make(markets=("ETH-USDT",)), "account/balance")
        worth = {one["ccy"]: float(one["eqUsd"]) for one in row["details"]}
        assert worth["BTC"] == 0
        assert worth["ETH"] > 0


def test_messages_are_json_of_texts() -> None:
    """Numbers that are no text would be read otherwise by others (A7)."""
    okx = make()
    client = listening(okx, ORDERS, {"channel": "account"})
    place(okx)
    run(okx, 0.001)
    for frame in client.wire.frames:
        for row in json.loads(frame)["data"]:
            assert not [name for name, value in row.items() if isinstance(value, (int, float))]


def test_an_order_is_known_to_others_by_what_its_owner_is_told() -> None:
    okx = make()
    number = place(okx)["ordId"]
    assert [okx.venue.told_order(one) for one in okx.desk.orders("main")] == [(number, "live")]
