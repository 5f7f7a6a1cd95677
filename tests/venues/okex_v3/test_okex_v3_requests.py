"""What may be asked, what it is called on the wire, and what is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tapewire.errors import SubscriptionError, UnknownSymbol, UsageError
from tapewire.model.market import Market
from tapewire.model.subscription import Subscription, Wish, as_detail
from tapewire.venues.contract import Control
from tapewire.venues.okex_v3 import OKEX_V3
from tapewire.venues.okex_v3.channels import INDEX, TABLES, TICK_BY_TICK, argument, read_argument
from tapewire.venues.okex_v3.requests import MOST, concerns, encode_change, request_id
from tests.venues.okex_v3.wire import sent

NAMES = [
    (Subscription("ticker", "BTC-USDT"), "spot/ticker:BTC-USDT"),
    (Subscription("ticker", "BTC-USD-190517"), "futures/ticker:BTC-USD-190517"),
    (Subscription("trade", "BTC-USD-SWAP"), "swap/trade:BTC-USD-SWAP"),
    (Subscription("trade", "EOS-USD-210625-8.00-C"), "option/trade:EOS-USD-210625-8.00-C"),
    (Subscription("orderbook", "BTC-USD-190517", depth=5), "futures/depth5:BTC-USD-190517"),
    (Subscription("orderbook", "BTC-USDT"), "spot/depth:BTC-USDT"),
    (Subscription("orderbook", "BTC-USDT", detail=TICK_BY_TICK), "spot/depth_l2_tbt:BTC-USDT"),
    (Subscription("candle", "BTC-USDT", unit="1m"), "spot/candle60s:BTC-USDT"),
    (Subscription("candle", "BTC-USD-SWAP", unit="1W"), "swap/candle604800s:BTC-USD-SWAP"),
    (Subscription("candle", "BTC-USD", unit="4H", detail=INDEX), "index/candle14400s:BTC-USD"),
    (Subscription("indexTicker", "BTC-USD"), "index/ticker:BTC-USD"),
    (Subscription("fundingRate", "BTC-USD-SWAP"), "swap/funding_rate:BTC-USD-SWAP"),
    (Subscription("markPrice", "BTC-USD-190517"), "futures/mark_price:BTC-USD-190517"),
    (Subscription("priceLimit", "BTC-USD-SWAP"), "swap/price_range:BTC-USD-SWAP"),
]


@pytest.mark.parametrize(("stream", "name"), NAMES, ids=[name for _, name in NAMES])
def test_a_stream_and_its_name_lead_to_each_other(stream: Subscription, name: str) -> None:
    OKEX_V3.check(stream, None)
    assert argument(stream) == name
    assert read_argument(name) == stream


def test_what_was_recorded_is_what_would_be_sent() -> None:
    request = json.loads(sent())
    streams = [read_argument(name) for name in request["args"]]
    wishes = [Wish(stream) for stream in streams if stream]
    assert [json.loads(one) for one in OKEX_V3.encode(wishes, "ticket", "DEFAULT")] == [request]


def test_every_table_of_the_specification_can_be_asked() -> None:
    markets = ("spot", "futures", "swap", "option")
    seconds = (60, 180, 300, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 604800)
    channels = ["ticker", "trade", "depth", "depth5", "depth_l2_tbt", *(f"candle{count}s" for count in seconds)]
    names = {f"{market}/{channel}" for market in markets for channel in channels}
    names |= {"index/ticker", *(f"index/candle{count}s" for count in seconds), "swap/funding_rate"}
    names |= {f"{market}/{channel}" for market in ("futures", "swap") for channel in ("mark_price", "price_range")}
    assert set(TABLES) == names


@pytest.mark.parametrize("text", ["spot/nothing:BTC-USDT", "spot/ticker", "spot/ticker:", "", "ticker:BTC-USDT"])
def test_a_name_that_is_not_known_is_no_stream(text: str) -> None:
    assert read_argument(text) is None


def test_long_wishes_are_several_requests() -> None:
    wishes = [Wish(Subscription("trade", f"A{number}-USDT")) for number in range(2 * MOST + 1)]
    requests = OKEX_V3.encode([*wishes, wishes[0]], "ticket", "DEFAULT")
    arguments = [json.loads(request)["args"] for request in requests]
    assert [len(names) for names in arguments] == [33, 33, 1]
    assert [name for names in arguments for name in names] == [f"spot/trade:A{number}-USDT" for number in range(67)]
    with pytest.raises(UsageError, match="unsubscribe"):
        OKEX_V3.encode([], "ticket", "DEFAULT")


def test_a_change_has_no_id() -> None:
    assert encode_change("unsubscribe", ["spot/trade:A-B"], "t") == b'{"op":"unsubscribe","args":["spot/trade:A-B"]}'
    assert request_id("ticket") == ""


def test_the_stream_of_an_error_stands_in_its_words() -> None:
    names = ["spot/trade:NEO", "spot/trade:NEO-USDT", "spot/ticker:NEO-USDT"]
    error = Control("error", "30040", "Channel spot/trade:NEO-USDT doesn't exist")
    assert concerns(error, names) == ["spot/trade:NEO-USDT"]
    assert concerns(Control("error", "30039", "unrecognized request"), names) == []


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("30040", "drop"), ("30041", "drop"), ("30039", "blame"), ("30043", "retry"), ("30026", "retry"),
        ("30008", "login"), ("30013", "fatal"), ("30042", "tell"), ("31999", "blame"), ("", "blame"), ("x", "blame"),
    ],
)  # fmt: skip
def test_what_follows_from_an_error(code: str, verdict: str) -> None:
    assert OKEX_V3.judge is not None
    assert OKEX_V3.judge(Control("error", code)) == verdict


BOOK = TICK_BY_TICK


@pytest.mark.parametrize(
    ("fields", "field", "right"),
    [
        ({"kind": "myOrder"}, "kind", "private streams of v3 are not read"),
        ({"kind": "orderBook"}, "kind", '"ticker", "trade"'),
        ({"symbol": "btc/usdt"}, "symbol", '"BTC-USDT"'),
        ({"symbol": "KRWBTC"}, "symbol", "an instrument id in upper case, such as"),
        ({"symbol": "BTC-USD-200327-11000-X"}, "symbol", "an instrument id"),
        ({"symbol": 5}, "symbol", "text: an instrument id"),
        ({"level": 100}, "level", "0: books of OKEX v3 are not grouped"),
        ({"unit": "1m"}, "unit", "left out for ticker"),
        ({"kind": "candle"}, "unit", '"1m", "3m"'),
        ({"kind": "candle", "unit": "60m"}, "unit", '"1H"'),
        ({"depth": 5}, "depth", "left out for ticker"),
        ({"kind": "orderbook", "depth": 401}, "depth", "5, any other from 1 to 400, or left out for all"),
        ({"kind": "orderbook", "depth": 0}, "depth", "5, any other from 1 to 400"),
        ({"kind": "orderbook", "depth": True}, "depth", "5, any other"),
        ({"kind": "orderbook", "depth": 5, "detail": BOOK}, "detail", "it must be left out"),
        ({"kind": "orderbook", "detail": as_detail({"channel": "books"})}, "detail", f"{BOOK}, or left out"),
        ({"kind": "candle", "unit": "1m", "detail": BOOK}, "detail", f"{INDEX}, or left out"),
        ({"detail": INDEX}, "detail", "it must be left out"),
        ({"kind": "fundingRate"}, "symbol", 'one of "swap": spot has no fundingRate'),
        ({"kind": "markPrice"}, "symbol", 'one of "futures" or "swap": spot has no markPrice'),
        ({"kind": "indexTicker", "symbol": "BTC-USD-SWAP"}, "symbol", 'one of "index": swap has no indexTicker'),
        ({"kind": "candle", "unit": "1m", "detail": INDEX, "symbol": "BTC-USD-SWAP"}, "detail", "index"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_would_be_right(
    fields: dict[str, Any], field: str, right: str
) -> None:
    wanted = {"kind": "ticker", "symbol": "BTC-USDT"} | fields
    with pytest.raises(SubscriptionError) as caught:
        OKEX_V3.check(Subscription(**wanted), None)
    assert (caught.value.field, right in str(caught.value)) == (field, True), str(caught.value)


def test_spot_ids_are_held_against_the_list_and_all_others_are_not() -> None:
    markets = {symbol: Market(symbol, symbol[:3], "USDT") for symbol in ("BTC-USDT", "ETH-USDT")}
    OKEX_V3.check(Subscription("trade", "BTC-USDT"), markets)
    OKEX_V3.check(Subscription("trade", "BTC-USD-190517"), markets)
    OKEX_V3.check(Subscription("indexTicker", "XYZ-USD"), markets)
    with pytest.raises(UnknownSymbol, match="did you mean BTC-USDT"):
        OKEX_V3.check(Subscription("trade", "BTC-USDC"), markets)


def test_streams_whose_events_look_alike_get_lines_of_their_own() -> None:
    book = Subscription("orderbook", "BTC-USDT")
    five = Subscription("orderbook", "BTC-USDT", depth=5)
    assert not OKEX_V3.same_line(book, five)
    assert OKEX_V3.same_line(book, book)
    ten = Subscription("orderbook", "BTC-USDT", depth=10)
    OKEX_V3.check(ten, None)
    assert argument(ten) == argument(book) == "spot/depth:BTC-USDT"
    assert OKEX_V3.same_line(book, ten)
    assert not OKEX_V3.same_line(book, Subscription("orderbook", "BTC-USDT", detail=TICK_BY_TICK))
    assert OKEX_V3.same_line(five, Subscription("orderbook", "ETH-USDT"))
    candle = Subscription("candle", "BTC-USDT", unit="1m")
    assert not OKEX_V3.same_line(candle, Subscription("candle", "BTC-USDT", unit="1m", detail=INDEX))
    assert OKEX_V3.same_line(candle, Subscription("candle", "BTC-USDT", unit="3m"))


@pytest.mark.parametrize("stream", [Subscription("trade", "nothing"), Subscription("fundingRate", "BTC-USDT")])
def test_a_stream_that_does_not_exist_has_no_name(stream: Subscription) -> None:
    with pytest.raises(ValueError, match="no channel of OKEX v3"):
        argument(stream)
