"""Every field of every recorded frame, of the specification's examples and of made-up events, in all forms."""

from __future__ import annotations

import copy
import pickle
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.config import Format, Numbers
from tapewire.model.events import CandleEvent, Event, OrderbookEvent, OrderbookUnit, TickerEvent, TradeEvent
from tapewire.venues.contract import Codec, Venue
from tapewire.venues.upbit import INDONESIA, KOREA, SINGAPORE, THAILAND
from tests.venues.upbit.wire import SIMPLE, expected, frame_of, long_road, recorded, renamed, short_road

VENUES = (KOREA, SINGAPORE, INDONESIA, THAILAND)
TICKER = b'{"type":"ticker","code":"KRW-BTC","opening_price":109165000.0,"high_price":110117000.0,"low_price":108958000.0,"trade_price":109868000.0,"prev_closing_price":109165000.0,"acc_trade_price":59726546304.62442,"change":"RISE","change_price":703000.0,"signed_change_price":703000.0,"change_rate":0.006439793,"signed_change_rate":0.006439793,"ask_bid":"BID","trade_volume":9.101e-05,"acc_trade_volume":544.24861805,"trade_date":"20260826","trade_time":"072400","trade_timestamp":1787729040682,"acc_ask_volume":271.9810004,"acc_bid_volume":272.26761765,"highest_52_week_price":179869000.0,"highest_52_week_date":"2025-10-09","lowest_52_week_price":88342000.0,"lowest_52_week_date":"2026-08-14","market_state":"ACTIVE","is_trading_suspended":false,"delisting_date":null,"market_warning":"NONE","timestamp":1787729042606,"acc_trade_price_24h":198189163442.74924,"acc_trade_volume_24h":1807.38027625,"stream_type":"SNAPSHOT"}'  # noqa: E501
TICKER_SIMPLE = b'{"ty":"ticker","cd":"KRW-BTC","op":109165000.0,"hp":110117000.0,"lp":108958000.0,"tp":109868000.0,"pcp":109165000.0,"atp":59726546304.62442,"c":"RISE","cp":703000.0,"scp":703000.0,"cr":0.006439793,"scr":0.006439793,"ab":"BID","tv":9.101e-05,"atv":544.24861805,"tdt":"20260826","ttm":"072400","ttms":1787729040682,"aav":271.9810004,"abv":272.26761765,"h52wp":179869000.0,"h52wdt":"2025-10-09","l52wp":88342000.0,"l52wdt":"2026-08-14","ms":"ACTIVE","its":false,"dd":null,"mw":"NONE","tms":1787729042606,"atp24h":198189163442.74924,"atv24h":1807.38027625,"st":"SNAPSHOT"}'  # noqa: E501
TRADE = b'{"type":"trade","code":"KRW-BTC","timestamp":1785395043831,"trade_date":"2026-07-30","trade_time":"07:04:03","trade_timestamp":1785395043779,"trade_price":91361000.0,"trade_volume":0.01275549,"ask_bid":"ASK","prev_closing_price":91424000.0,"change":"FALL","change_price":63000.0,"sequential_id":17853950437790001,"best_ask_price":91370000,"best_ask_size":0.0070459,"best_bid_price":91361000,"best_bid_size":0.00196362,"stream_type":"REALTIME"}'  # noqa: E501
TRADE_SIMPLE = b'{"ty":"trade","cd":"KRW-BTC","tms":1785395043831,"td":"2026-07-30","ttm":"07:04:03","ttms":1785395043779,"tp":91361000.0,"tv":0.01275549,"ab":"ASK","pcp":91424000.0,"c":"FALL","cp":63000.0,"sid":17853950437790001,"bap":91370000,"bas":0.0070459,"bbp":91361000,"bbs":0.00196362,"st":"REALTIME"}'  # noqa: E501
BOOK = b'{"type":"orderbook","code":"KRW-BTC","timestamp":1787727947526,"total_ask_size":18.93431797,"total_bid_size":11.48721726,"orderbook_units":[{"ask_price":109950000.0,"bid_price":109880000.0,"ask_size":0.00342134,"bid_size":0.18819864}],"stream_type":"SNAPSHOT","level":10000}'  # noqa: E501
BOOK_SIMPLE = b'{"ty":"orderbook","cd":"KRW-BTC","tms":1787727947526,"tas":18.93431797,"tbs":11.48721726,"obu":[{"ap":109950000.0,"bp":109880000.0,"as":0.00342134,"bs":0.18819864}],"st":"SNAPSHOT","lv":10000}'  # noqa: E501
CANDLE = b'{"type":"candle.1m","code":"KRW-BTC","candle_date_time_utc":"2026-07-30T07:45:00","candle_date_time_kst":"2026-07-30T16:45:00","opening_price":91154000.00000000,"high_price":91157000.00000000,"low_price":91142000.00000000,"trade_price":91157000.00000000,"candle_acc_trade_volume":0.15511395,"candle_acc_trade_price":14139448.26754000,"timestamp":1785397531885,"stream_type":"SNAPSHOT"}'  # noqa: E501
CANDLE_SIMPLE = b'{"ty":"candle.1m","cd":"KRW-BTC","cdttmu":"2026-07-30T07:45:00","cdttmk":"2026-07-30T16:45:00","op":91154000.00000000,"hp":91157000.00000000,"lp":91142000.00000000,"tp":91157000.00000000,"catv":0.15511395,"catp":14139448.26754000,"tms":1785397531885,"st":"SNAPSHOT"}'  # noqa: E501
EXPONENT = b'{"ty":"trade","cd":"BTC-ITAM","tms":1618678272375,"td":"2021-04-17","ttm":"16:51:12","ttms":1618678272000,"tp":0.00000113,"tv":3416.89061628,"ab":"ASK","pcp":0.00000119,"c":"FALL","cp":6E-8,"sid":16186782720000000,"st":"REALTIME"}'  # noqa: E501
PAIRS = [(TICKER, TICKER_SIMPLE), (TRADE, TRADE_SIMPLE), (BOOK, BOOK_SIMPLE), (CANDLE, CANDLE_SIMPLE)]


