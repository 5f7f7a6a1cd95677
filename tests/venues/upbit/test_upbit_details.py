"""What private and info streams may be asked with; the tables are written out here once more."""

from __future__ import annotations

from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.errors import SubscriptionError, UnknownSymbol
from tapewire.model.market import Market
from tapewire.model.subscription import Subscription, as_detail
from tapewire.venues.contract import Venue
from tapewire.venues.upbit import INDONESIA, KOREA, SINGAPORE, THAILAND

MARKETS = {"KRW-BTC": Market("KRW-BTC", "BTC", "KRW"), "BTC-ETH": Market("BTC-ETH", "ETH", "BTC")}
AVERAGES: list[dict[str, Any]] = [{"type": word} for word in ("SMA", "EMA")]
CROSSOVERS: list[dict[str, Any]] = [
    {"short_period": a, "long_period": b} for a, b in ((5, 20), (20, 60), (30, 90), (50, 200))
]
MACDS: list[dict[str, Any]] = [
    {"fast": a, "slow": b, "signal_period": c} for a, b, c in ((12, 26, 9), (8, 17, 9), (5, 35, 5))
]


def periods(*values: int) -> list[dict[str, Any]]:
    return [{"period": value} for value in values]


def joined(*parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for part in parts for name, value in part.items()} for parts in product(*parts)]


#: Written out from spec/upbit.md 4.8 and 4.9, once more than in the product.
INDICATORS = {
    "volume": periods(5, 10, 15, 20, 25, 30, 35, 40, 45, 50),
    "rsi": periods(2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 21, 25),
    "moving_average": joined(AVERAGES, periods(3, 5, 7, 10, 15, 20, 25, 30, 50, 60, 90, 99, 100, 120, 200)),
    "ma_crossover": joined(AVERAGES, CROSSOVERS),
    "bollinger_bands": joined(periods(10, 20, 50), [{"multiplier": value} for value in (1.0, 1.5, 2.0, 2.5, 3.0)]),
    "macd": MACDS,
}
_BANDS = joined(periods(20), [{"multiplier": value} for value in (1.5, 2.0, 2.5)])
_AVERAGE = joined(AVERAGES, periods(5, 10, 20, 30, 60, 90, 120, 200))
NO_OWN: list[dict[str, Any]] = [{}]
SIGNALS: list[tuple[str, str, list[dict[str, Any]], list[dict[str, Any]]]] = [
    ("volume_spike", "volume", periods(10, 20, 50), [{"multiplier": value} for value in (2.0, 3.0, 5.0)]),
    ("overbought", "rsi", periods(7, 9, 14, 21, 25), [{"threshold": 70}, {"threshold": 80}]),
    ("oversold", "rsi", periods(7, 9, 14, 21, 25), [{"threshold": 20}, {"threshold": 30}]),
    ("price_cross_above", "moving_average", _AVERAGE, NO_OWN),
    ("price_cross_below", "moving_average", _AVERAGE, NO_OWN),
    ("price_cross_above", "bollinger_bands", _BANDS, NO_OWN),
    ("price_cross_below", "bollinger_bands", _BANDS, NO_OWN),
    ("golden_cross", "ma_crossover", joined(AVERAGES, CROSSOVERS), NO_OWN),
    ("dead_cross", "ma_crossover", joined(AVERAGES, CROSSOVERS), NO_OWN),
    ("golden_cross", "macd", MACDS, NO_OWN),
    ("dead_cross", "macd", MACDS, NO_OWN),
    ("zero_cross_above", "macd", MACDS, NO_OWN),
    ("zero_cross_below", "macd", MACDS, NO_OWN),
]
ALL_VALUES = [{"type": word, "params": params} for word, sets in INDICATORS.items() for params in sets]
ALL_SIGNALS = [
    {"type": word, "params": params, "trigger": trigger} | ({"event_params": own} if own else {})
    for trigger, word, sets, owns in SIGNALS
    for params in sets
    for own in owns
]


def stream(said: dict[str, Any], symbol: str = "KRW-BTC", unit: Any = "5m") -> Subscription:
    kind = "indicator_signal" if "trigger" in said else "indicator"
    return Subscription(kind, symbol, unit=unit, detail=as_detail(said))


def refusal(subscription: Subscription, venue: Venue = KOREA, markets: Any = None) -> SubscriptionError:
    with pytest.raises(SubscriptionError) as caught:
        venue.check(subscription, markets)
    return caught.value


def test_every_indicator_and_signal_that_there_is_can_be_asked_for() -> None:
    assert (len(ALL_VALUES), len(ALL_SIGNALS)) == (81, 95)
    for said in ALL_VALUES + ALL_SIGNALS:
        for unit in ("5m", "15m", "60m", "240m", "1d"):
            KOREA.check(stream(said, unit=unit), MARKETS)


NUMBERS: st.SearchStrategy[Any] = st.sampled_from(
    [2, 5, 7, 9, 10, 12, 14, 20, 26, 30, 1.0, 1.5, 3.5, "14", "SMA", "WMA", True, None, [5], {}]
)
NAMES = st.sampled_from(
    ["period", "type", "short_period", "long_period", "multiplier", "fast", "slow", "signal_period", "threshold"]
)


