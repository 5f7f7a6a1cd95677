"""Subscription ↔ channel, argument and path (spec/okx.md A1, A6, A7)."""

from __future__ import annotations

import msgspec
import pytest

from tapewire.errors import UsageError
from tapewire.model.subscription import Subscription, Wish, as_detail
from tapewire.venues.okx import channels, profile, requests

ALL_TRADES = Subscription("trade", "BTC-USDT", detail=as_detail({"channel": "trades-all"}))
RPI = Subscription("orderbook", "BTC-USDT", detail=as_detail({"channel": "books-rpi"}))
DEEP = Subscription("orderbook", "BTC-USDT", detail=as_detail({"channel": "books50-l2-tbt"}))


@pytest.mark.parametrize(
    ("subscription", "argument", "side"),
    [
        (Subscription("ticker", "BTC-USDT"), {"channel": "tickers", "instId": "BTC-USDT"}, "public"),
        (Subscription("trade", "BTC-USDT"), {"channel": "trades", "instId": "BTC-USDT"}, "public"),
        (ALL_TRADES, {"channel": "trades-all", "instId": "BTC-USDT"}, "business"),
        (Subscription("orderbook", "X"), {"channel": "books", "instId": "X"}, "public"),
        (Subscription("orderbook", "X", depth=1), {"channel": "bbo-tbt", "instId": "X"}, "public"),
        (Subscription("orderbook", "X", depth=5), {"channel": "books5", "instId": "X"}, "public"),
        (Subscription("orderbook", "X", depth=20), {"channel": "books", "instId": "X"}, "public"),
        (DEEP, {"channel": "books50-l2-tbt", "instId": "BTC-USDT"}, "tier"),
        (RPI, {"channel": "books-rpi", "instId": "BTC-USDT"}, "public"),
        (Subscription("candle", "X", unit="1Dutc"), {"channel": "candle1Dutc", "instId": "X"}, "business"),
        (Subscription("fundingRate", "X-SWAP"), {"channel": "funding-rate", "instId": "X-SWAP"}, "public"),
        (Subscription("status", ""), {"channel": "status"}, "public"),
        (
            Subscription("instrument", "", detail=as_detail({"instType": "SPOT"})),
            {"channel": "instruments", "instType": "SPOT"}, "public",
        ),
        (Subscription("myOrder", ""), {"channel": "orders", "instType": "ANY"}, "private"),
        (Subscription("myOrder", "X"), {"channel": "orders", "instType": "ANY", "instId": "X"}, "private"),
        (Subscription("myPosition", ""), {"channel": "positions", "instType": "ANY"}, "private"),
        (Subscription("myAsset", ""), {"channel": "account"}, "private"),
        (Subscription("balanceAndPosition", ""), {"channel": "balance_and_position"}, "private"),
        (Subscription("myFill", ""), {"channel": "fills"}, "private"),
    ],
)  # fmt: skip
def test_each_subscription_has_one_argument_on_one_side(
    subscription: Subscription, argument: dict[str, str], side: str
) -> None:
    assert channels.argument(subscription) == argument
    assert channels.side_of(subscription) == side
    assert msgspec.json.decode(channels.wire_name(subscription)) == argument


def test_the_wire_name_knows_no_order_and_no_uid() -> None:
    said = {"instId": "X", "uid": "77982378738415879", "channel": "orders", "instType": "ANY"}
    assert channels.name_of(said) == channels.wire_name(Subscription("myOrder", "X"))


def test_books_of_several_depths_are_one_stream_on_the_wire() -> None:
    deep, shallow = Subscription("orderbook", "X"), Subscription("orderbook", "X", depth=20)
    assert channels.wire_name(deep) == channels.wire_name(shallow)
    assert requests.fits([deep, shallow])


def test_every_kind_has_a_channel_and_every_channel_leads_back() -> None:
    assert {*channels.CHANNELS, "orderbook", "candle"} == set(profile.KINDS)
    for kind, channel in channels.CHANNELS.items():
        assert channels.meaning_of(channel) == channels.Meaning(kind)
    assert channels.meaning_of("candle1m") == channels.Meaning("candle", unit="1m")
    assert channels.meaning_of("books") == channels.Meaning("orderbook")
    assert channels.meaning_of("bbo-tbt") == channels.Meaning("orderbook", depth=1)
    assert channels.meaning_of("trades-all") == channels.Meaning("trade", detail=ALL_TRADES.detail)
    assert channels.meaning_of("grid-orders-spot") is None


def test_a_request_has_an_id_of_letters_and_digits_and_its_arguments() -> None:
    names = [channels.wire_name(Subscription("ticker", symbol)) for symbol in ("A-B", "C-D")]
    assert requests.encode_change("unsubscribe", names, "0a-1b-2c") == (
        b'{"id":"0a1b2c","op":"unsubscribe",'
        b'"args":[{"channel":"tickers","instId":"A-B"},{"channel":"tickers","instId":"C-D"}]}'
    )
    assert requests.request_id("x" * 40) == "x" * 32


def test_a_whole_set_is_sent_in_requests_of_fifty() -> None:
    wishes = [Wish(Subscription("ticker", f"A{number}-B")) for number in range(120)]
    sent = [msgspec.json.decode(payload) for payload in requests.encode([*wishes, wishes[0]], "t", "DEFAULT")]
    assert [(one["id"], len(one["args"])) for one in sent] == [("t0", 50), ("t1", 50), ("t2", 20)]
    with pytest.raises(UsageError, match="unsubscribe"):
        requests.encode([], "t", "DEFAULT")


def test_the_arguments_of_one_connection_stay_below_its_limit() -> None:
    one = len(channels.wire_name(Subscription("ticker", "A0000-B")))
    most = profile.ARGUMENTS_MOST // one
    streams = [Subscription("ticker", f"A{number:04}-B") for number in range(most + 1)]
    assert (requests.fits(streams[:most]), requests.fits(streams)) == (True, False)


@pytest.mark.parametrize("stack", profile.STACKS, ids=lambda stack: stack.name)
def test_the_facts_of_each_stack(stack: profile.Stack) -> None:
    facts = profile.facts(stack)
    assert facts.url == f"wss://{stack.host}:8443/ws/v5"
    assert facts.rest_url == f"https://{stack.rest_host}"
    assert stack.demo is ("pap." in stack.host) is ("demo" in stack.name)
    assert (facts.keep_alive, facts.ping_most < facts.idle_timeout) == ("text", True)
    assert facts.signed_sides < facts.sides.keys()
