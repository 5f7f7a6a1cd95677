"""A hole in a stream of candles, filled from pages of final windows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tapewire.model.events import CandleEvent
from tapewire.session.candle_fill import LATE_MS, ROUNDS_MOST, CandleFill

MINUTE = 60_000
NOON = 1_786_622_400_000  # a full hour


def candle(minute: int) -> CandleEvent:
    at = datetime.fromtimestamp((NOON + minute * MINUTE) / 1000, UTC)
    return CandleEvent(
        venue="upbit", symbol="KRW-BTC", unit="1m", candle_date_time_utc=at.strftime("%Y-%m-%dT%H:%M:%S")
    )


def page(*minutes: int) -> list[CandleEvent]:
    return [candle(minute) for minute in minutes]


def hole(last: float, first: float) -> CandleFill:
    """Between messages at these minutes."""
    return CandleFill("1m", NOON + round(last * MINUTE), NOON + round(first * MINUTE))


def test_the_window_of_the_loss_and_those_that_ended_in_the_hole_are_missed_in_order() -> None:
    fill = hole(0.5, 4.5)
    assert (fill.request, fill.not_before_ms) == (NOON + 4 * MINUTE, NOON + 4 * MINUTE + LATE_MS)
    assert fill.reached_ms is None
    fill.answer(page(3, 2, 0, -1))
    assert (fill.done, fill.complete, fill.missed()) == (True, True, page(0, 2, 3))
    assert fill.reached_ms == NOON


def test_a_message_right_after_a_windows_end_may_be_of_that_window() -> None:
    fill = hole(1.01, 3.5)
    fill.answer(page(2, 1, 0))
    assert fill.missed() == page(0, 1, 2)


def test_pages_go_back_until_the_window_of_the_loss() -> None:
    fill = hole(0.5, 6.5)
    fill.answer(page(5, 4))
    assert (fill.request, fill.done) == (NOON + 4 * MINUTE, False)
    fill.answer(page(3, 2))
    fill.answer(page(0))
    assert (fill.complete, fill.missed()) == (True, page(0, 2, 3, 4, 5))


def test_pages_that_do_not_reach_back_are_asked_again_and_at_last_given_up() -> None:
    fill = hole(0.5, 3.5)
    fill.answer(page(2))
    for rounds in range(1, ROUNDS_MOST + 1):
        fill.answer([])
        assert (fill.rounds, fill.request, fill.done) == (rounds, NOON + 3 * MINUTE, False)
    fill.answer([])
    assert (fill.done, fill.complete, fill.missed()) == (True, False, page(2))


@pytest.mark.parametrize(
    ("unit", "last", "first", "missing"),
    [
        ("1m", NOON + 10_000, NOON + 50_000, False),  # both within one window
        ("1m", NOON + 50_000, NOON + 70_000, True),
        ("1s", NOON, NOON + 1_000, True),
        ("240m", NOON + 10_000, NOON + 3_600_000, False),
    ],
)
def test_windows_are_missed_if_one_ended_in_between(unit: str, last: int, first: int, missing: bool) -> None:
    assert CandleFill(unit, last, first).done is not missing


def test_windows_of_another_kind_are_the_venue_s_to_know() -> None:
    """A week from Monday to Monday, and messages that bear the time of their window."""
    monday = 1_672_617_600_000
    week = 7 * 86_400_000

    def start(ms: int) -> int:
        return (ms - monday) // week * week + monday

    fill = CandleFill("1W", monday, monday + week, start=start, late_ms=0)
    assert (fill.request, fill.not_before_ms, fill.done) == (monday + week, monday + week, False)
    assert CandleFill("1W", monday, monday, start=start, late_ms=0).done
