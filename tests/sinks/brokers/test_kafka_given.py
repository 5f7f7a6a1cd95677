"""What a member of a group was given of a partition, and from where another would go on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tapewire.sinks.brokers.kafka_given import UNDONE, Given


def test_another_would_go_on_at_the_first_that_is_not_done() -> None:
    part = Given(5, 5)
    assert (part.due(), part.is_done) == (None, True)
    for offset in (5, 6, 7):
        part.read(offset, wanted=True)
    assert (part.due(), part.is_done) == (None, False)
    part.done(6)
    assert part.due() is None
    part.done(5)
    assert part.due() == 7
    part.send(7)
    assert (part.due(), part.due(at_once=True)) == (None, 7)
    part.answered(7, taken=True)
    assert (part.due(), part.due(at_once=True)) == (None, None)
    part.done(7)
    assert (part.due(), part.is_done) == (8, True)


def test_what_nobody_wants_is_passed_over() -> None:
    part = Given(0, 0)
    part.read(0, wanted=False)
    assert (part.position, part.due()) == (1, 1)
    part.read(1, wanted=True)
    part.read(2, wanted=False)
    assert part.due() == 1
    part.done(1)
    assert part.due() == 3


def test_where_a_group_begins_is_told_and_what_was_not_heard_is_told_again() -> None:
    part = Given(4, None)
    assert part.due() == 4
    part.send(4)
    assert part.due() is None
    part.answered(4, taken=False)
    assert part.due() == 4


def test_missing_messages_and_a_log_that_began_anew_are_seen() -> None:
    part = Given(4, 4)
    assert [part.jump(offset) for offset in (4, 9, 0)] == [0, 5, -4]


def test_who_has_much_undone_is_full() -> None:
    part = Given(0, 0)
    for offset in range(UNDONE):
        assert not part.is_full
        part.read(offset, wanted=True)
    assert part.is_full
    part.done(3)
    part.done(3)
    assert not part.is_full


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40))
def test_nothing_undone_lies_before_the_place_that_is_told(rows: list[tuple[bool, bool]]) -> None:
    part = Given(0, None)
    for offset, (wanted, _) in enumerate(rows):
        part.read(offset, wanted=wanted)
    for offset, (_, is_done) in enumerate(rows):
        if is_done:
            part.done(offset)
    undone = [offset for offset, (wanted, is_done) in enumerate(rows) if wanted and not is_done]
    assert part.due() == min(undone, default=len(rows))
