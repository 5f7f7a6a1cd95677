"""Who hears what: preferences, the two roads, trades told once, counts and wishes."""

from __future__ import annotations

import inspect
from collections.abc import Coroutine
from typing import Any, Literal, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.errors import UsageError
from tapewire.hub.listening import REMEMBERED_TRADES, Listener
from tapewire.hub.router import SNAPSHOT_PATIENCE, Router
from tapewire.model.events import Event, TradeEvent
from tapewire.model.subscription import StreamPreference, Subscription, Wish
from tests.hub.made_up import (
    CLASSES,
    MINUTES,
    SECONDS,
    TICKER,
    TRADE,
    facts,
    hand_over,
    no_failure,
    no_raise,
    public_event,
)


class Ear:
    """A listener and what it heard, as (stream type, number)."""

    def __init__(self, preference: StreamPreference, name: str = "ear") -> None:
        self.heard: list[tuple[str | None, int | None]] = []
        self.listener = Listener(name, self.hear, preference)

    def hear(self, event: Event) -> None:
        self.heard.append((event.stream_type, event.timestamp))


def listening(subscription: Subscription, *preferences: StreamPreference) -> tuple[Router, list[Ear]]:
    router = Router(CLASSES, no_raise)
    ears = [Ear(preference) for preference in preferences]
    for ear in ears:
        router.add(subscription, ear.listener)
    router.line_opened()
    return router, ears


@pytest.mark.parametrize(
    ("preference", "heard"),
    [
        ("both", [("SNAPSHOT", 1), ("REALTIME", 2), ("REALTIME", 3)]),
        ("realtime_only", [("REALTIME", 2), ("REALTIME", 3)]),
        ("snapshot_only", [("SNAPSHOT", 1)]),
    ],
)
def test_each_preference_hears_its_part(preference: StreamPreference, heard: list[tuple[str, int]]) -> None:
    router, [ear] = listening(TICKER, preference)
    for number, stream_type in enumerate(("SNAPSHOT", "REALTIME", "REALTIME"), start=1):
        hand_over(router, TICKER, number, stream_type)
    assert ear.heard == heard
    assert ear.listener.finished == (preference == "snapshot_only")


def test_a_snapshot_that_nobody_waits_for_reaches_nobody() -> None:
    router, [ear] = listening(TICKER, "both")
    hand_over(router, TICKER, 1, "SNAPSHOT")
    router.asked(router.streams[TICKER], snapshot=True)
    hand_over(router, TICKER, 2, "SNAPSHOT")
    assert ear.heard == [("SNAPSHOT", 1)]


def test_the_first_message_of_a_line_takes_the_careful_road_and_the_next_the_short_one() -> None:
    router, _ = listening(TICKER, "both")
    roads = [hand_over(router, TICKER, number) for number in (1, 2)]
    router.line_lost()
    router.line_opened()
    roads += [hand_over(router, TICKER, number) for number in (3, 4)]
    assert roads == ["careful", "short", "careful", "short"]


def test_a_chilled_stream_takes_the_careful_road_once() -> None:
    router, [ear] = listening(TICKER, "both")
    hand_over(router, TICKER, 1)
    stream = router.streams[TICKER]
    states = [router.is_hot(stream)]
    router.chill(stream)
    states.append(router.is_hot(stream))
    assert states == [True, False]
    assert [hand_over(router, TICKER, number) for number in (2, 3)] == ["careful", "short"]
    assert ear.heard == [("REALTIME", 1), ("REALTIME", 2), ("REALTIME", 3)]


def test_a_stream_asked_for_its_snapshot_goes_carefully_until_that_came() -> None:
    router, [ear] = listening(TICKER, "realtime_only")
    hand_over(router, TICKER, 1)
    router.asked(router.streams[TICKER], snapshot=True)
    roads = [hand_over(router, TICKER, number) for number in (2, 3)]
    roads.append(hand_over(router, TICKER, 4, "SNAPSHOT"))
    roads.append(hand_over(router, TICKER, 5))
    assert roads == ["careful", "careful", "careful", "short"]
    assert ear.heard == [("REALTIME", number) for number in (1, 2, 3, 5)]


