"""How Upbit's frames say whose they are without being read."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tapewire.model.events import Event
from tapewire.venues.contract import Codec, Skim
from tapewire.venues.registry import get_venue

UNITS = b'"orderbook_units":[{"ask_price":2.0,"bid_price":1.0,"ask_size":3.0,"bid_size":4.5}]'
BOOK = b'{"type":"orderbook","code":"KRW-BTC",' + UNITS + b',"timestamp":7,"stream_type":"REALTIME"}'
SIMPLE = b'{"ty":"orderbook","cd":"KRW-BTC","obu":[{"ap":2.0,"bp":1.0,"as":3.0,"bs":4.5}],"tms":7,"st":"REALTIME"}'
TICKER = b'{"type":"ticker","code":"KRW-1INCH","trade_price":1.5,"timestamp":7}'
TRADE = b'{"type":"trade","code":"KRW-BTC","trade_price":1.5,"timestamp":7}'


def codec_of(frame: bytes) -> tuple[Codec, Skim]:
    codec = get_venue("upbit").codec("SIMPLE" if b'"ty"' in frame else "DEFAULT", "float", True)
    assert codec.skim is not None
    return codec, codec.skim


def read(frame: bytes) -> tuple[Event, Skim]:
    codec, skim = codec_of(frame)
    [event] = codec.read(frame).events
    return event, skim


@pytest.mark.parametrize(
    ("frame", "head"),
    [
        (BOOK, b'{"type":"orderbook","code":"KRW-BTC"'),
        (SIMPLE, b'{"ty":"orderbook","cd":"KRW-BTC"'),
        (TICKER, b'{"type":"ticker","code":"KRW-1INCH"'),
        (TICKER.replace(b"KRW-1INCH", b"A-B"), b'{"type":"ticker","code":"A-B"'),
        (SIMPLE.replace(b"orderbook", b"ticker").replace(b"obu", b"x"), b'{"ty":"ticker","cd":"KRW-BTC"'),
    ],
)
def test_a_frame_says_its_type_and_its_code_first(frame: bytes, head: bytes) -> None:
    event, skim = read(frame)
    assert event.kind in skim.kinds
    assert skim.head(event) == head == frame[: frame.find(b",", skim.begin)]
    assert skim.timestamp(frame) == 7


@pytest.mark.parametrize(
    "frame",
    [
        BOOK.replace(b'"type":"orderbook","code":"KRW-BTC",', b'"code":"KRW-BTC","type":"orderbook",'),
        BOOK.replace(b'"code":"KRW-BTC",', b"").replace(b"}]", b'}],"code":"KRW-BTC"'),
        BOOK.replace(b'"code"', b'"level":0,"code"'),
        BOOK.replace(b":", b": ", 2),
        BOOK.replace(b"KRW-BTC", b"KRW\\u002dBTC"),
        b" " + BOOK,
    ],
)
def test_a_frame_that_says_so_otherwise_is_read(frame: bytes) -> None:
    event, skim = read(frame)
    assert event.symbol == "KRW-BTC"
    assert skim.head(event) is None


def test_an_event_without_its_frame_has_no_head() -> None:
    event, skim = read(BOOK)
    assert skim.head(replace(event, raw=None)) is None


def test_trades_are_always_read() -> None:
    event, skim = read(TRADE)
    assert event.kind not in skim.kinds


@pytest.mark.parametrize("frame", [BOOK[:-1], BOOK.replace(b"2.0", b"2..0"), BOOK.replace(b'"timestamp":7,', b"")])
def test_what_cannot_be_read_has_no_time(frame: bytes) -> None:
    assert codec_of(frame)[1].timestamp(frame) is None


@pytest.mark.parametrize(("format", "keep_raw"), [("DEFAULT_LIST", True), ("SIMPLE_LIST", True), ("DEFAULT", False)])
def test_frames_of_several_events_and_events_without_frames_are_always_read(format: Any, keep_raw: bool) -> None:  # noqa: A002
    assert get_venue("upbit").codec(format, "float", keep_raw).skim is None
