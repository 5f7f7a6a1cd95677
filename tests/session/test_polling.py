"""The order of REST calls while streams have no line: limits kept, every stream in its turn, none waits for another."""

from __future__ import annotations

from collections import Counter, deque
from itertools import pairwise
from math import ceil, inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.session.gate import Gate
from tapewire.session.polling import EVERY, REFUSED, RETRY_MOST, SHARE, Manner, Plan, Room
from tapewire.venues.contract import Window

SECOND = Window(10, 1.0)
OPEN = Room([(SECOND, 10)], 0.0)


def plan(room: Room = OPEN) -> Plan[str]:
    """Whose limit allows this, always."""
    return Plan(lambda _group, _t: room)


def add(made: Plan[str], *names: str, group: str = "g", most: int = 1, t: float = 0.0) -> None:
    """Streams that may share calls, if most is more than one."""
    for name in names:
        made.add(t, name, Manner(group, "all" if most > 1 else name, most))


def turns(made: Plan[str], until: float, t: float = 0.0, seconds: float = 0.0) -> list[tuple[float, tuple[str, ...]]]:
    """Every call up to ``until``, each of which takes so long."""
    calls = []
    while t < until:
        batch = made.next(t)
        if batch:
            calls.append((t, batch))
            t += seconds
        else:
            t = max(made.deadline(t), t + 1e-6)
    return calls


def test_nothing_wanted_is_nothing_asked() -> None:
    made = plan()
    assert not made
    assert (made.next(0.0), made.deadline(0.0)) == ((), inf)
    add(made, "a")
    made.drop("a")
    made.drop("never")
    assert not made
    assert made.interval_of(["a"], 0.0) == 0.0


def test_streams_that_are_alike_share_a_call_as_many_as_fit() -> None:
    made = plan()
    add(made, *"abcde", most=2)
    add(made, "x", group="h")
    calls = [batch for _, batch in turns(made, 0.9)]
    assert calls == [("a", "b"), ("x",), ("c", "d"), ("e",)]
    assert made.interval_of("abcde", 0.0) == EVERY


def test_one_stream_is_asked_once_a_second() -> None:
    made = plan()
    add(made, "a")
    assert [t for t, _ in turns(made, 3.5)] == pytest.approx([0, 1, 2, 3])


def test_many_streams_are_asked_less_often_each_in_its_turn() -> None:
    made = plan()
    names = [f"s{number}" for number in range(50)]
    add(made, *names)
    calls = turns(made, 30.0)
    assert made.interval_of(names, 0.0) == pytest.approx(10.0), "50 calls, 5 a second"
    assert {number for _, number in Counter(batch[0] for _, batch in calls).items()} == {3}


def test_half_of_what_others_leave_is_used() -> None:
    for left, expected in ((10, 0.2), (6, 0.2), (0, 1.0)):
        made = plan(Room([(SECOND, left)], 0.0))
        add(made, *(f"s{number}" for number in range(100)))
        calls = turns(made, 20.0)
        spaces = [after - before for (before, _), (after, _) in pairwise(calls[10:])]
        assert max(spaces) <= 1.0 + 1e-6
        assert min(spaces) >= expected - 1e-6


def test_a_closed_group_waits_and_the_others_do_not() -> None:
    made: Plan[str] = Plan(lambda group, _t: Room([(SECOND, 10)], 5.0 if group == "closed" else 0.0))
    add(made, "a", group="closed")
    add(made, "b", group="open")
    calls = turns(made, 5.9)
    assert [t for t, batch in calls if batch == ("a",)] == [5.0]
    assert len([t for t, batch in calls if batch == ("b",)]) == 6


