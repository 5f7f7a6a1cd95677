"""Orders, executions and balances as OKX's REST tells them, in the words of the stream (spec/okx.md A7, A8)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tapewire.config import Credentials, Secret
from tapewire.errors import DecodeError, HttpFailed
from tapewire.model.events import Asset, MyAssetEvent, MyOrderEvent, PositionEvent
from tapewire.venues.contract import OpenOrder, Stamp
from tapewire.venues.okx import DEMO, GLOBAL
from tapewire.venues.okx.account import account
from tapewire.venues.okx.history import frame
from tapewire.venues.okx.holdings import PAGE, TYPES
from tapewire.venues.okx.words import WORDS
from tests.venues.okx.asking import FILL_ROW, NOW, body, converse, example

ACCOUNT = account("okx", demo=False)
DAY = 86_400_000
D = Decimal
ROW: dict[str, Any] = example("orders")["data"][0]


def row(number: int, **changes: Any) -> dict[str, Any]:
    return {**ROW, "ordId": str(number), "cTime": str(NOW - 1_000_000 + number), **changes}


ORDER = MyOrderEvent(
    venue="okx", symbol="BTC-USDT", uuid="452197707845865472", ask_bid="ASK", order_type="limit", state="filled",
    price=D("31527.1"), avg_price=D("31527.1"), volume=D("0.001"), executed_volume=D("0.001"),
    order_timestamp=1654084334977, timestamp=1654084353264,
    fields={
        "instType": "SPOT", "attachAlgoOrds": [], "category": "normal", "code": "0", "fee": "-0.02522168",
        "feeCcy": "USDT", "isTpLimit": "false", "lastPx": "38892.2", "lever": "0", "linkedAlgoOrd": {"algoId": ""},
        "notionalUsd": "31.50818374", "pnl": "0", "px": "31527.1", "rebate": "0", "rebateCcy": "BTC",
        "reduceOnly": "false", "slTriggerPxType": "last", "sz": "0.001", "tdMode": "cash", "tpTriggerPxType": "last",
        "tradeQuoteCcy": "USDT",
    },
)  # fmt: skip


def test_an_order_reads_as_the_stream_would_tell_how_it_stands() -> None:
    """Price and size are the order's own: of its last execution nothing is said."""
    assert ACCOUNT.read_orders(body([ROW])) == [ORDER]
    assert ACCOUNT.read_orders(body([])) == []


def test_an_execution_reads_as_the_streams_message_of_it() -> None:
    """The same execution came by the stream: what is not the order's present state is equal in every field."""
    asked, (whole, [fill]) = converse(ACCOUNT.executed(ORDER, 1654084353264), lambda _: [FILL_ROW])
    assert asked == ["/api/v5/trade/fills?instId=BTC-USDT&ordId=452197707845865472&limit=100"]
    assert whole is ORDER
    told = WORDS.summed(fill, ORDER, D("0.001"), True)
    codec = GLOBAL.codec("default", "float", False)
    [live] = codec.read(msgspec.json.encode(example("orders"))).events
    assert isinstance(live, MyOrderEvent)
    sums = {"lastPx", "notionalUsd", "fillNotionalUsd", "fee", "feeCcy", "pnl", "rebate", "rebateCcy", "code"}
    assert told == msgspec.structs.replace(
        live, avg_price=None, fields={name: value for name, value in live.fields.items() if name not in sums}
    )


def test_an_order_of_an_amount_and_one_that_was_cancelled_end_after_their_last_execution() -> None:
    _, (_, [fill]) = converse(ACCOUNT.executed(ORDER, NOW), lambda _: [FILL_ROW])
    amount = msgspec.structs.replace(ORDER, fields={"tgtCcy": "quote_ccy"})
    cancelled = msgspec.structs.replace(ORDER, state="canceled")
    states = [
        WORDS.summed(fill, order, D(1), closes).state
        for order in (ORDER, amount, cancelled)
        for closes in (True, False)
    ]
    assert states == ["filled"] + ["partially_filled"] * 5


def test_what_is_an_execution_and_what_tells_two_events_apart() -> None:
    def told(state: str, trade: str | None = None, at: int = 1) -> MyOrderEvent:
        return msgspec.structs.replace(ORDER, state=state, trade_uuid=trade, timestamp=at)

    events = [
        told("filled", "7"),
        told("partially_filled", "7"),
        told("filled"),
        told("canceled", "7"),
        told("live"),
        told("live", at=2),
    ]
    assert [WORDS.executes(event) for event in events] == [True, True, False, False, False, False]
    assert [WORDS.mark(event) for event in events] == ["7", "7", "filled", "canceled", "live 1", "live 2"]


