"""Losses in a row: how soon a broker is asked again, and what is told of it."""

from __future__ import annotations

from tapewire.sinks.brokers.losses import HOLDS, PAUSE, PAUSE_MOST, TOLD, Losses, Telling


def in_a_row(losses: Losses, count: int, *, confirmed: int = 0, more: int = 0, lives: float = 0.0) -> list[Telling]:
    """What is told of so many losses of lines that live so long, each of which confirms ``more``."""
    told: list[Telling] = []
    for number in range(count):
        losses.back(0.0)
        losses.lost(lives, confirmed + more * number, idle=False)
        losses.next_pause()
        told.append(losses.telling)
    return told


def test_each_attempt_waits_twice_as_long_up_to_a_bound() -> None:
    losses = Losses()
    losses.lost(0.0, 0, idle=False)
    pauses = [losses.next_pause() for _ in range(8)]
    assert pauses[:3] == [PAUSE, PAUSE * 2, PAUSE * 4]
    assert (max(pauses), pauses[-1]) == (PAUSE_MOST, PAUSE_MOST)


def test_some_losses_in_a_row_are_told_each_one_as_the_last_the_others_not() -> None:
    losses = Losses()
    assert in_a_row(losses, 6) == [*["each"] * TOLD, "last", "quiet", "quiet"]
    assert losses.again


def test_lines_that_bring_something_and_are_lost_at_once_are_a_row_too() -> None:
    losses = Losses()
    assert in_a_row(losses, 5, more=7) == [*["each"] * TOLD, "last", "quiet"]
    losses.back(0.0)
    assert not losses.mended(HOLDS / 2, 36), "it did not last before either"
    assert losses.mended(HOLDS, 36), "this line holds"
    assert losses.next_pause() == PAUSE


def test_lines_that_live_and_bring_nothing_of_what_waits_are_a_row() -> None:
    assert in_a_row(Losses(), 5, lives=10.0)[-2:] == ["last", "quiet"]


def test_a_line_that_held_ends_the_row() -> None:
    losses = Losses()
    in_a_row(losses, 5)
    losses.back(0.0)
    losses.lost(HOLDS, 1, idle=False)
    assert (losses.telling, losses.again, losses.next_pause()) == ("each", False, PAUSE)


def test_an_idle_line_that_lived_held() -> None:
    losses = Losses()
    for _ in range(9):
        losses.back(0.0)
        losses.lost(3_600.0, 0, idle=True)
        assert (losses.telling, losses.again) == ("each", False)


def test_the_first_that_is_stored_mends_a_row_in_which_nothing_was() -> None:
    losses = Losses()
    in_a_row(losses, TOLD)
    assert not losses.mended(0.1, 5), "each was told: the next return says enough"
    in_a_row(losses, 2)
    losses.back(0.0)
    assert not losses.mended(9.0, 0)
    assert losses.mended(0.1, 1)
    assert not losses.mended(0.2, 2), "it is told once"
    assert losses.next_pause() == PAUSE