def test_what_fails_is_asked_ever_more_rarely_and_no_other_waits_for_it() -> None:
    made = plan()
    add(made, "bad", "good")
    asked = []
    t = 0.0
    while t < 300:
        for name in made.next(t):
            if name == "bad":
                asked.append(t)
                made.failed(t, [name])
            else:
                made.answered([name])
        t = max(made.deadline(t), t + 1e-6)
    waits = [after - before for before, after in pairwise(asked)]
    assert waits == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60, 60], abs=0.5)
    assert max(waits) <= RETRY_MOST + 0.5
    made.answered(["bad", "gone"])
    made.failed(t, ["bad", "gone"])
    assert made.next(t + 1.5) != ()


def test_the_exchanges_own_wait_is_kept() -> None:
    made = plan()
    add(made, "a")
    assert made.next(0.0) == ("a",)
    made.failed(0.0, ["a"], 30.0)
    assert made.deadline(0.0) == 30.0


def test_who_is_refused_among_others_is_asked_alone_and_then_rarely() -> None:
    made = plan()
    add(made, *"abc", most=10)
    assert made.next(0.0) == ("a", "b", "c")
    assert not made.refused(0.0, ["a", "b", "c"])
    alone = [batch for _, batch in turns(made, 0.9, 0.1)]
    assert alone == [("a",), ("b",), ("c",)]
    assert made.refused(1.0, ["b"])
    assert not made.refused(1.0, ["a", "gone"])
    later = turns(made, 200.0, 1.0)
    assert ("b",) not in [batch for _, batch in later]
    assert ("b",) in [batch for _, batch in turns(made, 1.0 + REFUSED + 2, 200.0)]


def test_another_page_comes_after_those_who_wait_already() -> None:
    made = plan()
    add(made, *"abc")
    order = []
    t = 0.0
    for _ in range(6):
        t = max(t, made.deadline(t))
        [name] = made.next(t)
        order.append(name)
        if name == "a":
            made.again(t, "a")
    made.again(t, "gone")
    assert order[:4] == ["a", "b", "c", "a"]


@given(
    st.lists(st.sampled_from(["g", "h"]), min_size=1, max_size=40),
    st.integers(1, 8),
    st.floats(0.0, 0.5),
    st.lists(st.floats(0.05, 2.0), max_size=20),
)
def test_no_limit_is_overrun_and_every_stream_has_its_turn_within_the_interval(
    groups: list[str], most: int, seconds: float, others: list[float]
) -> None:
    """Others call as they like through the same gates; each call of ours takes ``seconds``."""
    gates = {group: Gate([SECOND], 0.0) for group in ("g", "h")}
    made: Plan[str] = Plan(lambda group, t: Room(gates[group].left(t), gates[group].next_at(t)))
    names = [f"{group}{number}" for number, group in enumerate(groups)]
    for name in names:
        made.add(0.0, name, Manner(name[0], name[0], most))
    calls: list[tuple[float, tuple[str, ...]]] = []
    theirs = deque(sum(others[: index + 1]) for index in range(len(others)))
    t = 0.0
    while t < 40.0:
        while theirs and theirs[0] <= t:
            gates["g"].take(theirs.popleft())
        if batch := made.next(t):
            assert gates[batch[0][0]].take(t), "never asked where the limit is spent"
            assert len(batch) <= most
            assert len({name[0] for name in batch}) == 1
            calls.append((t, batch))
            t += seconds
        else:
            t = max(made.deadline(t), t + 1e-6)
    for group in ("g", "h"):
        times = [at for at, batch in calls if batch[0][0] == group]
        allowed = int(SHARE * SECOND.count)
        assert all(later - first >= 1.0 - 1e-6 for first, later in zip(times, times[allowed:], strict=False))
    count = sum(ceil(groups.count(group) / most) for group in ("g", "h"))
    bound = EVERY + 2 * count * max(1.0 / (SHARE * SECOND.count), seconds) + len(others) + 1.0
    for name in names:
        asked = [at for at, batch in calls if name in batch]
        assert asked
        assert max(after - before for before, after in zip([0.0, *asked], [*asked, 40.0], strict=True)) <= bound
