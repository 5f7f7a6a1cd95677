"""One question at a time, a fresh one each time, none made up for."""

from __future__ import annotations

from tapewire.session.heartbeat import Heartbeat


def test_a_question_each_interval_with_a_fresh_payload() -> None:
    beat = Heartbeat(30, 10, 100.0)
    assert (beat.deadline, beat.due(129.9), beat.due(130.0)) == (130.0, False, True)
    first = beat.ask(130.0)
    assert (beat.deadline, beat.due(200.0), beat.waiting) == (140.0, False, True)
    beat.answer(first)
    assert (beat.deadline, beat.waiting, beat.expired(1e9)) == (160.0, False, False)
    assert beat.ask(160.0) != first


def test_only_the_matching_answer_counts() -> None:
    beat = Heartbeat(30, 10, 0.0)
    old = beat.ask(30.0)
    beat.alive()
    beat.ask(60.0)
    beat.answer(old)
    beat.answer(b"")
    assert (beat.expired(69.9), beat.expired(70.0)) == (False, True)


def test_a_late_question_starts_a_new_interval() -> None:
    beat = Heartbeat(30, 10, 0.0)
    beat.answer(beat.ask(630.0))
    assert (beat.due(630.0), beat.deadline) == (False, 660.0)
