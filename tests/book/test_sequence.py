"""Each continuity rule, and each seen to find a hole."""

from __future__ import annotations

import pytest

from tapewire.book.sequence import Chained, SnapshotsOnly, Step, Unnumbered
from tests.book.made_up import change, snapshot


def steps(first: int | None, *links: tuple[int | None, int | None]) -> list[Step]:
    chain = Chained()
    chain.restart(snapshot(first))
    return [chain.follow(change(link=link)) for link in links]


def test_the_documented_chain() -> None:
    """Equal ids while nothing changes, a small id after maintenance (spec/okx.md A6.4)."""
    assert steps(10, (10, 15), (15, 15), (15, 3), (3, 5)) == ["next"] * 4


@pytest.mark.parametrize(
    ("links", "said"),
    [
        ([(15, 20)], ["hole"]),  # one lost
        ([(10, 15), (20, 25)], ["next", "hole"]),
        ([(15, 15)], ["hole"]),  # the sign of life shows it too
        ([(10, 15), (15, 3), (5, 8)], ["next", "next", "hole"]),  # after maintenance
        ([(10, 15), (3, 5)], ["next", "hole"]),  # the first after maintenance lost
        ([(-1, 15)], ["hole"]),  # only a snapshot begins
        ([(None, 15)], ["hole"]),
        ([(None, None)], ["hole"]),
    ],
)
def test_holes(links: list[tuple[int | None, int | None]], said: list[Step]) -> None:
    assert steps(10, *links) == said


def test_the_same_message_again() -> None:
    assert steps(10, (10, 15), (10, 15), (15, 15), (10, 15)) == ["next", "repeated", "next", "repeated"]
    assert steps(10, (10, 15), (15, 20), (10, 15)) == ["next", "next", "hole"]  # of an older one nobody knows


def test_a_message_that_ends_where_we_are_is_not_the_same() -> None:
    """Maintenance lost and numbers that meet by chance: not taken for a repeated message."""
    assert steps(10, (10, 15), (3, 15)) == ["next", "hole"]


def test_without_numbers_all_are_linked() -> None:
    assert steps(None, (None, None), (None, None)) == ["next", "next"]
    assert steps(None, (10, 15)) == ["hole"]


def test_a_snapshot_from_elsewhere_is_joined() -> None:
    chain = Chained()
    chain.restart(change(link=(None, 20), action="snapshot"))
    said = [chain.follow(change(link=link)) for link in [(5, 10), (10, 20), (15, 25), (15, 25), (25, 30), (31, 32)]]
    assert said == ["repeated", "repeated", "next", "repeated", "next", "hole"]


@pytest.mark.parametrize("link", [(21, 25), (25, 3), (None, 25), (15, None)])
def test_what_cannot_be_joined(link: tuple[int | None, int | None]) -> None:
    chain = Chained()
    chain.restart(change(link=(None, 20), action="snapshot"))
    assert chain.follow(change(link=link)) == "hole"


def test_the_other_two_rules() -> None:
    for rule, said in ((SnapshotsOnly(), "hole"), (Unnumbered(), "next")):
        rule.restart(snapshot(10))
        assert rule.follow(change(link=(1, 2))) == said
        assert rule.since([change(link=(1, 2))]) == ()
        assert not rule.aligns


@pytest.mark.parametrize(
    ("links", "number", "since"),
    [
        ([(8, 10), (10, 15), (15, 16)], 10, 1),  # one ends there
        ([(10, 15), (15, 16)], 10, 0),  # one begins there
        ([(10, 15), (15, 16)], 12, 0),  # one reaches over it (REST)
        ([(10, 15), (15, 16)], 16, 2),
        ([(10, 15), (15, 16)], 20, 2),  # all are in it
        ([(12, 15), (15, 16)], 10, None),  # too old
        ([(8, 9), (12, 15)], 10, None),
        ([(8, 9), (12, 15), (15, 16)], 13, 1),  # what was missed before it is in it
        ([(90, 95), (95, 3), (3, 5), (5, 8)], 5, 3),  # after a maintenance
        ([(90, 95), (95, 3), (3, 5), (5, 8)], 4, 2),
        ([(90, 95), (95, 3), (3, 5), (5, 8)], 9, 4),
        ([(90, 95), (95, 3), (3, 5)], 90, 0),
        ([], 5, 0),
        ([(3, 5)], None, 1),
    ],
)
def test_what_belongs_after_a_snapshot_that_came_late(
    links: list[tuple[int, int]], number: int | None, since: int | None
) -> None:
    chain, aside = Chained(), [change(link=link) for link in links]
    chain.restart(snapshot(number))
    late = chain.since(aside)
    assert late is None if since is None else list(late or ()) == aside[since:]
    assert all(chain.follow(one) == "next" for one in late or ())
