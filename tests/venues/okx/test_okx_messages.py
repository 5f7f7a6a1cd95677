"""Every recorded line and every example of the specification becomes what it says, on both roads."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from typing import Any

import msgspec
import pytest

import tapewire
from tapewire.config import Numbers
from tapewire.model.book import BookChange, BookLevel, DepthOrderbookEvent
from tapewire.model.events import Event
from tapewire.venues.contract import Reading
from tapewire.venues.okx.channels import name_of
from tapewire.venues.okx.codec import OkxCodec
from tests.venues.okx.wire import CAPTURES, expected, lines

NUMBERS: tuple[Numbers, ...] = ("float", "decimal")
#: Of every recording: acknowledgements, events, and of these with a short road.
COUNTS = {
    "all_cryptofeed-2022-02-27": (60, 3717, 3695),
    "all_cryptofeed-2022-05-13": (18, 392, 389),
    "mixed_crypto-msg-parser-2022": (0, 37, 26),
    "mixed_gocryptotrader": (0, 4, 3),
}


def codec(numbers: Numbers = "float", *, keep_raw: bool = False) -> OkxCodec:
    return OkxCodec("okx", "DEFAULT", numbers, keep_raw)


def short(reading: Reading, frame: bytes) -> Event:
    """The only event of a frame, as the short road makes it."""
    assert reading.head is not None
    assert frame.startswith(reading.head.text + b"[")
    [event] = reading.head.decode(frame).data
    event.__class__, event.symbol = reading.head.public, reading.events[0].symbol
    made: Event = event
    return made


@pytest.mark.parametrize("numbers", NUMBERS)
@pytest.mark.parametrize("name", CAPTURES)
def test_every_recorded_line_is_read_as_it_is_written(name: str, numbers: Numbers) -> None:
    ours, counts = codec(numbers), Counter[str]()
    for frame in lines(name):
        reading = ours.read(frame)
        assert not reading.quarantined
        counts.update(acknowledged=len(reading.controls), events=len(reading.events))
        if reading.controls:
            said = json.loads(frame)
            [control] = reading.controls
            assert (control.kind, control.stream) == ("subscribed", name_of(said["arg"]))
            continue
        assert repr(list(reading.events)) == repr(expected(frame, numbers))
        assert reading.stream == name_of(json.loads(frame)["arg"])
        if reading.head is not None and b'""' not in frame:  # an empty text is for the careful road
            counts["short"] += 1
            assert repr(short(reading, frame)) == repr(reading.events[0])
    assert (counts["acknowledged"], counts["events"], counts["short"]) == COUNTS[name]


def test_the_short_road_leaves_what_it_cannot_say_to_the_careful_one() -> None:
    [frame] = [line for line in lines("mixed_crypto-msg-parser-2022") if b'"bidPx":""' in line]
    reading = codec().read(frame)
    assert reading.head is not None
    with pytest.raises(msgspec.ValidationError, match="bidPx"):
        reading.head.decode(frame)
    for word in (b'"nan"', b'"inf"', b'"1e400"', b"null", b'"x"'):
        for bad in (frame.replace(b'""', word), frame.replace(b'""', b'"1"').replace(b'"0.0015"', word)):
            with pytest.raises(msgspec.ValidationError):
                reading.head.decode(bad)


@pytest.mark.parametrize("word", [b'"nan"', b'"-inf"', b'"1e400"', b'""', b"null"])
def test_a_level_that_is_no_number_is_refused_by_both_roads(word: bytes) -> None:
    reading = codec().read(BOOK)
    assert reading.head is not None
    for text in (b'"111.06"', b'"57745"'):
        frame = BOOK.replace(text, word)
        with pytest.raises(msgspec.ValidationError):
            reading.head.decode(frame)
        assert len(codec().read(frame).quarantined) == 1


BOOK = b'{"arg":{"channel":"bbo-tbt","instId":"BCH-USDT-SWAP"},"data":[{"asks":[["111.06","55154","0","2"]],"bids":[["111.05","57745","0","2"]],"ts":"1670324386802","seqId":363996337}]}'  # noqa: E501
TRADE = b'{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"130639474","px":"42219.9","sz":"0.12060306","side":"buy","ts":"1630048897897","count":"3","source":"0","seqId":1234}]}'  # noqa: E501


def test_exact_books_have_exact_levels_of_the_public_class_on_both_roads() -> None:
    reading = codec("decimal").read(BOOK)
    for event in (reading.events[0], short(reading, BOOK)):
        assert isinstance(event, DepthOrderbookEvent)
        [ask] = event.asks
        assert (type(ask), ask) == (BookLevel, BookLevel(Decimal("111.06"), Decimal(55154), 0, 2))  # type: ignore[arg-type]
        assert event.orderbook_units[0].bid_price == Decimal("111.05")
        assert (event.channel, event.sequence, event.timestamp) == ("bbo-tbt", 363996337, 1670324386802)


@pytest.mark.parametrize("bad", [b'"NaN"', b'"Infinity"', b'"1e999999"'])
def test_a_decimal_that_is_no_float_is_refused_on_both_roads(bad: bytes) -> None:
    ours = codec("decimal")
    head = ours.read(BOOK).head
    assert head is not None
    frame = BOOK.replace(b'"111.06"', bad)
    with pytest.raises((ValueError, ArithmeticError)):
        head.decode(frame)
    assert len(ours.read(frame).quarantined) == 1


@pytest.mark.parametrize("numbers", NUMBERS)
def test_the_raw_frame_is_kept_where_it_is_asked_for(numbers: Numbers) -> None:
    reading = codec(numbers, keep_raw=True).read(TRADE, 9)
    assert (reading.events[0].raw, reading.events[0].received_ns) == (TRADE, 9)
    assert short(reading, TRADE).raw == TRADE
    assert codec().read(TRADE).events[0].raw is None


def test_an_aggregated_trade_says_of_how_many_it_is() -> None:
    reading = codec().read(TRADE)
    for event in (reading.events[0], short(reading, TRADE)):
        said: Any = msgspec.structs.asdict(event)
        assert (said["sequential_id"], said["count"], said["source"], said["sequence"]) == (130639474, 3, "0", 1234)
        assert (said["ask_bid"], said["trade_timestamp"]) == ("BID", 1630048897897)


def test_a_side_that_nobody_knew_is_kept_by_the_careful_road() -> None:
    reading = codec().read(TRADE)
    frame = TRADE.replace(b'"buy"', b'"swap"')
    with pytest.raises(KeyError):
        short(reading, frame)
    assert msgspec.structs.asdict(codec().read(frame).events[0])["ask_bid"] == "swap"


def test_every_stack_decodes_under_its_own_name() -> None:
    for name in ("okx", "okx-eea", "okx-us", "okx-demo"):
        [event] = tapewire.decode(name, TRADE, 5)
        assert (event.venue, event.symbol, event.received_ns) == (name, "BTC-USDT", 5)
        assert tapewire.decode(name, b"pong") == []
        with pytest.raises(tapewire.DecodeError, match="unknown channel 'wonders'"):
            tapewire.decode(name, TRADE.replace(b'"trades"', b'"wonders"'))


def test_the_only_event_of_a_frame_can_be_had_by_itself() -> None:
    assert codec().decode(TRADE) == codec().read(TRADE).events[0]
    for other in (b"pong", TRADE[:-2] + TRADE[TRADE.index(b"[{") :].replace(b"[", b",", 1), b"{"):
        with pytest.raises(ValueError, match=r"not one event, but [02]"):
            codec().decode(other)


@pytest.mark.parametrize(
    "frame",
    [
        TRADE.replace(b'"arg":{"channel":"trades","instId":"BTC-USDT"},', b"")[:-1]
        + b',"arg":{"channel":"trades","instId":"BTC-USDT"}}',  # the data first
        b'{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"snapshot","data":[{"asks":[],"bids":[]}]}',
        b'{"arg":{"channel":"status"},"data":[{"state":"completed"}]}',  # no market
        TRADE.replace(b"BTC-USDT", b"["),
        b'{"arg":{"channel":"candle1m","instId":"BTC-USDT"},"data":[["1654154580000","1","1","1","1","1","1"]]}',
    ],
)  # fmt: skip
def test_what_has_no_short_road_is_read_all_the_same(frame: bytes) -> None:
    reading = codec().read(frame)
    assert (len(reading.events), reading.head, reading.quarantined) == (1, None, ())


def test_a_change_of_a_book_keeps_texts_numbers_and_heartbeats() -> None:
    """The four lines of spec/okx.md A6.4."""
    arg = b'{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"%s","data":[%s]}'
    update = arg % (
        b"update",
        b'{"asks":[["8476.98","0","0","0"]],"bids":[],"ts":"1597026383185","checksum":0,"prevSeqId":123456,"seqId":123460}',
    )
    beat = arg % (
        b"update",
        b'{"asks":[],"bids":[],"ts":"1597026443185","checksum":0,"prevSeqId":123460,"seqId":123460}',
    )
    first = codec().read(update)
    assert first.events == (
        BookChange(
            venue="okx", symbol="BTC-USDT", channel="books", action="update", timestamp=1597026383185,
            asks=[("8476.98", "0", "0", "0")], bids=[], checksum=0, sequence=123460, previous_sequence=123456,
        ),
    )  # fmt: skip
    assert short(first, beat) == codec().read(beat).events[0]
    snapshot = codec().read(update.replace(b'"update"', b'"snapshot"'))
    assert (snapshot.events[0].action, snapshot.head) == ("snapshot", None)  # type: ignore[attr-defined]
    plain = codec().read(update.replace(b'"8476.98","0"', b"8476.98,0"))
    assert plain.events[0].asks == [("8476.98", "0", "0", "0")]  # type: ignore[attr-defined]
    [bad] = codec().read(update.replace(b'"8476.98"', b'["8476.98"]')).quarantined
    assert bad.reason == "expected a text, got list"
    for broken in (b'"repeat"', b"null", b"3"):
        [bad] = codec().read(update.replace(b'"update"', broken)).quarantined
        assert 'it must be "snapshot" or "update"' in bad.reason