@given(
    st.sampled_from([*INDICATORS, "vwap"]),
    st.dictionaries(NAMES, NUMBERS, max_size=3),
    st.none() | st.sampled_from([row[0] for row in SIGNALS] + ["moon"]),
    st.none() | st.dictionaries(NAMES, NUMBERS, max_size=2),
)
def test_whatever_else_is_asked_is_refused(
    word: str, params: dict[str, Any], trigger: str | None, own: dict[str, Any] | None
) -> None:
    said: dict[str, Any] = {"type": word, "params": params}
    said |= {"trigger": trigger} if trigger else {}
    said |= {"event_params": own} if own else {}
    known = {as_detail(one) for one in (ALL_SIGNALS if trigger else ALL_VALUES)}
    if as_detail(said) in known:
        KOREA.check(stream(said), None)
    else:
        assert refusal(stream(said)).field.startswith("indicators")


RSI = {"type": "rsi", "params": {"period": 14}}
OVER = RSI | {"trigger": "overbought", "event_params": {"threshold": 70}}
MACD = {"type": "macd", "params": {"fast": 12, "slow": 26, "signal_period": 9}}
EXAMPLE = 'an object as JSON, such as {"params":{"period":14},"type":"rsi"}'
CANDLE_TIMES = "5m, 15m, 60m, 240m or 1d"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (RSI | {"type": "RSI"},
         "indicators.type is 'RSI'; it must be volume, rsi, moving_average, ma_crossover, bollinger_bands or macd"),
        (RSI | {"type": ["rsi"]},
         "indicators.type is ['rsi']; it must be volume, rsi, moving_average, ma_crossover, bollinger_bands or macd"),
        ({"type": "rsi"}, "indicators is {'type': 'rsi'}; it must be an object with type, params"),
        (RSI | {"event_params": {"threshold": 70}},
         ("indicators is {'event_params': {'threshold': 70}, 'params': {'period': 14}, 'type': 'rsi'}; "
         "it must be an object with type, params")),
        (RSI | {"params": 14}, "indicators.params is 14; it must be an object for rsi"),
        (RSI | {"params": {}}, "indicators.params is {}; it must be an object with period"),
        (RSI | {"params": {"length": 14}}, "indicators.params is {'length': 14}; it must be an object with period"),
        (RSI | {"params": {"period": 15}},
         "indicators.params.period is 15; it must be 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 21 or 25 for rsi"),
        (RSI | {"params": {"period": "14"}},
         "indicators.params.period is '14'; it must be 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 21 or 25 for rsi"),
        ({"type": "bollinger_bands", "params": {"period": 20, "multiplier": True}},
         "indicators.params.multiplier is True; it must be 1, 1.5, 2, 2.5 or 3 for bollinger_bands"),
        (MACD | {"params": {"fast": 12, "slow": 26, "signal_period": 8}},
         ("indicators.params.fast/slow/signal_period is (12, 26, 8); "
         "it must be 12/26/9, 8/17/9 or 5/35/5 for macd")),
        ({"type": "moving_average", "params": {"type": "WMA", "period": 5}},
         "indicators.params.type is 'WMA'; it must be SMA or EMA for moving_average"),
        (OVER | {"trigger": "golden_cross"},
         "indicators.trigger is 'golden_cross'; it must be overbought or oversold for rsi"),
        (OVER | {"trigger": 7}, "indicators.trigger is 7; it must be overbought or oversold for rsi"),
        (OVER | {"event_params": {"threshold": 30}},
         "indicators.event_params.threshold is 30; it must be 70 or 80 for rsi overbought"),
        (RSI | {"trigger": "oversold"},
         "indicators.event_params is {}; it must be an object with threshold"),
        (OVER | {"params": {"period": 8}},
         "indicators.params.period is 8; it must be 7, 9, 14, 21 or 25 for rsi overbought"),
        (OVER | {"event_params": [70]}, "indicators.event_params is [70]; it must be an object for rsi overbought"),
        (MACD | {"trigger": "dead_cross", "event_params": {"threshold": 70}},
         "indicators.event_params is {'threshold': 70}; it must be left out"),
        (OVER | {"note": 1},
         ("indicators is {'event_params': {'threshold': 70}, 'note': 1, 'params': {'period': 14}, 'trigger': "
         "'overbought', 'type': 'rsi'}; it must be an object with type, params, trigger and maybe event_params")),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_the_refusal_names_what_came_and_what_would_be_right(said: dict[str, Any], message: str) -> None:
    assert str(refusal(stream(said), markets=MARKETS)) == message


CATEGORIES = (
    "notice, trade, wallet, maintenance, digital_asset, nft, service, event, note, trading, airdrop, feature or "
    "disclosure"
)


