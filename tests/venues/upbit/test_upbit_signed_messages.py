"""Messages of the private and info sides: every field, exact to the last digit, equal in every form."""

from __future__ import annotations

import copy
import pickle
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire import decode
from tapewire.config import Format, Numbers
from tapewire.model.events import (
    EVENT_CLASSES,
    AnnouncementEvent,
    Asset,
    Event,
    IndicatorEvent,
    IndicatorSignalEvent,
    MyAssetEvent,
    MyOrderEvent,
)
from tapewire.model.subscription import as_detail
from tapewire.venues.contract import Quarantine, Reading
from tapewire.venues.upbit import INDONESIA, KOREA, SINGAPORE, THAILAND
from tests.venues.upbit.wire import OBJECTS, SIMPLE, expected, frame_of, long_road, renamed

ORDER = b'{"type":"myOrder","code":"KRW-BTC","uuid":"ac2dc2a3-fce9-40a2-a4f6-5987c25c438f","ask_bid":"BID","order_type":"limit","state":"trade","trade_uuid":"68315169-fba4-4175-ade3-aff14a616657","price":0.001453,"avg_price":0.00145372,"volume":30925891.29839369,"remaining_volume":29968038.09235948,"executed_volume":30925891.29839369,"trades_count":1,"reserved_fee":44.23943970238218,"remaining_fee":21.77177967409916,"paid_fee":22.467660028283017,"locked":43565.33112787242,"executed_funds":44935.32005656603,"time_in_force":null,"trade_fee":22.467660028283017,"is_maker":true,"identifier":"test-1","smp_type":"cancel_maker","prevented_volume":1.174291929,"prevented_locked":0.001706246173,"trade_timestamp":1710751590421,"order_timestamp":1710751590000,"timestamp":1710751597500,"stream_type":"REALTIME"}'  # noqa: E501
ORDER_SIMPLE = b'{"ty":"myOrder","cd":"KRW-BTC","uid":"ac2dc2a3-fce9-40a2-a4f6-5987c25c438f","ab":"BID","ot":"limit","s":"trade","tuid":"68315169-fba4-4175-ade3-aff14a616657","p":0.001453,"ap":0.00145372,"v":30925891.29839369,"rv":29968038.09235948,"ev":30925891.29839369,"tc":1,"rsf":44.23943970238218,"rmf":21.77177967409916,"pf":22.467660028283017,"l":43565.33112787242,"ef":44935.32005656603,"tif":null,"tf":22.467660028283017,"im":true,"id":"test-1","smpt":"cancel_maker","pv":1.174291929,"pl":0.001706246173,"ttms":1710751590421,"otms":1710751590000,"tms":1710751597500,"st":"REALTIME"}'  # noqa: E501
ASSET = b'{"type":"myAsset","asset_uuid":"e635f223-1609-4969-8fb6-4376937baad6","assets":[{"currency":"KRW","balance":1386929.37231066771348207123,"locked":10329.670127489597585685}],"asset_timestamp":1710146517259,"timestamp":1710146517267,"stream_type":"REALTIME"}'  # noqa: E501
ASSET_SIMPLE = b'{"ty":"myAsset","astuid":"e635f223-1609-4969-8fb6-4376937baad6","ast":[{"cu":"KRW","b":1386929.37231066771348207123,"l":10329.670127489597585685}],"asttms":1710146517259,"tms":1710146517267,"st":"REALTIME"}'  # noqa: E501
NOTICE = b'{"type":"announcement","event_type":"CREATED","uuid":"562593104","title":"...","category":"notice","url":"https://www.upbit.com/service_center/notice?id=562593104&view=share","first_listed_at":"2026-07-14T16:36:34+09:00","listed_at":"2026-07-14T16:36:34+09:00","timestamp":1752566400123,"stream_type":"REALTIME"}'
NOTICE_SIMPLE = b'{"ty":"announcement","et":"CREATED","uid":"562593104","tt":"...","cat":"notice","url":"https://www.upbit.com/service_center/notice?id=562593104&view=share","flat":"2026-07-14T16:36:34+09:00","lat":"2026-07-14T16:36:34+09:00","tms":1752566400123,"st":"REALTIME"}'
MACD = b'{"type":"indicator","code":"KRW-BTC","timeframe":"5m","indicator":"macd","params":{"fast":12,"slow":26,"signal_period":9},"candle_date_time_utc":"2026-09-03T04:50:00","value":{"macd":33554.85769535,"macd_signal":55795.38214693,"histogram":-22240.52445158},"timestamp":1788411301096,"stream_type":"REALTIME"}'  # noqa: E501
MACD_SIMPLE = b'{"ty":"indicator","cd":"KRW-BTC","tf":"5m","ind":"macd","p":{"f":12,"s":26,"sgp":9},"cdttmu":"2026-09-03T04:50:00","v":{"macd":33554.85769535,"macds":55795.38214693,"hist":-22240.52445158},"tms":1788411301096,"st":"REALTIME"}'  # noqa: E501
SIGNAL = b'{"type":"indicator_signal","code":"KRW-ARB","timeframe":"5m","indicator":"moving_average","params":{"type":"SMA","period":5},"trigger":"price_cross_above","event_params":{},"candle_date_time_utc":"2026-09-10T07:25:00","value":{"value":202.8},"timestamp":1789025407115,"stream_type":"REALTIME"}'  # noqa: E501
SIGNAL_SIMPLE = b'{"ty":"indicator_signal","cd":"KRW-ARB","tf":"5m","ind":"moving_average","p":{"t":"SMA","p":5},"tr":"price_cross_above","ep":{},"cdttmu":"2026-09-10T07:25:00","v":{"value":202.8},"tms":1789025407115,"st":"REALTIME"}'  # noqa: E501
PAIRS = {
    "myOrder": (ORDER, ORDER_SIMPLE),
    "myAsset": (ASSET, ASSET_SIMPLE),
    "announcement": (NOTICE, NOTICE_SIMPLE),
    "indicator": (MACD, MACD_SIMPLE),
    "indicator_signal": (SIGNAL, SIGNAL_SIMPLE),
}
FLOAT, EXACT = (KOREA.codec("DEFAULT", numbers, False) for numbers in ("float", "decimal"))


