"""OKX's private path over held streams, without a gateway: the login, and each argument under its own words."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tapewire.model.events import Event
from tapewire.model.market import Market
from tapewire.model.subscription import Subscription, Wish
from tapewire.venues.exchange import Answer, HttpCall
from tapewire.venues.okx.serving import OkxServing
from tapewire.venues.okx.serving_talk import OkxVisitor
from tapewire.venues.registry import get_venue
from tapewire.venues.serving import BookCopy
from tests.venues.ring import NOW_MS, Ring, key, login, okx_call

OKX = get_venue("okx")
ORDERS, ASSETS, POSITIONS = Subscription("myOrder", ""), Subscription("myAsset", ""), Subscription("myPosition", "")
BOTH = Subscription("balanceAndPosition", "")


class Held:
    """Streams that are held: an account's copies."""

    def __init__(self) -> None:
        self.markets = {"BTC-USDT": Market("BTC-USDT", "BTC", "USDT")}
        self.copies: dict[Subscription, BookCopy] = {}

    def latest(self, _stream: Subscription) -> None:
        return None

    def refused(self, _stream: Subscription) -> None:
        return None

    def book(self, stream: Subscription) -> BookCopy | None:
        return self.copies.get(stream)


def serving_of() -> OkxServing:
    assert OKX.serving is not None
    made: OkxServing = OKX.serving("DEFAULT")
    return made


def ask(op: str, *args: Any, **more: Any) -> bytes:
    return msgspec.json.encode({"op": op, "args": args, **more})


def words(answer: Answer) -> list[dict[str, Any]]:
    return [msgspec.json.decode(frame) for frame in answer.payloads]


def visitor_of(held: Held | None = None, *, known: bool = True) -> OkxVisitor:
    visitor = serving_of().visitor(held or Held(), "private", Ring([key("charts", "token-1")]))
    if known:
        assert words(visitor.receive(0.0, login("charts", "token-1"), is_text=True))[0]["event"] == "login"
    return visitor


def push(channel: str, rows: list[dict[str, Any]], **beside: Any) -> list[Event]:
    """The events of a frame, as the upstream line brings them."""
    typed = {"instType": "ANY"} if channel in ("orders", "positions") else {}
    raw = msgspec.json.encode({"arg": {"channel": channel, **typed, "uid": "77"}, **beside, "data": rows})
    reading = OKX.codec("DEFAULT", "decimal", True).read(raw)
    assert reading.quarantined == ()
    return list(reading.events)


def order(symbol: str = "BTC-USDT", kind: str = "SPOT", **more: str) -> dict[str, Any]:
    row = {"instType": kind, "instId": symbol, "ordId": "1", "side": "buy", "state": "live", "px": "3", "sz": "2"}
    return row | {"ordType": "limit", "accFillSz": "0", "cTime": "1", "uTime": "2"} | more


def coin(name: str, amount: str) -> dict[str, str]:
    return {"ccy": name, "cashBal": amount, "availBal": amount, "frozenBal": "0", "uTime": "5"}


def account(*coins: dict[str, str], total: str = "9") -> dict[str, Any]:
    return {"uTime": "5", "totalEq": total, "details": list(coins)}


def position(number: str, size: str, symbol: str = "BTC-USDT-SWAP") -> dict[str, Any]:
    return {"posId": number, "instId": symbol, "instType": "SWAP", "pos": size, "posSide": "net", "uTime": "5"}


def test_a_login_is_checked_against_the_tokens() -> None:
    ring = Ring([key("charts", "token-1"), key("blind", "token-2", sees=False)])
    for message, code, failures in (
        (ask("login"), "60012", 0),
        (ask("login", {}), "60005", 1),
        (ask("login", 7), "60013", 2),
        (ask("login", {"apiKey": 7}), "60004", 3),
        (login("nobody", "token-1"), "60032", 4),
        (login("charts", "wrong"), "60007", 5),
        (login("charts", "token-1", ms=NOW_MS - 60_000), "60006", 6),
        (login("blind", "token-2"), "50120", 6),
    ):
        answer = serving_of().visitor(Held(), "private", ring).receive(0.0, message, is_text=True)
        [word] = words(answer)
        assert (word["event"], word["code"], ring.failures) == ("error", code, failures), message
        assert (answer.close is not None) == (code != "60012")
        assert "token" not in str(word)
    visitor = serving_of().visitor(Held(), "private", ring)
    assert words(visitor.receive(0.0, login("charts", "token-1"), is_text=True))[0] | {"connId": ""} == {
        "event": "login", "code": "0", "msg": "", "connId": "",
    }  # fmt: skip
    assert words(visitor.receive(0.0, login("charts", "token-1"), is_text=True))[0]["code"] == "60031"


