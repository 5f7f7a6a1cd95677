"""How far each subject of a broker was heard, and which events came already."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.errors import DecodeError
from tapewire.model.events import TradeEvent
from tapewire.model.subscription import Subscription
from tapewire.runtime import heard as heard_module
from tapewire.runtime.heard import Heard
from tapewire.sinks.brokers.letters import Writer, pack
from tapewire.sinks.brokers.source import Begin, Received

NAME = "md.upbit.kr.trade.KRW-BTC"
_writer = Writer()


def trade(number: int) -> TradeEvent:
    return TradeEvent(venue="upbit", symbol="KRW-BTC", sequential_id=number)


def message(position: int, *numbers: int) -> Received:
    packed = pack([_writer.letter(trade(number)) for number in numbers], batch=len(numbers) > 1)
    return Received(NAME, packed.headers, packed.payload, str(position))


def heard(begin: Begin | None = None) -> Heard:
    return Heard("upbit", "md", begin or Begin())


def test_it_goes_on_behind_the_last_message() -> None:
    one = heard()
    assert (one.is_new(NAME), one.begins_at_once(NAME), one.begin(NAME)) == (True, True, Begin())
    assert one.read(message(7, 1)) == [trade(1)]
    assert (one.is_new(NAME), one.begins_at_once(NAME), one.begin(NAME)) == (False, False, Begin(after="7"))
    one.follow(feed := one.told()[0])
    one.keep([NAME])
    assert one.begin(NAME) == Begin(after="7")
    one.keep([])
    assert one.begin(NAME) == Begin()
    assert not one.is_new(feed)


def test_the_newest_is_looked_at_or_begun_with() -> None:
    one = heard()
    assert one.newest(message(7, 1), begins=False) == [trade(1)]
    assert one.is_new(NAME)
    assert one.newest(message(8, 1, 2), begins=True) == [trade(1), trade(2)]
    assert one.begin(NAME) == Begin(after="8")
    assert one.read(message(9, 2, 3)) == [trade(3)]
    assert one.doubled == 1


def test_history_begins_where_it_was_asked_for() -> None:
    asked = Begin(since_ns=5)
    one = heard(asked)
    assert (one.begins_at_once(NAME), one.begin(NAME)) == (False, asked)
    one.read(message(3, 1))
    assert one.begin(NAME) == Begin(after="3")


def test_what_is_none_of_ours_counts_as_heard() -> None:
    one = heard()
    with pytest.raises(DecodeError):
        one.read(Received(NAME, {}, b"something else", "4"))
    assert one.begin(NAME) == Begin(after="4")


@pytest.mark.parametrize(
    ("subscription", "name"),
    [
        (Subscription("trade", "KRW-BTC"), NAME),
        (Subscription("candle", "KRW-BTC", unit="1s"), "md.upbit.kr.candle-1s.KRW-BTC"),
        (Subscription("orderbook", "KRW-BTC", depth=5), "md.upbit.kr.orderbook.KRW-BTC"),
        (Subscription("orderbook", "KRW-BTC", level=10000), "md.upbit.kr.orderbook-10000.KRW-BTC"),
        (Subscription("orderbook", "KRW-XRP", level=0.1), "md.upbit.kr.orderbook-0%2E1.KRW-XRP"),
    ],
)
def test_streams_have_subjects(subscription: Subscription, name: str) -> None:
    assert heard().name(subscription) == name


def test_the_collectors_own_events_have_subjects_too() -> None:
    assert heard().told() == ["md.upbit.kr.feed.gap", "md.upbit.kr.feed.stale", "md.upbit.kr.feed.recovered"]


@given(st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=4), max_size=30))
def test_each_event_comes_once_however_it_is_packed(packs: list[list[int]]) -> None:
    one, found = heard(), []
    for position, numbers in enumerate(packs):
        found += one.read(message(position, *numbers))
    everything = [number for numbers in packs for number in numbers]
    assert found == [trade(number) for number in dict.fromkeys(everything)]
    assert one.doubled == len(everything) - len(found)


def test_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heard_module, "REMEMBERED", 2)
    one = heard()
    for number in (1, 2, 3):
        one.read(message(number, number))
    assert one.read(message(4, 3)) == []
    assert one.read(message(5, 1)) == [trade(1)]