@pytest.mark.parametrize(
    ("subscription", "message"),
    [
        (stream(RSI, unit="1m"), f"timeframe is '1m'; it must be {CANDLE_TIMES}"),
        (stream(OVER, unit=None), f"timeframe is None; it must be {CANDLE_TIMES}"),
        (stream(RSI, "BTC-ETH"), "symbol is 'BTC-ETH'; it must be a KRW market: others have no indicators"),
        (Subscription("indicator", "KRW-BTC", unit="5m"),
         f"detail is ''; it must be {EXAMPLE}"),
        (Subscription("indicator", "KRW-BTC", unit="5m", detail="[]"),
         f"detail is '[]'; it must be {EXAMPLE}"),
        (Subscription("indicator", "KRW-BTC", unit="5m", detail=RSI),  # type: ignore[arg-type]
         f"detail is {RSI!r}; it must be {EXAMPLE}"),
        (Subscription("indicator", "KRW-BTC", unit="5m", detail='{"type":"rsi","params":{"period":14.0}}'),
         ("detail is '{\"type\":\"rsi\",\"params\":{\"period\":14.0}}'; it must be "
         '{"params":{"period":14},"type":"rsi"} (see tapewire.model.subscription.as_detail)')),
        (Subscription("ticker", "KRW-BTC", detail="x"),
         "detail is 'x'; it must be \"\" for ticker: only announcements and indicators have one"),
        (Subscription("myOrder", "", detail="{}"),
         "detail is '{}'; it must be \"\" for myOrder: only announcements and indicators have one"),
        (Subscription("myOrder", "", unit="5m"),
         "unit is '5m'; it must be left out for myOrder: only candles and indicators have a unit"),
        (Subscription("myOrder", "KRW-BTC", depth=5),
         "depth is 5; it must be left out for myOrder: only order books have a depth"),
        (Subscription("myOrder", "krw-btc"),
         "symbol is 'krw-btc'; it must be the code in upper case, quote first: \"KRW-BTC\""),
        (Subscription("myAsset", "KRW-BTC"), "symbol is 'KRW-BTC'; it must be \"\": myAsset belongs to no market"),
        (Subscription("announcement", "KRW"), "symbol is 'KRW'; it must be \"\": announcement belongs to no market"),
        (Subscription("announcement", "", detail='{"categories":["moon"]}'),
         f"categories is ['moon']; it must be a list of {CATEGORIES} (or left out for all)"),
        (Subscription("announcement", "", detail='{"categories":[]}'),
         f"categories is []; it must be a list of {CATEGORIES} (or left out for all)"),
        (Subscription("announcement", "", detail='{"categories":"notice"}'),
         f"categories is 'notice'; it must be a list of {CATEGORIES} (or left out for all)"),
        (Subscription("announcement", "", detail='{"categories":[1]}'),
         f"categories is [1]; it must be a list of {CATEGORIES} (or left out for all)"),
        (Subscription("announcement", "", detail='{"categories":["notice","event","notice"]}'),
         ("detail is '{\"categories\":[\"notice\",\"event\",\"notice\"]}'; it must be "
         '{"categories":["event","notice"]} (see tapewire.model.subscription.as_detail)')),
        (Subscription("announcement", "", detail='{"include_body":false}'),
         "include_body is False; it must be true, or left out for notices without text"),
        (Subscription("announcement", "", detail='{"body":true}'),
         "announcement is {'body': True}; it must be an object with nothing but categories, include_body"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_streams_are_asked_with_what_they_have_and_nothing_else(subscription: Subscription, message: str) -> None:
    assert str(refusal(subscription, markets=MARKETS)) == message


def test_an_order_stream_of_a_market_needs_a_listed_one() -> None:
    KOREA.check(Subscription("myOrder", "KRW-BTC"), MARKETS)
    KOREA.check(Subscription("myOrder", "BTC-ETH"), MARKETS)
    assert isinstance(refusal(Subscription("myOrder", "KRW-ETH"), markets=MARKETS), UnknownSymbol)
    assert isinstance(refusal(stream(RSI, "KRW-ETH"), markets=MARKETS), UnknownSymbol)


@pytest.mark.parametrize("venue", [KOREA, SINGAPORE, INDONESIA, THAILAND], ids=lambda venue: venue.name)
def test_every_region_has_the_private_streams(venue: Venue) -> None:
    for kind in ("myOrder", "myAsset", "announcement"):
        venue.check(Subscription(kind, ""), None)
        venue.check(Subscription(kind, ""), {})
    every = sorted(CATEGORIES.replace(" or ", ", ").split(", "))
    for choice in ({"categories": ["notice"]}, {"include_body": True}, {"categories": every, "include_body": True}):
        venue.check(Subscription("announcement", "", detail=as_detail(choice)), None)


@pytest.mark.parametrize("venue", [SINGAPORE, INDONESIA, THAILAND], ids=lambda venue: venue.name)
def test_indicators_are_koreas_alone(venue: Venue) -> None:
    known = "ticker, trade, orderbook, candle, myOrder, myAsset or announcement"
    for said in (RSI, OVER):
        one = stream(said)
        assert str(refusal(one, venue)) == f"kind is {one.kind!r}; it must be {known} ({one.kind} is on upbit)"


def test_a_detail_is_read_as_it_was_written() -> None:
    for said in (RSI, OVER, MACD):
        assert msgspec.json.decode(stream(said).detail) == said
