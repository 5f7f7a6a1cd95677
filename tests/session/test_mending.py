"""When a spoilt book is fetched anew: at once, but never in a storm, and by the other way when it does not come."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tapewire.model.subscription import Subscription
from tapewire.session.mending import LONGEST, PATIENCE, PAUSE, QUICK, STABLE, Fetches, Mending

BOOK, TEN = Subscription("orderbook", "A"), Subscription("orderbook", "A", depth=10)
OTHER = Subscription("orderbook", "B")
NOTHING = Fetches()


def test_a_spoilt_book_is_fetched_at_once_and_alone() -> None:
    mending = Mending(by_rest=False)
    assert mending.fetch(0.0) == NOTHING
    assert mending.spoilt(5.0, (BOOK, TEN), "sequence")
    assert mending.deadline == 5.0
    assert mending.fetch(5.0) == Fetches(anew=(BOOK, TEN))
    assert mending.fetch(5.0) == NOTHING
    assert mending.is_spoilt("A")
    assert mending.untold == {BOOK, TEN}
    assert not mending.is_spoilt("B")
    assert mending.mended(6.0, OTHER) is None
    assert mending.mended(6.0, BOOK) == ("sequence", 1.0)
    assert mending.mended(6.5, TEN) == ("sequence", 1.5)
    assert mending.mended(7.0, TEN) is None
    assert not mending.is_spoilt("A")
    assert mending.deadline is None


def test_what_does_not_come_is_asked_for_again() -> None:
    mending = Mending(by_rest=False)
    mending.spoilt(0.0, (BOOK,), "checksum")
    mending.fetch(0.0)
    assert mending.deadline == PATIENCE
    assert mending.fetch(PATIENCE - 0.1) == NOTHING
    assert mending.fetch(PATIENCE) == Fetches(anew=(BOOK,))


def test_the_other_way_is_rest() -> None:
    mending = Mending(by_rest=True)
    mending.spoilt(0.0, (BOOK, TEN), "sequence")
    said = [mending.fetch(mending.deadline or 0.0) for _ in range(3)]
    assert said == [Fetches(anew=(BOOK, TEN)), Fetches(by_rest=(BOOK,)), Fetches(anew=(BOOK, TEN))]


def test_a_bad_snapshot_is_not_waited_for() -> None:
    """What came to mend the book is no good: the next fetch comes as soon as the pause allows."""
    mending = Mending(by_rest=False)
    mending.spoilt(0.0, (BOOK,), "sequence")
    mending.fetch(0.0)
    assert not mending.spoilt(0.1, (BOOK,), "checksum")
    assert mending.deadline == PAUSE
    mending.fetch(PAUSE)
    assert not mending.spoilt(PAUSE + 10.0, (BOOK,), "checksum")
    assert mending.deadline == PAUSE + 10.0


def holes(mending: Mending, times: int, after: float) -> list[float]:
    """Seconds between the fetches of a book that is spoilt again ``after`` seconds, each time it came."""
    t, asked = 0.0, []
    for _ in range(times):
        mending.spoilt(t, (BOOK,), "checksum")
        assert mending.deadline is not None
        t = mending.deadline
        assert mending.fetch(t) == Fetches(anew=(BOOK,))
        asked.append(t)
        mending.mended(t + 0.1, BOOK)
        t += 0.1 + after
    return [later - earlier for earlier, later in pairwise(asked)]


def test_a_book_that_is_never_good_is_fetched_ever_more_seldom() -> None:
    pauses = holes(Mending(by_rest=False), 12, after=0.1)
    assert pauses == pytest.approx([PAUSE] * QUICK + [4.0, 8.0, 16.0, 32.0, LONGEST, LONGEST, LONGEST])


def test_a_book_that_was_good_for_long_is_fetched_at_once_again() -> None:
    assert holes(Mending(by_rest=False), 12, after=STABLE) == pytest.approx([STABLE + 0.1] * 11)


def test_changes_without_a_snapshot_are_not_waited_for_for_ever() -> None:
    """The exchange may send none some day (spec/okx.md, Uncertain 1): then REST is the first way."""
    for by_rest, fetches in ((True, Fetches(by_rest=(BOOK,))), (False, Fetches(anew=(BOOK,)))):
        mending = Mending(by_rest=by_rest)
        mending.waits(0.0, (BOOK,))
        mending.waits(1.0, (BOOK,))
        assert mending.deadline == PATIENCE
        assert mending.fetch(PATIENCE) == fetches
        assert mending.mended(3.0, BOOK) is None  # nobody was told of it
        assert mending.deadline is None


def test_a_hole_soon_after_a_late_snapshot_is_mended_at_once() -> None:
    mending = Mending(by_rest=True)
    mending.waits(0.0, (BOOK,))
    assert mending.mended(0.4, BOOK) is None
    mending.spoilt(0.5, (BOOK,), "sequence")
    assert mending.fetch(0.5) == Fetches(anew=(BOOK,))


def test_a_book_that_is_being_mended_waits_for_nothing_else() -> None:
    mending = Mending(by_rest=True)
    mending.spoilt(0.0, (BOOK,), "sequence")
    mending.fetch(0.0)
    mending.waits(1.0, (BOOK,))
    assert mending.deadline == PATIENCE
    assert mending.mended(2.0, BOOK) == ("sequence", 2.0)


def test_streams_that_left_are_forgotten() -> None:
    mending = Mending(by_rest=False)
    mending.spoilt(0.0, (BOOK, TEN), "sequence")
    mending.forget((OTHER, TEN))
    assert mending.streams == {BOOK}
    assert mending.fetch(0.0) == Fetches(anew=(BOOK,))
    mending.forget((BOOK, TEN))
    assert mending.streams == set()
    assert mending.mended(1.0, BOOK) is None


def test_a_new_line_brings_the_book_and_the_end_is_told_then() -> None:
    mending = Mending(by_rest=False)
    mending.spoilt(0.0, (BOOK,), "sequence")
    mending.lost()
    assert mending.deadline is None
    assert mending.mended(9.0, BOOK) == ("sequence", 9.0)