def test_each_of_two_requests_under_way_brings_a_snapshot_that_is_not_for_everybody() -> None:
    router, [ear] = listening(TRADE, "both")
    stream = router.streams[TRADE]
    router.asked(stream, snapshot=True)
    router.asked(stream, snapshot=True)
    roads = [hand_over(router, TRADE, 1, "SNAPSHOT"), hand_over(router, TRADE, 1, "SNAPSHOT")]
    assert roads == ["careful", "careful"]
    assert ear.heard == [("SNAPSHOT", 1)]
    assert hand_over(router, TRADE, 2) == "short"


def test_a_snapshot_that_does_not_come_is_not_waited_for_for_ever() -> None:
    router, [ear] = listening(TICKER, "both")
    router.asked(router.streams[TICKER], snapshot=True)
    roads = [hand_over(router, TICKER, number) for number in range(SNAPSHOT_PATIENCE + 1)]
    assert roads == ["careful"] * SNAPSHOT_PATIENCE + ["short"]
    assert len(ear.heard) == SNAPSHOT_PATIENCE + 1


def test_a_stream_asked_for_realtime_only_goes_carefully_once() -> None:
    router, _ = listening(TICKER, "realtime_only")
    router.asked(router.streams[TICKER], snapshot=False)
    assert [hand_over(router, TICKER, number) for number in (1, 2)] == ["careful", "short"]


def test_both_hears_one_snapshot_after_each_line() -> None:
    router, [ear] = listening(TICKER, "both")
    hand_over(router, TICKER, 1, "SNAPSHOT")
    router.line_lost()
    router.line_opened()
    hand_over(router, TICKER, 2, "SNAPSHOT")
    router.asked(router.streams[TICKER], snapshot=True)
    hand_over(router, TICKER, 3, "SNAPSHOT")
    assert ear.heard == [("SNAPSHOT", 1), ("SNAPSHOT", 2)]


def test_snapshot_only_waits_on_the_next_line_until_it_was_served() -> None:
    router, [ear] = listening(TICKER, "snapshot_only")
    router.line_lost()
    router.line_opened()
    waits = [ear.listener.needs_snapshot]
    hand_over(router, TICKER, 1, "SNAPSHOT")
    router.line_opened()
    waits.append(ear.listener.needs_snapshot)
    assert waits == [True, False]
    assert ear.heard == [("SNAPSHOT", 1)]


def test_a_trade_that_was_delivered_is_not_delivered_again_as_snapshot() -> None:
    router, [old] = listening(TRADE, "both")
    hand_over(router, TRADE, 1)
    hand_over(router, TRADE, 2)
    router.line_lost()
    router.line_opened()
    new = Ear("both")
    router.add(TRADE, new.listener)
    hand_over(router, TRADE, 2, "SNAPSHOT")
    assert old.heard == [("REALTIME", 1), ("REALTIME", 2)]
    assert new.heard == [("SNAPSHOT", 2)]


@pytest.mark.parametrize("age", [0, 1, 7, REMEMBERED_TRADES - 1])
def test_a_snapshot_may_repeat_a_trade_that_was_not_the_last_to_come(age: int) -> None:
    """The exchange's latest trade need not be the one that came last (spec/upbit.md section 8)."""
    router, [ear] = listening(TRADE, "both")
    numbers = [number ^ 3 for number in range(REMEMBERED_TRADES)]
    for number in numbers:
        hand_over(router, TRADE, number)
    router.line_lost()
    router.line_opened()
    hand_over(router, TRADE, numbers[-1 - age], "SNAPSHOT")
    assert ear.heard == [("REALTIME", number) for number in numbers]


