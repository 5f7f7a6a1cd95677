"""How far streams came, for the next process: what is kept of each, and for how long."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tapewire.session import cursor
from tapewire.session.actions import Now
from tapewire.session.cursor import WINDOW, Cursor, Place, Seen
from tests.session.made_up import stream

A, B = ("", stream("A")), ("somebody", stream("B"))


def now(t: float) -> Now:
    return Now(t, round(t * 1e9))


def seen(count: int, *, whole: bool = True, known: Sequence[int] = (), last: int | None = None) -> Seen:
    """A stream whose trades have the ids 1, 2, 3 …"""
    return Seen(count, tuple(range(1, count + 1)), known, count if last is None else last, whole)


def place(count: int, at: float, *ids: int) -> Place:
    return Place(A[1], round(at * 1e9), "", count, ids)


def test_a_stream_stands_where_it_was_seen_last() -> None:
    kept = Cursor()
    kept.note(now(1), A, seen(3))
    assert (kept.places(), kept.changed) == ([place(3, 1, 1, 2, 3)], True)
    kept.changed = False
    kept.note(now(2), A, seen(3))
    assert (kept.places(), kept.changed) == ([place(3, 2, 1, 2, 3)], False), "it lived until then"
    kept.note(now(3), A, seen(4))
    assert (kept.places(), kept.changed) == ([place(4, 3, 1, 2, 3, 4)], True)


def test_ids_are_kept_that_came_within_the_window_before_the_last() -> None:
    kept = Cursor()
    for t in range(30):
        kept.note(now(t), A, seen(t + 1))
    (found,) = kept.places()
    assert found.ids == tuple(range(30 - int(WINDOW) + 1, 31))
    for t in range(30, 90):
        kept.note(now(t), A, seen(30))
    assert kept.places() == [place(30, 89, *found.ids)], "silence forgets nothing"


def test_a_last_trade_that_a_new_line_shows_again_is_no_news() -> None:
    kept = Cursor()
    kept.note(now(1), A, seen(3))
    again = Seen(4, (1, 2, 3, 3), (), 3, True)
    kept.note(now(40), A, again)
    assert kept.places() == [place(3, 40, 1, 2, 3)]


def test_the_matches_that_trades_stand_for_are_kept_with_them() -> None:
    kept = Cursor()
    kept.note(now(1), A, Seen(3, (8, 12, 13), (), 3, True, (5, 10, 11)))
    assert kept.places() == [place(3, 1, 10, 11, 8, 12, 13)], "the last id stays the last; what is older is not needed"


def test_ids_that_the_stream_forgot_are_not_there_and_none_is_no_id() -> None:
    kept = Cursor()
    kept.note(now(1), A, Seen(5_000, (7, None, 9), (), 3, True))
    assert kept.places()[0].ids == (7, 9)


def test_a_stream_stays_before_its_hole_with_what_came_since() -> None:
    kept = Cursor()
    kept.note(now(1), A, seen(2))
    kept.changed = False
    for t in (2, 20, 21):
        kept.note(now(t), A, seen(5, whole=False, known=[5, 1, 2, 4]))
    assert kept.places() == [place(2, 1, 1, 2, 4, 5)]
    assert kept.changed
    kept.note(now(22), A, seen(6))
    assert kept.places() == [place(6, 22, 6)], "the window counts on while the hole is filled"


def test_a_hole_of_which_nothing_or_too_much_is_known_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cursor, "IDS_MOST", 3)
    kept = Cursor()
    kept.note(now(0), A, seen(1, whole=False, known=[1]))
    assert kept.places() == []
    kept.note(now(1), A, seen(2))
    for known in ((), (1, 2, 3, 4)):
        kept.note(now(2), A, seen(5, whole=False, known=known))
    assert kept.places() == [place(2, 1, 1, 2)]


def test_each_place_is_taken_once_and_kept_until_there_is_news() -> None:
    left = [Place(A[1], 1, "", 5, (7,)), Place(B[1], 2, "somebody")]
    kept = Cursor(left)
    assert [kept.take(A), kept.take(A), kept.take(("", B[1])), kept.take(B)] == [left[0], None, None, left[1]]
    assert kept.places() == left
    kept.note(now(1), A, seen(1))
    assert kept.places() == [left[1], place(1, 1, 1)]


def test_a_stream_that_was_given_up_keeps_its_place_and_may_count_anew() -> None:
    kept = Cursor()
    for t in (1, 20):
        kept.note(now(t), A, seen(5 + t))
    kept.leave(A)
    kept.leave(B)
    assert len(kept.places()) == 1
    kept.note(now(21), A, seen(2))
    assert kept.places() == [place(2, 21, 1, 2)]


def test_of_too_many_streams_those_without_news_for_longest_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cursor, "STREAMS_MOST", 1)
    kept = Cursor([Place(B[1], 2, "somebody")])
    kept.note(now(1), A, seen(1))
    assert kept.places() == [place(1, 1, 1)]