def codec(frame: bytes, numbers: Numbers = "float", venue: Venue = KOREA) -> Codec:
    return venue.codec("SIMPLE" if b'"ty":' in frame else "DEFAULT", numbers, False)


@pytest.mark.parametrize("numbers", ["float", "decimal"])
@pytest.mark.parametrize("venue", VENUES, ids=lambda venue: venue.name)
def test_every_field_of_every_recorded_frame_is_in_the_event(venue: Venue, numbers: Numbers) -> None:
    frames = recorded()
    assert len(frames) == 461
    for frame in frames:
        event = long_road(codec(frame, numbers, venue), frame)
        wanted = expected(frame, venue.name, numbers)
        # repr as well: Decimal("1.0") equals 1.0, but is another number on the wire
        assert (event, repr(event)) == (wanted, repr(wanted))


@pytest.mark.parametrize("numbers", ["float", "decimal"])
def test_the_short_road_gives_the_very_same_events(numbers: Numbers) -> None:
    for frame in recorded():
        if b'"sequential_id":"' in frame:
            with pytest.raises(ValueError, match="sequential_id"):
                codec(frame, numbers).decode(frame)
        else:
            event = short_road(codec(frame, numbers), frame)
            assert repr(event) == repr(expected(frame, numbers=numbers))


@pytest.mark.parametrize("numbers", ["float", "decimal"])
def test_simple_and_default_of_one_message_are_equal(numbers: Numbers) -> None:
    for frame in recorded():
        other = renamed(frame)
        assert renamed(other) == frame
        assert long_road(codec(frame, numbers), frame) == long_road(codec(other, numbers), other)


@pytest.mark.parametrize("numbers", ["float", "decimal"])
@pytest.mark.parametrize(("default", "simple"), PAIRS, ids=["ticker", "trade", "orderbook", "candle"])
def test_the_examples_of_the_specification_are_equal_in_both_forms(
    default: bytes, simple: bytes, numbers: Numbers
) -> None:
    events = [road(codec(frame, numbers), frame) for road in (short_road, long_road) for frame in (default, simple)]
    assert [repr(event) for event in events] == [repr(expected(default, numbers=numbers))] * 4
    assert events[0] == events[1] == events[2] == events[3]


def test_one_event_in_full() -> None:
    assert short_road(codec(TRADE), TRADE) == TradeEvent(
        venue="upbit", symbol="KRW-BTC", stream_type="REALTIME", timestamp=1785395043831, received_ns=0, raw=None,
        trade_price=91361000.0, trade_volume=0.01275549, ask_bid="ASK", sequential_id=17853950437790001,
        trade_timestamp=1785395043779, trade_date="2026-07-30", trade_time="07:04:03", prev_closing_price=91424000.0,
        change="FALL", change_price=63000.0, best_ask_price=91370000.0, best_ask_size=0.0070459,
        best_bid_price=91361000.0, best_bid_size=0.00196362,
    )  # fmt: skip


def test_an_exponent_is_exact_in_both_number_types() -> None:
    exact, near = (long_road(codec(EXPONENT, numbers), EXPONENT) for numbers in ("decimal", "float"))
    assert isinstance(exact, TradeEvent)
    assert isinstance(near, TradeEvent)
    assert repr(exact.change_price) == repr(Decimal("6E-8"))
    assert repr(near.change_price) == "6e-08"
    assert near.sequential_id == 16186782720000000


@pytest.mark.parametrize("road", [short_road, long_road])
@pytest.mark.parametrize("frame", [BOOK, BOOK_SIMPLE, TICKER_SIMPLE, CANDLE])
def test_events_are_public_through_and_through(road: Any, frame: bytes) -> None:
    for numbers in ("float", "decimal"):
        event = road(codec(frame, numbers), frame)
        assert type(event).__module__ == "tapewire.model.events"
        assert pickle.loads(pickle.dumps(event)) == copy.deepcopy(event) == event  # noqa: S301
        if isinstance(event, OrderbookEvent):
            assert {type(unit) for unit in event.orderbook_units} == {OrderbookUnit}