def test_a_trade_first_seen_in_a_snapshot_nobody_waits_for_is_delivered() -> None:
    """A trade snapshot can be the first sight of a trade (spec/upbit.md section 8)."""
    router, [ear, realtime] = listening(TRADE, "both", "realtime_only")
    hand_over(router, TRADE, 1, "SNAPSHOT")
    router.asked(router.streams[TRADE], snapshot=True)
    hand_over(router, TRADE, 7, "SNAPSHOT")
    assert ear.heard == [("SNAPSHOT", 1), ("SNAPSHOT", 7)]
    assert realtime.heard == []


def test_a_trade_without_id_is_never_taken_for_known() -> None:
    router, [ear] = listening(TRADE, "both")
    for _ in range(2):
        router.deliver(TradeEvent(**facts(TRADE, 5, "SNAPSHOT") | {"sequential_id": None}), no_failure)
    assert ear.heard == [("SNAPSHOT", 5), ("SNAPSHOT", 5)]
    assert router.streams[TRADE].last_id is None


def test_the_last_id_is_that_of_the_last_trade_though_ids_come_out_of_order() -> None:
    router, _ = listening(TRADE, "both")
    for number in (3, 9, 4):
        hand_over(router, TRADE, number)
    assert router.streams[TRADE].last_id == 4
    for number in range(100, 100 + REMEMBERED_TRADES):
        hand_over(router, TRADE, number)
    assert router.streams[TRADE].seen_at(9) == 0
    assert router.streams[TRADE].seen_at(100) == 4


def test_other_kinds_remember_no_ids() -> None:
    router, _ = listening(TICKER, "both")
    assert router.streams[TICKER].seen_at(1) == 0
    assert router.streams[TICKER].last_id is None


def test_candles_of_two_units_are_two_streams() -> None:
    router, [seconds] = listening(SECONDS, "both")
    minutes = Ear("both")
    router.add(MINUTES, minutes.listener)
    hand_over(router, SECONDS, 1)
    hand_over(router, MINUTES, 2)
    hand_over(router, MINUTES, 3)
    assert (seconds.heard, minutes.heard) == ([("REALTIME", 1)], [("REALTIME", 2), ("REALTIME", 3)])
    assert router.counts() == {"candle.1s": 1, "candle.1m": 2}


def test_what_nobody_wants_is_counted() -> None:
    router, _ = listening(TICKER, "both")
    assert not router.deliver(public_event(TRADE, 1), no_failure)
    assert router.unwanted == 1


def test_a_raising_callback_is_told_and_the_others_hear() -> None:
    def broken(event: Event) -> None:
        raise ZeroDivisionError("mine")

    failures: list[tuple[str, str]] = []
    router = Router(CLASSES, no_raise)
    ear = Ear("both")
    router.add(TICKER, Listener("broken", broken, "both"))
    router.add(TICKER, ear.listener)
    router.deliver(public_event(TICKER, 1), lambda listener, error: failures.append((listener.name, repr(error))))
    assert failures == [("broken", "ZeroDivisionError('mine')")]
    assert ear.heard == [("REALTIME", 1)]
    assert [listener.name for listener in router.callbacks_of(broken)] == ["broken"]


def test_a_stream_ended_by_its_own_callback_does_not_come_back_to_the_hot_table() -> None:
    router = Router(CLASSES, no_raise)
    listener = Listener("once", lambda _event: router.remove(TICKER, listener), "both")
    router.add(TICKER, listener)
    assert hand_over(router, TICKER, 1) == "careful"
    assert hand_over(router, TICKER, 2) == "careful"
    assert (router.unwanted, router.streams) == (1, {})