def test_executions_made_since_the_order_was_read_are_left_out() -> None:
    """Newest first; the order says 0.002, of three that come to 0.003."""
    rows = [FILL_ROW | {"tradeId": str(number), "billId": str(number)} for number in (3, 2, 1)]
    order = msgspec.structs.replace(ORDER, executed_volume=D("0.002"))
    _, (_, fills) = converse(ACCOUNT.executed(order, NOW), lambda _: rows)
    assert [fill.trade_uuid for fill in fills] == ["2", "1"]
    _, (_, none) = converse(ACCOUNT.executed(msgspec.structs.replace(ORDER, executed_volume=None), NOW), lambda _: rows)
    assert none == []


def test_executions_are_asked_page_by_page_and_older_ones_of_the_longer_list() -> None:
    rows = [FILL_ROW | {"billId": str(number), "fillSz": "1"} for number in range(250, 0, -1)]
    order = msgspec.structs.replace(ORDER, executed_volume=D(250), order_timestamp=NOW - 4 * DAY)

    def answer(address: str) -> list[Any]:
        after = int(address.partition("after=")[2].partition("&")[0] or 251)
        return [one for one in rows if int(one["billId"]) < after][:PAGE]

    asked, (_, fills) = converse(ACCOUNT.executed(order, NOW), answer)
    head = f"/api/v5/trade/fills-history?instType=SPOT&instId=BTC-USDT&ordId={order.uuid}"
    assert asked == [f"{head}&limit=100", f"{head}&after=151&limit=100", f"{head}&after=51&limit=100"]
    assert len(fills) == 250


@pytest.mark.parametrize(
    ("count", "afters"), [(0, [""]), (99, [""]), (100, ["", "1"]), (101, ["", "2"]), (200, ["", "101", "1"])]
)
def test_open_orders_are_asked_until_a_page_is_not_full(count: int, afters: list[str]) -> None:
    rows = [row(number) for number in range(count, 0, -1)]

    def answer(address: str) -> list[Any]:
        after = int(address.partition("after=")[2].partition("&")[0] or count + 1)
        return [one for one in rows if int(one["ordId"]) < after][:PAGE]

    asked, found = converse(ACCOUNT.waiting(), answer)
    assert asked == [f"/api/v5/trade/orders-pending?{f'after={after}&' if after else ''}limit=100" for after in afters]
    assert [order.uuid for order in found] == [one["ordId"] for one in rows]


def test_ended_orders_are_asked_type_by_type_back_to_the_first_that_is_too_old() -> None:
    newest = [row(number) for number in range(400, 300, -1)]

    def answer(address: str) -> list[Any]:
        if "instType=SPOT" not in address:
            return []
        return newest if "after" not in address else [row(number) for number in range(300, 200, -1)]

    asked, found = converse(ACCOUNT.ended(NOW - 1_000_000 + 250, NOW), answer)
    path = "/api/v5/trade/orders-history?instType="
    assert asked == [
        f"{path}SPOT&limit=100", f"{path}SPOT&after=301&limit=100", *(f"{path}{kind}&limit=100" for kind in TYPES[1:]),
    ]  # fmt: skip
    assert len(found) == 200


def test_after_more_than_seven_days_the_list_of_three_months_is_asked_too() -> None:
    asked, _ = converse(ACCOUNT.ended(NOW - 8 * DAY, NOW), lambda _: [])
    assert [address.partition("?")[0].rpartition("/")[2] for address in asked] == [
        *["orders-history"] * 5, *["orders-history-archive"] * 5,
    ]  # fmt: skip


def refused(status: int, code: str) -> HttpFailed:
    return HttpFailed("http://x", status, code, body=msgspec.json.encode({"code": code, "msg": "no", "data": []}))


def test_orders_that_are_open_no_more_are_asked_one_by_one_and_forgotten_ones_were_cancelled() -> None:
    orders = [OpenOrder(uuid, "BTC-USDT", D(number)) for number, uuid in enumerate("abc")]
    answers: dict[str, list[Any] | HttpFailed] = {"a": [row(1)], "b": refused(404, "51603"), "c": refused(400, "51001")}
    asked, found = converse(ACCOUNT.named(orders), lambda address: answers[address[-1]])
    assert asked == [f"/api/v5/trade/order?instId=BTC-USDT&ordId={uuid}" for uuid in "abc"]
    assert found[0].uuid == "1"
    assert found[1:] == [
        MyOrderEvent(venue="okx", symbol="BTC-USDT", uuid=uuid, state="canceled", executed_volume=D(number))
        for number, uuid in ((1, "b"), (2, "c"))
    ]