def test_a_token_with_a_passphrase_wants_that_one() -> None:
    from tapewire.config import Secret  # noqa: PLC0415

    strict = msgspec.structs.replace(key("charts", "token-1"), passphrase=Secret("open sesame"))
    for phrase, event in (("any", "error"), ("open sesame", "login")):
        visitor = serving_of().visitor(Held(), "private", Ring([strict]))
        assert words(visitor.receive(0.0, login("charts", "token-1", phrase), is_text=True))[0]["event"] == event


def test_without_tokens_every_key_is_good_but_one_must_be_shown() -> None:
    for message, event in ((login("any", "thing"), "login"), (ask("login", {"apiKey": ""}), "error")):
        visitor = serving_of().visitor(Held(), "private", Ring(is_open=True))
        assert words(visitor.receive(0.0, message, is_text=True))[0]["event"] == event


def test_nothing_is_told_before_the_login_and_nothing_is_traded_after_it() -> None:
    stranger, known = visitor_of(known=False), visitor_of()
    wanted = ask("subscribe", {"channel": "orders", "instType": "ANY"})
    assert words(stranger.receive(0.0, wanted, is_text=True))[0]["code"] == "60011"
    assert stranger.wishes(wanted) == []
    assert not stranger.holds()
    assert words(stranger.receive(0.0, ask("order", {}, id="1"), is_text=True))[0]["code"] == "60011"
    assert words(known.receive(0.0, ask("order", {}, id="1"), is_text=True))[0]["code"] == "50120"
    assert words(known.receive(0.0, ask("nix", {}), is_text=True))[0]["code"] == "60019"
    assert known.wishes(wanted) == [Wish(ORDERS, snapshot=False)]
    [word] = words(known.receive(0.0, wanted, is_text=True))
    assert (word["event"], word["arg"]) == ("subscribe", {"channel": "orders", "instType": "ANY"})
    assert known.holds() == {ORDERS}


def test_each_argument_hears_its_own_orders_under_its_own_words() -> None:
    visitor = visitor_of()
    spot, swap = {"channel": "orders", "instType": "SPOT"}, {"channel": "orders", "instType": "SWAP"}
    family = {"channel": "orders", "instType": "ANY", "instFamily": "ETH-USDT"}
    visitor.receive(0.0, ask("subscribe", spot, swap, family), is_text=True)
    events = push("orders", [order(), order("BTC-USDT-SWAP", "SWAP", ordId="2")])
    frames = [frame for event in events for frame in visitor.tell(ORDERS, event, {})]
    assert [msgspec.json.decode(frame) for frame in frames] == [
        {"arg": spot | {"uid": "77"}, "data": [order()]},
        {"arg": swap | {"uid": "77"}, "data": [order("BTC-USDT-SWAP", "SWAP", ordId="2")]},
    ]


def test_orders_of_one_market_are_a_stream_of_their_own() -> None:
    visitor, one = visitor_of(), {"channel": "orders", "instType": "SPOT", "instId": "BTC-USDT"}
    visitor.receive(0.0, ask("subscribe", one), is_text=True)
    stream = Subscription("myOrder", "BTC-USDT")
    assert visitor.holds() == {stream}
    [event] = push("orders", [order()])
    [frame] = visitor.tell(stream, event, {})
    assert msgspec.json.decode(frame)["arg"] == one | {"uid": "77"}
    [other] = push("orders", [order("ETH-USDT")])
    assert visitor.tell(stream, other, {}) == []


def test_an_order_that_rest_told_is_made_anew() -> None:
    visitor = visitor_of()
    visitor.receive(0.0, ask("subscribe", {"channel": "orders", "instType": "SPOT"}), is_text=True)
    [event] = push("orders", [order()])
    event.recovered = True
    [frame] = visitor.tell(ORDERS, event, {})
    [row] = msgspec.json.decode(frame)["data"]
    assert (row["ordId"], row["instId"], row["state"]) == ("1", "BTC-USDT", "live")


