"""Events as messages and back: every form, one or several, and what is no message of ours."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from tapewire import decode
from tapewire.errors import ConfigError, DecodeError
from tapewire.model.book import BookLevel, DepthOrderbookEvent
from tapewire.model.events import Asset, CandleEvent, Event, MyAssetEvent, OrderbookEvent, OrderbookUnit, TradeEvent
from tapewire.model.status import FeedEvent, Stopped
from tapewire.sinks.brokers import letters
from tapewire.sinks.brokers.letters import FORMS, Writer, check_form, fit, holds_one, pack, unpack
from tapewire.sinks.brokers.runs import Form, Letter

RAW = (
    b'{"type":"trade","code":"KRW-BTC","trade_price":1.5,"trade_volume":2.0,"sequential_id":17,'
    b'"stream_type":"REALTIME"}'
)
TRADE = TradeEvent(venue="upbit", symbol="KRW-BTC", sequential_id=17, trade_price=1.5, timestamp=5, received_ns=9)
ITEMS: list[Event | FeedEvent] = [
    TRADE,
    OrderbookEvent(venue="upbit-sg", symbol="SGD-한", orderbook_units=[OrderbookUnit(1.0, 2.0, 3.0, 4.0)], timestamp=7),
    DepthOrderbookEvent(
        venue="okx", symbol="BTC-USDT", asks=[BookLevel(2.0, 1.0)], bids=[BookLevel(1.0, 3.0)], sequence=4
    ),
    CandleEvent(venue="upbit", symbol="KRW-BTC", unit="1m", polled=True),
    MyAssetEvent(venue="upbit", assets=[Asset("KRW", Decimal("1.00"), Decimal(0))]),
    Stopped(venue="upbit", connection="upbit-1", at_ns=5, reason="x"),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("item", ITEMS, ids=lambda item: type(item).__name__)
def test_what_is_written_is_read(form: Form, item: Event | FeedEvent) -> None:
    letter = Writer(form).letter(item)
    one = pack([letter], batch=False)
    assert unpack(one.headers, one.payload) == [item]
    several = pack([letter, letter, letter], batch=True)
    assert unpack(several.headers, several.payload) == [item, item, item]
    assert all(value.isascii() and "\n" not in value for value in several.headers.values())


def test_headers_say_what_it_is() -> None:
    message = pack([Writer().letter(TRADE)], batch=False)
    assert message.headers == {
        "tw-schema": "1", "tw-venue": "upbit", "tw-type": "trade", "tw-symbol": "KRW-BTC", "tw-form": "event",
        "tw-timestamp": "5", "tw-received-ns": "9", "tw-recovered": "0",
    }  # fmt: skip
    assert (message.subject, message.id) == ("md.upbit.kr.trade.KRW-BTC", "upbit|trade|KRW-BTC|17")
    assert msgspec.json.decode(message.payload)["sequential_id"] == 17


def test_a_pack_is_a_list_and_names_its_ids() -> None:
    writer = Writer("msgpack", "prod")
    letters = [writer.letter(msgspec.structs.replace(TRADE, sequential_id=n, timestamp=None)) for n in (17, 18)]
    message = pack(letters, batch=True)
    assert (message.subject, message.headers["tw-ids"]) == ("prod.upbit.kr.trade.KRW-BTC", "17,18")
    assert message.id.startswith("upbit|trade|KRW-BTC|2*")
    assert message.headers["tw-timestamp"] == ""
    assert [one["sequential_id"] for one in msgspec.msgpack.decode(message.payload)] == [17, 18]
    assert isinstance(msgspec.json.decode(pack([Writer().letter(TRADE)], batch=True).payload), list)


def test_the_venues_own_json_goes_as_it_came() -> None:
    [event] = decode("upbit", RAW, 9)
    kept = msgspec.structs.replace(event, raw=RAW, recovered=True)
    letter = Writer("venue").letter(kept)
    assert (letter.form, letter.payload) == ("venue", RAW)
    message = pack([letter, letter], batch=True)
    assert message.payload == b"[" + RAW + b"," + RAW + b"]"
    assert unpack(message.headers, message.payload) == [msgspec.structs.replace(event, recovered=True)] * 2


def test_what_has_no_such_form_goes_as_our_event() -> None:
    writer = Writer("venue")
    assert writer.letter(TRADE).form == "event"
    of_several = msgspec.structs.replace(TRADE, raw=b'{"arg":{},"data":[{"a":1},{"a":2}]}')
    letter = writer.letter(of_several)
    assert letter.form == "event"
    assert unpack(pack([letter], batch=False).headers, letter.payload) == [TRADE]
    assert Writer("event").letter(of_several).payload == letter.payload


@pytest.mark.parametrize(
    ("raw", "one"),
    [
        (b'{"type":"trade"}', True), (b'{"data":[{}]}', True), (b'{"data":{}}', True), (b'{"data":[]}', False),
        (b'{"data":[{},{}]}', False), (b"[{},{}]", False), (b"[{}]", False), (b"\xff", False), (b"nothing", False),
        (b'{"a":' + b"[" * 5_000, False),
    ],
)  # fmt: skip
def test_a_frame_of_one_event_is_told(raw: bytes, one: bool) -> None:
    assert holds_one(raw) is one


def test_what_fits_into_one_message() -> None:
    letter = Writer().letter(TRADE)
    late = Writer().letter(msgspec.structs.replace(TRADE, recovered=True))
    assert fit(letter, letter)
    assert not fit(letter, late)
    assert not fit(letter, Writer("msgpack").letter(TRADE))
    assert letter.place == ("upbit", "trade", "KRW-BTC")


def test_a_letter_survives_the_spool() -> None:
    letter = Writer("msgpack").letter(TRADE)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(letter), type=Letter) == letter


def test_subjects_are_remembered_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters, "SUBJECTS_MOST", 1)
    writer = Writer()
    for symbol in ("A", "B", "B", "A"):
        event = msgspec.structs.replace(TRADE, symbol=symbol)
        assert writer.letter(event).subject == f"md.upbit.kr.trade.{symbol}"


HEADERS = pack([Writer().letter(TRADE)], batch=False).headers


@pytest.mark.parametrize(
    ("change", "payload", "words"),
    [
        ({"tw-schema": None}, b"{}", "no header 'tw-schema'"),
        ({"tw-schema": "2"}, b"{}", "schema 2; this program reads 1"),
        ({"tw-schema": "x"}, b"{}", "invalid literal"),
        ({"tw-form": "xml"}, b"{}", "form xml; known: event, venue, msgpack"),
        ({}, b"nothing", "malformed"),
        ({}, b'{"type":"trade"}', "missing required field"),
        ({"tw-ids": "1"}, b"{}", "Expected `array`"),
        ({"tw-form": "venue"}, b"nothing", "nothing"),
        ({"tw-form": "venue", "tw-venue": "nowhere"}, b"{}", "no venue is called 'nowhere'"),
    ],
)
def test_what_is_no_message_of_ours_is_told(change: dict[str, str | None], payload: bytes, words: str) -> None:
    headers = {name: value for name, value in {**HEADERS, **change}.items() if value is not None}
    with pytest.raises(DecodeError, match=words):
        unpack(headers, payload)


@pytest.mark.parametrize(("form", "batch"), [("xml", 1), ("event", 0), ("event", 1_001), ("event", True)])
def test_options_that_cannot_be_are_refused(form: str, batch: int) -> None:
    with pytest.raises(ConfigError):
        check_form(form, batch)
    check_form("event", 1_000)
