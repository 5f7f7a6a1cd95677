"""The id of an event: distinct events never have one, the same event from two collectors has one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from tapewire import decode
from tapewire.model.events import (
    Asset,
    CandleEvent,
    Event,
    MyAssetEvent,
    MyOrderEvent,
    OrderbookEvent,
    OrderbookUnit,
    TickerEvent,
    TradeEvent,
)
from tapewire.model.status import Connected, Stopped
from tapewire.sinks.brokers.identity import (
    batch_identity,
    event_id,
    full_id,
    identity,
    marked_id,
    marked_identity,
)
from tapewire.sinks.brokers.subjects import Place, place_of
from tests.docs.pages import ROOT

_NUMBER = st.floats(allow_nan=False, allow_infinity=False)
_SYMBOL = st.sampled_from(["KRW-BTC", "KRW-ETH", "A|B", "A%7CB", "", "한"])
_WHERE = {"venue": st.sampled_from(["upbit", "upbit-sg", "okx"]), "symbol": _SYMBOL}
_WHEN = st.none() | st.integers(0, 2**41)
_UNIT = st.builds(OrderbookUnit, ask_price=_NUMBER, bid_price=_NUMBER, ask_size=_NUMBER, bid_size=_NUMBER)
_EVENT: st.SearchStrategy[Event] = st.one_of(
    st.builds(TradeEvent, **_WHERE, timestamp=_WHEN, sequential_id=st.none() | st.integers(0, 2**53),
              trade_price=st.none() | _NUMBER, count=st.none() | st.integers(1, 9)),
    st.builds(TickerEvent, **_WHERE, timestamp=_WHEN, trade_price=st.none() | _NUMBER, change=st.none() | st.text()),
    st.builds(OrderbookEvent, **_WHERE, timestamp=_WHEN, orderbook_units=st.lists(_UNIT, max_size=3), level=_NUMBER),
    st.builds(CandleEvent, **_WHERE, timestamp=_WHEN, unit=st.sampled_from(["1s", "1m"]), trade_price=_NUMBER),
    st.builds(MyOrderEvent, **_WHERE, timestamp=_WHEN, uuid=st.text(), state=st.sampled_from(["wait", "done"]),
              volume=st.none() | st.decimals(allow_nan=False)),
    st.builds(MyAssetEvent, venue=_WHERE["venue"], timestamp=_WHEN, asset_uuid=st.text()),
)  # fmt: skip
_OURS = {
    "stream_type": st.sampled_from([None, "SNAPSHOT", "REALTIME"]),
    "received_ns": st.integers(0, 2**62),
    "raw": st.none() | st.binary(),
    "recovered": st.booleans(),
    "polled": st.booleans(),
}


@given(_EVENT, st.fixed_dictionaries(_OURS))
def test_two_collectors_give_an_event_one_id(event: Event, ours: dict[str, Any]) -> None:
    assert event_id(replace(event, **ours)) == event_id(event)


def said(event: Event) -> Any:
    """What makes an event this one and no other, in plain values."""
    bare = replace(event, stream_type=None, received_ns=0, raw=None, recovered=False, polled=False)
    if isinstance(bare, TradeEvent) and bare.sequential_id is not None:
        return bare.venue, bare.symbol, bare.sequential_id, bare.count or 1
    return type(bare), repr(bare)


@given(_EVENT, _EVENT)
def test_distinct_events_have_distinct_ids(one: Event, other: Event) -> None:
    assume(said(one) != said(other))
    assert event_id(one) != event_id(other)


@given(_EVENT, st.sampled_from(["venue", "symbol"]))
def test_the_same_in_another_market_is_another(event: Event, field: str) -> None:
    assert event_id(replace(event, **{field: getattr(event, field) + "x"})) != event_id(event)


@given(_EVENT)
def test_an_id_is_of_four_parts_and_plain(event: Event) -> None:
    parts = event_id(event).split("|")
    assert len(parts) == 4
    assert parts[3] == identity(event)
    assert event_id(event).isascii()
    assert not set(event_id(event)) & set(" ,\r\n\t*>")


def test_ids_as_the_page_says_them() -> None:
    trade = TradeEvent(venue="upbit", symbol="KRW-BTC", sequential_id=17)
    assert event_id(trade) == "upbit|trade|KRW-BTC|17"
    assert event_id(replace(trade, count=3)) == "upbit|trade|KRW-BTC|17x3"
    assert event_id(replace(trade, count=1)) == event_id(trade)
    assert event_id(CandleEvent(venue="upbit", symbol="KRW-BTC", unit="1s", timestamp=5)).startswith(
        "upbit|candle.1s|KRW-BTC|5-"
    )
    told = Stopped(venue="upbit", connection="upbit-1", at_ns=9, reason="x")
    assert event_id(told).startswith("upbit|feed|stopped|9-")
    assert event_id(told) != event_id(replace(told, connection="upbit-2"))
    assert event_id(told) != event_id(Connected(venue="upbit", connection="upbit-1", at_ns=9, url="", reconnect=0))


def test_exact_numbers_are_told_apart() -> None:
    asset = MyAssetEvent(venue="upbit", assets=[Asset("KRW", Decimal("1.00"), Decimal(0))])
    more = replace(asset, assets=[Asset("KRW", Decimal("1.000000000000000001"), Decimal(0))])
    assert event_id(asset) != event_id(more)


def test_formats_do_not_matter() -> None:
    """One collector asks for SIMPLE, the other for DEFAULT."""
    long = b'{"type":"ticker","code":"KRW-BTC","trade_price":1.5,"timestamp":17,"stream_type":"SNAPSHOT"}'
    short = b'{"ty":"ticker","cd":"KRW-BTC","tp":1.5,"tms":17,"st":"REALTIME"}'
    [one], [other] = decode("upbit", long), decode("upbit", short)
    assert event_id(one) == event_id(other)
    assert event_id(one).startswith("upbit|ticker|KRW-BTC|17-")


def test_a_recorded_hour_has_no_collision() -> None:
    frames = (ROOT / "tests/data/upbit/all_simple_cryptofeed-2021-04-17.jsonl").read_bytes().splitlines()
    events = [event for frame in frames for event in decode("upbit", frame)]
    assert len(events) > 100
    distinct = {repr(said(event)) for event in events}
    assert len({event_id(event) for event in events}) == len(distinct)


@given(st.lists(st.text("0123456789x-", min_size=1), min_size=1, max_size=5))
def test_a_batch_has_the_id_of_its_events_in_their_order(identities: list[str]) -> None:
    place = Place("upbit", "candle.1s", "KRW-BTC")

    def of(several: list[str]) -> str:
        return full_id(place, batch_identity(len(several), ",".join(several)))

    one = of(identities)
    assert one == of(list(identities))
    assert one.startswith(f"upbit|candle.1s|KRW-BTC|{len(identities)}*")
    assert one != of([*identities, "7"])
    if identities != identities[::-1]:
        assert one != of(identities[::-1])
    assert place_of(CandleEvent(venue="upbit", symbol="KRW-BTC", unit="1s")) == place


def test_an_orders_event_is_known_by_its_order_and_what_it_tells() -> None:
    live = MyOrderEvent(
        venue="upbit", symbol="KRW-BTC", timestamp=5, uuid="o 1", state="trade", trade_uuid="t",
        volume=Decimal(1), executed_volume=Decimal(3), trade_fee=Decimal(1),
    )  # fmt: skip
    by_rest = replace(live, timestamp=5000, executed_volume=Decimal(2), trade_fee=None, recovered=True)
    assert marked_id(live) == marked_id(by_rest) == "upbit|myOrder|KRW-BTC|o%201-t"
    assert marked_id(live) != marked_id(replace(live, trade_uuid="u"))
    assert marked_identity(replace(live, state="done")) == "o%201-done"
    prevented = replace(live, state="prevented", trade_uuid=None, prevented_volume=Decimal(2))
    assert marked_identity(prevented) == "o%201-prevented%202"
    assert marked_identity(replace(live, venue="okx", state="live", trade_uuid=None)) == "o%201-live%205"


def test_what_has_no_mark_is_known_as_ever() -> None:
    others = [
        TradeEvent(venue="upbit", symbol="KRW-BTC", sequential_id=17), MyAssetEvent(venue="upbit", timestamp=1),
        MyOrderEvent(venue="upbit", symbol="KRW-BTC", uuid="", state="done"),
        MyOrderEvent(venue="okex3", symbol="BTC-USDT", uuid="x", state="done"),
    ]  # fmt: skip
    assert [marked_id(one) for one in others] == [event_id(one) for one in others]
