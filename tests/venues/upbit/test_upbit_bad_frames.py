"""Whatever comes, reading gives events, controls or quarantine with a reason; it never raises."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from tapewire.model.events import CandleEvent, OrderbookEvent, OrderbookUnit, TickerEvent, TradeEvent
from tapewire.venues.contract import Codec, Control, Quarantine, Reading
from tapewire.venues.upbit import KOREA, SINGAPORE
from tapewire.venues.upbit.lax import read_event
from tapewire.venues.upbit.messages import WIRE_TYPES
from tests.venues.upbit.wire import DATA, PUBLIC, SIMPLE, long_road, short_road

ALL = [
    KOREA.codec(form, numbers, False)
    for form in ("DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST")
    for numbers in ("float", "decimal")
]
DEFAULT = KOREA.codec("DEFAULT", "float", False)
EXACT = KOREA.codec("DEFAULT", "decimal", False)
UNITS = "1s, 1m, 3m, 5m, 10m, 15m, 30m, 60m, 240m"


def trade(**fields: str) -> bytes:
    """A DEFAULT trade of ``fields``, each given as JSON text."""
    body = {"type": '"trade"', "code": '"KRW-BTC"'} | fields
    return ("{" + ",".join(f'"{name}":{text}' for name, text in body.items()) + "}").encode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"", "Input data was truncated"),
        (b"PING", "JSON is malformed: invalid character (byte 0)"),
        (b"\x00\xff\xfe", "JSON is malformed: invalid character (byte 0)"),
        (b"null", "Expected `object`, got `null`"),
        (b'"text"', "Expected `object`, got `str`"),
        (b"{}", "neither error, status, method nor type"),
        (b'{"code":"KRW-BTC"}', "neither error, status, method nor type"),
        (b'{"type":null,"code":"KRW-BTC"}', "neither error, status, method nor type"),
        (b'{"type":5,"code":"KRW-BTC"}', "Expected `str`, got `int`"),
        (b'{"type":"myOrder","code":"KRW-BTC"}', "no uuid"),
        (b'{"type":"candle","code":"KRW-BTC"}', "unknown type 'candle'"),
        (b'{"type":"candle.2m","code":"KRW-BTC"}', f"unknown candle unit 'candle.2m'; known: {UNITS}"),
        (b'{"ty":"candle.1d","cd":"KRW-BTC"}', f"unknown candle unit 'candle.1d'; known: {UNITS}"),
        (b'{"type":"trade","trade_price":1}', "no code"),
        (b'{"ty":"trade","code":"KRW-BTC"}', "no code"),
        (b'{"status":"DOWN"}', "unknown status 'DOWN'"),
        (b'{"method":"OTHER","result":[]}', "unknown method 'OTHER'"),
        (b'{"method":"LIST_SUBSCRIPTIONS","result":[1]}', "Expected `object`, got `int` - at `$[0]`"),
        (trade(trade_price="NaN"), "JSON is malformed: invalid character (byte 47)"),
        (trade(trade_price='"NaN"'), "trade_price: expected a number, got 'NaN'"),
        (trade(trade_price="1e999999"), "trade_price: number out of range"),
        (trade(trade_price="-1e309"), "trade_price: number out of range"),
        (trade(trade_price="7" * 5000), "trade_price: number out of range"),
        (trade(trade_price="true"), "trade_price: Expected `decimal`, got `bool`"),
        (trade(sequential_id="7" * 5000), "sequential_id: number out of range"),
        (trade(sequential_id="9223372036854775808"), "sequential_id: whole number out of range"),
        (trade(sequential_id="1.5"), "sequential_id: expected a whole number, got 1.5"),
        (trade(ask_bid="7"), "ask_bid: Expected `str`, got `int`"),
        (trade(ask_bid='"\\ud800"'), "Input data was truncated"),
        (trade(x="[" * 100_000 + "]" * 100_000), "maximum recursion depth exceeded while deserializing an object"),
        (b"[" * 100_000, "maximum recursion depth exceeded while deserializing an object"),
        (b'{"type":"orderbook","code":"A","orderbook_units":[{"ask_price":1}]}',
         "orderbook_units: a level without bid_price"),
        (b'{"ty":"orderbook","cd":"A","obu":[{"ap":1,"bp":1,"as":null,"bs":1}]}', "obu: a level without as"),
        (b'{"type":"orderbook","code":"A","orderbook_units":7}', "orderbook_units: Expected `array`, got `int`"),
        (b'[{"type":"trade"', "Input data was truncated"),
        (b'{"market":"KRW-BTC","trade_price":1}', "neither error, status, method nor type"),
    ],
    ids=lambda value: value[:48] if isinstance(value, str) else None,
)  # fmt: skip
def test_a_bad_frame_is_kept_raw_with_its_reason(frame: bytes, reason: str) -> None:
    for codec in (DEFAULT, EXACT):
        assert codec.read(frame) == Reading(quarantined=(Quarantine(reason, frame),))
        with pytest.raises((ValueError, ArithmeticError, RecursionError)):
            codec.decode(frame)


@pytest.mark.parametrize("text", ['"NaN"', '"Infinity"', "1e999999", "-1e309"])
def test_the_short_road_refuses_what_is_no_number_also_where_decimals_are_exact(text: str) -> None:
    for frame in (
        trade(trade_price=text),
        b'{"type":"orderbook","code":"A","orderbook_units":[{"ask_price":1,"bid_price":%b,"ask_size":1,"bid_size":1}]}'
        % text.encode(),
    ):
        with pytest.raises((ValueError, ArithmeticError)):
            EXACT.decode(frame)


def test_text_that_json_would_not_call_a_number_is_none() -> None:
    for text in ("1_000", "", "0x10", "--1", "true", "null", '\\"1\\"'):
        [bad] = DEFAULT.read(trade(trade_price=f'"{text}"')).quarantined
        assert bad.reason.startswith("trade_price: expected a number, got ")


def test_rest_bodies_are_no_messages() -> None:
    for name in ("ticker", "trades", "orderbook"):
        body = (DATA / f"{name}_xchange-2018-07-02.jsonl").read_bytes()
        reading = DEFAULT.read(body)
        assert (reading.events, reading.controls) == ((), ())
        assert len(reading.quarantined) == len(json.loads(body))
        assert {bad.reason for bad in reading.quarantined} == {"neither error, status, method nor type"}


def test_a_bad_element_of_a_list_costs_only_itself() -> None:
    good, bad = trade(sequential_id="1"), b'{"type": "zz",  "a":[1]}'
    frame = b' \r\n[%b , %b, {"status":"UP"}, 7,\t{"ty":"trade","cd":"KRW-ETH"}]' % (good, bad)
    for codec in ALL:
        reading = codec.read(frame, 5)
        assert reading == Reading(
            (
                TradeEvent(venue="upbit", symbol="KRW-BTC", sequential_id=1, received_ns=5),
                TradeEvent(venue="upbit", symbol="KRW-ETH", received_ns=5),
            ),
            (Control("alive"),),
            (Quarantine("unknown type 'zz'", bad), Quarantine("Expected `object`, got `int`", b"7")),
        )


def test_an_empty_list_says_nothing() -> None:
    assert DEFAULT.read(b"[]") == Reading()
    for codec in ALL[4:]:
        with pytest.raises(ValueError, match="unpack"):
            codec.decode(b"[]")


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"sequential_id": '"17866130860480000"'}, {"sequential_id": 17866130860480000}),
        ({"sequential_id": "17853950437790001.0"}, {"sequential_id": 17853950437790001}),
        ({"sequential_id": "17853950437790001"}, {"sequential_id": 17853950437790001}),
        ({"timestamp": "1.785395043831e12"}, {"timestamp": 1785395043831}),
        ({"timestamp": "null", "change": "null"}, {}),
        ({"trade_price": '"91361000.5"'}, {"trade_price": 91361000.5}),
        ({"change_price": "6E-8"}, {"change_price": 6e-8}),
        ({"trade_volume": '"2.2e-7"'}, {"trade_volume": 2.2e-7}),
        ({"trade_time": '"18:17"'}, {"trade_time": "18:17"}),
        ({"ask_bid": '"NEITHER"', "stream_type": '"LATER"'}, {"ask_bid": "NEITHER", "stream_type": "LATER"}),
        ({"unknown": '{"a":[1,{}]}', "tp": "7", "venue": '"x"', "raw": '"x"', "received_ns": "9"}, {}),
        ({"change": '"RISE"', "timestamp": "1", "change ": '"x"'}, {"change": "RISE", "timestamp": 1}),
    ],
    ids=str,
)
def test_every_form_that_upbit_may_send_is_accepted(fields: dict[str, str], wanted: dict[str, Any]) -> None:
    assert long_road(DEFAULT, trade(**fields)) == TradeEvent(venue="upbit", symbol="KRW-BTC", **wanted)


def test_text_numbers_stay_exact_as_decimals() -> None:
    event = long_road(EXACT, trade(trade_price='"91361000.10"', sequential_id='"7"'))
    assert repr(event) == repr(
        TradeEvent(venue="upbit", symbol="KRW-BTC", trade_price=Decimal("91361000.10"), sequential_id=7)  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    "frame", [b'{"mk":"KRW-BTC","ty":"ticker","tp":7}', b'{"market":"KRW-BTC","type":"ticker","trade_price":7}']
)
def test_the_old_name_of_the_code_is_read(frame: bytes) -> None:
    for codec in (DEFAULT, SINGAPORE.codec("SIMPLE", "float", False)):
        event = long_road(codec, frame)
        assert event == TickerEvent(venue=event.venue, symbol="KRW-BTC", trade_price=7.0)


def test_null_is_as_good_as_nothing_field_by_field() -> None:
    null = {name: Raw(b"null") for name in ("timestamp", "sequential_id", "trade_price", "change", "unknown")}
    event = read_event("upbit", WIRE_TYPES["trade"], {"code": Raw(b'"KRW-BTC"'), **null}, simple=False, numbers="float")
    assert event == TradeEvent(venue="upbit", symbol="KRW-BTC")


def test_a_candle_of_the_slow_road_keeps_its_unit() -> None:
    frame = b'{"type":"candle.240m","code":"KRW-BTC","trade_price":"1.50","opening_price":null}'
    assert long_road(DEFAULT, frame) == CandleEvent(venue="upbit", symbol="KRW-BTC", unit="240m", trade_price=1.5)


def test_the_order_of_fields_does_not_matter_and_of_two_the_last_holds() -> None:
    frame = b'{"trade_price":1,"timestamp":5,"code":"KRW-BTC","trade_price":2,"type":"trade"}'
    wanted = TradeEvent(venue="upbit", symbol="KRW-BTC", trade_price=2.0, timestamp=5)
    assert short_road(DEFAULT, frame) == long_road(DEFAULT, frame) == wanted


def test_padding_of_a_thin_book_is_kept_and_missing_units_are_none_at_all() -> None:
    frame = (
        b'{"ty":"orderbook","cd":"A","obu":[{"ap":1,"bp":0,"as":2,"bs":0}],"tms":"8"}',
        b'{"ty":"orderbook","cd":"A","obu":null}',
        b'{"ty":"orderbook","cd":"A"}',
    )
    padded, null, absent = (long_road(DEFAULT, one) for one in frame)
    assert padded == OrderbookEvent(
        venue="upbit", symbol="A", timestamp=8, orderbook_units=[OrderbookUnit(1.0, 0.0, 2.0, 0.0)]
    )
    assert null == absent == OrderbookEvent(venue="upbit", symbol="A", orderbook_units=[])


@pytest.mark.parametrize("date", ["null", '"2026-12-01"', '{"year":2026,"month":12,"day":1}', "[2026,12,1]"])
def test_delisting_date_comes_in_any_shape(date: str) -> None:
    frame = b'{"type":"ticker","code":"A","delisting_date":%b}' % date.encode()
    late = frame.replace(b'"code":"A"', b'"market":"A"')
    for event in (short_road(DEFAULT, frame), long_road(DEFAULT, frame), long_road(DEFAULT, late)):
        assert isinstance(event, TickerEvent)
        assert event.delisting_date == json.loads(date)


@pytest.mark.parametrize(
    ("frame", "control"),
    [
        (b'{"status":"UP"}', Control("alive")),
        (b'{"error":{"name":"WRONG_FORMAT","message":"m"}}', Control("error", "WRONG_FORMAT", "m")),
        (b'{"error":{"name":"NEVER_SEEN","message":null,"x":1}}', Control("error", "NEVER_SEEN", "")),
        (b'{"error":{"name":400,"message":"Invalid"}}', Control("error", "400", "Invalid")),
        (b'{"error":{"message":"only text"}}', Control("error", "", "only text")),
        (b'{"error":"plain text"}', Control("error", "", "plain text")),
        (b'{"type":"trade","code":5,"error":{"name":"A"},"status":"UP"}', Control("error", "A")),
        (
            b'{"method":"LIST_SUBSCRIPTIONS","result":[{"type":"ticker","codes":["KRW-BTC","KRW-ETH"]},{"type":"orderbook","codes":["KRW-BTC"],"level":0}],"ticket":"0e66"}',
            Control("subscriptions", details={"ticket": "0e66", "result": [
                {"type": "ticker", "codes": ["KRW-BTC", "KRW-ETH"]},
                {"type": "orderbook", "codes": ["KRW-BTC"], "level": 0},
            ]}),
        ),
        (
            b'{"mthd":"LIST_SUBSCRIPTIONS","rslt":[{"ty":"myAsset"},{"ty":"orderbook","cds":["KRW-BTC"],"lv":10}],"tckt":12}',
            Control("subscriptions", details={"ticket": "12", "result": [
                {"type": "myAsset"},
                {"type": "orderbook", "codes": ["KRW-BTC"], "level": 10},
            ]}),
        ),
        (b'{"method":"LIST_SUBSCRIPTIONS"}', Control("subscriptions", details={"ticket": None, "result": []})),
    ],
    ids=str,
)  # fmt: skip
def test_the_exchanges_own_words(frame: bytes, control: Control) -> None:
    for codec in ALL:
        assert codec.read(frame) == Reading(controls=(control,))
        assert codec.read(b"[" + frame + b"]") == Reading(controls=(control,))


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
_keys = sorted({name for table in SIMPLE.values() for pair in table.items() for name in pair} | {"market", "mk"})
_almost = st.dictionaries(
    st.sampled_from([*_keys, "error", "status", "method", "mthd", "result", "rslt"]), _anything, max_size=6
).flatmap(
    lambda body: st.sampled_from([*PUBLIC, "candle.1m", "candle.7m", ""]).flatmap(
        lambda kind: st.sampled_from([{"type": kind}, {"ty": kind}, {}]).map(lambda tag: {**body, **tag})
    )
)


def agrees(codec: Codec, payload: bytes) -> None:
    """Reading does not raise, accounts for everything, and says what the short road says where that works."""
    reading = codec.read(payload, 3)
    parts = len(reading.events) + len(reading.controls) + len(reading.quarantined)
    assert parts == 1 or payload.lstrip()[:1] == b"["
    for event in reading.events:
        assert type(event) in PUBLIC.values()
    if reading.events:
        try:
            event = short_road(codec, payload)
        except (ValueError, ArithmeticError):
            return
        event.received_ns = 3
        assert (repr(event),) == tuple(repr(one) for one in reading.events)


@given(st.binary())
@example(b'{"type":"trade","code":"\xff"}')
@example(b'\xef\xbb\xbf{"status":"UP"}')
@example(b"[[[[]]]]")
def test_reading_never_raises_on_bytes(payload: bytes) -> None:
    for codec in ALL:
        agrees(codec, payload)


@given(_anything | _almost | st.lists(_almost, max_size=3))
def test_reading_never_raises_on_json(body: Any) -> None:
    payload = json.dumps(body).encode()
    for codec in ALL:
        agrees(codec, payload)