@pytest.mark.parametrize("failed", [refused(403, "50110"), HttpFailed("http://x", 404, "Not Found", body=b"<html>")])
def test_a_refusal_that_says_nothing_of_the_order_is_one(failed: HttpFailed) -> None:
    with pytest.raises(HttpFailed):
        converse(ACCOUNT.named([OpenOrder("a", "BTC-USDT", D(0))]), lambda _: failed)


def test_balances_read_as_one_event() -> None:
    data = example("account")["data"]
    asked, told = converse(ACCOUNT.held(), lambda _: data)
    assert asked == [ACCOUNT.balances.address] == ["/api/v5/account/balance"]
    assert (told.venue, told.timestamp, told.assets) == (
        "okx", 1751526650000, [Asset("USDT", D("100.52768569797846"), D(0))],
    )  # fmt: skip
    assert told.fields["totalEq"] == "100.56"


def test_positions_read_as_the_stream_tells_them_and_closed_ones_are_left_out() -> None:
    said = example("positions")
    asked, told = converse(ACCOUNT.positions(), lambda _: [*said["data"], said["data"][0] | {"pos": "0"}])
    assert asked == ["/api/v5/account/positions"]
    [live] = GLOBAL.codec("default", "float", False).read(msgspec.json.encode(said)).events
    assert isinstance(live, PositionEvent)
    beside = ("eventType", "curPage", "lastPage")
    fields = {name: value for name, value in live.fields.items() if name not in beside}
    assert told == [msgspec.structs.replace(live, fields=fields)]


@pytest.mark.parametrize(
    ("read", "told", "reason"),
    [
        ("read_orders", b"<html>", "no list of orders"),
        ("read_orders", body(["text"]), "no list of orders: expected an object"),
        ("read_orders", body([ROW | {"ordId": ""}]), "ordId: no value"),
        ("read_fills", body([FILL_ROW | {"fillSz": ""}]), "no list of fills: expected a number"),
        ("read_fills", body([{}]), "no list of fills: 'fillSz'"),
        ("read_positions", body([{"pos": "1"}]), "no list of positions: neither"),
        ("read_balances", body([]), "of 0 accounts"),
        ("read_balances", body([{"details": [{"ccy": "BTC"}]}]), "availBal: no value"),
    ],
)
def test_what_is_something_else_is_refused_in_words(read: str, told: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        getattr(ACCOUNT, read)(told)


def test_calls_are_signed_and_those_of_demo_trading_say_so() -> None:
    key = Credentials(Secret("a"), Secret("b"), passphrase=Secret("c"))
    stamp = Stamp("n", NOW)
    assert GLOBAL.account is not None
    assert DEMO.account is not None
    plain = GLOBAL.account.sign(key, stamp, ACCOUNT.balances)
    assert [name for name, _ in plain] == [
        "OK-ACCESS-KEY", "OK-ACCESS-SIGN", "OK-ACCESS-TIMESTAMP", "OK-ACCESS-PASSPHRASE",
    ]  # fmt: skip
    assert DEMO.account.sign(key, stamp, ACCOUNT.balances) == (*plain, ("x-simulated-trading", "1"))


@pytest.mark.parametrize("channel", ["orders", "account", "positions"])
def test_the_message_of_a_recovered_event_reads_as_the_event(channel: str) -> None:
    codec = GLOBAL.codec("default", "float", False)
    [live] = codec.read(msgspec.json.encode(example(channel))).events
    data = example(channel)["data"]
    told: dict[str, list[Any]] = {
        "orders": ACCOUNT.read_orders(body([ROW, ROW | {"px": "", "sz": "", "state": "live"}])),
        "account": [ACCOUNT.read_balances(body(data))] if channel == "account" else [],
        "positions": ACCOUNT.read_positions(body(data)) if channel == "positions" else [],
    }
    assert told[channel]
    for event in (live, *told[channel]):
        reading = codec.read(frame(event))
        assert reading.quarantined == ()
        assert reading.events == (event,)


def test_the_message_of_balances_names_those_of_the_event_alone() -> None:
    told = ACCOUNT.read_balances(body(example("account")["data"]))
    some = msgspec.structs.replace(told, assets=[Asset("BTC", D("1E-7"), D(0))])
    [event] = GLOBAL.codec("default", "float", False).read(frame(some)).events
    assert isinstance(event, MyAssetEvent)
    assert event.assets == [Asset("BTC", D("0.0000001"), D(0))]
