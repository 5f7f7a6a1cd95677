"""What a move makes of the messages of two lines: whether they meet, what the new one alone brought."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tapewire.hub.listening import Listener, Stream
from tapewire.model.events import Event, MyOrderEvent, TickerEvent, TradeEvent
from tapewire.model.subscription import Subscription
from tapewire.runtime.moving import Tap, is_whole, missed_by_old, remember_ids

TRADES = Subscription("trade", "A-B")
TICKER = Subscription("ticker", "A-B")
ORDERS = Subscription("myOrder", "")


def nobody(_event: Event) -> None: ...


def tap(*events: Event, realtime: bool = False) -> Tap:
    made = Tap(Listener("move", nobody, "realtime_only" if realtime else "both"))
    made.on_new.extend(events)
    return made


def trade(number: int, count: int | None = None) -> TradeEvent:
    return TradeEvent(venue="okx", symbol="A-B", sequential_id=number, count=count, timestamp=number)


def order(uuid: str, received_ns: int, executed: int = 0) -> MyOrderEvent:
    return MyOrderEvent(
        venue="okx", symbol="A-B", uuid=uuid, state="live", executed_volume=Decimal(executed), received_ns=received_ns
    )


def heard(*numbers: int) -> Stream:
    stream = Stream(TRADES)
    for number in numbers:
        stream.remember(trade(number))
    return stream


@pytest.mark.parametrize(
    ("old", "new", "whole"),
    [
        ((5, 6), trade(6), True),
        ((5, 6), trade(7), True),
        ((5, 6), trade(8), False),  # 7 may come on the old line, or not
        ((5, 6), trade(9, count=3), True),
        ((), trade(100), True),
    ],
)
def test_trades_go_over_when_nothing_can_lie_between_the_lines(
    old: tuple[int, ...], new: TradeEvent, whole: bool
) -> None:
    assert is_whole(heard(*old), tap(new)) is whole


def test_a_stream_of_states_goes_over_with_its_first_and_a_rare_one_at_once() -> None:
    assert not is_whole(heard(5), tap())
    assert not is_whole(Stream(TICKER), tap())
    assert is_whole(Stream(TICKER), tap(TickerEvent(venue="okx", symbol="A-B")))
    assert is_whole(Stream(ORDERS), tap(realtime=True))


def test_of_trades_those_are_missing_that_come_after_the_old_line_s_last() -> None:
    new = [trade(number) for number in (5, 6, 7, 8)]
    assert missed_by_old(heard(4, 5, 6), tap(*new)) == new[2:]
    assert missed_by_old(heard(4, 5, 6), tap()) == ()


def test_of_states_only_a_newer_one_is_news() -> None:
    old, states = Stream(TICKER), [TickerEvent(venue="okx", symbol="A-B", timestamp=at) for at in (1, 2)]
    old.last = 1
    assert missed_by_old(old, tap(*states)) == states[1:]
    old.last = 2
    assert missed_by_old(old, tap(*states)) == ()


def test_of_what_has_no_number_the_same_message_on_both_lines_is_one() -> None:
    both = tap(order("a", 10), order("b", 11), order("b", 12, executed=1), realtime=True)
    both.on_old.extend([order("a", 9), order("b", 10)])
    assert missed_by_old(Stream(ORDERS), both) == [order("b", 12, executed=1)]


def test_what_the_old_line_brought_comes_twice_if_the_new_one_is_behind() -> None:
    old, new = heard(*range(2_000)), heard(1_998)
    remember_ids(old, new)
    assert (new.doubles(trade(1_999)), new.doubles(trade(2_000)), new.last_id) == (True, False, 1_998)
    assert len(new.recent_ids or ()) == 1024
    old, new = heard(1, 5, 3, 9), heard(4, 8)
    remember_ids(old, new)
    assert [number for number in range(1, 11) if new.doubles(trade(number))] == [1, 3, 4, 5, 8, 9]
    remember_ids(Stream(TICKER), Stream(TICKER))
