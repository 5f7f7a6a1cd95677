"""Names at a broker: one for each stream, reversible, fit for every broker."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tapewire.errors import ConfigError
from tapewire.model.events import CandleEvent, IndicatorEvent, MyAssetEvent, OrderbookEvent, TradeEvent
from tapewire.model.status import Stopped
from tapewire.sinks.brokers.subjects import Place, check_prefix, parse_subject, place_of, subject, token, topic

_TEXT = st.text(max_size=20) | st.text("KRW-BTC_.%*> \t\r\n/한", max_size=12)
_WORD = st.text("abcdefghijklmnopqrstuvwxyzABC_0123456789", min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (Place("upbit", "trade", "KRW-BTC"), "md.upbit.kr.trade.KRW-BTC"),
        (Place("upbit-sg", "orderbook", "SGD-BTC"), "md.upbit.sg.orderbook.SGD-BTC"),
        (Place("upbit", "candle.1s", "KRW-BTC"), "md.upbit.kr.candle-1s.KRW-BTC"),
        (Place("upbit", "orderbook.0.1", "KRW-XRP"), "md.upbit.kr.orderbook-0%2E1.KRW-XRP"),
        (Place("okx", "ticker", "BTC-USD_UM-SWAP"), "md.okx.global.ticker.BTC-USD_UM-SWAP"),
        (Place("okx-eea-demo", "trade", "BTC-EUR"), "md.okx.eea-demo.trade.BTC-EUR"),
        (Place("upbit", "myAsset", ""), "md.upbit.kr.myAsset._"),
        (Place("upbit", "feed", "gap"), "md.upbit.kr.feed.gap"),
        (Place("upbit", "trade", "_"), "md.upbit.kr.trade.%5F"),
        (Place("upbit", "trade", "A.B > *"), "md.upbit.kr.trade.A%2EB%20%3E%20%2A"),
        (Place("upbit", "trade", "한"), "md.upbit.kr.trade.%ED%95%9C"),
    ],
)
def test_a_place_has_this_name_and_comes_back(place: Place, name: str) -> None:
    assert subject(place) == name
    assert parse_subject(name) == place


@given(_WORD, _WORD, st.none() | _WORD, _TEXT)
def test_every_place_comes_back_from_its_name(exchange: str, kind: str, unit: str | None, symbol: str) -> None:
    place = Place(exchange, f"{kind}.{unit}" if unit else kind, symbol)
    name = subject(place, "prod.md")
    assert parse_subject(name, "prod.md") == place
    assert re.fullmatch(r"prod\.md(\.[A-Za-z0-9_%-]+){4}", name)


@given(st.tuples(_WORD, _WORD, _TEXT), st.tuples(_WORD, _WORD, _TEXT))
def test_no_two_places_have_one_name(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    assume(one != other)
    assert subject(Place(*one)) != subject(Place(*other))
    assert token(one[2]) != token(other[2]) or one[2] == other[2]


@pytest.mark.parametrize(
    "name",
    [
        "md.upbit.kr.trade", "md.upbit.kr.trade.KRW-BTC.x", "xx.upbit.kr.trade.KRW-BTC", "md.upbit.kr.trade.%FF",
        "md.upbit.kr.trade.%4B", "md.upbit.kr.trade.", "md.upbit..trade.KRW-BTC", "",
    ],
)  # fmt: skip
def test_any_other_name_is_none_of_ours(name: str) -> None:
    assert parse_subject(name) is None


def test_where_events_belong() -> None:
    assert place_of(TradeEvent(venue="upbit", symbol="KRW-BTC")) == ("upbit", "trade", "KRW-BTC")
    assert place_of(CandleEvent(venue="upbit", symbol="KRW-BTC", unit="1m")) == ("upbit", "candle.1m", "KRW-BTC")
    assert place_of(OrderbookEvent(venue="upbit", symbol="KRW-BTC", level=0.0)) == ("upbit", "orderbook", "KRW-BTC")
    grouped = OrderbookEvent(venue="upbit", symbol="KRW-BTC", level=10000.0)
    assert place_of(grouped) == ("upbit", "orderbook.10000", "KRW-BTC")
    assert place_of(MyAssetEvent(venue="upbit")) == ("upbit", "myAsset", "")
    indicator = IndicatorEvent(venue="upbit", symbol="KRW-BTC", timeframe="5m", indicator="rsi")
    assert place_of(indicator) == ("upbit", "indicator.5m", "KRW-BTC")
    assert place_of(Stopped(venue="okx", connection="okx-1", at_ns=1, reason="x")) == ("okx", "feed", "stopped")


def test_a_topic_has_no_symbol() -> None:
    assert topic(Place("upbit", "candle.1s", "KRW-BTC"), "prod") == "prod.upbit.kr.candle-1s"


@pytest.mark.parametrize("prefix", ["", "a b", "md.", ".md", "md.>", "한", "x" * 101])
def test_a_prefix_that_is_none_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigError, match="prefix is"):
        check_prefix(prefix)


@pytest.mark.parametrize("prefix", ["md", "prod.md", "A-1_b"])
def test_a_prefix_is_taken(prefix: str) -> None:
    assert check_prefix(prefix) == prefix