def test_removing_tells_whether_the_stream_ended_and_keeps_its_count() -> None:
    router, [one, two] = listening(TICKER, "both", "realtime_only")
    hand_over(router, TICKER, 1)
    assert router.remove(TICKER, one.listener) is False
    assert router.remove(TICKER, one.listener) is False
    assert router.remove(TICKER, two.listener) is True
    assert router.remove(TICKER, two.listener) is False
    assert (router.streams, router.counts(), router.gone) == ({}, {"ticker": 1}, {TICKER: 0})
    router.add(TICKER, one.listener)
    assert router.gone == {}
    hand_over(router, TICKER, 2)
    assert router.counts() == {"ticker": 2}


def test_what_was_given_up_is_forgotten_with_the_line() -> None:
    router, [ear] = listening(TICKER, "both")
    router.remove(TICKER, ear.listener)
    router.line_lost()
    assert router.gone == {}


def test_a_plain_callback_that_gives_back_a_coroutine_is_refused_and_the_coroutine_closed() -> None:
    """On the careful road, where each stream begins: nobody would ever run it. A task runs by itself, and may."""
    made: list[Coroutine[Any, Any, None]] = []

    async def hear() -> None:
        raise AssertionError

    def wrapped(_event: Event) -> object:
        made.append(hear())
        return made[-1]

    router, failures = Router(CLASSES, no_raise), []
    router.add(TICKER, Listener("ear", wrapped, "both"))
    router.add(TICKER, Listener("other", lambda _event: 7, "both"))
    router.deliver(public_event(TICKER, 1, "REALTIME"), lambda listener, error: failures.append((listener.name, error)))
    [(name, error)] = failures
    assert (name, type(error)) == ("ear", UsageError)
    assert inspect.getcoroutinestate(made[0]) == inspect.CORO_CLOSED


def test_snapshots_under_way_for_those_who_left_are_not_heard_twice_by_who_comes() -> None:
    """Two requests went out, all left, and somebody else came: two snapshots arrive, and he wants one or none."""
    router, [ear] = listening(TICKER, "both")
    for _ in range(2):
        ask(router, TICKER)
    router.remove(TICKER, ear.listener)
    assert router.gone == {TICKER: 2}
    both, realtime = Ear("both"), Ear("realtime_only")
    router.add(TICKER, both.listener)
    router.add(TICKER, realtime.listener)
    for number in (1, 2):
        assert hand_over(router, TICKER, number, "SNAPSHOT") == "careful"
    hand_over(router, TICKER, 3)
    assert both.heard == [("SNAPSHOT", 1), ("REALTIME", 3)]
    assert realtime.heard == [("REALTIME", 3)]


def test_a_stream_counts_from_the_opening_of_its_line() -> None:
    router, _ = listening(TICKER, "both")
    hand_over(router, TICKER, 1)
    hand_over(router, TICKER, 2)
    router.line_opened()
    hand_over(router, TICKER, 3)
    stream = router.streams[TICKER]
    assert (stream.count, stream.base, stream.last) == (3, 2, 3)


@pytest.mark.parametrize(
    ("preferences", "served", "wish"),
    [
        (["both"], False, Wish(TICKER, snapshot=True, realtime=True)),
        (["both"], True, Wish(TICKER, snapshot=True, realtime=True)),
        (["realtime_only"], False, Wish(TICKER, snapshot=False, realtime=True)),
        (["snapshot_only"], False, Wish(TICKER, snapshot=True, realtime=False)),
        (["snapshot_only"], True, Wish(TICKER, snapshot=True, realtime=False)),
        (["snapshot_only", "realtime_only"], False, Wish(TICKER, snapshot=True, realtime=True)),
        (["snapshot_only", "realtime_only"], True, Wish(TICKER, snapshot=False, realtime=True)),
    ],
)
def test_the_wish_is_the_union_of_what_the_listeners_want(
    preferences: list[StreamPreference], served: bool, wish: Wish
) -> None:
    router, _ = listening(TICKER, *preferences)
    if served:
        hand_over(router, TICKER, 1, "SNAPSHOT")
    assert router.wishes() == {TICKER: wish}


class Join(NamedTuple):
    preference: StreamPreference


