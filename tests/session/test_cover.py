"""What the loss of one line of several costs: nothing when a sister proves it, else a row of the ledger."""

from __future__ import annotations

from typing import Any

import pytest

from tapewire.model.line import Loss
from tapewire.model.status import Gap, Recovered
from tapewire.model.subscription import Subscription
from tapewire.session.actions import Now, Progress
from tapewire.session.cover import Cover
from tests.session.made_up import stream

A, B, TICKER = stream("A"), stream("B"), stream("ticker A")
RESET = Loss("reset")
PATIENCE = 5.0


def now(t: float) -> Now:
    return Now(t, round(t * 1000))


class Sky:
    """A cover, and which line brought which trade (None: as far as any other)."""

    def __init__(self, lines: int = 2, *streams: Subscription) -> None:
        self.seen: set[tuple[int, Subscription, int | None]] = set()
        self.cover = Cover("made-up", "one+two", frozenset({"ticker"}), PATIENCE, self._brought)
        self.last: dict[Subscription, Progress] = {}
        for line in range(lines):
            self.cover.confirmed(line, streams or (A,))

    def _brought(self, line: int, subscription: Subscription, position: Progress) -> bool:
        return (line, subscription, position.last_id) in self.seen

    def lost(self, t: float, line: int, *streams: Subscription) -> tuple[list[Gap], list[Subscription]]:
        positions = {one: self.last.get(one, Progress(9, 70, 700)) for one in streams or (A,)}
        return self.cover.lost(now(t), line, RESET, positions)

    def data(
        self, t: float, line: int, subscription: Subscription = A, number: int | None = 80, *, known: bool = False
    ) -> list[Gap | Recovered]:
        first = Progress(1, number, None if number is None else 10 * number)
        last = self.last.get(subscription, Progress(9, 70, 700))
        assert self.cover.concerns(line, subscription)
        return self.cover.data(now(t), line, subscription, first, last, known=known)


def row(at: float, **facts: Any) -> Gap:
    whole = {
        "venue": "made-up",
        "connection": "one+two",
        "at_ns": round(at * 1000),
        "subscription": A,
        "cause": "reset",
    }
    return Gap(**{**whole, "state": "unfilled", "last_id": 70, "last_timestamp": 700, **facts})


def test_a_loss_while_a_sister_stands_costs_nothing_when_she_has_what_the_line_shows() -> None:
    sky = Sky()
    assert sky.lost(1, 0) == ([], [])
    sky.seen.add((1, A, 80))
    assert sky.data(3, 0) == []
    assert sky.cover.look(now(99)) == []
    assert sky.cover.carriers(A) == {0, 1}
    assert sky.cover.open == ()


def test_what_was_delivered_already_needs_no_proof() -> None:
    sky = Sky()
    sky.lost(1, 0)
    assert sky.data(3, 0, known=True) == []
    assert sky.cover.look(now(99)) == []


def test_a_sister_may_bring_it_a_little_later_but_not_for_ever() -> None:
    for late, told in ((True, []), (False, [row(8, from_ns=1000, to_ns=3000, first_id=80, first_timestamp=800)])):
        sky = Sky()
        sky.lost(1, 0)
        sky.data(3, 0)
        assert sky.cover.look(now(7.9)) == []
        if late:
            sky.seen.add((1, A, 80))
        assert sky.cover.look(now(8)) == told
        assert sky.cover.look(now(9)) == [], "it is told once"


def test_a_stream_without_ids_is_judged_when_the_time_is_over() -> None:
    sky = Sky(2, TICKER)
    sky.seen.add((1, TICKER, None))
    sky.lost(1, 0, TICKER)
    sky.data(2, 0, TICKER, None)
    sky.seen.clear()
    [told] = sky.cover.look(now(7))
    assert (told.state, told.from_ns, told.to_ns, told.at_ns) == ("full_state", 1000, 2000, 7000)


def test_both_lost_is_a_hole_from_what_either_saw_last_to_what_either_sees_first() -> None:
    sky = Sky()
    assert sky.lost(1, 0) == ([], [])
    sky.last[A] = Progress(12, 75, 750)
    assert sky.lost(2, 1) == ([], [A])
    assert sky.cover.open == (row(2, state="open", from_ns=2000, last_id=75, last_timestamp=750),)
    closed = row(4, from_ns=2000, to_ns=4000, last_id=75, last_timestamp=750, first_id=80, first_timestamp=800)
    recovered = Recovered(venue="made-up", connection="one+two", at_ns=4000, subscriptions=(A,), seconds=2)
    assert sky.data(4, 0) == [closed, recovered]
    assert not sky.cover.concerns(0, A)
    assert sky.data(5, 1, known=True) == [], "it is told once, by whoever is back first"