def test_balances_begin_with_all_there_is_and_go_on_with_what_changed() -> None:
    held = Held()
    copy = serving_of().book_copy(ASSETS)
    assert copy is not None
    with pytest.raises(LookupError, match="not whole"):
        copy.snapshot()
    [early] = push("account", [account(coin("BTC", "7"))], eventType="event_update")
    copy.hear(early)
    assert [copy.is_whole] == [False]
    for rows, kind in (
        ([account(coin("BTC", "1"), coin("USDT", "5"))], "snapshot"),
        ([account(coin("BTC", "2"), total="10")], "event_update"),
    ):  # fmt: skip
        [event] = push("account", rows, eventType=kind, curPage=1, lastPage=True)
        copy.hear(event)
    held.copies[ASSETS] = copy
    visitor, whole = visitor_of(held), {"channel": "account"}
    answer = visitor.receive(0.0, ask("subscribe", whole, {"channel": "account", "ccy": "USDT"}), is_text=True)
    first, usdt = [msgspec.json.decode(frame) for frame in answer.books]
    assert first == {
        "arg": whole | {"uid": "77"}, "eventType": "snapshot", "curPage": 1, "lastPage": True,
        "data": [account(coin("BTC", "2"), coin("USDT", "5"), total="10")],
    }  # fmt: skip
    assert usdt["data"] == [account(coin("USDT", "5"), total="10")]
    [event] = push("account", [account(coin("BTC", "3"))], eventType="event_update")
    told = [msgspec.json.decode(frame) for frame in visitor.tell(ASSETS, event, {})]
    assert [one["arg"] for one in told] == [whole | {"uid": "77"}]
    assert visitor.tell(ASSETS, event, {}) == []


def test_positions_that_were_closed_are_gone_from_the_state() -> None:
    copy = serving_of().book_copy(POSITIONS)
    assert copy is not None
    for rows, kind in (
        ([position("1", "3"), position("2", "4", "ETH-USDT-SWAP")], "snapshot"), ([position("1", "0")], "event_update"),
    ):  # fmt: skip
        for event in push("positions", rows, eventType=kind, curPage=1, lastPage=True):
            copy.hear(event)
    said = msgspec.json.decode(copy.snapshot())
    assert (said["eventType"], [row["posId"] for row in said["data"]]) == ("snapshot", ["2"])


def test_balance_and_position_begin_with_a_snapshot_of_both() -> None:
    copy = serving_of().book_copy(BOTH)
    assert copy is not None
    for kind, amount, trades in (("snapshot", "1", []), ("filled", "2", [{"instId": "BTC-USDT", "tradeId": "4"}])):
        balances = [{"ccy": "BTC", "cashBal": amount, "uTime": "1"}]
        row = {"pTime": "1", "eventType": kind, "balData": balances, "posData": [position("1", "3")], "trades": trades}
        for event in push("balance_and_position", [row]):
            copy.hear(event)
    [row] = msgspec.json.decode(copy.snapshot())["data"]
    assert (row["eventType"], row["trades"]) == ("snapshot", [])
    assert row["balData"] == [{"ccy": "BTC", "cashBal": "2", "uTime": "1"}]


def test_a_public_channel_is_not_on_this_path() -> None:
    visitor = visitor_of()
    [word] = words(visitor.receive(0.0, ask("subscribe", {"channel": "tickers", "instId": "BTC-USDT"}), is_text=True))
    assert word["code"] == "60018"


PENDING = "/api/v5/trade/orders-pending"


def read_call(headers: dict[str, str], query: str = "") -> HttpCall:
    return HttpCall(PENDING, query, headers, "10.0.0.1")


def test_a_signed_read_is_good_with_a_token_that_sees() -> None:
    serving, ring = serving_of(), Ring([key("charts", "token-1"), key("blind", "token-2", sees=False)])
    assert PENDING in serving.private_reads
    assert not any(serving.forwards(path) for path in serving.private_reads)
    good = okx_call("charts", "token-1", f"{PENDING}?limit=100")
    assert serving.admit_call(read_call(good, "limit=100"), ring) is None
    assert serving.admit_call(read_call(good | {"x-simulated-trading": "1"}, "limit=100"), ring) is None
    for headers, code, failures in (
        ({}, "50103", 0),
        (good, "50113", 1),  # of another query
        (okx_call("charts", "wrong", PENDING), "50113", 2),
        (okx_call("nobody", "token-1", PENDING), "50119", 3),
        (okx_call("charts", "token-1", PENDING, ms=NOW_MS - 60_000), "50102", 4),
        (okx_call("blind", "token-2", PENDING), "50120", 4),
    ):
        refused = serving.admit_call(read_call(headers), ring)
        assert refused is not None
        assert (refused.status, msgspec.json.decode(refused.body)["code"]) == (401, code)
        assert ring.failures == failures
        assert b"token-" not in refused.body


def test_without_tokens_any_key_reads_but_one_must_be_shown() -> None:
    serving, ring = serving_of(), Ring(is_open=True)
    assert serving.admit_call(read_call({"ok-access-key": "any"}), ring) is None
    assert serving.admit_call(read_call({}), ring) is not None
