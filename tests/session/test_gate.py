"""The gate against brute force, against the ideal, and against pyrate-limiter."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from pyrate_limiter import InMemoryBucket, Rate, RateItem

from tapewire.config import SessionOptions
from tapewire.session.gate import MESSAGE_LEEWAY, Gate, limits_of, own_gate
from tapewire.venues.contract import Window
from tapewire.venues.registry import get_venue
from tests.session.made_up import MESSAGES

windows = st.lists(
    st.builds(Window, st.integers(1, 12), st.sampled_from((0.25, 1.0, 3.0, 10.0, 60.0))), min_size=1, max_size=3
)
pauses = st.lists(st.one_of(st.just(0.0), st.floats(0, 0.3), st.floats(0, 70)), max_size=120)


def worst(times: Sequence[float], seconds: float) -> int:
    """The fullest closed window of that length, by comparing every grant with every other."""
    return max((sum(start <= t <= start + seconds for t in times) for start in times), default=0)


def grants(limits: Sequence[Window], demand: Sequence[float]) -> list[float]:
    """When a caller gets through that comes after each of these pauses and then waits as long as it is told."""
    gate, t, granted = Gate(limits), 0.0, []
    for pause in demand:
        t = gate.next_at(t + pause)
        gate.book(t)
        granted.append(t)
    return granted


@settings(max_examples=300, deadline=None)
@given(windows, pauses)
def test_no_sliding_window_is_ever_overrun(limits: list[Window], demand: list[float]) -> None:
    granted = grants(limits, demand)
    assert all(worst(granted, window.seconds) <= window.count for window in limits)


@settings(max_examples=200, deadline=None)
@given(windows, windows, st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=80))
def test_taking_is_asking_and_booking_in_one(
    above: list[Window], below: list[Window], demand: list[tuple[float, bool]]
) -> None:
    one, two = Gate(below, above=Gate(above)), Gate(below, above=Gate(above))
    t = 0.0
    for pause, waits in demand:
        t += pause
        if waits:
            t = two.next_at(t)
            two.book(t)
            assert one.reserve(t) == t
        else:
            due = two.next_at(t) <= t
            assert one.take(t) == due
            if due:
                two.book(t)
    assert one.next_at(t) == two.next_at(t)
    assert one.left(t) == two.left(t)


def test_a_grant_that_the_gate_above_refuses_is_not_booked_below() -> None:
    address = Gate([Window(1, 1.0)], 0.0)
    one, other = Gate([Window(5, 9.0)], 0.0, address), Gate([Window(5, 9.0)], 0.0, address)
    assert [one.take(0.0), other.take(0.0), other.take(1.0)] == [True, False, True]
    assert [left for _, left in other.left(1.0)] == [0, 4]


@pytest.mark.parametrize("late", [0.0, 0.05, 0.099])
def test_a_message_that_is_held_up_on_the_way_does_not_overrun_the_window_where_it_arrives(late: float) -> None:
    """The exchange counts what arrives: here the first of each five comes late, and the others do not."""
    facts = get_venue("upbit").facts
    gate, t, arrived = Gate(facts.messages, MESSAGE_LEEWAY), 0.0, []
    for number in range(100):
        t = gate.next_at(t)
        gate.book(t)
        arrived.append(t + (late if number % 5 == 0 else 0.0))
    assert all(worst(arrived, window.seconds) <= window.count for window in facts.messages)


@settings(max_examples=200, deadline=None)
@given(windows, st.integers(50, 400))
def test_a_greedy_caller_gets_at_least_99_percent_of_the_ideal(limits: list[Window], number: int) -> None:
    granted, ideal = grants(limits, [0.0] * number), [0.0] * number
    for n in range(number):
        ideal[n] = max([ideal[n - 1] if n else 0.0, *(ideal[n - w.count] + w.seconds for w in limits if n >= w.count)])
    assert granted[-1] * 0.99 <= ideal[-1] <= granted[-1]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 3_000), max_size=300))
def test_pyrate_limiter_admits_every_grant_of_ours(demand: list[int]) -> None:
    reference = InMemoryBucket([Rate(window.count, round(window.seconds * 1000)) for window in MESSAGES])
    for t in grants(MESSAGES, [pause / 1000 for pause in demand]):
        assert reference.put(RateItem("message", round(t * 1000)))


def test_asking_books_nothing_and_a_booking_in_the_past_counts_as_the_last() -> None:
    gate = Gate([Window(2, 1.0)])
    assert [gate.next_at(5.0) for _ in range(3)] == [5.0, 5.0, 5.0]
    gate.book(5.0)
    gate.book(4.0)
    assert gate.next_at(5.0) == pytest.approx(6.001)


def test_without_windows_everything_is_allowed() -> None:
    gate = Gate(())
    gate.book(1.0)
    assert gate.next_at(1.0) == 1.0


@pytest.mark.parametrize(
    ("own", "granted"),
    [
        ({}, [0.0, 0.0, 0.0, 0.0, 0.0, 1.1, 1.1]),
        ({"messages_per_second": 2}, [0.0, 0.0, 1.1, 1.1, 2.2, 2.2, 3.3]),
        ({"messages_per_second": 50}, [0.0, 0.0, 0.0, 0.0, 0.0, 1.1, 1.1]),
        ({"messages_per_minute": 3}, [0.0, 0.0, 0.0, 60.1, 60.1, 60.1, 120.2]),
    ],
    ids=["none", "slower", "faster changes nothing", "a minute"],
)
def test_own_limits_hold_beside_the_exchanges(own: dict[str, int], granted: list[float]) -> None:
    gate = own_gate(replace(SessionOptions(), **own), limits_of(get_venue("upbit").facts).messages)
    t, grants = 0.0, []
    for _ in granted:
        t = gate.next_at(t)
        gate.book(t)
        grants.append(round(t, 3))
    assert grants == granted


def test_connections_to_one_address_share_its_limit() -> None:
    address = Gate([Window(3, 1.0)])
    one, other = own_gate(SessionOptions(), address), own_gate(SessionOptions(messages_per_second=1), address)
    for gate in (one, other, one):
        gate.book(0.0)
    assert (one.next_at(0.0), other.next_at(0.0)) == (1.001, 1.1)


def test_dials_and_rest_calls_have_more_leeway_than_messages_because_more_can_hold_them_up() -> None:
    after = []
    for gate in limits_of(get_venue("upbit").facts):
        while gate.next_at(0.0) == 0.0:
            gate.book(0.0)
        after.append(gate.next_at(0.0))
    assert after == [1.25, 1.1, 1.25]