def test_who_comes_back_second_is_vouched_for_by_who_came_back_first() -> None:
    sky = Sky()
    sky.lost(1, 0)
    sky.lost(2, 1)
    sky.data(4, 1)
    assert sky.data(6, 0, A, 90) == []
    assert [told.first_id for told in sky.cover.look(now(11))] == [90], "which line 1 did not bring"


def test_a_half_dead_sister_is_found_out_when_she_is_lost_too() -> None:
    sky = Sky()
    sky.lost(1, 0)
    sky.data(3, 0)
    told, bare = sky.lost(4, 1)
    assert told == [row(4, from_ns=1000, to_ns=3000, first_id=80, first_timestamp=800)]
    assert bare == [], "line 0 is back"
    assert sky.cover.look(now(99)) == []


def test_a_sister_that_was_whole_until_she_was_lost_leaves_no_hole() -> None:
    sky = Sky()
    sky.lost(1, 0)
    sky.data(3, 0)
    sky.seen.add((1, A, 80))
    assert sky.lost(4, 1) == ([], [])
    assert sky.cover.look(now(99)) == []


def test_of_three_one_witness_is_enough() -> None:
    sky = Sky(3)
    sky.lost(1, 0)
    sky.data(3, 0)
    assert sky.lost(4, 1) == ([], []), "line 2 may still speak"
    sky.seen.add((2, A, 80))
    assert sky.cover.look(now(8)) == []


def test_the_last_witness_goes_before_the_line_is_back() -> None:
    sky = Sky(3)
    sky.lost(1, 0)
    sky.lost(2, 1)
    assert sky.lost(3, 2) == ([], [A])
    assert len(sky.data(4, 1)) == 2
    assert sky.data(5, 2, known=True) == []


def test_a_line_that_was_confirmed_without_data_stands_in_too() -> None:
    sky = Sky()
    sky.lost(1, 0)
    sky.cover.confirmed(0, [A])
    assert sky.lost(5, 1) == ([], []), "line 0 carries it"
    assert sky.data(6, 0) == [], "whose first message has no witness left, and was confirmed before the other went"
    assert sky.cover.look(now(99)) == []


def test_streams_that_nobody_hears_in_realtime_and_lines_that_left_by_wish_miss_nothing() -> None:
    sky = Sky(2, A, B)
    sky.cover.left(1)
    assert sky.lost(1, 0, A) == ([], [A])
    assert [gap.subscription for gap in sky.cover.open] == [A]
    assert sky.lost(2, 0, A) == ([], [])


def test_a_row_that_is_open_keeps_its_start_when_a_line_without_data_is_lost() -> None:
    sky = Sky()
    sky.lost(1, 0)
    sky.lost(2, 1)
    sky.cover.confirmed(0, [A])
    sky.last[A] = Progress(50, 500, 5000)
    assert sky.lost(3, 0) == ([], [A])
    [gap] = sky.cover.open
    assert (gap.from_ns, gap.last_id) == (2000, 70)


def test_a_suspicion_is_dropped_when_any_line_brings_the_trade() -> None:
    for brings in (True, False):
        sky = Sky()
        gap = row(3, cause="stale", from_ns=2000, to_ns=3000, first_id=80, first_timestamp=800)
        sky.cover.suspect(now(3), gap)
        if brings:
            sky.seen.add((0, A, 80))
        assert [told.at_ns for told in sky.cover.look(now(8))] == ([] if brings else [8000])


@pytest.mark.parametrize("both", [True, False])
def test_what_nobody_wants_any_more_is_handed_out_as_it_is(both: bool) -> None:
    sky = Sky(2, A, B)
    sky.lost(1, 0, A, B)
    sky.data(2, 0, A)
    if both:
        sky.lost(3, 1, A, B)
    told = sky.cover.drop(now(4), [A, B])
    assert [(gap.subscription, gap.state) for gap in told if isinstance(gap, Gap)] == ([(B, "open")] if both else [])
    assert sky.cover.look(now(99)) == []
    assert sky.cover.carriers(A) == frozenset()


def test_where_another_process_ended_the_first_line_that_brings_anything_goes_on() -> None:
    sky = Sky(0)
    sky.cover.resume(now(9), A, 2000, Progress(0, 70, 700), "restart")
    assert [(gap.cause, gap.from_ns) for gap in sky.cover.open] == [("restart", 2000)]
    sky.cover.confirmed(0, [A])
    [gap, recovered] = sky.data(10, 1)
    assert isinstance(gap, Gap)
    assert (gap.state, gap.last_id, gap.first_id) == ("unfilled", 70, 80)
    assert isinstance(recovered, Recovered)
    assert sky.cover.open == ()
