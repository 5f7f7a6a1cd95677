"""The gate against brute force on what arrives, against the ideal, and against pyrate-limiter."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from pyrate_limiter import InMemoryBucket, Rate, RateItem

from tapewire.config import SessionOptions
from tapewire.session.gate import ASK_AGAIN, Gate, own_gate
from tapewire.session.limits import ANSWERED_WITHIN, MESSAGE_LEEWAY, Limits, is_of_account
from tapewire.venues.contract import Window
from tapewire.venues.registry import get_venue
from tests.session.made_up import MESSAGES
from tests.sizes import size

FACTS = get_venue("upbit").facts
windows = st.lists(
    st.builds(Window, st.integers(1, 12), st.sampled_from((0.25, 1.0, 3.0, 10.0, 60.0))), min_size=1, max_size=3
)
pauses = st.lists(st.one_of(st.just(0.0), st.floats(0, 0.3), st.floats(0, 70)), max_size=120)
#: Seconds there, at the exchange and back: a near one, a far one, one that is stuck.
delays = st.one_of(st.just(0.0), st.floats(0, 0.02), st.floats(0, 0.4), st.floats(0, 12))


def worst(times: Sequence[float], seconds: float) -> int:
    """The fullest closed window of that length, by comparing every arrival with every other."""
    return max((sum(start <= t <= start + seconds for t in times) for start in times), default=0)


def grants(gate: Gate, demand: Sequence[float], answers: Iterator[float] | None = None) -> list[float]:
    """When a caller gets through that comes after each of these pauses; answers come after so many seconds.

    Without ``answers`` nothing tells of any arrival.
    """
    t, granted, open_ones = 0.0, [], list[tuple[float, float]]()
    for pause in demand:
        due = t + pause
        while True:
            while open_ones and open_ones[0][0] <= due:
                answered, sent = heapq.heappop(open_ones)
                gate.arrived(sent, answered)
            if gate.take(due):
                break
            due = max(gate.ask_at(due), due)
        t = due
        granted.append(t)
        if answers is not None:
            heapq.heappush(open_ones, (t + next(answers), t))
    return granted


@settings(max_examples=size(300, 20_000), deadline=None)
@given(windows, pauses, st.data())
def test_no_sliding_window_is_ever_overrun_by_what_arrives(
    limits: list[Window], demand: list[float], data: st.DataObject
) -> None:
    """However long each one is on its way, there and back, and in whatever order they arrive."""
    there = data.draw(st.lists(delays, min_size=len(demand), max_size=len(demand)))
    back = data.draw(st.lists(delays, min_size=len(demand), max_size=len(demand)))
    stuck = max(map(sum, zip(there, back, strict=True)), default=0.0)
    granted = grants(Gate(limits, stuck + 0.001), demand, map(sum, zip(there, back, strict=True)))
    arrived = [sent + late for sent, late in zip(granted, there, strict=True)]
    assert all(worst(arrived, window.seconds) <= window.count for window in limits)


@settings(max_examples=size(200, 5_000), deadline=None)
@given(windows, pauses, st.data())
def test_what_is_never_answered_may_be_held_up_by_the_leeway(
    limits: list[Window], demand: list[float], data: st.DataObject
) -> None:
    late = data.draw(st.lists(st.floats(0, MESSAGE_LEEWAY - 0.001), min_size=len(demand), max_size=len(demand)))
    arrived = [sent + held for sent, held in zip(grants(Gate(limits, MESSAGE_LEEWAY), demand), late, strict=True)]
    assert all(worst(arrived, window.seconds) <= window.count for window in limits)


@settings(max_examples=200, deadline=None)
@given(windows, windows, st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=80))
def test_taking_is_asking_and_booking_in_one(
    above: list[Window], below: list[Window], demand: list[tuple[float, bool]]
) -> None:
    one, two = Gate(below, above=Gate(above)), Gate(below, above=Gate(above))
    t = 0.0
    for pause, waits in demand:
        t = two.next_at(t + pause) if waits else t + pause
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


def ideal(limits: Sequence[Window], number: int) -> float:
    """When the last of ``number`` could go at the earliest, by the windows alone."""
    times = [0.0] * number
    for n in range(1, number):
        times[n] = max([times[n - 1], *(times[n - w.count] + w.seconds for w in limits if n >= w.count)])
    return times[-1]


@settings(max_examples=size(200, 5_000), deadline=None)
@given(windows, st.integers(50, 400))
def test_a_greedy_caller_gets_at_least_99_percent_of_the_ideal(limits: list[Window], number: int) -> None:
    last = grants(Gate(limits, ANSWERED_WITHIN), [0.0] * number, iter(lambda: 0.0, None))[-1]
    assert last * 0.99 <= ideal(limits, number) <= last


@pytest.mark.parametrize(
    ("limits", "leeway", "answer", "number"),
    [
        (FACTS.connects, ANSWERED_WITHIN, 0.008, 5 * 60),
        (FACTS.rest_groups["candles"], ANSWERED_WITHIN, 0.008, 10 * 60),
        (FACTS.rest_groups["default"], ANSWERED_WITHIN, 0.008, 30 * 60),
        (FACTS.messages, MESSAGE_LEEWAY, None, 1000),
    ],
    ids=["dials", "quotations", "signed calls", "messages, that nothing answers"],
)
def test_99_percent_of_each_limit_of_upbit_can_be_had(
    limits: Sequence[Window], leeway: float, answer: float | None, number: int
) -> None:
    """From near the exchange: 8 ms there and back. Each round trip more costs so much of each window."""
    answers = None if answer is None else iter(lambda: answer, None)
    last = grants(Gate(limits, leeway), [0.0] * (number + 1), answers)[-1]
    assert last * 0.99 <= ideal(limits, number + 1) <= last


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 3_000), max_size=300))
def test_pyrate_limiter_admits_every_grant_of_ours(demand: list[int]) -> None:
    reference = InMemoryBucket([Rate(window.count, round(window.seconds * 1000)) for window in MESSAGES])
    for t in grants(Gate(MESSAGES), [pause / 1000 for pause in demand]):
        assert reference.put(RateItem("message", round(t * 1000)))


def test_pyrate_limiter_gets_no_more_than_one_percent_more_calls_through_than_ours() -> None:
    """Thirty waiting callers, two windows, a minute: PARTS.md section 5 on a clock moved by hand."""
    limits = (Window(5, 1.0), Window(20, 6.0))
    reference = InMemoryBucket([Rate(window.count, round(window.seconds * 1000)) for window in limits])
    theirs = sum(bool(reference.put(RateItem("call", ms))) for ms in range(60_000))
    ours = sum(t < 60.0 for t in grants(Gate(limits), [0.0] * 300))
    assert theirs == 200
    assert ours >= 0.99 * theirs


def test_asking_books_nothing_and_what_is_not_answered_counts_until_the_leeway_is_over() -> None:
    gate = Gate([Window(2, 1.0)], 10.0)
    assert [gate.next_at(5.0) for _ in range(3)] == [5.0, 5.0, 5.0]
    assert (gate.take(5.0), gate.take(5.5), gate.take(5.5)) == (True, True, False)
    assert (gate.next_at(5.6), gate.ask_at(5.6)) == (16.0, 6.0)
    gate.arrived(5.5, 5.7)
    assert [gate.next_at(5.8), gate.ask_at(6.5)] == pytest.approx([6.701, 6.5 + ASK_AGAIN])
    gate.arrived(5.5, 9.0)  # told twice: once is enough
    gate.arrived(3.0, 9.0)  # nobody's
    assert gate.next_at(5.8) == pytest.approx(6.701)
    assert (gate.take(6.8), gate.left(6.8)) == (True, [(Window(2, 1.0), 0)])


def test_without_windows_everything_is_allowed() -> None:
    gate = Gate(())
    gate.book(1.0)
    assert (gate.next_at(1.0), gate.ask_at(1.0), gate.longest, gate.left(1.0)) == (1.0, 1.0, 0.0, [])


@pytest.mark.parametrize(
    ("own", "granted"),
    [
        ({}, [0.0, 0.0, 0.0, 0.0, 0.0, 1.5, 1.5]),
        ({"messages_per_second": 2}, [0.0, 0.0, 1.001, 1.001, 2.002, 2.002, 3.003]),
        ({"messages_per_second": 50}, [0.0, 0.0, 0.0, 0.0, 0.0, 1.5, 1.5]),
        ({"messages_per_minute": 3}, [0.0, 0.0, 0.0, 60.001, 60.001, 60.001, 120.002]),
    ],
    ids=["none", "slower", "faster changes nothing", "a minute"],
)
def test_own_limits_hold_beside_the_exchanges(own: dict[str, int], granted: list[float]) -> None:
    gate = own_gate(replace(SessionOptions(), **own), Limits(FACTS).messages)
    t, times = 0.0, []
    for _ in granted:
        t = gate.next_at(t)
        assert gate.take(t)
        times.append(round(t, 3))
    assert times == granted


def test_connections_to_one_address_share_its_limit() -> None:
    address = Gate([Window(3, 1.0)])
    one, other = own_gate(SessionOptions(), address), own_gate(SessionOptions(messages_per_second=1), address)
    for gate in (one, other, one):
        gate.book(0.0)
    assert (one.next_at(0.0), other.next_at(0.0)) == (1.001, 1.001)
    one.arrived(0.0, 0.5)
    one.close(7.0)
    assert (other.next_at(0.0), other.ask_at(0.0), address.spent(0.0)) == (7.0, ASK_AGAIN, 1.0)
    assert [left for _, left in one.left(6.0)] == [0]


@pytest.mark.parametrize(
    ("told", "left_then", "next_then"),
    [(7, 7, 0.1), (9, 7, 0.1), (2, 2, 0.1), (0, 0, 1.101)],
    ids=["as we count", "more is never believed", "somebody else calls, too", "nothing is left"],
)
def test_what_the_exchange_says_is_left_slows_the_calls_that_follow(
    told: int, left_then: int, next_then: float
) -> None:
    gate = Gate([Window(10, 1.0)], 10.0)
    for at in (0.0, 0.01, 0.02):
        assert gate.take(at)
    gate.told(0.02, 0.1, told, 1.0)
    assert ([left for _, left in gate.left(0.1)], gate.next_at(0.1)) == ([left_then], next_then)


def test_of_what_was_sent_later_the_exchange_has_perhaps_not_counted_anything_yet() -> None:
    gate = Gate([Window(10, 1.0)], 10.0)
    for at in (0.0, 0.01, 0.02):
        assert gate.take(at)
    gate.told(0.0, 0.1, 9, 1.0)  # it has counted the first: two more are on their way
    assert [left for _, left in gate.left(0.1)] == [7]
    gate.told(0.0, 0.1, 5, 1.0)
    assert [left for _, left in gate.left(0.1)] == [3]
    gate.told(0.0, 0.1, 0, 2.0)  # a window that is not known
    assert [left for _, left in gate.left(0.1)] == [3]


def test_each_limit_is_counted_as_the_exchange_counts_it() -> None:
    limits = Limits(FACTS)
    assert limits.connects() is limits.connects("")
    assert limits.connects("mine") is not limits.connects()
    assert limits.connects("mine") is not limits.connects("yours")
    assert [gate is limits.connects("mine") for gate in limits.account_connects()] == [True, False]
    assert limits.rest("default", "mine") is not limits.rest("default", "yours")
    assert sorted({group for group, _ in limits.rest_gates()}) == [
        "candles", "crix-trades", "default", "market", "orderbook", "ticker",
    ]  # fmt: skip
    assert limits.rest("new").left(0.0) == [(Window(10, 1.0), 10)]  # a name that no page tells
    limits.block_rest(30.0, "mine")
    nexts = [limits.rest(*key).next_at(0.0) for key in (("market", ""), ("default", "mine"), ("default", "yours"))]
    assert nexts == [30.0, 30.0, 0.0]


def test_the_names_of_an_accounts_gates_are_told_from_all_others() -> None:
    made: list[str] = []

    def make(name: str, windows: Sequence[Window], leeway: float) -> Gate:
        made.append(name)
        return Gate(windows, leeway)

    limits = Limits(FACTS, make)
    shared = len(made)
    limits.connects("0123456789abcdef")
    limits.rest("default", "0123456789abcdef")
    assert [is_of_account(name) for name in made] == [False] * shared + [True, True]


def test_a_tape_counts_nothing() -> None:
    limits = Limits(FACTS, free=True)
    for gate in (limits.messages, limits.connects(), limits.rest("ticker")):
        assert all(gate.take(0.0) for _ in range(1_000))
        assert (gate.next_at(0.0), gate.left(0.0)) == (0.0, [])
