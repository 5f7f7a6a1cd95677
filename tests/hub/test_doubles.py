"""No trade is delivered twice, on whichever road it comes; none is taken for a double that is none (RELIABILITY D6)."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.hub.listening import REMEMBERED_TRADES, Listener, Stream
from tapewire.hub.router import Router
from tapewire.model.events import TradeEvent
from tapewire.model.subscription import StreamPreference
from tests.hub.made_up import CLASSES, TRADE, hand_over, no_failure, no_raise, public_event


class Ear:
    """One subscriber of the stream of trades, and what it heard."""

    def __init__(self, router: Router, preference: StreamPreference = "realtime_only") -> None:
        self.heard: list[TradeEvent] = []
        router.add(TRADE, Listener(preference, self.heard.append, preference))

    @property
    def ids(self) -> list[int | None]:
        return [trade.sequential_id for trade in self.heard]


@pytest.fixture
def router() -> Router:
    return Router(CLASSES, no_raise)


@pytest.mark.parametrize("ears", [1, 2])
def test_a_trade_that_comes_twice_is_delivered_once_and_counted(router: Router, ears: int) -> None:
    heard = [Ear(router) for _ in range(ears)]
    roads = [hand_over(router, TRADE, number) for number in (5, 6, 6, 5, 7, 7)]
    assert roads == ["careful", "short", "short", "short", "short", "short"]
    assert [ear.ids for ear in heard] == [[5, 6, 7]] * ears
    stream = router.streams[TRADE]
    assert (stream.count, stream.doubled, router.doubled) == (3, 3, 3)
    for listener in tuple(stream.listeners):
        router.remove(TRADE, listener)
    assert (router.streams, router.doubled) == ({}, 3)


def test_ids_that_go_backwards_are_no_doubles(router: Router) -> None:
    """A rule that drops what is lower than the last id would lose recorded trades (spec/upbit.md section 8)."""
    ear = Ear(router)
    order = [10, 12, 11, 14, 13, 9]
    for number in order:
        hand_over(router, TRADE, number)
    router.chill(router.streams[TRADE])
    assert hand_over(router, TRADE, 8) == "careful"
    assert ear.ids == [*order, 8]


def test_the_careful_road_knows_what_came_on_the_short_one_and_the_other_way_round(router: Router) -> None:
    ear = Ear(router)
    for number in (1, 2):
        hand_over(router, TRADE, number)
    router.chill(router.streams[TRADE])
    assert hand_over(router, TRADE, 2) == "careful"
    assert hand_over(router, TRADE, 1) == "short"
    assert ear.ids == [1, 2]


def test_trades_without_an_id_are_all_delivered(router: Router) -> None:
    ear = Ear(router)
    for _ in range(3):
        router.deliver(TradeEvent(venue="upbit", symbol="KRW-BTC", stream_type="REALTIME"), no_failure)
    stream = router.streams[TRADE]
    stream.deliver(TradeEvent(venue="upbit", symbol="KRW-BTC", stream_type="REALTIME"))
    assert ear.ids == [None] * 4


def test_the_window_is_bounded(router: Router) -> None:
    ear = Ear(router)
    for number in range(1, REMEMBERED_TRADES + 2):
        hand_over(router, TRADE, number)
    hand_over(router, TRADE, 2)
    hand_over(router, TRADE, 1)
    assert ear.ids[-2:] == [REMEMBERED_TRADES + 1, 1], "the oldest was forgotten, the next was not"
    assert len(router.streams[TRADE].recent_ids or ()) == REMEMBERED_TRADES


IDS = st.integers(1, 30)


def trade_of(number: int) -> TradeEvent:
    return TradeEvent(venue="upbit", symbol="KRW-BTC", sequential_id=number, stream_type="REALTIME")


@given(st.lists(IDS | st.lists(IDS, max_size=4).map(tuple), max_size=80))
def test_an_id_is_found_wherever_it_stands_among_those_that_rise_and_those_that_came_late(
    story: list[int | tuple[int, ...]],
) -> None:
    stream = Stream(TRADE)
    stream.recent_ids = deque(maxlen=8)
    for step in story:
        if isinstance(step, tuple):
            stream.resume(step)
        elif not stream.doubles(trade_of(step)):
            stream.remember(trade_of(step))
        told = stream.doubled
        ids = set(stream.recent_ids)
        for number in range(32):
            assert stream.doubles(trade_of(number)) == (number in ids)
        stream.doubled = told


def test_one_wild_id_makes_all_others_late_and_none_of_them_lost_or_doubled(router: Router) -> None:
    ear = Ear(router)
    rising = range(1, 200)
    for number in (10**18, *rising, *rising, 10**18, 200):
        hand_over(router, TRADE, number)
    assert ear.ids == [10**18, *rising, 200]


def test_what_came_late_is_forgotten_with_the_rest() -> None:
    stream = Stream(TRADE)
    stream.resume(range(5 * REMEMBERED_TRADES, 0, -1))
    assert set(stream.recent_ids or ()) == set(range(1, REMEMBERED_TRADES + 1))
    assert len(stream.late) <= 2 * REMEMBERED_TRADES
    assert stream.late.issuperset(range(1, REMEMBERED_TRADES + 1))


@pytest.mark.parametrize("chilled", [False, True])
def test_who_hears_no_snapshots_gets_the_trade_that_one_showed_before_it_came(router: Router, chilled: bool) -> None:
    both, realtime = Ear(router, "both"), Ear(router)
    hand_over(router, TRADE, 1, "SNAPSHOT")
    if chilled:
        router.chill(router.streams[TRADE])
    for _ in range(2):
        hand_over(router, TRADE, 1)
    hand_over(router, TRADE, 2)
    assert (both.ids, realtime.ids) == ([1, 2], [1, 2])


def test_a_hole_is_filled_for_each_with_what_it_lacks(router: Router) -> None:
    both, realtime = Ear(router, "both"), Ear(router)
    hand_over(router, TRADE, 1, "SNAPSHOT")
    hand_over(router, TRADE, 2)
    stream = router.streams[TRADE]
    router.line_opened()
    router.hole(stream)
    hand_over(router, TRADE, 5, "SNAPSHOT")  # of the new line; 3 and 4 came while there was none
    hand_over(router, TRADE, 6)
    missed = [public_event(TRADE, number) for number in (2, 3, 4, 5, 6)]
    assert router.fill(stream, [one for one in missed if isinstance(one, TradeEvent)], no_failure) == 2
    router.whole(stream)
    assert both.ids == [1, 2, 5, 6, 3, 4]
    assert realtime.ids == [2, 6, 3, 4, 5]


def test_a_second_snapshot_while_a_hole_is_filled_keeps_the_first_from_coming_again(router: Router) -> None:
    both = Ear(router, "both")
    hand_over(router, TRADE, 1)
    stream = router.streams[TRADE]
    router.hole(stream)
    for number in (2, 3):
        router.asked(stream, snapshot=True)
        for listener in stream.listeners:
            stream.need(listener, snapshot=True)
        hand_over(router, TRADE, number, "SNAPSHOT")
    for number in (2, 3):
        hand_over(router, TRADE, number)
    assert both.ids == [1, 2, 3]


@given(
    st.lists(
        st.one_of(st.integers(1, 40), st.sampled_from(["chill", "hole", "whole", "line"])), max_size=REMEMBERED_TRADES
    )
)
def test_whatever_happens_each_trade_is_delivered_when_it_comes_first(story: list[Any]) -> None:
    router = Router(CLASSES, no_raise)
    ear = Ear(router)
    stream = router.streams[TRADE]
    for step in story:
        if isinstance(step, int):
            hand_over(router, TRADE, step)
        elif step == "chill":
            router.chill(stream)
        elif step == "hole":
            router.hole(stream)
        elif step == "whole" and stream.holes:
            router.whole(stream)
        elif step == "line":
            router.line_opened()
    numbers = [step for step in story if isinstance(step, int)]
    assert ear.ids == list(dict.fromkeys(numbers))
    assert stream.doubled == router.doubled == len(numbers) - len(ear.ids)


def test_trades_that_another_process_delivered_are_not_delivered_again(router: Router) -> None:
    both, realtime = Ear(router, "both"), Ear(router)
    stream = router.streams[TRADE]
    stream.resume([5, 7, 6])
    assert (stream.seen_at(6), stream.seen_at(5), stream.seen_at(4)) == (1, 1, 0)
    hand_over(router, TRADE, 6, "SNAPSHOT")
    for number in (7, 8):
        hand_over(router, TRADE, number)
    assert (both.ids, realtime.ids) == ([8], [8])


def test_the_last_trades_that_all_have(router: Router) -> None:
    both = Ear(router, "both")
    stream = router.streams[TRADE]
    hand_over(router, TRADE, 1)
    hand_over(router, TRADE, 2)
    assert stream.told_to_all() == ((1, 2), frozenset())
    router.hole(stream)
    hand_over(router, TRADE, 4)
    router.asked(stream, snapshot=True)
    stream.need(next(iter(stream.listeners)), snapshot=True)
    hand_over(router, TRADE, 5, "SNAPSHOT")
    assert stream.told_to_all() == ((1, 2, 4, 5), frozenset({1, 2, 4, 5}))
    Ear(router)
    assert stream.told_to_all() == ((1, 2, 4), frozenset({1, 2, 4})), (
        "who hears no snapshots does not have the one shown"
    )
    assert both.ids == [1, 2, 4, 5]
    router.whole(stream)
    assert stream.told_to_all() == ((1, 2, 4), frozenset())