@pytest.mark.parametrize("numbers", ["float", "decimal"])
@pytest.mark.parametrize("format", ["DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST"])
@pytest.mark.parametrize(("default", "simple"), PAIRS.values(), ids=PAIRS)
def test_every_field_of_every_documented_message_is_in_the_event_whatever_the_form(
    default: bytes,
    simple: bytes,
    format: Format,  # noqa: A002
    numbers: Numbers,
) -> None:
    assert renamed(default) == simple
    codec = KOREA.codec(format, numbers, False)
    wanted = expected(default, numbers=numbers)
    assert repr(expected(simple, numbers=numbers)) == repr(wanted)
    for frame in (default, simple, b"[%b]" % default, b"[%b]" % simple):
        event = long_road(codec, frame, 7)
        assert event == msgspec.structs.replace(wanted, received_ns=7)
        assert repr(event) == repr(msgspec.structs.replace(wanted, received_ns=7))
        with pytest.raises(ValueError):  # noqa: PT011 - not on the short road, whatever the format
            codec.decode(frame)
    assert pickle.loads(pickle.dumps(wanted)) == copy.deepcopy(wanted) == wanted  # noqa: S301 - our own


@pytest.mark.parametrize("venue", [KOREA, SINGAPORE, INDONESIA, THAILAND], ids=lambda venue: venue.name)
def test_each_region_says_which_it_is(venue: Any) -> None:
    reading = venue.codec("DEFAULT", "float", True).read(b"[%b,%b]" % (ORDER, ASSET_SIMPLE), 5)
    order, asset = reading.events
    assert (order.venue, order.symbol, order.received_ns, order.raw) == (venue.name, "KRW-BTC", 5, ORDER)
    assert (asset.venue, asset.symbol, asset.received_ns, asset.raw) == (venue.name, "", 5, ASSET_SIMPLE)


def test_bytes_become_private_events_without_a_connection() -> None:
    assert decode("upbit", ASSET, 9) == [
        MyAssetEvent(
            venue="upbit",
            symbol="",
            stream_type="REALTIME",
            timestamp=1710146517267,
            received_ns=9,
            asset_uuid="e635f223-1609-4969-8fb6-4376937baad6",
            assets=[Asset("KRW", Decimal("1386929.37231066771348207123"), Decimal("10329.670127489597585685"))],
            asset_timestamp=1710146517259,
        )
    ]


