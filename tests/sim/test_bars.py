"""Candles: windows, the running one, the past."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.sim.bars import Bars, window
from tapewire.sim.past import Past, noise
from tapewire.venues.exchange import Rhythm

START = 1_786_611_600  # 2026-08-13 09:00:00 UTC


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("unit", "begin", "end"),
    [
        ("1s", "2026-08-13T09:17:42", "2026-08-13T09:17:43"),
        ("3m", "2026-08-13T09:15:00", "2026-08-13T09:18:00"),
        ("240m", "2026-08-13T08:00:00", "2026-08-13T12:00:00"),
        ("1d", "2026-08-13T00:00:00", "2026-08-14T00:00:00"),
        ("1w", "2026-08-10T00:00:00", "2026-08-17T00:00:00"),
        ("1M", "2026-08-01T00:00:00", "2026-09-01T00:00:00"),
        ("1y", "2026-01-01T00:00:00", "2027-01-01T00:00:00"),
        ("3M", "2026-07-01T00:00:00", "2026-10-01T00:00:00"),
        ("12M", "2026-01-01T00:00:00", "2027-01-01T00:00:00"),
        ("1d+8", "2026-08-12T16:00:00", "2026-08-13T16:00:00"),
        ("1M+8", "2026-07-31T16:00:00", "2026-08-31T16:00:00"),
        ("720m+8", "2026-08-13T04:00:00", "2026-08-13T16:00:00"),
    ],
)
def test_a_window_begins_where_the_exchange_lets_it_begin(unit: str, begin: str, end: str) -> None:
    assert window(unit, at("2026-08-13T09:17:42")) == (at(begin), at(end))


@given(st.sampled_from((*Rhythm().units, "1d+8", "3M+8", "5d")), st.integers(1_600_000_000, 1_900_000_000))
def test_windows_follow_one_another_without_gap(unit: str, moment: int) -> None:
    start, end = window(unit, moment)
    assert start <= moment < end
    assert window(unit, end)[0] == end
    assert window(unit, start - 1)[1] == start


def bars(unit: str, rate: float = 1.0) -> Bars:
    return Bars(unit, Past(7, START + 30.0, 100.0, rate, 2.0), lambda price: round(price, 2))


def test_the_running_window_begins_with_what_the_past_left() -> None:
    running = bars("1m").now
    assert running.start == START
    assert running.volume > 0
    assert running.low <= running.open <= running.high


def test_trades_are_counted_and_a_later_one_begins_a_window() -> None:
    minute = bars("1m")
    minute.add(120.0, 1.0, START * 1000 + 40_000)
    minute.add(90.0, 2.0, START * 1000 + 50_000)
    assert (minute.now.high, minute.now.low, minute.now.close) == (120.0, 90.0, 90.0)
    minute.add(95.0, 0.5, START * 1000 + 180_001)
    assert (minute.now.start, minute.now.open, minute.now.volume, minute.now.value) == (START + 180, 95.0, 0.5, 47.5)
    assert minute.done[-1].start == START


def test_candles_of_past_and_present_are_one_series_without_windows_that_had_no_trade() -> None:
    minute = bars("1m")
    minute.add(120.0, 1.0, START * 1000 + 190_000)
    found = minute.latest((START + 600) * 1000, 20)
    starts = [bar.start for bar in found]
    assert starts[:3] == [START + 180, START, START - 60]
    assert len(starts) == 20
    assert all(later > earlier for later, earlier in pairwise(starts))
    assert [bar.start for bar in minute.latest((START - 60) * 1000, 1)] == [START - 120]


def test_where_every_window_is_there_those_without_trades_keep_the_price() -> None:
    minute = Bars("1m", Past(7, START + 30.0, 100.0, 0.001, 2.0), lambda price: round(price, 2), every=True)
    minute.add(120.0, 1.0, START * 1000 + 40_000)
    minute.add(90.0, 2.0, START * 1000 + 185_000)
    found = minute.latest((START + 600) * 1000, 6)
    assert [bar.start - START for bar in found] == [180, 120, 60, 0, -60, -120]
    flat = [(bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in found[1:3]]
    assert flat == [(120.0, 120.0, 120.0, 120.0, 0.0)] * 2
    assert found[0].open == 90.0
    minute.roll((START + 250) * 1000)
    assert (minute.now.start, minute.now.open, minute.now.volume) == (START + 240, 90.0, 0.0)
    minute.add(95.0, 1.0, (START + 255) * 1000)
    assert (minute.now.open, minute.now.high, minute.now.low) == (95.0, 95.0, 95.0)


def test_after_a_very_long_silence_the_last_windows_are_there() -> None:
    seconds = Bars("1s", Past(7, START, 100.0, 1.0, 2.0), lambda price: round(price, 2), every=True)
    seconds.roll((START + 10_000) * 1000)
    found = seconds.latest((START + 10_001) * 1000, 900)
    assert [bar.start for bar in found] == [START + 10_000 - back for back in range(900)]


def test_an_idle_market_has_few_seconds_and_the_search_for_them_ends() -> None:
    seconds = bars("1s", rate=0.001)
    found = seconds.latest(START * 1000, 5)
    assert len(found) < 5
    assert all(bar.volume > 0 for bar in found)


def test_there_is_no_candle_before_the_exchange_opened() -> None:
    years = [bar.start for bar in bars("1y").latest(START * 1000, 50)]
    assert years[-1] == at("2018-01-01")


def test_a_window_that_the_past_did_not_trade_in_is_not_the_running_one() -> None:
    rare = bars("1s", rate=0.01)
    assert rare.now.start < START + 29


def test_the_past_agrees_with_itself_across_units() -> None:
    past = Past(7, START, 100.0, 1.0, 2.0)
    whole = past.volume(START - 3600, START)
    parts = sum(past.volume(START - 3600 + 60 * n, START - 3540 + 60 * n) for n in range(60))
    assert parts == pytest.approx(whole)
    assert past.price(START) == pytest.approx(100.0)
    assert whole > 0


@given(st.integers(-5, 10**9), st.integers(0, 10**6))
def test_noise_depends_on_its_key_alone(key: int, other: int) -> None:
    assert noise(key, other) == noise(key, other)
    assert 0 <= noise(key, other) < 1


def test_the_trade_at_or_before_a_moment_is_before_it() -> None:
    past = Past(7, START, 100.0, 0.5, 2.0)
    for moment in range(START - 20, START):
        slot = past.slot(moment)
        assert past.trade_at(slot) < moment
        assert past.trade_at(slot + 1) >= moment
