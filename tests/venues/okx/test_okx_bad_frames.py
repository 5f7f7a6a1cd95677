"""The codec never raises, whatever comes, and what it hands on is of public classes only."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tapewire.config import Numbers
from tapewire.model.book import BookChange, BookLevel, DepthOrderbookEvent
from tapewire.model.events import EVENT_CLASSES
from tapewire.venues.contract import Reading
from tapewire.venues.okx.channels import CHANNELS
from tapewire.venues.okx.codec import OkxCodec
from tests.venues.okx.wire import CAPTURES, lines

DEEP = b'{"arg":{"channel":"orders"},"data":[{"instId":"A","algo":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b"}]}"
PUBLIC = {*EVENT_CLASSES.values(), DepthOrderbookEvent, BookChange}
CODECS = {numbers: OkxCodec("okx", "DEFAULT", numbers, False) for numbers in ("float", "decimal")}
#: Of each recording a few lines, one of each channel and form among them.
SEEDS = [line for name in CAPTURES for line in [*lines(name)[:40:7], *lines(name)[40:400:90]] if len(line) < 2000]

_channel = st.sampled_from([*CHANNELS.values(), "books5", "bbo-tbt", "books", "trades-all", "candle1m", "wonder"])
_plain = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["1", "-1.5", ""])
)
_name = st.sampled_from([
    "instId", "instType", "last", "ts", "px", "sz", "side", "tradeId", "seqId", "asks", "bids", "details", "balData",
    "posData", "trades", "ccy", "availBal", "frozenBal", "checksum", "prevSeqId", "count", "ordId", "state", "uTime",
    "execType", "fillPx", "enabled", "markPx",
])  # fmt: skip
_value = st.recursive(
    _plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_name, inner, max_size=5), max_leaves=12
)
_row = st.dictionaries(_name, _value, max_size=12) | st.lists(_plain, max_size=10)


def check(frame: bytes, numbers: Numbers) -> Reading:
    reading = CODECS[numbers].read(frame, 7)
    assert reading.events or reading.controls or reading.quarantined or b"[]" in frame.replace(b" ", b"")
    for event in reading.events:
        assert type(event) in PUBLIC
        assert (event.venue, event.received_ns, event.raw) == ("okx", 7, None)
        assert all(math.isfinite(value) for value in floats(event))
        msgspec.json.encode(event)
    for bad in reading.quarantined:
        assert bad.reason
    return reading


def floats(event: Any) -> list[float]:
    values = [getattr(event, name) for name in event.__struct_fields__ if name != "fields"]
    for side in (event.asks, event.bids) if isinstance(event, DepthOrderbookEvent) else ():
        assert all(type(level) is BookLevel for level in side)
        values += [number for level in side for number in (level.price, level.size)]
    return [value for value in values if isinstance(value, float)]


@pytest.mark.parametrize("numbers", ["float", "decimal"])
@given(frame=st.binary(max_size=200))
@example(b"[" * 100_000)
@example(b'{"arg":' * 50_000)
@example(b'{"arg":{"channel":"tickers","instId":"X"},"data":[' + b"[" * 100_000)
@example(
    b'{"arg":{"channel":"orders"},"data":[{"instId":"A","linkedAlgoOrd":'
    + b'{"a":' * 5_000
    + b"1"
    + b"}" * 5_000
    + b"}]}"
)
@example(b'{"event":"\xff"}')
@example(b"1e999999999")
@example(b'{"event":{"event":1}}')
def test_any_bytes_are_read(numbers: Numbers, frame: bytes) -> None:
    check(frame, numbers)


@pytest.mark.parametrize("numbers", ["float", "decimal"])
@given(data=st.data())
def test_recorded_lines_with_damage_are_read(numbers: Numbers, data: st.DataObject) -> None:
    line = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(line) - 1))
        line[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.binary(max_size=3) | st.sampled_from([b'""', b"null"])
        )
        if not line:
            break
    reading = check(bytes(line), numbers)
    if reading.head is not None:
        short_road(reading, bytes(line))


@pytest.mark.parametrize("numbers", ["float", "decimal"])
@given(channel=_channel, rows=st.lists(_row, max_size=3), symbol=st.none() | st.sampled_from(["BTC-USDT", "X", "["]))
def test_any_data_of_any_channel_are_read(numbers: Numbers, channel: str, rows: list[Any], symbol: str | None) -> None:
    argument = {"channel": channel} | ({} if symbol is None else {"instId": symbol})
    frame = json.dumps({"arg": argument, "action": "update", "data": rows}).encode()
    reading = check(frame, numbers)
    if reading.head is not None:
        short_road(reading, frame)


def short_road(reading: Reading, frame: bytes) -> None:
    """Where it reads a frame, it reads what the careful one does; it may refuse more."""
    assert reading.head is not None
    assert frame.startswith(reading.head.text + b"[")
    try:
        read = reading.head.decode(frame).data
    except Exception:  # the frame takes the careful road
        return
    if reading.quarantined or len(read) != 1:
        return
    event = read[0]
    event.__class__, event.symbol, event.received_ns = reading.head.public, reading.events[0].symbol, 7
    assert repr(event) == repr(reading.events[0])
