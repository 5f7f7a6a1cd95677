"""When a stream has been without data for long enough that REST is asked in its place."""

from __future__ import annotations

from tapewire.model.subscription import Subscription
from tapewire.session.blind import GRACE, Blind

A, B, C = (Subscription("trade", symbol) for symbol in ("KRW-A", "KRW-B", "KRW-C"))


def test_a_stream_is_due_so_long_after_it_was_wanted_unless_data_came() -> None:
    blind = Blind(10.0)
    blind.want(5.0, [A, B])
    assert (blind.down, blind.next_due(5.0), blind.due(14.9)) == (5.0, 15.0, {})
    blind.data(A)
    assert blind.down is None
    assert blind.due(15.0) == {B: 5.0}
    assert blind.next_due(15.0) == float("inf")


def test_a_lost_line_counts_from_its_loss_and_dials_that_fail_change_nothing() -> None:
    blind = Blind(10.0)
    blind.want(0.0, [A, B])
    blind.data(A)
    blind.data(B)
    blind.lost(20.0)
    blind.lost(25.0)
    assert blind.down == 20.0
    assert blind.due(30.0) == {A: 20.0, B: 20.0}
    blind.data(A)
    blind.lost(31.0)
    assert blind.due(35.0) == {B: 20.0}
    assert blind.down == 31.0


def test_who_comes_to_a_connection_that_brings_nothing_waits_no_longer_than_the_others() -> None:
    blind = Blind(10.0)
    blind.want(0.0, [A])
    blind.want(50.0, [A, B])
    assert blind.due(50.0) == {A: 0.0, B: 0.0}
    elsewhere = Blind(10.0)
    elsewhere.want(60.0, [C], 0.0)
    assert elsewhere.due(60.0) == {C: 0.0}


def test_who_comes_to_a_connection_that_works_has_a_time_of_its_own() -> None:
    blind = Blind(10.0)
    blind.want(0.0, [A])
    blind.data(A)
    blind.want(50.0, [A, B])
    assert blind.due(59.0) == {}
    assert blind.due(60.0) == {B: 50.0}


def test_what_nobody_wants_any_more_is_forgotten() -> None:
    blind = Blind(10.0)
    blind.want(0.0, [A, B])
    blind.want(1.0, [B])
    assert blind.due(20.0) == {B: 0.0}
    blind.want(2.0, [])
    assert (blind.due(20.0), blind.down) == ({}, None)
    blind.lost(3.0)
    assert blind.down is None
    blind.want(40.0, [A])
    assert blind.due(49.0) == {}


def test_a_stream_that_was_accepted_may_be_silent() -> None:
    blind = Blind(10.0)
    blind.want(0.0, [A, B])
    blind.confirmed([A])
    assert blind.due(20.0) == {B: 0.0}


def test_a_silent_stream_has_a_moment_to_answer() -> None:
    blind = Blind(10.0)
    blind.want(0.0, [A, B])
    blind.data(A)
    blind.data(B)
    blind.silent(100.0, A, 60.0)
    assert blind.due(100.0 + GRACE - 0.1) == {}
    assert blind.due(100.0 + GRACE) == {A: 40.0}
    blind.silent(120.0, A, 80.0)
    assert blind.due(120.0) == {A: 40.0}
    blind.silent(120.0, C, 80.0)
    assert blind.due(200.0) == {A: 40.0}


def test_by_choice_no_stream_is_ever_due() -> None:
    blind = Blind(float("inf"))
    blind.want(0.0, [A])
    assert (blind.next_due(0.0), blind.due(1e9)) == (float("inf"), {})
