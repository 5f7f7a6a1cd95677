"""Faults from text, and when they happen."""

from __future__ import annotations

from typing import Any

import pytest

from tapewire.errors import ConfigError
from tapewire.sim.faults import KINDS, Fault, FaultPlan, parse_fault
from tests.sim.draws import Dealt, seeded


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("drop@5", Fault(name="drop", value="1000", at=5.0)),
        ("drop:1001@5/30x3", Fault(name="drop", value="1001", at=5.0, every=30.0, times=3)),
        ("freeze@12", Fault(name="freeze", at=12.0)),
        ("silence", Fault(name="silence", value="inf")),
        ("silence:2.5@1", Fault(name="silence", value="2.5", at=1.0)),
        ("refuse:429:retry=3@0x2", Fault(name="refuse", value="429", options=(("retry", 3.0),), times=2)),
        ("refuse", Fault(name="refuse", value="429", times=1)),
        ("close-after-subscribe:1000", Fault(name="close-after-subscribe", value="1000")),
        ("duplicate%0.05", Fault(name="duplicate", chance=0.05)),
        (" error:NO_TICKET@3 ", Fault(name="error", value="NO_TICKET", at=3.0)),
        ("maintenance:8:status=503@5", Fault(name="maintenance", value="8", options=(("status", 503.0),), at=5.0)),
    ],
)
def test_text_says_a_fault(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "of the form name"),
        ("drop@soon", "of the form name"),
        ("explode@5", "one of drop, abort"),
        ("drop:fast@5", "a number for drop, not 'fast'"),
        ("refuse:429:retry=soon", "a number for retry, not 'soon'"),
        ("refuse:429:later=3", "refuse with retry="),
        ("maintenance:8:later=3", "maintenance with status= or retry="),
        ("abort:3=4", "abort without options"),
        ("abort:5@1", "abort without a value"),
        ("duplicate%5", "a chance of at most 1"),
        ("drop@5/0", "repeated after more than 0 s"),
        ("drop:99999@1", "a number from 0 to 65,535 for drop, not 99999"),
        ("close-after-subscribe:-1", "a number from 0 to 65,535 for close-after-subscribe"),
        ("refuse:42", "a number from 200 to 599 for refuse, not 42"),
        ("silence:nan@1", "a number from 0 to inf for silence, not nan"),
        ("slow:inf", "a number from 0 to 100,000 for slow, not inf"),
        ("slow:-1", "for slow, not -1"),
        ("maintenance:8:status=99999", "a number from 200 to 599 for status, not 99999"),
        ("refuse:429:retry=inf", "for retry, not inf"),
    ],
)
def test_bad_text_gets_an_error_that_says_what_would_be_right(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_fault(text)
    assert says in str(caught.value)
    assert caught.value.value == text


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": "explode"}, "one of drop, abort"),
        ({"name": "drop", "value": "fast"}, "a number for drop, not 'fast'"),
        ({"name": "drop", "options": (("retry", 1.0),)}, "drop without options"),
        ({"name": "refuse", "options": (("later", 1.0),)}, "refuse with retry="),
        ({"name": "late", "chance": 1.5}, "from 0 to 1"),
        ({"name": "late", "every": 0.0}, "more than 0 s"),
        ({"name": "drop", "value": "70000"}, "a number from 0 to 65,535 for drop"),
        ({"name": "refuse", "options": (("retry", -1.0),)}, "for retry, not -1"),
    ],
)
def test_a_fault_made_by_hand_is_checked_too(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Fault(**fields)
    assert says in str(caught.value)


def test_every_kind_has_a_text_of_its_name_alone() -> None:
    assert [parse_fault(name).name for name in KINDS] == list(KINDS)


def names(plan: FaultPlan, now: float) -> list[str]:
    return [fault.name for fault in plan.due(now)]


def test_a_timed_fault_happens_once_at_its_moment() -> None:
    plan = FaultPlan([parse_fault("drop@5")], seeded().random)
    assert [plan.deadline] == [5.0]
    assert names(plan, 4.999) == []
    assert names(plan, 5.0) == ["drop"]
    assert plan.deadline is None
    assert names(plan, 99.0) == []


def test_repetition_ends_with_its_times_and_faults_come_in_the_order_of_their_moments() -> None:
    plan = FaultPlan([parse_fault("abort@12"), parse_fault("drop@5/10x2")], seeded().random)
    assert names(plan, 100.0) == ["drop", "abort", "drop"]
    assert plan.deadline is None


def test_chance_is_drawn_at_each_occasion() -> None:
    plan = FaultPlan([parse_fault("duplicate%0.5"), parse_fault("abort@1/1x1%0.5")], Dealt([0.9, 0.1, 0.9, 0.2]).random)
    assert plan.occasion("duplicate", 0.0) is None
    assert plan.occasion("duplicate", 0.0) is not None
    assert names(plan, 1.0) == []
    assert names(plan, 2.0) == ["abort"]
    assert plan.draw() == 0.2


def test_an_occasion_is_taken_from_its_time_on_and_as_often_as_said() -> None:
    plan = FaultPlan([parse_fault("refuse:503@10x2")], seeded().random)
    assert plan.occasion("refuse", 9.0) is None
    assert plan.has("refuse")
    assert plan.occasion("refuse", 10.0)
    assert plan.occasion("refuse", 10.0)
    assert plan.occasion("refuse", 10.0) is None
    assert not plan.has("refuse")
    assert not plan.has("late")


def test_occasions_can_be_kept_apart() -> None:
    plan = FaultPlan([parse_fault("refuse@10/5x3")], seeded().random)
    assert plan.occasion("refuse", 10.0)
    assert plan.occasion("refuse", 12.0) is None
    assert plan.occasion("refuse", 15.0)
    assert plan.deadline is None


def test_a_fault_knows_its_number_and_options() -> None:
    fault = parse_fault("refuse:429:retry=3")
    assert (fault.number, fault.option("retry"), fault.option("body")) == (429.0, 3.0, None)


def test_a_fault_may_be_of_one_side() -> None:
    fault = parse_fault("refuse:401:side=private:retry=3@5")
    assert (fault.side, fault.value, fault.option("retry"), fault.at) == ("private", "401", 3.0, 5.0)
    plan = FaultPlan([parse_fault("refuse:401:side=private")], seeded().random)
    assert plan.occasion("refuse", 0.0, "public") is None
    assert plan.occasion("refuse", 0.0, "private") is not None
    assert parse_fault("freeze@5").side is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("drop:side=left", "it must be side=public or side=private or side=info or side=business"),
        ("late:side=info", "it must be late without side=: it happens to all at once"),
        ("rest:side=info", "it must be rest without side="),
    ],
)
def test_a_side_that_cannot_be(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse_fault(text)
