"""Who is too far behind, and when nobody can say."""

from __future__ import annotations

import pytest

from tapewire.session.laggards import LOOK, Laggards


def never(_line: int) -> bool:
    return False


@pytest.mark.parametrize(
    ("behind", "found"),
    [
        ([0.0, 0.0], None),
        ([5.0, 0.0], None),
        ([5.1, 0.0], 0),
        ([0.0, 9.0], 1),
        ([9.0, 9.0], None),
        ([0.0, 0.0, 7.0], 2),
    ],
)
def test_one_alone_that_is_further_behind_than_allowed_is_replaced(behind: list[float], found: int | None) -> None:
    assert Laggards(5.0, 5.0).find(behind, never) == found
    assert Laggards(None, 5.0).find(behind, never) is None


def test_a_line_that_alone_carries_something_is_spared() -> None:
    assert Laggards(5.0, 5.0).find([9.0, 0.0], lambda line: line == 0) is None


def test_while_anybody_holds_the_lines_and_a_while_after_nobody_can_tell() -> None:
    laggards = Laggards(5.0, 3.0)
    for holder in "ab":
        laggards.hold(0, holder, holding=True)
    laggards.hold(1, "a", holding=False)
    assert not laggards.can_tell(1)
    laggards.hold(2, "b", holding=False)
    laggards.hold(2, "never held", holding=False)
    assert [laggards.can_tell(t) for t in (2, 3, 4, 5)] == [False, False, False, True]
    laggards.hold(6, "never held", holding=False)
    assert laggards.can_tell(6)


def test_after_the_process_slept_the_backlogs_are_read_first() -> None:
    laggards = Laggards(5.0, 3.0)
    assert [laggards.can_tell(t) for t in (0, LOOK, 2 * LOOK)] == [True, True, True]
    assert [laggards.can_tell(100 + t * LOOK) for t in range(5)] == [False, False, False, True, True]