class Leave(NamedTuple):
    which: int


class Message(NamedTuple):
    stream_type: Literal["SNAPSHOT", "REALTIME"]
    again: bool  # the snapshot repeats the newest trade


class Ask(NamedTuple):
    """A request for the snapshot went out; an exchange sends none without."""


class Reconnect(NamedTuple):
    pass


PREFERENCES: tuple[StreamPreference, ...] = ("both", "realtime_only", "snapshot_only")
STEPS = st.lists(
    st.one_of(
        st.builds(Join, st.sampled_from(PREFERENCES)),
        st.builds(Leave, st.integers(0, 4)),
        st.builds(Message, st.sampled_from(("SNAPSHOT", "REALTIME", "REALTIME")), st.booleans()),
        st.just(Ask()),
        st.just(Reconnect()),
    ),
    max_size=60,
)


class Expected:
    """What one subscriber must hear, said as simply as can be."""

    def __init__(self, subscription: Subscription, preference: StreamPreference) -> None:
        self.trades, self.preference = subscription.kind == "trade", preference
        self.waits = preference != "realtime_only"
        self.heard: list[tuple[str | None, int | None]] = []

    def message(self, stream_type: str, number: int) -> None:
        if stream_type == "REALTIME":
            if self.preference != "snapshot_only":
                self.heard.append((stream_type, number))
            return
        waited, self.waits = self.waits, False
        if self.trades and self.preference == "both":
            if number not in [known for _, known in self.heard]:
                self.heard.append((stream_type, number))
        elif waited:
            self.heard.append((stream_type, number))

    def reconnect(self) -> None:
        self.waits = self.preference == "both" or (self.preference == "snapshot_only" and self.waits)


def ask(router: Router, subscription: Subscription) -> int:
    """A request for the snapshot goes out; an exchange sends none without. Returns how many are under way by it."""
    stream = router.streams.get(subscription)
    if stream is None:
        return 0
    router.asked(stream, snapshot=True)
    return 1


@given(st.sampled_from((TICKER, TRADE, SECONDS)), STEPS)
def test_each_listener_hears_exactly_what_it_asked_for_and_both_roads_give_equal_things(
    subscription: Subscription, steps: list[NamedTuple]
) -> None:
    """One router with the short road, one that goes carefully all the way, and a plain model agree."""
    swift, careful = Router(CLASSES, no_raise), Router(CLASSES, no_raise)
    crowd: list[tuple[Ear, Ear, Expected]] = []
    present: list[tuple[Ear, Ear, Expected]] = []
    number = under_way = 0
    for step in steps:
        match step:
            case Join(preference):
                member = Ear(preference), Ear(preference), Expected(subscription, preference)
                crowd.append(member)
                present.append(member)
                swift.add(subscription, member[0].listener)
                careful.add(subscription, member[1].listener)
            case Leave(which) if which < len(present):
                one, other, _ = present.pop(which)
                assert swift.remove(subscription, one.listener) == careful.remove(subscription, other.listener)
            case Ask():
                under_way += ask(swift, subscription)
            case Message(stream_type, again):
                if stream_type == "SNAPSHOT":
                    under_way += 0 if under_way else ask(swift, subscription)
                    under_way = max(0, under_way - 1)
                number += not (again and stream_type == "SNAPSHOT" and number)
                hand_over(swift, subscription, number, stream_type)
                careful.deliver(public_event(subscription, number, stream_type), no_failure)
                for _, _, expected in present:
                    expected.message(stream_type, number)
            case Reconnect():
                under_way = 0
                for router in (swift, careful):
                    router.line_lost()
                    router.line_opened()
                for _, _, expected in present:
                    expected.reconnect()
    for swift_ear, careful_ear, expected in crowd:
        assert swift_ear.heard == careful_ear.heard == expected.heard
    assert swift.counts() == careful.counts()
    assert swift.wishes() == careful.wishes()