def test_classes_of_the_short_road_are_those_of_market_data_alone() -> None:
    kinds = {kind for _, kind, _ in FLOAT.classes.values()}
    assert kinds == {"ticker", "trade", "orderbook", "candle"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1386929.37231066771348207123", "1386929.37231066771348207123"),
        ('"1386929.37231066771348207123"', "1386929.37231066771348207123"),
        ('"0"', "0"),
        ("0", "0"),
        ("0.00", "0.00"),
        ("1E-28", "1E-28"),
        ("123456789012345678901234567890.123456789012345678901234567890",
         "123456789012345678901234567890.123456789012345678901234567890"),
    ],
)  # fmt: skip
def test_a_number_is_exact_to_the_last_digit_as_number_or_text(text: str, value: str) -> None:
    asset = b'{"type":"myAsset","assets":[{"currency":"BTC","balance":%b,"locked":0}]}' % text.encode()
    order = b'{"ty":"myOrder","cd":"KRW-BTC","uid":"u","s":"prevented","pv":%b}' % text.encode()
    for codec in (FLOAT, EXACT):
        held = long_road(codec, asset)
        assert isinstance(held, MyAssetEvent)
        assert repr(held.assets) == repr([Asset("BTC", Decimal(value), Decimal(0))])
        placed = long_road(codec, order)
        assert isinstance(placed, MyOrderEvent)
        assert repr(placed.prevented_volume) == repr(Decimal(value))


def test_an_order_needs_code_uuid_and_state_and_all_else_may_be_null_or_absent() -> None:
    least = MyOrderEvent(venue="upbit", symbol="KRW-BTC", uuid="u", state="wait")
    absent = b'{"type":"myOrder","code":"KRW-BTC","uuid":"u","state":"wait"}'
    said = msgspec.json.decode(ORDER) | {"uuid": "u", "state": "wait"}
    nulls = {name: None for name in said if name not in ("type", "code", "uuid", "state")}
    assert len(nulls) == 25
    assert long_road(FLOAT, absent) == long_road(FLOAT, msgspec.json.encode(said | nulls)) == least


