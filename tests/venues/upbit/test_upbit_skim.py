"""Order books whose units stay unread in the frame."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tapewire.config import Numbers
from tapewire.model.events import OrderbookEvent, TickerEvent
from tapewire.venues.contract import Codec
from tapewire.venues.registry import get_venue

UNITS = b'"orderbook_units":[{"ask_price":2.0,"bid_price":1.0,"ask_size":3.0,"bid_size":4.5}]'
BOOK = (
    b'{"type":"orderbook","code":"KRW-BTC","total_ask_size":3.0,' + UNITS + b',"timestamp":7,"stream_type":"REALTIME"}'
)
SIMPLE = (
    b'{"ty":"orderbook","cd":"KRW-BTC","tas":3.0,"obu":[{"ap":2.0,"bp":1.0,"as":3.0,"bs":4.5}],"tms":7,"st":"REALTIME"}'
)
TICKER = b'{"type":"ticker","code":"KRW-BTC","trade_price":1.5,"timestamp":7}'


def skimming(format: str = "DEFAULT", numbers: Numbers = "float") -> Codec:  # noqa: A002
    codec = get_venue("upbit").codec(format, numbers, True)
    assert codec.skim is not None
    codec.skim.turn(True)
    return codec


def read(codec: Codec, frame: bytes) -> tuple[Any, bool]:
    """As the short road does it; whether it is skimmed."""
    event, skim = codec.decode(frame), codec.skim
    assert skim is not None
    skimmed = type(event) in skim.classes
    event.__class__ = (skim.classes if skimmed else codec.classes)[type(event)][0]
    return event, skimmed


@pytest.mark.parametrize("numbers", ["float", "decimal"])
@pytest.mark.parametrize(("format", "frame"), [("DEFAULT", BOOK), ("SIMPLE", SIMPLE)])
def test_a_skimmed_book_has_everything_but_its_units(format: str, frame: bytes, numbers: Numbers) -> None:  # noqa: A002
    codec = skimming(format, numbers)
    [whole] = codec.read(frame).events
    assert isinstance(whole, OrderbookEvent)
    assert len(whole.orderbook_units) == 1
    assert read(codec, frame) == (replace(whole, orderbook_units=[]), True)
    assert codec.skim is not None
    codec.skim.turn(False)
    assert read(codec, frame) == (whole, False)


def test_other_kinds_are_read_whole() -> None:
    expected = TickerEvent(venue="upbit", symbol="KRW-BTC", trade_price=1.5, timestamp=7, raw=TICKER)
    assert read(skimming(), TICKER) == (expected, False)


def test_a_frame_that_is_no_ascii_is_read_whole() -> None:
    codec = skimming()
    frame = BOOK.replace(b'"timestamp"', '"note":"한","timestamp"'.encode())
    event, skimmed = read(codec, frame)
    assert (event, skimmed) == (codec.read(frame).events[0], False)
    damaged = frame.replace(b'"ask_size"', b'"ask_\xff"')
    with pytest.raises(ValueError, match="ask_"):
        codec.decode(damaged)


@pytest.mark.parametrize("frame", [BOOK + b"\n", b" " + BOOK, BOOK.replace(b",", b",\r", 1)])
def test_a_frame_that_is_no_plain_line_is_read_whole(frame: bytes) -> None:
    codec = skimming()
    assert read(codec, frame) == (codec.read(frame).events[0], False)


@pytest.mark.parametrize("damaged", [BOOK[:-1], BOOK.replace(b"2.0", b"2..0"), BOOK.replace(b"[{", b"{")])
def test_what_is_no_json_is_not_skimmed(damaged: bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON is malformed|truncated"):
        skimming().decode(damaged)


@pytest.mark.parametrize(("format", "keep_raw"), [("DEFAULT_LIST", True), ("SIMPLE_LIST", True), ("DEFAULT", False)])
def test_frames_of_several_events_and_events_without_frames_are_never_skimmed(format: str, keep_raw: bool) -> None:  # noqa: A002
    assert get_venue("upbit").codec(format, "float", keep_raw).skim is None
