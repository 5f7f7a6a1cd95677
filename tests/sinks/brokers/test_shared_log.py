"""Many subjects in one log: each hears what it wants once, whoever joins when."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.sinks.brokers.shared_log import LOOK_BACK, SharedLog, look_back


def test_a_log_is_read_from_where_the_first_wants_it() -> None:
    log = SharedLog()
    assert not log
    assert log.follow("a", 5)
    assert (bool(log), log.position) == (True, 5)
    assert [log.take("a", offset) for offset in (5, 6)] == [True, True]
    assert log.position == 7


def test_who_joins_for_what_comes_next_costs_no_reading_again() -> None:
    log = SharedLog()
    log.follow("a", 5)
    log.take("a", 5)
    assert not log.follow("b", 6)
    assert not log.follow("c", 9)
    assert [log.take(name, offset) for offset, name in ((6, "c"), (7, "b"), (9, "c"))] == [False, True, True]


def test_who_wants_the_past_has_it_read_again_and_the_others_hear_nothing_twice() -> None:
    log = SharedLog()
    log.follow("a", 5)
    heard = [("a", offset) for offset in (5, 6) if log.take("a", offset)]
    assert log.follow("b", 3)
    rows = [(3, "b"), (4, "a"), (5, "a"), (6, "a"), (7, "b"), (8, "a")]
    heard += [(name, offset) for offset, name in rows if log.take(name, offset)]
    assert heard == [("a", 5), ("a", 6), ("b", 3), ("b", 7), ("a", 8)]


def test_nobody_hears_what_is_left_or_was_never_wanted() -> None:
    log = SharedLog()
    log.follow("a", 0)
    log.leave("a")
    log.leave("never")
    assert [log.take("a", 0), log.take("other", 1)] == [False, False]
    assert (bool(log), log.position) == (False, 2)


def test_a_log_with_a_hole_or_that_began_anew_is_seen() -> None:
    log = SharedLog()
    assert log.jump(7) == 0
    log.follow("a", 5)
    assert (log.jump(5), log.jump(9), log.jump(0), log.subjects) == (0, 4, -5, ("a",))


@given(st.integers(0, 3_000_000), st.integers(0, 3_000_000))
def test_looking_back_covers_the_end_without_a_hole(low: int, more: int) -> None:
    spans = list(look_back(low, low + more))
    assert all(first == end for (first, _), (_, end) in pairwise(spans))
    assert sum(end - first for first, end in spans) == min(more, LOOK_BACK)
    assert all(low <= first < end <= low + more for first, end in spans)


@pytest.mark.parametrize(("low", "high", "spans"), [(7, 7, []), (0, 3, [(0, 3)]), (50, 250, [(150, 250), (50, 150)])])
def test_spans_end_at_the_beginning(low: int, high: int, spans: list[tuple[int, int]]) -> None:
    assert list(look_back(low, high)) == spans
