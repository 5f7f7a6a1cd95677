"""Every field of every recorded frame, deflated and as text, and of the specification's examples."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tapewire.config import Numbers
from tapewire.model.book import BookLevel, DepthOrderbookEvent
from tapewire.model.events import OrderbookUnit, TickerEvent, TradeEvent
from tapewire.venues.contract import Control, Reading
from tapewire.venues.okex_v3.codec import OkexCodec
from tapewire.venues.okex_v3.inflate import deflate
from tests.venues.okex_v3.wire import data_frames, deflated, expected, long_road, recorded, sent, short_road, singles

FLOAT = OkexCodec("DEFAULT", "float", False)
EXACT = OkexCodec("DEFAULT", "decimal", False)
CODECS: dict[Numbers, OkexCodec] = {"float": FLOAT, "decimal": EXACT}


@pytest.mark.parametrize("numbers", ["float", "decimal"])
def test_every_field_of_every_frame_is_in_the_event_on_both_roads(numbers: Numbers) -> None:
    frames = data_frames()
    assert len(frames) == 2456 + 17 + 8
    for frame in frames:
        wanted = repr(expected(frame, numbers))  # repr: Decimal("1.0") equals 1.0, but is another number on the wire
        assert repr(long_road(CODECS[numbers], frame)) == wanted
        assert repr(short_road(CODECS[numbers], frame)) == wanted


def test_the_frames_as_they_came_say_what_their_text_says() -> None:
    binary = deflated()
    assert len(binary) == 2486
    assert [FLOAT.read(frame) for frame in binary] == [FLOAT.read(frame) for frame in recorded()]
    data = [frame for frame, text in zip(binary, recorded(), strict=True) if b'"table"' in text]
    assert [short_road(FLOAT, frame) for frame in data] == [expected(text) for text in recorded() if b'"table"' in text]


def test_the_acknowledgements_name_what_was_asked() -> None:
    controls = [control for frame in deflated() for control in FLOAT.read(frame).controls]
    asked = json.loads(sent())["args"]
    assert controls == [Control("subscribed", stream=name) for name in asked]
    assert len(controls) == 30


def test_what_was_recorded() -> None:
    events = [event for frame in deflated() for event in FLOAT.read(frame).events]
    assert Counter(event.kind for event in events) == {"bookChange": 2398, "ticker": 33, "trade": 25}


def test_one_event_of_each_in_full() -> None:
    ticker = b'{"table":"spot/ticker","data":[{"last":"1","open_24h":"0.9987","best_bid":"1","high_24h":"1","low_24h":"0.9987","open_utc0":"0.9987","open_utc8":"0.9998","base_volume_24h":"13132.5244","quote_volume_24h":"13124.686","best_ask":"1.0001","instrument_id":"CUSD-USD","timestamp":"2021-04-05T18:10:03.682Z","best_bid_size":"1000.9299","best_ask_size":"971.1433","last_qty":"0"}]}'  # noqa: E501
    assert long_road(FLOAT, ticker, 7) == TickerEvent(
        venue="okex3", symbol="CUSD-USD", timestamp=1617646203682, received_ns=7, market_type="SPOT", trade_price=1.0,
        trade_volume=0.0, best_bid_price=1.0, best_bid_size=1000.9299, best_ask_price=1.0001, best_ask_size=971.1433,
        opening_price=0.9987, opening_price_utc8=0.9998, opening_price_24h=0.9987, high_price_24h=1.0,
        low_price_24h=0.9987, acc_trade_volume_24h=13132.5244, acc_trade_price_24h=13124.686,
    )  # fmt: skip
    assert short_road(FLOAT, singles()[3]) == TradeEvent(
        venue="okex3", symbol="BTC-USD-210625", timestamp=1616376761377, trade_timestamp=1616376761377,
        trade_price=59999.7, trade_volume=7.0, ask_bid="ASK", sequential_id=16606935,
    )  # fmt: skip
    book = short_road(FLOAT, singles()[16])
    assert isinstance(book, DepthOrderbookEvent)
    assert (book.asks[0], book.orderbook_units[0]) == (
        BookLevel(0.9788, 0.001, 0, 1), OrderbookUnit(0.9788, 0.9768, 0.001, 0.605755),
    )  # fmt: skip
    assert (book.channel, book.timestamp, len(book.asks), len(book.bids)) == ("depth5", 1645747201032, 5, 5)


def test_a_frame_of_several_rows_is_several_events() -> None:
    one, two = (json.loads(frame)["data"][0] for frame in singles()[:1] * 2)
    two |= {"trade_id": "161659504", "timestamp": "2021-03-22T01:16:28.688Z"}
    frame = json.dumps({"table": "spot/trade", "data": [one, two]}).encode()
    with pytest.raises(ValueError, match="too many values"):
        FLOAT.decode(frame)
    events = FLOAT.read(deflate(frame), 5).events
    assert [(event.timestamp, event.received_ns) for event in events] == [(1616375788687, 5), (1616375788688, 5)]


def test_raw_is_the_text_of_the_frame_whether_it_came_deflated_or_not() -> None:
    codec = OkexCodec("DEFAULT", "float", True)
    for frame in singles():
        for payload in (frame, deflate(frame)):
            assert codec.decode(payload).raw == long_road(codec, payload).raw == frame
    assert FLOAT.decode(deflate(singles()[0])).raw is None


@pytest.mark.parametrize(
    ("frame", "control"),
    [
        (b"pong", Control("alive", "pong")),
        (bytes.fromhex("2bc8cf4b0700"), Control("alive", "pong")),
        (deflate(b"ping"), Control("alive", "ping")),
        (
            bytes.fromhex(
                "ab564a2d4bcd2b51b2522a2e4d2a4e2eca4c4a55d2514ace48cccb4bcd018916e497e8971425a6a45a398706bbe802b1522d00"
            ),
            Control("subscribed", stream="spot/trade:CUSD-USD"),
        ),
        (b'{"event":"unsubscribe","channel":"swap/trade:X"}', Control("unsubscribed", stream="swap/trade:X")),
        (b'{"event":"login","success":true}', Control("login")),
        (b'{"event":"login","success":"true"}', Control("login")),
        (b'{"event":"login","success":false}', Control("error", "30027", "login failed")),
        (
            b'{"event":"error","message":"Channel spot/tickerinvalid:NEO-USDT doesn\'t exist","errorCode":30040}',
            Control("error", "30040", "Channel spot/tickerinvalid:NEO-USDT doesn't exist"),
        ),
        (b'{"event":"error","errorCode":"30041"}', Control("error", "30041", "")),
        (b'{"event":"news","message":"x"}', Control("notice", "news", "x", {"event": "news", "message": "x"})),
    ],
)  # fmt: skip
def test_words_of_the_exchange(frame: bytes, control: Control) -> None:
    assert FLOAT.read(frame) == Reading(controls=(control,))
    assert EXACT.read(deflate(frame) if frame[:1] == b"{" else frame) == Reading(controls=(control,))