def test_unknown_words_and_fields_are_no_hindrance() -> None:
    order = b'{"type":"myOrder","code":"KRW-BTC","uuid":"u","state":"frozen","smp_type":"new","order_type":"x","y":[1]}'
    assert long_road(FLOAT, order) == MyOrderEvent(
        venue="upbit", symbol="KRW-BTC", uuid="u", state="frozen", smp_type="new", order_type="x"
    )
    notice = b'{"type":"announcement","uuid":"1","category":"moon","event_type":"DELETED"}'
    assert long_road(FLOAT, notice) == AnnouncementEvent(
        venue="upbit", symbol="", uuid="1", category="moon", event_type="DELETED"
    )
    value = (
        b'{"ty":"indicator","cd":"KRW-BTC","tf":"5m","ind":"new","p":{"q":"z","p":3},"v":{"w":1,"vol":2,"rto":null}}'
    )
    assert long_road(FLOAT, value) == IndicatorEvent(
        venue="upbit",
        symbol="KRW-BTC",
        timeframe="5m",
        indicator="new",
        params={"q": "z", "period": 3},
        value={"w": 1.0, "volume": 2.0},
    )


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b'{"type":"myOrder","uuid":"u","state":"wait"}', "no code"),
        (b'{"type":"myOrder","code":"KRW-BTC","state":"wait"}', "no uuid"),
        (b'{"type":"myOrder","code":"KRW-BTC","uuid":null,"state":"wait"}', "no uuid"),
        (b'{"ty":"myOrder","cd":"KRW-BTC","uid":"u"}', "no state"),
        (b'{"type":"myOrder","code":"KRW-BTC","uuid":7,"state":"wait"}', "uuid: Expected `str`, got `int`"),
        (b'{"type":"myOrder","code":"A","uuid":"u","state":"wait","price":"1,000"}',
         "price: expected a number, got '1,000'"),
        (b'{"type":"myOrder","code":"A","uuid":"u","state":"wait","price":"NaN"}',
         "price: expected a number, got 'NaN'"),
        (b'{"type":"myOrder","code":"A","uuid":"u","state":"wait","is_maker":"yes"}',
         "is_maker: Expected `bool`, got `str`"),
        (b'{"type":"myAsset","assets":[{"currency":"KRW","balance":1}]}', "assets: an asset without locked"),
        (b'{"ty":"myAsset","ast":[{"cu":"KRW","b":null,"l":1}]}', "ast: an asset without b"),
        (b'{"ty":"myAsset","ast":{"cu":"KRW"}}', "ast: Expected `array`, got `object`"),
        (b'{"type":"announcement","title":"x"}', "no uuid"),
        (b'{"type":"indicator","code":"A","indicator":"rsi"}', "no timeframe"),
        (b'{"type":"indicator","code":"A","timeframe":"5m"}', "no indicator"),
        (b'{"type":"indicator_signal","code":"A","timeframe":"5m","indicator":"rsi"}', "no trigger"),
        (b'{"ty":"indicator","cd":"A","tf":"5m","ind":"rsi","v":{"rsi":"x"}}',
         "v: rsi: expected a number, got 'x'"),
        (b'{"ty":"indicator","cd":"A","tf":"5m","ind":"rsi","p":7}', "p: Expected `object`, got `int`"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_what_lacks_the_needed_is_kept_raw_with_its_reason(frame: bytes, reason: str) -> None:
    for codec in (FLOAT, EXACT):
        assert codec.read(frame) == Reading(quarantined=(Quarantine(reason, frame),))


@pytest.mark.parametrize(("default", "simple"), [PAIRS["indicator"], PAIRS["indicator_signal"]])
def test_an_indicator_says_its_detail_as_it_was_asked_for(default: bytes, simple: bytes) -> None:
    for frame in (default, simple):
        event = long_road(EXACT, frame)
        assert isinstance(event, IndicatorEvent)
        asked: dict[str, Any] = {"type": event.indicator, "params": event.params}
        if isinstance(event, IndicatorSignalEvent):
            asked["trigger"] = "price_cross_above"
            assert event.detail == (
                '{"params":{"period":5,"type":"SMA"},"trigger":"price_cross_above","type":"moving_average"}'
            )
        assert (event.unit, event.detail) == ("5m", as_detail(asked))


def test_a_signals_own_parameters_are_part_of_what_it_is() -> None:
    frame = (
        b'{"ty":"indicator_signal","cd":"KRW-BTC","tf":"1d","ind":"volume","p":{"p":20},"tr":"volume_spike",'
        b'"ep":{"mul":2.0},"v":{"vol":3.5,"av":1,"rto":"3.5"},"st":"REALTIME"}'
    )
    event = long_road(FLOAT, frame)
    assert event == IndicatorSignalEvent(
        venue="upbit", symbol="KRW-BTC", stream_type="REALTIME", timeframe="1d", indicator="volume",
        params={"period": 20}, trigger="volume_spike", event_params={"multiplier": 2.0},
        value={"volume": 3.5, "avg_volume": 1.0, "ratio": 3.5},
    )  # fmt: skip
    assert isinstance(event, IndicatorSignalEvent)
    assert event.detail == as_detail(
        {"type": "volume", "params": {"period": 20}, "trigger": "volume_spike", "event_params": {"multiplier": 2}}
    )


_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_exact = st.decimals(allow_nan=False, allow_infinity=False).filter(lambda value: abs(value) < Decimal("1e300"))
_near = st.floats(allow_nan=False, allow_infinity=False)
_long = st.integers(-(2**63), 2**63 - 1)
_asset = st.builds(Asset, _text, _exact, _exact)


@st.composite
def events(draw: st.DrawFn, numbers: str) -> Event:
    by_type: dict[Any, st.SearchStrategy[Any]] = {
        str: _text,
        str | None: st.none() | _text,
        int | None: st.none() | _long,
        bool | None: st.none() | st.booleans(),
        Decimal | None: st.none() | _exact,
        list[Asset]: st.lists(_asset, max_size=3),
        dict[str, Any]: st.just({}),
        dict[str, float]: st.just({}),
    }
    kind = draw(st.sampled_from(list(PAIRS)))
    values: dict[str, Any] = {"venue": "upbit"}
    for field in msgspec.structs.fields(EVENT_CLASSES[kind]):
        if field.name in OBJECTS:
            inner = _exact if numbers == "decimal" and field.name == "value" else _near
            number = inner if field.name == "value" else _long | _near
            values[field.name] = draw(st.dictionaries(st.sampled_from(list(SIMPLE[field.name])), number))
        elif (field.name == "symbol" and "code" in SIMPLE[kind]) or field.name in SIMPLE[kind]:
            values[field.name] = draw(by_type[field.type])
    event: Event = EVENT_CLASSES[kind](**({"symbol": ""} | values))
    return event


@pytest.mark.parametrize("numbers", ["float", "decimal"])
@given(data=st.data())
def test_any_private_event_written_as_a_frame_is_read_as_that_event(numbers: Numbers, data: st.DataObject) -> None:
    event = data.draw(events(numbers))
    codec = EXACT if numbers == "decimal" else FLOAT
    for simple in (False, True):
        assert repr(long_road(codec, frame_of(event, simple=simple))) == repr(event)