@pytest.mark.parametrize("format", ["DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST"])
@pytest.mark.parametrize("numbers", ["float", "decimal"])
def test_a_codec_decodes_its_own_format_fast_and_reads_all_the_others(format: Format, numbers: Numbers) -> None:  # noqa: A002
    ours = KOREA.codec(format, numbers, False)
    for pair in PAIRS:
        frames = [form for frame in pair for form in (frame, b"[" + frame + b"]")]
        own = frames[["DEFAULT", "JSON_LIST", "SIMPLE", "SIMPLE_LIST"].index(format)]
        wanted = expected(pair[0], numbers=numbers)
        assert repr(short_road(ours, own)) == repr(wanted)
        assert [repr(long_road(ours, frame)) for frame in frames] == [repr(wanted)] * 4
        for other in set(frames) - {own}:
            with pytest.raises(ValueError):  # noqa: PT011 - msgspec's texts; the driver only asks whether it raises
                ours.decode(other)


def test_classes_tell_what_each_wire_class_becomes() -> None:
    for format in ("DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST"):  # noqa: A001
        rows = [tuple(row) for row in KOREA.codec(format, "float", False).classes.values()]
        assert rows[:3] == [
            (TickerEvent, "ticker", None),
            (TradeEvent, "trade", None),
            (OrderbookEvent, "orderbook", None),
        ]
        assert [row[2] for row in rows[3:]] == ["1s", "1m", "3m", "5m", "10m", "15m", "30m", "60m", "240m"]
        assert {row[:2] for row in rows[3:]} == {(CandleEvent, "candle")}


@pytest.mark.parametrize("unit", ["1s", "1m", "3m", "5m", "10m", "15m", "30m", "60m", "240m"])
def test_a_candle_knows_its_unit(unit: str) -> None:
    for frame in (CANDLE, CANDLE_SIMPLE):
        renumbered = frame.replace(b"candle.1m", f"candle.{unit}".encode())
        for road in (short_road, long_road):
            event = road(codec(frame), renumbered)
            assert isinstance(event, CandleEvent)
            assert event.unit == unit


def test_raw_is_the_frame_when_asked_for_and_received_ns_is_set_by_read() -> None:
    ours = KOREA.codec("DEFAULT", "float", True)
    assert short_road(ours, TRADE).raw == TRADE
    event = long_road(ours, TRADE, 17)
    assert (event.raw, event.received_ns) == (TRADE, 17)
    listed = b"[" + TRADE + b"]"
    assert long_road(ours, listed).raw == TRADE
    assert long_road(KOREA.codec("DEFAULT", "float", False), TRADE).raw is None


_text = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_whole = st.none() | st.integers(-(2**63), 2**63 - 1)
_json = st.recursive(
    st.none() | st.booleans() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5) | st.integers(0, 9999),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["year", "month"]), inner),
    max_leaves=4,
)
_numbers = {
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False).filter(lambda value: abs(value) < Decimal("1e300")),
}


@st.composite
def events(draw: st.DrawFn, numbers: str) -> Event:
    number = _numbers[numbers]
    unit = st.builds(OrderbookUnit, number, number, number, number)
    by_field = {"orderbook_units": st.lists(unit, max_size=4), "delisting_date": _json, "symbol": st.text("KRW-BTC1")}
    public = draw(st.sampled_from([TickerEvent, TradeEvent, OrderbookEvent, CandleEvent]))
    values: dict[str, Any] = {"venue": "upbit"}
    for field, annotation in {**Event.__annotations__, **public.__annotations__}.items():
        if field == "unit":
            values[field] = draw(st.sampled_from(["1s", "60m", "240m"]))
        elif field in by_field:
            values[field] = draw(by_field[field])
        elif field in SIMPLE[str(public.__struct_config__.tag)]:  # other fields are our own, or other venues'
            strategy = {
                "float | None": st.none() | number,
                "int | None": _whole,
                "str | None": _text,
                "bool | None": st.none() | st.booleans(),
            }[annotation]
            values[field] = draw(strategy)
    event: Event = public(**values)
    return event


@pytest.mark.parametrize("numbers", ["float", "decimal"])
@given(data=st.data())
def test_any_event_written_as_a_frame_is_read_as_that_event(numbers: Numbers, data: st.DataObject) -> None:
    event = data.draw(events(numbers))
    for simple in (False, True):
        frame = frame_of(event, simple=simple)
        assert repr(short_road(codec(frame, numbers), frame)) == repr(event)
        assert repr(long_road(codec(frame, numbers), frame)) == repr(event)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_slow_road_rounds_floats_as_the_fast_one_does(value: float) -> None:
    text = repr(value).encode()
    direct = long_road(KOREA.codec("DEFAULT", "float", False), b'{"type":"trade","code":"A","trade_price":%b}' % text)
    as_text = long_road(
        KOREA.codec("DEFAULT", "float", False), b'{"type":"trade","code":"A","trade_price":"%b"}' % text
    )
    assert isinstance(direct, TradeEvent)
    assert isinstance(as_text, TradeEvent)
    assert repr(direct.trade_price) == repr(as_text.trade_price) == repr(value)
