"""The simulator's encoder: the codec's mirror, in the wire's own forms."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.config import Format
from tapewire.model.events import CandleEvent, Event, OrderbookEvent, OrderbookUnit, TickerEvent, TradeEvent
from tapewire.venues.registry import get_venue
from tapewire.venues.upbit.profile import CANDLE_UNITS
from tapewire.venues.upbit.sim_frames import cut, encode, join

_DATA = Path(__file__).parents[2] / "data" / "upbit"
_FORMATS: tuple[Format, ...] = ("DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST")

numbers = st.one_of(
    st.none(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(10**12), 10**12).map(float),
    st.integers(-(10**15), 10**15).map(lambda units: units / 1e8),
)
sizes = st.floats(0, 1e12)
longs = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))
texts = st.one_of(st.none(), st.text(max_size=12))
common = {
    "venue": st.just("upbit"),
    "symbol": st.text(min_size=1, max_size=12),
    "stream_type": st.sampled_from(["SNAPSHOT", "REALTIME", None]),
    "timestamp": longs,
}


def named(*names: str, of: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    return dict.fromkeys(names, of)


tickers = st.builds(
    TickerEvent,
    **common,
    **named(
        "trade_price", "trade_volume", "opening_price", "high_price", "low_price", "prev_closing_price", "change_price",
        "signed_change_price", "change_rate", "signed_change_rate", "acc_trade_volume", "acc_trade_volume_24h",
        "acc_trade_price", "acc_trade_price_24h", "acc_ask_volume", "acc_bid_volume", "highest_52_week_price",
        "lowest_52_week_price", of=numbers,
    ),
    **named(
        "change", "ask_bid", "trade_date", "trade_time", "highest_52_week_date", "lowest_52_week_date", "market_state",
        "market_warning", of=texts,
    ),
    trade_timestamp=longs,
    is_trading_suspended=st.sampled_from([None, True, False]),
    delisting_date=st.sampled_from([None, "2026-09-01", {"year": 2026, "month": 9, "day": 1}]),
)  # fmt: skip
trades = st.builds(
    TradeEvent,
    **common,
    **named(
        "trade_price", "trade_volume", "prev_closing_price", "change_price", "best_ask_price", "best_ask_size",
        "best_bid_price", "best_bid_size", of=numbers,
    ),
    **named("ask_bid", "trade_date", "trade_time", "change", of=texts),
    **named("sequential_id", "trade_timestamp", of=longs),
)  # fmt: skip
books = st.builds(
    OrderbookEvent,
    **common,
    **named("total_ask_size", "total_bid_size", "level", of=numbers),
    orderbook_units=st.lists(st.builds(OrderbookUnit, sizes, sizes, sizes, sizes), max_size=4),
)
candles = st.builds(
    CandleEvent,
    **common,
    **named(
        "opening_price", "high_price", "low_price", "trade_price", "candle_acc_trade_volume", "candle_acc_trade_price",
        of=numbers,
    ),
    **named("candle_date_time_utc", "candle_date_time_kst", of=texts),
    unit=st.sampled_from(CANDLE_UNITS),
)  # fmt: skip


@pytest.mark.parametrize("form", _FORMATS)
@given(event=st.one_of(tickers, trades, books, candles))
def test_encode_then_decode_is_the_identity(form: Format, event: Event) -> None:
    payload = encode(event, form)
    assert get_venue("upbit").codec(form, "float", False).read(payload).events == (event,)


@pytest.mark.parametrize("form", _FORMATS)
@given(event=st.one_of(tickers, trades, books, candles))
def test_the_short_road_reads_it_too(form: Format, event: Event) -> None:
    codec = get_venue("upbit").codec(form, "float", False)
    decoded = codec.decode(encode(event, form))
    decoded.__class__ = codec.classes[decoded.__class__][0]
    assert decoded == event


def test_the_stream_type_given_takes_the_place_of_the_events_own() -> None:
    event = TradeEvent(venue="upbit", symbol="KRW-BTC", stream_type="REALTIME")
    assert encode(event, "SIMPLE", "SNAPSHOT") == b'{"ty":"trade","cd":"KRW-BTC","st":"SNAPSHOT"}'
    assert event.stream_type == "REALTIME"


def kind(value: Any) -> Any:
    """JSON type of a value; of arrays and objects that of what is in them."""
    if isinstance(value, dict):
        return {key: kind(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return kind(value[0])
    if isinstance(value, bool):
        return "true or false"
    return "number" if isinstance(value, (int, float)) else type(value).__name__


def recorded(name: str) -> list[bytes]:
    return (_DATA / name).read_bytes().splitlines()


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("all_simple_cryptofeed-2021-04-17.jsonl", "SIMPLE"),
        ("mixed_default_ccxt-2026-08-13.jsonl", "DEFAULT"),
        ("candle1m_default_maxt-2026-07-30.jsonl", "DEFAULT"),
    ],
)
def test_recorded_frames_come_out_with_the_same_fields_types_and_values(name: str, form: Format) -> None:
    codec = get_venue("upbit").codec(form, "float", False)
    for line in recorded(name):
        [event] = codec.read(line).events
        ours, theirs = json.loads(encode(event, form)), json.loads(line)
        if isinstance(theirs.get("sequential_id"), str):  # re-serialised by those who published it
            theirs["sequential_id"] = int(theirs["sequential_id"])
        assert ours == theirs
        assert kind(ours) == kind(theirs)


def test_candles_have_eight_decimals_as_recorded_to_the_letter() -> None:
    codec = get_venue("upbit").codec("DEFAULT", "float", False)
    for line in recorded("candle1m_default_maxt-2026-07-30.jsonl"):
        [event] = codec.read(line).events
        assert encode(event) == line


def text_of(payload: bytes, key: str) -> str:
    found = re.search(rf'"{key}":([^,}}\]]+)', payload.decode())
    assert found is not None
    return found[1]


def test_numbers_take_the_forms_of_the_wire() -> None:
    unit = OrderbookUnit(91_370_000, 0.00000113, 0.0070459, 3.0)
    book = OrderbookEvent(venue="upbit", symbol="KRW-BTC", orderbook_units=[unit], level=10_000.0, total_ask_size=3.0)
    frame = encode(book)
    assert text_of(frame, "ask_price") == "91370000"
    assert text_of(frame, "bid_price") in ("1.13e-6", "1.13e-06", "0.00000113")
    assert text_of(frame, "bid_size") == text_of(frame, "total_ask_size") == "3.0"
    assert text_of(frame, "level") == "10000"
    trade = TradeEvent(
        venue="upbit", symbol="X", trade_price=91_361_000.0, best_ask_price=91_370_000.0, change_price=6e-8
    )
    assert text_of(encode(trade), "trade_price") == "91361000.0"
    assert text_of(encode(trade), "best_ask_price") == "91370000"
    assert re.fullmatch(r"6e-0?8", text_of(encode(trade), "change_price"))
    candle = CandleEvent(venue="upbit", symbol="X", unit="1m", high_price=91_154_000.0, low_price=math.pi)
    assert text_of(encode(candle), "high_price") == "91154000.00000000"
    assert text_of(encode(candle), "low_price") == repr(math.pi), "never at the price of exactness"


BOOK = OrderbookEvent(
    venue="upbit", symbol="KRW-BTC", timestamp=1, level=0.0, total_ask_size=6.0, total_bid_size=60.0,
    orderbook_units=[OrderbookUnit(float(n), 100.0 - n, float(n), n * 10.0) for n in (1, 2, 3)],
)  # fmt: skip


def test_a_shallower_book_has_the_totals_of_its_levels_or_of_all() -> None:
    one = cut(BOOK, 1, sum_all=False)
    assert (len(one.orderbook_units), one.total_ask_size, one.total_bid_size) == (1, 1.0, 10.0)
    two = cut(BOOK, 2, sum_all=True)
    assert (len(two.orderbook_units), two.total_ask_size, two.total_bid_size) == (2, 6.0, 60.0)
    assert cut(BOOK, 30, sum_all=False) is BOOK


def test_list_frames_are_joined_up_to_a_size() -> None:
    frames = [b"[1]", b"[2]", b"[3]"]
    assert join(frames, 1) == frames
    assert join(frames, 2) == [b"[1,2]", b"[3]"]
