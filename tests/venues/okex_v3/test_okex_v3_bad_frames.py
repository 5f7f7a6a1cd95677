"""Whatever comes, reading gives events, controls or quarantine with a reason; it never raises, and inflates no bomb."""

from __future__ import annotations

import json
import resource
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.model.events import Event
from tapewire.venues.contract import Control, Quarantine, Reading
from tapewire.venues.okex_v3.codec import OkexCodec
from tapewire.venues.okex_v3.inflate import INFLATED_MAX, deflate, inflate
from tapewire.venues.okex_v3.times import iso, milliseconds
from tests.venues.okex_v3.wire import data_frames, deflated, recorded, singles

FLOAT = OkexCodec("DEFAULT", "float", False)
EXACT = OkexCodec("DEFAULT", "decimal", False)
TRADE: dict[str, Any] = json.loads(singles()[0])["data"][0]


def trade(**fields: Any) -> bytes:
    """A recorded trade with other fields; None takes one away."""
    row = {name: value for name, value in (TRADE | fields).items() if value is not None}
    return json.dumps({"table": "spot/trade", "data": [row]}).encode()


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"", "the deflated message is cut off after 0 bytes"),
        (b"\xff\xfe\xfd", "neither text nor raw deflate: Error -3 while decompressing data: invalid block type"),
        (b"{", "Input data was truncated"),
        (b"[1]", "Expected `object`, got `array`"),
        (b"{}", "neither table nor event"),
        (b'{"event":null}', "Expected `str`, got `null`"),
        (b'{"event":"subscribe"}', "Expected `str`, got `null`"),
        (b'{"table":5,"data":[]}', "Expected `str`, got `int`"),
        (b'{"table":"spot/account","data":[{}]}', "unknown table 'spot/account'"),
        (b'{"table":"spot/trade"}', "Expected `array`, got `null`"),
        (b'{"table":"spot/trade","data":[5]}', "Expected `object`, got `int`"),
        (trade(price=None), "Object missing required field `price`"),
        (trade(price=""), "Expected `float`, got `str` - at `$.price`"),
        (trade(price="nan"), "Expected `float` >= -1.7976931348623157e+308 - at `$.price`"),
        (trade(price="1e400"), "Number out of range - at `$.price`"),
        (trade(size=None), "neither size nor qty"),
        (trade(side="hold"), "Invalid enum value 'hold' - at `$.side`"),
        (trade(trade_id="9223372036854775808"), "Expected `int` <= 9223372036854775807 - at `$.trade_id`"),
        (trade(timestamp="yesterday"), "Invalid isoformat string: 'yesterday'"),
        (trade(timestamp="2021-03-22T01:16:28.6-7Z"), "Invalid isoformat string: '2021-03-22T01:16:28.6-7Z'"),
        (trade(timestamp="2021-03-22T01:16:28"), "a time without a zone: '2021-03-22T01:16:28'"),
        (
            b'{"table":"spot/depth","data":[{"instrument_id":"A-B","asks":[],"bids":[],"timestamp":"2021-03-22T01:16:28.687Z"}]}',
            'action is None; it must be "partial" or "update"',
        ),
        (
            b'{"table":"spot/depth","action":"update","data":[{"instrument_id":"A-B","asks":[["1"]],"bids":[],"timestamp":"2021-03-22T01:16:28.687Z"}]}',
            "Expected `array` of length >= 2 - at `$.asks[0]`",
        ),
        (
            b'{"table":"spot/candle60s","data":[{"candle":["2022-02-01","1","2","1"],"instrument_id":"A-B"}]}',
            "Expected `array` of at least length 6, got 4 - at `$.candle`",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_kept_with_its_reason(frame: bytes, reason: str) -> None:
    assert FLOAT.read(frame) == Reading(quarantined=(Quarantine(reason, frame),))


@pytest.mark.parametrize("price", ["nan", "Infinity", "1e400", "-1e309"])
def test_exact_numbers_are_held_to_the_range_of_floats(price: str) -> None:
    for frame in (trade(price=price), singles()[14].replace(b"38407.4", price.encode())):
        [bad] = EXACT.read(frame).quarantined
        assert bad.payload == frame
        with pytest.raises((ValueError, ArithmeticError)):
            EXACT.decode(frame)


def test_a_bad_row_costs_only_itself() -> None:
    bad = TRADE | {"price": "x"}
    frame = json.dumps({"table": "spot/trade", "data": [TRADE, bad, TRADE]}).encode()
    reading = FLOAT.read(deflate(frame))
    assert len(reading.events) == 2
    [kept] = reading.quarantined
    assert (kept.reason, json.loads(kept.payload)) == ("Expected `float`, got `str` - at `$.price`", bad)


def test_a_bomb_is_not_inflated() -> None:
    stream = zlib.compressobj(9, wbits=-15)
    megabyte = stream.compress(b" " * 1_000_000) + stream.flush(zlib.Z_FULL_FLUSH)
    payload = megabyte * 500 + stream.flush()
    assert 400_000 < len(payload) < 600_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    [bad] = FLOAT.read(payload).quarantined
    with pytest.raises(ValueError, match="refused"):
        FLOAT.decode(payload)
    assert bad.reason == "inflates to more than 1,048,576 bytes: refused"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 * 1024


def test_the_largest_message_is_still_read() -> None:
    text = b"{" + b" " * (INFLATED_MAX - 2) + b"}"
    assert inflate(deflate(text)) == text
    with pytest.raises(ValueError, match="refused"):
        inflate(deflate(text + b" "))


@pytest.mark.parametrize("cut", [1, 10, -1])
def test_a_frame_that_is_cut_or_followed_by_something_is_refused(cut: int) -> None:
    frame = deflated()[100]
    with pytest.raises(ValueError, match="cut off after"):
        inflate(frame[:cut])
    with pytest.raises(ValueError, match="3 bytes follow the deflated message"):
        inflate(frame + b"abc")


def test_text_is_told_from_deflated_text_by_its_first_byte() -> None:
    for frame in deflated():
        assert frame[:1] not in (b"{", b"[")
    for frame in recorded()[:100]:
        assert inflate(frame) == inflate(deflate(frame)) == frame


@given(st.binary(max_size=200))
def test_reading_never_raises(payload: bytes) -> None:
    for frame in (payload, deflate(payload)):
        for codec in (FLOAT, EXACT):
            reading = codec.read(frame)
            assert len(reading.controls) + len(reading.quarantined) == 1 or not reading.quarantined


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.integers(0, 2480), st.data())
def test_a_recorded_frame_with_a_value_that_is_something_else(number: int, data: st.DataObject) -> None:
    frames = data_frames()
    said = json.loads(frames[number % len(frames)])
    target = data.draw(st.sampled_from([said, said["data"][0]]))
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(JSON)
    frame = json.dumps(said).encode("utf-8", "surrogatepass")
    for codec in (FLOAT, EXACT):
        reading = codec.read(frame)
        assert all(isinstance(event, Event) for event in reading.events)
        assert reading.events or reading.quarantined or reading.controls or said["data"] == []
    try:
        event = FLOAT.decode(frame)
    except (ValueError, ArithmeticError):
        return
    [read] = FLOAT.read(frame).events
    event.__class__ = read.__class__
    assert repr(event) == repr(read)


def test_deep_nesting_is_refused() -> None:
    deep = b'{"event":"news","message":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    [bad] = FLOAT.read(deep).quarantined
    assert "recursion" in bad.reason


def test_unknown_fields_are_passed_over() -> None:
    assert FLOAT.read(trade(news=[1, 2])) == FLOAT.read(trade())
    assert FLOAT.read(b'{"event":"login","success":1}') == Reading(
        controls=(Control("error", "30027", "login failed"),)
    )


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2021-04-17T16:49:03.207Z", 1618678143207), ("1970-01-01T00:00:00.000Z", 0),
        ("2019-05-16T08:00:01Z", 1557993601000), ("2019-05-16T08:00:01.123456Z", 1557993601123),
        ("2019-05-16T16:00:01.120+08:00", 1557993601120),
    ],
)  # fmt: skip
def test_times(text: str, ms: int) -> None:
    assert milliseconds(text) == ms


@given(st.integers(0, 4_102_444_800_000))
def test_times_come_back(ms: int) -> None:
    assert milliseconds(iso(ms)) == ms
