"""The list that every venue must pass, passed by ours; and every question of it seen to fail once."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from msgspec.structs import replace

from tapewire.errors import ConfigError
from tapewire.model.events import TradeEvent
from tapewire.model.subscription import Subscription, as_detail
from tapewire.testing.venue_kit import QUESTIONS, VenueCase, check_venue
from tapewire.testing.venue_talk import Written
from tapewire.venues.contract import Codec, Reading, Skim, Venue
from tapewire.venues.registry import get_venue
from tests.docs.pages import ROOT

DATA = ROOT / "tests" / "data"


def lines(name: str) -> list[bytes]:
    return (DATA / name).read_bytes().splitlines()


def upbit() -> VenueCase:
    def both(ticket: int, *types: Any) -> list[Any]:
        return [{"ticket": f"ticket{ticket}"}, *types, {"format": "SIMPLE"}]

    trade, book = {"type": "trade", "codes": ["KRW-BTC"]}, {"type": "orderbook", "codes": ["KRW-BTC"]}
    live = {"is_only_realtime": True}
    return VenueCase(
        venue=get_venue("upbit"),
        captures=lines("upbit/all_simple_cryptofeed-2021-04-17.jsonl"),
        streams=(Subscription("trade", "KRW-BTC"), Subscription("orderbook", "KRW-BTC")),
        written=Written(
            subscribe=[both(1, trade)],
            add=[both(2, book, trade | live)],
            remove=[both(3, book | live)],
            reconnect=[both(4, book)],
        ),
        refusal=b'{"error":{"name":"WRONG_FORMAT","message":"Format error"}}',
        format="SIMPLE",
        other_times=frozenset({f"trade.{name}" for name in ("bap", "bas", "bbp", "bbs")} | {"orderbook.lv"}),
    )


def okex3() -> VenueCase:
    def request(op: str, *names: str) -> dict[str, Any]:
        return {"op": op, "args": list(names)}

    recorded = [b64decode(line) for line in lines("okex3/all_cryptofeed-2021-04-17-c1.rawdeflate.b64.txt")]
    trade, ticker, book = "swap/trade:BTC-USD-SWAP", "swap/ticker:BTC-USD-SWAP", "swap/depth_l2_tbt:BTC-USD-SWAP"
    return VenueCase(
        venue=get_venue("okex3"),
        captures=recorded,
        streams=(
            Subscription("trade", "BTC-USD-SWAP"), Subscription("ticker", "BTC-USD-SWAP"),
            Subscription("orderbook", "BTC-USD-SWAP", detail=as_detail({"channel": "depth_l2_tbt"})),
        ),
        written=Written(
            subscribe=[request("subscribe", trade)],
            add=[request("subscribe", ticker, book)],
            remove=[request("unsubscribe", trade)],
            reconnect=[request("subscribe", ticker, book)],
        ),
        refusal=json.dumps(
            {"event": "error", "message": f"Channel {trade} doesn't exist", "errorCode": 30040}
        ).encode(),
        other_times=frozenset({"trade.data[].qty"}),  # of options
    )  # fmt: skip


def okx() -> VenueCase:
    def request(number: int, op: str, *channels: str) -> dict[str, Any]:
        return {
            "id": f"ticket{number}", "op": op,
            "args": [{"channel": channel, "instId": "BTC-USDT"} for channel in channels],
        }  # fmt: skip

    return VenueCase(
        venue=get_venue("okx"),
        captures=lines("okx5/all_cryptofeed-2022-05-13.jsonl"),
        streams=(
            Subscription("trade", "BTC-USDT"), Subscription("ticker", "BTC-USDT"),
            Subscription("orderbook", "BTC-USDT"),
        ),
        written=Written(
            subscribe=[request(1, "subscribe", "trades")],
            add=[request(2, "subscribe", "tickers", "books")],
            remove=[request(3, "unsubscribe", "trades")],
            reconnect=[request(4, "subscribe", "tickers", "books")],
        ),
        refusal=b'{"event":"error","msg":"Wrong URL or channel:trades,instId:BTC-USDT doesn\'t exist.","code":"60018"}',
        switches={"fields": "2022"},
    )  # fmt: skip


CASES: dict[str, Callable[[], VenueCase]] = {"upbit": upbit, "okex3": okex3, "okx": okx}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("question", QUESTIONS)
def test_our_venues_pass(question: str, name: str) -> None:
    QUESTIONS[question](CASES[name]())


# every question fails for a venue that is not so


class Spoilt:
    """A codec whose readings are changed on their way."""

    def __init__(self, codec: Codec, spoil: Callable[[Reading], Reading], *, decodes: bool = False) -> None:
        self._codec, self._spoil = codec, spoil
        self.classes: Any = codec.classes
        self.skim: Skim | None = None
        self.decode: Any = self._decode if decodes else codec.decode

    def read(self, payload: bytes, received_ns: int = 0) -> Reading:
        return self._spoil(self._codec.read(payload, received_ns))

    def _decode(self, payload: bytes) -> Any:
        return self._spoil(Reading(events=(self._codec.decode(payload),))).events[0]


def spoilt(venue: Venue, spoil: Callable[[Reading], Reading]) -> Venue:
    return replace(venue, codec=lambda *form: Spoilt(venue.codec(*form), spoil))


def forgetful(venue: Venue) -> Venue:
    """Its reader counts, and leaves out every seventh event."""

    def make(*form: Any) -> Any:
        numbers = count()
        return Spoilt(venue.codec(*form), lambda one: replace(one, events=()) if next(numbers) % 7 == 3 else one)

    return replace(venue, codec=make)


def two_faced(venue: Venue) -> Venue:
    """Its short road reads another price."""

    def other_price(reading: Reading) -> Reading:
        for event in reading.events:
            if isinstance(event, TradeEvent):
                event.trade_price = 1.0
        return reading

    def make(*form: Any) -> Any:
        codec = Spoilt(venue.codec(*form), other_price, decodes=True)
        codec.read = venue.codec(*form).read  # type: ignore[method-assign]
        return codec

    return replace(venue, codec=make)


def alike(case: VenueCase) -> VenueCase:
    """Its reader takes how all trades begin for how those of one stream do."""

    def make(*form: Any) -> Any:
        codec = Spoilt(case.venue.codec(*form), lambda one: one)

        def timestamp(frame: bytes) -> int | None:
            return codec.read(frame).events[0].timestamp

        codec.skim = Skim(frozenset({"trade"}), 1, lambda event: (event.raw or b"").partition(b",")[0], timestamp)
        return codec

    return replace(case, venue=replace(case.venue, codec=make))


def raising(reading: Reading) -> Reading:
    for item in reading.quarantined:
        raise ValueError(item.reason)
    return reading


def of_another_time(reading: Reading) -> Reading:
    for event in reading.events:
        event.timestamp = 5
    return reading


def without_reason(reading: Reading) -> Reading:
    return replace(reading, events=(), controls=())


BROKEN: dict[str, tuple[Callable[[VenueCase], VenueCase], str]] = {
    "facts_hang_together": (
        lambda case: replace(case, venue=replace(case.venue, changes=None)), "requests add to each other",
    ),
    "wrong_wishes_are_refused": (
        lambda case: replace(case, venue=replace(case.venue, check=lambda *_: None)), "kind 'moonPhase' is not refused",
    ),
    "every_capture_is_read_or_refused_by_name": (
        lambda case: replace(case, venue=spoilt(case.venue, without_reason)), "neither read nor refused",
    ),
    "every_event_is_complete_and_exact": (
        lambda case: replace(case, venue=spoilt(case.venue, of_another_time)), "has the time 5",
    ),
    "the_same_bytes_give_the_same_events": (
        lambda case: replace(case, venue=forgetful(case.venue)), "read otherwise after other frames",
    ),
    "both_roads_give_the_same_events": (
        lambda case: replace(case, venue=two_faced(case.venue)), "the short road says",
    ),
    "frames_that_begin_alike_are_of_one_stream": (
        lambda _case: alike(upbit()), "begin as those of ",
    ),
    "cut_garbled_and_doubled_frames_raise_nothing": (
        lambda case: replace(case, venue=spoilt(case.venue, raising)), "ValueError: ",
    ),
    "holes_are_seen": (
        lambda case: replace(case, venue=replace(case.venue, book=None)), "no stream is a book that is kept",
    ),
    "requests_are_as_written": (
        lambda case: replace(case, written=replace(case.written, add=[])), "add: [{",
    ),
    "a_refusal_reaches_the_user": (
        lambda case: replace(case, refusal=b'{"event":"news"}'), "nobody is told",
    ),
    "the_peers_frames_have_the_shape_of_the_captures": (
        lambda case: replace(case, other_times=frozenset()), "only one side has ['trade.data[].qty']",
    ),
    "what_the_market_makes_comes_back_equal": (
        lambda case: replace(case, venue=replace(case.venue, encode=lambda *_: [])), "was made and is not told",
    ),
}  # fmt: skip


def short(case: VenueCase) -> VenueCase:
    return replace(case, captures=case.captures[:400])


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_venue_that_is_not_so_does_not_pass(question: str) -> None:
    break_it, found = BROKEN[question]
    with pytest.raises((AssertionError, ValueError)) as caught:
        QUESTIONS[question](break_it(short(okex3())))
    assert found in f"{type(caught.value).__name__}: {caught.value}"


def test_the_whole_list_at_once_and_what_it_says_of_a_broken_one() -> None:
    case = short(okex3())
    known = {name: getattr(case, name) for name in case.__struct_fields__ if name not in ("venue", "captures")}
    assert check_venue(case.venue, case.captures, **known) == tuple(QUESTIONS)
    broken = spoilt(replace(case.venue, check=lambda *_: None, exchange=None), raising)
    with pytest.raises(AssertionError) as caught:
        check_venue(broken, case.captures[:40], **known)
    said = str(caught.value)
    assert said.startswith("okex3: wrong wishes are refused: kind 'moonPhase' is not refused; cut garbled")
    assert "raise nothing: ValueError: " in said
    assert "nothing plays the exchange: Venue.exchange" in said


def test_what_cannot_be_asked() -> None:
    with pytest.raises(ConfigError, match=r"streams is .* two or more"):
        replace(okex3(), streams=(Subscription("trade", "BTC-USD-SWAP"),))
    with pytest.raises(ConfigError, match="captures is 'nothing'; it must be recorded frames"):
        replace(okex3(), captures=())
