"""Upbit's private and info sides over held streams, without a gateway: who is let in, what is told."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tapewire.model.events import AnnouncementEvent, Event, IndicatorEvent, MyAssetEvent, MyOrderEvent
from tapewire.model.market import Market
from tapewire.model.subscription import Subscription, Wish, as_detail
from tapewire.venues.exchange import HttpCall
from tapewire.venues.registry import get_venue
from tapewire.venues.upbit.serving import UpbitServing
from tapewire.venues.upbit.serving_signed import SignedVisitor
from tests.venues.ring import Ring, bearer, key, upbit_call

BTC = "KRW-BTC"
PRIVATE, INFO = "/websocket/v1/private", "/websocket/v1/info"
RSI = {"type": "rsi", "params": {"period": 14}}
CROSS = {"type": "moving_average", "trigger": "price_cross_above", "params": {"type": "SMA", "period": 5}}


class Held:
    """Streams that are held: none, of two markets."""

    markets = {BTC: Market(BTC, "BTC", "KRW"), "KRW-ETH": Market("KRW-ETH", "ETH", "KRW")}

    def latest(self, _stream: Subscription) -> None:
        return None

    def refused(self, _stream: Subscription) -> None:
        return None

    def book(self, _stream: Subscription) -> None:
        return None


def serving_of() -> UpbitServing:
    venue = get_venue("upbit")
    assert venue.serving is not None
    made: UpbitServing = venue.serving("DEFAULT")
    return made


def visitor_of(side: str) -> SignedVisitor:
    visitor = serving_of().visitor(Held(), side, Ring())
    assert isinstance(visitor, SignedVisitor)
    return visitor


def ask(*parts: dict[str, Any], **more: Any) -> bytes:
    return msgspec.json.encode([{"ticket": "t"}, *parts, *([more] if more else [])])


def test_a_key_is_a_name_and_a_signature_by_its_token() -> None:
    serving, ring = serving_of(), Ring([key("charts", "token-1"), key("blind", "token-2", sees=False)])
    assert serving.admit(PRIVATE, bearer("charts", "token-1"), ring) is None
    assert serving.admit(INFO, bearer("charts", "token-1", nonce="n2"), ring) is None
    for headers, name, failures in (
        ({}, "no_authorization_token", 0),
        ({"authorization": "Bearer x"}, "invalid_query_payload", 1),
        (bearer("charts", "token-1"), "nonce_used", 2),
        (bearer("charts", "wrong", nonce="n3"), "jwt_verification", 3),
        (bearer("nobody", "token-1", nonce="n4"), "invalid_access_key", 4),
        (bearer("blind", "token-2", nonce="n5"), "out_of_scope", 4),
    ):
        refused = serving.admit(PRIVATE, headers, ring)
        assert refused is not None
        assert refused.status == 401
        assert msgspec.json.decode(refused.body)["error"]["name"] == name
        assert ring.failures == failures
        assert b"token-" not in refused.body


def test_without_tokens_every_key_is_good_but_one_must_be_shown() -> None:
    serving, ring = serving_of(), Ring(is_open=True)
    assert serving.admit(PRIVATE, bearer("any", "thing"), ring) is None
    assert serving.admit(PRIVATE, {}, ring) is not None
    assert ring.failures == 0


def test_what_a_message_asks_for() -> None:
    private, info = visitor_of("private"), visitor_of("info")
    assert private.wishes(b"PING") == private.wishes(b"x") == []
    asked = ask(
        {"type": "myOrder", "codes": [BTC, "KRW-NIX"]}, {"type": "myAsset"}, {"type": "announcement"},
        {"type": "announcement", "categories": ["trade", "notice"], "include_body": True},
    )  # fmt: skip
    detail = as_detail({"categories": ["notice", "trade"], "include_body": True})
    streams = [
        Subscription("myOrder", BTC), Subscription("myAsset", ""), Subscription("announcement", ""),
        Subscription("announcement", "", detail=detail),
    ]  # fmt: skip
    assert private.wishes(asked) == [Wish(stream, snapshot=False) for stream in streams]
    assert private.receive(0.0, asked, is_text=True).payloads == ()
    assert set(private.holds()) == set(streams)
    assert private.wishes(ask({"type": "myOrder"})) == [Wish(Subscription("myOrder", ""), snapshot=False)]
    asked = ask(
        {"type": "indicator", "codes": [BTC], "timeframe": "5m", "indicators": [RSI]},
        {"type": "indicator_signal", "codes": [BTC], "timeframe": "1d", "indicators": [CROSS | {"event_params": {}}]},
    )
    assert info.wishes(asked) == [
        Wish(Subscription("indicator", BTC, unit="5m", detail=as_detail(RSI)), snapshot=False),
        Wish(Subscription("indicator_signal", BTC, unit="1d", detail=as_detail(CROSS)), snapshot=False),
    ]
    assert info.receive(0.0, asked, is_text=True).payloads == ()
    assert len(info.holds()) == 2


def test_what_the_exchange_refused_is_held_no_more_and_listed_no_more() -> None:
    private, other = visitor_of("private"), visitor_of("private")
    orders, assets = Subscription("myOrder", ""), Subscription("myAsset", "")
    asked = ask({"type": "myOrder"}, {"type": "myAsset"})
    private.receive(0.0, asked, is_text=True)
    other.receive(0.0, asked, is_text=True)
    assert private.shape(orders) == other.shape(orders)
    private.forget(orders)
    assert private.shape(orders) != other.shape(orders)
    assert set(private.holds()) == {assets}
    [listed] = private.receive(0.0, ask(method="LIST_SUBSCRIPTIONS"), is_text=True).payloads
    assert [one["type"] for one in msgspec.json.decode(listed)["result"]] == ["myAsset"]


@pytest.mark.parametrize(
    ("side", "part", "name"),
    [
        ("private", {"type": "ticker", "codes": [BTC]}, "INVALID_PARAM"),
        ("private", {"type": "announcement", "categories": ["nix"]}, "INVALID_PARAM"),
        ("info", {"type": "myOrder"}, "INVALID_PARAM"),
        ("info", {"type": "indicator", "timeframe": "5m", "indicators": [RSI]}, "NO_CODES"),
        (
            "info",
            {"type": "indicator", "codes": [f"KRW-C{n}" for n in range(101)], "timeframe": "5m", "indicators": [RSI]},
            "TOO_MANY_REQUEST",
        ),
    ],
)
def test_what_is_refused(side: str, part: dict[str, Any], name: str) -> None:
    visitor = visitor_of(side)
    answer = visitor.receive(0.0, ask(part), is_text=True)
    [word] = [msgspec.json.decode(frame) for frame in answer.payloads]
    assert word["error"]["name"] == name
    assert (answer.close is not None) == (side == "info" or visitor._switches.closes_after_error)
    assert not visitor.holds()


def order(symbol: str, raw: bytes | None = None) -> MyOrderEvent:
    return MyOrderEvent(venue="upbit", symbol=symbol, uuid="u", state="wait", volume=Decimal("0.10"), raw=raw)


@pytest.mark.parametrize("form", ["DEFAULT", "SIMPLE_LIST"])
def test_orders_go_on_as_they_came_where_the_form_is_the_same(form: str) -> None:
    visitor, cache = visitor_of("private"), dict[object, bytes]()
    visitor.receive(0.0, ask({"type": "myOrder"}, format=form), is_text=True)
    stream, event = Subscription("myOrder", ""), order(BTC, b"as it came")
    [frame] = visitor.tell(stream, event, cache)
    assert (frame is event.raw) == (form == "DEFAULT")
    assert visitor.tell(stream, event, cache)[0] is frame
    event.recovered = True
    [made] = visitor.tell(stream, event, {})
    said = msgspec.json.decode(made)
    one = said[0] if isinstance(said, list) else said
    assert (one.get("code") or one.get("cd"), one.get("uuid") or one.get("uid")) == (BTC, "u")
    assert visitor.tell(Subscription("myAsset", ""), MyAssetEvent(venue="upbit", symbol=""), {}) == []


def test_of_one_market_and_of_all_each_order_is_told_once() -> None:
    visitor = visitor_of("private")
    visitor.receive(0.0, ask({"type": "myOrder"}, {"type": "myOrder", "codes": [BTC]}), is_text=True)
    event = order(BTC, b"raw")
    told = [visitor.tell(stream, event, {}) for stream in (Subscription("myOrder", ""), Subscription("myOrder", BTC))]
    assert told == [[b"raw"], []]


def test_announcements_come_with_their_text_where_it_was_asked_for() -> None:
    visitor = visitor_of("private")
    visitor.receive(
        0.0, ask({"type": "announcement"}, {"type": "announcement", "categories": ["trade"], "include_body": True}),
        is_text=True,
    )  # fmt: skip
    event = AnnouncementEvent(
        venue="upbit", symbol="", uuid="n", title="Listing", category="trade", body="text", raw=b"raw"
    )
    detail = as_detail({"categories": ["trade"], "include_body": True})
    assert visitor.tell(Subscription("announcement", "", detail=detail), event, {}) == [b"raw"]
    [without] = visitor.tell(Subscription("announcement", ""), event, {})
    assert msgspec.json.decode(without)["title"] == "Listing"
    assert b"body" not in without


def test_subscriptions_are_listed_as_they_were_asked() -> None:
    for side, part in (
        ("private", {"type": "announcement", "categories": ["trade"], "include_body": True}),
        ("private", {"type": "myOrder", "codes": [BTC]}),
        ("info", {"type": "indicator", "codes": [BTC], "timeframe": "5m", "indicators": [RSI]}),
    ):
        visitor = visitor_of(side)
        visitor.receive(0.0, ask(part), is_text=True)
        [frame] = visitor.receive(0.0, ask({"method": "LIST_SUBSCRIPTIONS"}), is_text=True).payloads
        assert msgspec.json.decode(frame)["result"] == [part]
        assert visitor.realtime(None, {}) == []  # type: ignore[arg-type] # whatever a market would publish


def test_an_indicator_is_told_to_who_asked_for_it() -> None:
    visitor = visitor_of("info")
    visitor.receive(
        0.0, ask({"type": "indicator", "codes": [BTC], "timeframe": "5m", "indicators": [RSI]}), is_text=True
    )
    event: Event = IndicatorEvent(
        venue="upbit", symbol=BTC, timeframe="5m", indicator="rsi", params={"period": 14}, value={"rsi": 50.0}
    )
    stream = Subscription("indicator", BTC, unit="5m", detail=as_detail(RSI))
    [frame] = visitor.tell(stream, event, {})
    assert msgspec.json.decode(frame)["value"] == {"rsi": 50.0}
    assert visitor.tell(Subscription("indicator", BTC, unit="15m", detail=as_detail(RSI)), event, {}) == []


def test_a_signed_read_is_good_with_a_token_that_sees_and_the_hash_of_its_query() -> None:
    serving, ring = serving_of(), Ring([key("charts", "token-1"), key("blind", "token-2", sees=False)])
    path, query = "/v1/orders/open", "states%5B%5D=wait&states%5B%5D=watch&page=1"
    assert path in serving.private_reads
    assert not any(serving.forwards(one) for one in serving.private_reads)

    def tell(headers: dict[str, str], asked: str = query) -> str | None:
        refused = serving.admit_call(HttpCall(path, asked, headers, "10.0.0.1"), ring)
        return None if refused is None else str(msgspec.json.decode(refused.body)["error"]["name"])

    assert tell(upbit_call("charts", "token-1", f"{path}?{query}")) is None
    assert tell(upbit_call("charts", "token-1", f"{path}?{query}", "n2"), "page=2") == "invalid_query_payload"
    assert tell(upbit_call("charts", "token-1", path, "n3"), "") is None
    assert tell(upbit_call("blind", "token-2", f"{path}?{query}", "n4")) == "out_of_scope"
    assert tell({}) == "no_authorization_token"
    assert ring.failures == 1
