"""Runs: events encoded at once are, byte for byte, the letters that they would have been one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.model.book import BookLevel, DepthOrderbookEvent
from tapewire.model.events import (
    CandleEvent,
    Event,
    MyOrderEvent,
    OrderbookEvent,
    OrderbookUnit,
    TickerEvent,
    TradeEvent,
)
from tapewire.model.status import FeedEvent, Stopped
from tapewire.sinks.brokers.letters import FORMS, ORDER_IDS, OrderIds, Writer, pack, unpack
from tapewire.sinks.brokers.outbox import Outbox
from tapewire.sinks.brokers.runs import Form, Letter, Run, letters_of, weight_of

RAW = b'{"type":"trade","code":"KRW-BTC","sequential_id":17,"stream_type":"REALTIME"}'


def trade(number: int, symbol: str = "KRW-BTC", **fields: Any) -> TradeEvent:
    return TradeEvent(
        venue="upbit", symbol=symbol, sequential_id=number, timestamp=number, received_ns=number + 5, **fields
    )


def book(number: int, symbol: str) -> Event:
    units = [OrderbookUnit(1.0, 2.0, 3.0, 4.0)]
    return OrderbookEvent(venue="upbit", symbol=symbol, orderbook_units=units, timestamp=number)


def made(kind: int, number: int, symbol: str) -> Event | FeedEvent:
    ways: list[Callable[[], Event | FeedEvent]] = [
        lambda: trade(number, symbol, recovered=True),
        lambda: trade(number, symbol, raw=RAW),
        lambda: trade(number, symbol, count=number % 3 or None),
        lambda: book(number, symbol),
        lambda: Stopped(venue="upbit", connection="upbit-1", at_ns=number, reason=symbol),
        lambda: TickerEvent(venue="upbit", symbol=symbol, timestamp=number, polled=True),
        lambda: DepthOrderbookEvent(venue="upbit", symbol=symbol, asks=[BookLevel(1.0, 2.0)], timestamp=number),
        lambda: OrderbookEvent(venue="upbit", symbol=symbol, orderbook_units=[], level=number % 2, timestamp=number),
        lambda: MyOrderEvent(venue="upbit", symbol=symbol, uuid=f"o{number}", state="wait", timestamp=number),
        lambda: CandleEvent(venue="upbit", symbol=symbol, unit=f"{number % 2 + 1}m", timestamp=number),
        lambda: trade(number, symbol),
    ]
    return ways[min(kind, 10)]()


items_of_all_kinds = st.lists(st.tuples(st.integers(0, 16), st.sampled_from("ABC")), max_size=80).map(
    lambda drawn: [made(kind, number, symbol) for number, (kind, symbol) in enumerate(drawn)]
)


def by_subject(letters: list[Letter]) -> dict[str, list[Letter]]:
    found = defaultdict(list)
    for letter in letters:
        found[letter.subject].append(letter)
    return dict(found)


@given(
    form=st.sampled_from(FORMS),
    batch=st.integers(1, 30),
    order_ids=st.sampled_from(ORDER_IDS),
    items=items_of_all_kinds,
)
def test_runs_are_the_letters_of_their_events(
    form: Form, batch: int, order_ids: OrderIds, items: list[Event | FeedEvent]
) -> None:
    parts = Writer(form, batch=batch, order_ids=order_ids).parts(items)
    one = Writer(form, order_ids=order_ids).letter
    assert by_subject(letters_of(parts)) == by_subject([one(item) for item in items])
    assert sum(weight_of(part) for part in parts) >= sum(weight_of(letter) for letter in letters_of(parts))


@given(form=st.sampled_from(FORMS), batch=st.integers(2, 30), items=items_of_all_kinds, data=st.data())
def test_whatever_becomes_of_their_messages_each_event_leaves_in_its_order(
    form: Form, batch: int, items: list[Event | FeedEvent], data: st.DataObject
) -> None:
    box = Outbox(batch=batch, batch_bytes=2_000, window=7, in_order=False)
    box.put(Writer(form, batch=batch, batch_bytes=2_000).parts(items))
    found: list[Letter] = []
    while group := box.take():
        for message in group:
            match data.draw(st.sampled_from(["sent", "sent", "apart", "again", "taken back"])):
                case "sent":
                    assert message.count <= batch
                    assert message.count == len(unpack(message.headers, message.payload))
                    found += message.letters
                    box.confirmed(message)
                case "apart" if message.count > 1:
                    box.apart(message)
                case "taken back":
                    box.again([message])
                    box.put(box.drain())
                case _:
                    box.again([message])
    one = Writer(form).letter
    assert by_subject(found) == by_subject([one(item) for item in items])
    assert (box.letters, box.size, box.on_the_way) == (0, 0, 0)


@pytest.mark.parametrize("form", ["event", "msgpack"])
@pytest.mark.parametrize("count", [2, 15, 16, 100])
def test_a_message_of_a_run_is_the_message_of_its_letters(form: Form, count: int) -> None:
    trades = [trade(number) for number in range(count)]
    [run] = Writer(form, batch=100).parts(trades)
    assert isinstance(run, Run)
    message, other = pack([run], batch=True), pack([Writer(form).letter(one) for one in trades], batch=True)
    assert (message.id, message.headers, message.payload) == (other.id, other.headers, other.payload)
    assert unpack(message.headers, message.payload) == trades


@pytest.mark.parametrize("late", [{"recovered": True}, {"polled": True}, {"raw": RAW}])
def test_a_late_event_cuts_the_run_of_its_own_subject_alone(late: dict[str, Any]) -> None:
    items = [trade(number, symbol) for number in range(10) for symbol in "AB"]
    items.insert(10, trade(99, "A", **late))
    parts = Writer(batch=100).parts(items)
    assert sorted((part.symbol, part.count) for part in parts) == [("A", 1), ("A", 5), ("A", 5), ("B", 10)]


def test_what_is_larger_than_a_message_may_be_stands_apart() -> None:
    trades = [trade(number) for number in range(9)]
    size = len(Writer().letter(trades[0]).payload)
    parts = Writer(batch=3, batch_bytes=size * 2).parts(trades)
    assert [type(part) for part in parts] == [Letter] * 9
    box = Outbox(batch=3, batch_bytes=size * 2, window=9, in_order=False)
    box.put(parts)
    assert [message.count for message in box.take()] == [2]
