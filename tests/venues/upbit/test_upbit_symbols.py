"""What Upbit would refuse or leave unanswered is refused first: field, what came, what would be right."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tapewire.errors import SubscriptionError, UnknownSymbol
from tapewire.model.market import Market
from tapewire.model.subscription import Subscription
from tapewire.venues.contract import Venue
from tapewire.venues.upbit import INDONESIA, KOREA, SINGAPORE, THAILAND
from tapewire.venues.upbit.symbols import split
from tests.venues.upbit.wire import DATA

MARKETS = {
    code: Market(code, base=split(code)[1], quote=split(code)[0], levels=levels)
    for code, levels in {
        "KRW-BTC": (0.0, 10000.0, 100000.0),
        "KRW-ETH": None,
        "KRW-DOGE": None,
        "USDT-BTC": None,
        "BTC-ETH": None,
    }.items()
}
SHAPE = 'a code QUOTE-BASE in upper case, such as "KRW-BTC"'
RIGHT = 'the code in upper case, quote first: "KRW-BTC"'
KINDS = "ticker, trade, orderbook, candle, myOrder, myAsset, announcement, indicator or indicator_signal"
UNITS = "1s, 1m, 3m, 5m, 10m, 15m, 30m, 60m or 240m"


def refusal(subscription: Subscription, venue: Venue = KOREA, markets: Any = None) -> SubscriptionError:
    with pytest.raises(SubscriptionError) as caught:
        venue.check(subscription, markets)
    return caught.value


@pytest.mark.parametrize(
    ("venue", "quote"),
    [(KOREA, "KRW"), (SINGAPORE, "SGD"), (INDONESIA, "IDR"), (THAILAND, "THB")],
    ids=["kr", "sg", "id", "th"],
)
def test_every_kind_and_option_of_a_region_is_accepted(venue: Venue, quote: str) -> None:
    for symbol in (f"{quote}-BTC", "BTC-ETH", "USDT-XRP", f"{quote}-1INCH", f"{quote}-USDT"):
        for kind in ("ticker", "trade", "orderbook"):
            venue.check(Subscription(kind, symbol), None)
        for depth in (1, 5, 15, 30):
            venue.check(Subscription("orderbook", symbol, depth=depth), None)
        for unit in venue.facts.candle_units:
            venue.check(Subscription("candle", symbol, unit=unit), None)


def test_levels_are_accepted_where_the_market_has_them_or_nobody_asked() -> None:
    KOREA.check(Subscription("orderbook", "KRW-BTC", level=10000), MARKETS)
    KOREA.check(Subscription("orderbook", "KRW-ETH", level=0.5), MARKETS)
    KOREA.check(Subscription("orderbook", "KRW-BTC", level=7), None)


def test_every_recorded_code_is_accepted() -> None:
    listed = json.loads((DATA / "market_all_cryptofeed-2021-04-17.json").read_bytes())
    markets = {market.symbol: market for market in KOREA.read_markets(json.dumps(listed).encode())}
    assert len(listed) == len(markets) == 294
    for market in listed:
        KOREA.check(Subscription("ticker", market["market"]), None)
        KOREA.check(Subscription("ticker", market["market"]), markets)


@pytest.mark.parametrize(
    ("symbol", "right"),
    [
        ("krw-btc", RIGHT),
        ("KRW_BTC", RIGHT),
        ("KRW/BTC", RIGHT),
        (" KRW-BTC", RIGHT),
        ("KRW-BTC\n", RIGHT),
        ("BTC/KRW", RIGHT),
        ("btc_krw", RIGHT),
        ("KRWBTC", RIGHT),
        ("btckrw", RIGHT),
        ("ETHUSDT", 'the code in upper case, quote first: "USDT-ETH"'),
        ("BTC-KRW", 'QUOTE-BASE, quote first: "KRW-BTC"'),
        ("BTC-USDT", 'QUOTE-BASE, quote first: "USDT-BTC"'),
        ("DOGE-KRW", 'QUOTE-BASE, quote first: "KRW-DOGE"'),
        ("KRW-BTC.15", 'a code without suffix: "KRW-BTC", with depth=15 for the number of levels'),
        ("krw-btc.x", RIGHT),
        ("SGD-BTC", "a code of upbit, which begins with KRW, USDT or BTC (SGD markets are on upbit-sg)"),
        ("DOGE-XRP", "a code of upbit, which begins with KRW, USDT or BTC"),
        ("", SHAPE),
        ("BTC", SHAPE),
        ("DOGE", SHAPE),
        ("KRW-", SHAPE),
        ("KRW-BTC-ETH", SHAPE),
        ("비트-코인", SHAPE),
        (None, f"text: {SHAPE}"),
        (7, f"text: {SHAPE}"),
    ],
)
def test_a_code_that_is_none_is_refused_with_the_right_one(symbol: Any, right: str) -> None:
    error = refusal(Subscription("ticker", symbol))
    assert (error.field, error.value, error.allowed) == ("symbol", symbol, right)
    assert str(error) == f"symbol is {symbol!r}; it must be {right}"


@pytest.mark.parametrize(
    ("symbol", "suggestions"),
    [
        ("BTC-KRW", ("KRW-BTC",)),
        ("SGD-BTC", ("KRW-BTC", "USDT-BTC")),
        ("USDT-ETH", ("KRW-ETH", "BTC-ETH")),
        ("KRW-DOGGE", ("KRW-DOGE",)),
        ("KRW-QQQQQ", ()),
    ],
)
def test_a_code_that_is_not_listed_is_refused_with_near_ones(symbol: str, suggestions: tuple[str, ...]) -> None:
    error = refusal(Subscription("ticker", symbol), markets=MARKETS)
    assert isinstance(error, UnknownSymbol)
    assert error.suggestions == suggestions
    near = f"; did you mean {', '.join(suggestions)}?" if suggestions else ""
    assert str(error) == (f"symbol is {symbol!r}; it must be a market that upbit lists{near} (see `tapewire markets`)")


@pytest.mark.parametrize(
    ("subscription", "message"),
    [
        (Subscription("tick", "KRW-BTC"), f"kind is 'tick'; it must be {KINDS}"),
        (Subscription("", "KRW-BTC"), f"kind is ''; it must be {KINDS}"),
        (Subscription("candle.1m", "KRW-BTC"), "kind is 'candle.1m'; it must be \"candle\" with unit='1m'"),
        (Subscription("orderbook", "KRW-BTC", depth=7), "depth is 7; it must be 1, 5, 15 or 30 (or left out for 30)"),
        (Subscription("orderbook", "KRW-BTC", depth=True),
         "depth is True; it must be 1, 5, 15 or 30 (or left out for 30)"),
        (Subscription("ticker", "KRW-BTC", depth=5),
         "depth is 5; it must be left out for ticker: only order books have a depth"),
        (Subscription("orderbook", "KRW-BTC", level=-1),
         "level is -1; it must be a price unit of 0 (no grouping) or more"),
        (Subscription("orderbook", "KRW-BTC", level=float("inf")),
         "level is inf; it must be a price unit of 0 (no grouping) or more"),
        (Subscription("orderbook", "KRW-BTC", level="10"),  # type: ignore[arg-type]
         "level is '10'; it must be a price unit of 0 (no grouping) or more"),
        (Subscription("trade", "KRW-BTC", level=10),
         "level is 10; it must be left out for trade: only order books are grouped"),
        (Subscription("orderbook", "BTC-ETH", level=10),
         "level is 10; it must be 0 for BTC-ETH: only the KRW markets of upbit can be grouped"),
        (Subscription("orderbook", "KRW-BTC", level=10),
         "level is 10; it must be 0, 10000 or 100000 for KRW-BTC"),
        (Subscription("candle", "KRW-BTC"), f"unit is None; it must be {UNITS}"),
        (Subscription("candle", "KRW-BTC", unit="2m"), f"unit is '2m'; it must be {UNITS}"),
        (Subscription("ticker", "KRW-BTC", unit="1m"),
         "unit is '1m'; it must be left out for ticker: only candles and indicators have a unit"),
    ],
    ids=repr,
)  # fmt: skip
def test_an_impossible_option_is_refused_by_name(subscription: Subscription, message: str) -> None:
    assert str(refusal(subscription, markets=MARKETS)) == message


def test_other_regions_know_no_levels_and_name_their_own_quotes() -> None:
    assert str(refusal(Subscription("orderbook", "SGD-BTC", level=10), SINGAPORE)) == (
        "level is 10; it must be 0 for SGD-BTC: only the KRW markets of upbit can be grouped"
    )
    assert str(refusal(Subscription("ticker", "KRW-BTC"), THAILAND)) == (
        "symbol is 'KRW-BTC'; it must be a code of upbit-th, which begins with THB, USDT or BTC "
        "(KRW markets are on upbit)"
    )


def test_split_gives_quote_and_base() -> None:
    assert split("KRW-BTC") == ("KRW", "BTC")
    with pytest.raises(ValueError, match="'KRWBTC' is not QUOTE-BASE"):
        split("KRWBTC")
