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
        assert [rule.follow(change(link=(1, 2))), rule.join(change(link=(1, 2)))] == [said, said]
        assert not rule.aligns
