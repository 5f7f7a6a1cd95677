"""Who lives: a silent member is dead after its lease, but never because oneself heard nothing."""

from __future__ import annotations

from tapewire.fleet.roster import Roster
from tapewire.fleet.words import Plan, State

PLAN = Plan(venue="upbit", markets=("KRW-*",), types="trade")


def said(name: str, *symbols: str) -> State:
    return State(name=name, plan=PLAN, carries=symbols)


def beats(roster: Roster, start: int, end: int, *names: str) -> None:
    """Each of them says a word every second."""
    for t in range(start, end):
        for name in names:
            roster.heard(float(t), said(name))


def test_a_member_that_says_nothing_for_its_lease_is_dead() -> None:
    roster = Roster("me", 5.0)
    beats(roster, 0, 10, "me", "b", "c")
    beats(roster, 10, 15, "me", "b")
    assert roster.bury() == ()
    beats(roster, 15, 16, "me", "b")
    assert roster.bury() == ("c",)
    assert [one.name for one in roster.others] == ["b"]
    assert roster.bury() == ()


def test_who_takes_its_leave_is_gone_at_once() -> None:
    roster = Roster("me", 5.0)
    beats(roster, 0, 2, "me", "b")
    roster.gone("b")
    roster.gone("nobody")
    assert roster.others == []


def test_who_hears_nothing_takes_nobody_for_dead() -> None:
    roster = Roster("me", 5.0)
    beats(roster, 0, 10, "me", "b")
    assert roster.sees(14.0)
    assert not roster.sees(14.5)
    assert roster.bury() == ()
    beats(roster, 100, 101, "me")  # the broker is back after 90 s, or the process was stopped for so long
    assert roster.bury() == ()
    beats(roster, 101, 103, "me")
    assert roster.bury() == ()
    beats(roster, 103, 105, "me")
    assert roster.bury() == ("b",)


def test_who_was_blind_sees_when_its_own_word_comes_back() -> None:
    roster = Roster("me", 5.0)
    assert not roster.sees(0.0)
    beats(roster, 0, 10, "me", "b")
    roster.blind()
    assert not roster.sees(9.0)
    beats(roster, 10, 11, "b")
    assert not roster.sees(10.0)
    beats(roster, 11, 12, "me")
    assert roster.sees(11.0)
    assert [one.name for one in roster.others] == ["b"]


def test_the_newest_word_of_a_member_counts() -> None:
    roster = Roster("me", 5.0)
    roster.heard(0.0, said("b", "X"))
    roster.heard(1.0, said("b", "X", "Y"))
    assert roster.others == [said("b", "X", "Y")]
