"""What may be asked: wrong input is named with what would be right."""

from __future__ import annotations

from typing import Any

import pytest

from tapewire.errors import SubscriptionError, UnknownSymbol
from tapewire.model.market import Market
from tapewire.model.subscription import Subscription, as_detail
from tapewire.venues.okx import GLOBAL
from tapewire.venues.okx.channels import same_line
from tapewire.venues.okx.profile import KINDS

MARKETS = {
    symbol: Market(symbol, symbol.split("-")[0], symbol.split("-")[1])
    for symbol in ("BTC-USDT", "ETH-USDT", "BTC-USDT-SWAP", "BTC-USD-261225")
}
SPOT = as_detail({"instType": "SPOT"})
DEEP = as_detail({"channel": "books50-l2-tbt"})
ALL = as_detail({"channel": "trades-all"})


@pytest.mark.parametrize(
    "subscription",
    [
        Subscription("ticker", "BTC-USDT"),
        Subscription("trade", "BTC-USDT-SWAP", detail=ALL),
        Subscription("orderbook", "BTC-USDT"),
        Subscription("orderbook", "BTC-USDT", depth=400),
        Subscription("orderbook", "BTC-USDT", depth=50, detail=DEEP),
        Subscription("candle", "BTC-USD-261225", unit="1Dutc"),
        Subscription("instrument", "", detail=SPOT),
        Subscription("status", ""),
        Subscription("fundingRate", "BTC-USDT-SWAP"),
        Subscription("indexTicker", "BTC-EUR"),  # an index is in no list of markets
        Subscription("markPrice", "BTC-USD-261225-50000-C"),  # nor is an option
        Subscription("myOrder", ""),
        Subscription("myOrder", "BTC-USDT"),
        Subscription("myPosition", ""),
        Subscription("myFill", ""),
        Subscription("myAsset", ""),
        Subscription("balanceAndPosition", ""),
    ],
    ids=str,
)
def test_what_is_good_passes(subscription: Subscription) -> None:
    GLOBAL.check(subscription, MARKETS)
    GLOBAL.check(subscription, None)


@pytest.mark.parametrize(
    ("subscription", "message"),
    [
        (Subscription("tickers", "BTC-USDT"), r"kind is 'tickers'; it must be \"ticker\", \"trade\""),
        (Subscription("ticker", "btc/usdt"), r"symbol is 'btc/usdt'; it must be \"BTC-USDT\""),
        (Subscription("ticker", "BTC"), r"an instrument id in upper case, such as \"BTC-USDT\", \"BTC-USDT-SWAP\""),
        (Subscription("ticker", 5), "text: an instrument id"),  # type: ignore[arg-type]
        (Subscription("ticker", ""), "an instrument id"),
        (Subscription("myAsset", "BTC-USDT"), r"\"\": myAsset belongs to no single market"),
        (Subscription("fundingRate", "BTC-USDT"), r"a perpetual swap, such as \"BTC-USDT-SWAP\""),
        (Subscription("candle", "BTC-USDT", unit="60m"), r"unit is '60m'; it must be \"1H\" at OKX"),
        (Subscription("candle", "BTC-USDT", unit="7m"), r"\"1s\", \"1m\""),
        (Subscription("ticker", "BTC-USDT", unit="1m"), "left out for ticker"),
        (Subscription("ticker", "BTC-USDT", depth=5), "left out for ticker"),
        (Subscription("orderbook", "BTC-USDT", depth=401), "a whole number from 1 to 400"),
        (Subscription("orderbook", "BTC-USDT", depth=0), "a whole number from 1 to 400"),
        (Subscription("orderbook", "BTC-USDT", depth=51, detail=DEEP), "at most 50 of books50-l2-tbt"),
        (Subscription("orderbook", "BTC-USDT", level=10.0), "books are not grouped"),
        (Subscription("trade", "BTC-USDT", detail="{"), r"left out or {\"channel\":\"trades-all\"}"),
        (Subscription("ticker", "BTC-USDT", detail=ALL), "it must be left out"),
        (Subscription("instrument", ""), r"{\"instType\":\"SPOT\"} or {\"instType\":\"MARGIN\"}"),
    ],
    ids=lambda value: str(value) if isinstance(value, Subscription) else "",
)
def test_what_is_wrong_is_named(subscription: Subscription, message: str) -> None:
    with pytest.raises(SubscriptionError, match=message):
        GLOBAL.check(subscription, MARKETS)
    assert GLOBAL.side(subscription) in GLOBAL.facts.sides


@pytest.mark.parametrize(
    ("symbol", "suggestions"),
    [
        ("USDT-BTC", ("BTC-USDT",)),
        ("BTC-USDC-SWAP", ("BTC-USDT-SWAP",)),
        ("ZZZ-QQQQQ", ()),
        ("btc-usdt", ("BTC-USDT",)),
        ("usdt-btc", ("BTC-USDT",)),
    ],
)
def test_a_market_that_is_not_listed_is_told_with_those_that_are_near(
    symbol: str, suggestions: tuple[str, ...]
) -> None:
    with pytest.raises(UnknownSymbol) as unknown:
        GLOBAL.check(Subscription("ticker", symbol), MARKETS)
    assert (unknown.value.suggestions[:1], "okx" in str(unknown.value)) == (suggestions, True)
    GLOBAL.check(Subscription("ticker", symbol), None)


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        (("ticker", "A-B"), ("trade", "A-B"), True),
        (("myOrder", ""), ("myOrder", "A-B"), False),
        (("myOrder", "C-D"), ("myOrder", "A-B"), True),
        (("myOrder", ""), ("myOrder", ""), True),
        (("orderbook", "A-B", None, 5), ("orderbook", "A-B"), True),
        (("orderbook", "A-B", None, 20), ("orderbook", "A-B"), True),
        (("orderbook", "A-B", None, None, 0, DEEP), ("orderbook", "A-B"), False),
        (("orderbook", "A-B", None, None, 0, DEEP), ("orderbook", "C-D"), True),
    ],
)
def test_what_one_connection_cannot_have_together_goes_apart(one: Any, other: Any, together: bool) -> None:
    first, second = Subscription(*one), Subscription(*other)
    assert same_line(first, second) is same_line(second, first) is together


def test_every_kind_has_a_side() -> None:
    assert {GLOBAL.side(Subscription(kind, "A-B")) for kind in KINDS} == {"public", "business", "private"}
