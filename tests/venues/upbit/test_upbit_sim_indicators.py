"""Indicators against the formulas written another way: definitions summed up, not carried along."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import sin
from statistics import fmean, pstdev
from typing import Any

import pytest

from tapewire.venues.upbit.details import INDICATORS, SIGNALS, check_indicator
from tapewire.venues.upbit.sim_indicators import Series, ema_line, fires, rsi, sma, values_of

CLOSES = [round(50_000 + 900 * sin(n / 7) + 250 * sin(n * 1.7) + 3 * n, 2) for n in range(300)]
VOLUMES = [round(3 + 2 * sin(n * 2.3) + n % 7, 3) for n in range(300)]
SERIES = Series(CLOSES, VOLUMES)
#: Wilder's own kind of example: fourteen moves and their index as published (StockCharts, QQQQ, December 2009).
QQQQ = [44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826, 45.8931, 46.0328,
        45.614, 46.282, 46.282, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439]  # fmt: skip
QQQQ_RSI = (70.53, 66.32, 66.55, 69.41, 66.36, 57.97)


def slow_ema(values: Sequence[float], period: int) -> float:
    """The weighted sum that an EMA is, exactly."""
    weight = Fraction(2, period + 1)
    later = [Fraction(value) for value in values[period:]]
    start = sum(map(Fraction, values[:period])) / period
    terms = [weight * (1 - weight) ** age * value for age, value in enumerate(reversed(later))]
    return float(start * (1 - weight) ** len(later) + sum(terms, Fraction(0)))


def slow_rsi(closes: Sequence[float], period: int) -> float:
    def smoothed(parts: list[float]) -> float:
        mean = fmean(parts[:period])
        for value in parts[period:]:
            mean = (mean * (period - 1) + value) / period
        return mean

    moves = [closes[n] - closes[n - 1] for n in range(1, len(closes))]
    ups, downs = smoothed([max(m, 0) for m in moves]), smoothed([max(-m, 0) for m in moves])
    return 100.0 - 100.0 / (1.0 + ups / downs)


@pytest.mark.parametrize("count", range(6))
def test_rsi_of_a_published_example(count: int) -> None:
    assert rsi(QQQQ[: 15 + count], 14) == pytest.approx(QQQQ_RSI[count], abs=0.06)


@pytest.mark.parametrize("period", [2, 9, 14, 25])
def test_rsi(period: int) -> None:
    assert rsi(CLOSES, period) == pytest.approx(slow_rsi(CLOSES, period))
    assert rsi([1, 2, 3, 4], 3) == 100
    assert rsi([4, 3, 2, 1], 3) == 0
    assert rsi([1, 1, 1, 1], 3) == 50


@pytest.mark.parametrize("period", [3, 20, 200])
def test_means(period: int) -> None:
    assert sma(CLOSES, period) == pytest.approx(fmean(CLOSES[-period:]))
    assert ema_line(CLOSES, period)[-1] == pytest.approx(slow_ema(CLOSES, period))
    assert len(ema_line(CLOSES, period)) == len(CLOSES) - period + 1


def told(kind: str, **params: Any) -> dict[str, float]:
    return values_of(kind, params, SERIES)


def test_values_by_name() -> None:
    mean = fmean(VOLUMES[-10:])
    assert told("volume", period=10) == pytest.approx(
        {"volume": VOLUMES[-1], "avg_volume": mean, "ratio": VOLUMES[-1] / mean}
    )
    assert told("rsi", period=14) == pytest.approx({"rsi": slow_rsi(CLOSES, 14)})
    assert told("moving_average", type="EMA", period=20) == pytest.approx({"value": slow_ema(CLOSES, 20)})
    assert told("ma_crossover", type="SMA", short_period=5, long_period=20) == pytest.approx(
        {"ma_short": fmean(CLOSES[-5:]), "ma_long": fmean(CLOSES[-20:])}
    )
    middle, width = fmean(CLOSES[-20:]), 2.5 * pstdev(CLOSES[-20:])
    assert told("bollinger_bands", period=20, multiplier=2.5) == pytest.approx(
        {"bb_upper": middle + width, "bb_middle": middle, "bb_lower": middle - width}
    )


@pytest.mark.parametrize(("fast", "slow", "signal"), [(12, 26, 9), (8, 17, 9), (5, 35, 5)])
def test_macd(fast: int, slow: int, signal: int) -> None:
    short = Series(CLOSES[:120], VOLUMES[:120])
    line = [
        slow_ema(short.closes[:n], fast) - slow_ema(short.closes[:n], slow) for n in range(slow, len(short.closes) + 1)
    ]
    mean = slow_ema(line, signal)
    params = {"fast": fast, "slow": slow, "signal_period": signal}
    assert values_of("macd", params, short) == pytest.approx(
        {"macd": line[-1], "macd_signal": mean, "histogram": line[-1] - mean}, rel=1e-6
    )


def test_an_idle_market_has_a_ratio() -> None:
    idle = Series([1.0] * 30, [0.0] * 30)
    assert values_of("volume", {"period": 10}, idle) == {"volume": 0.0, "avg_volume": 0.0, "ratio": 0.0}


def _first(choices: Any) -> dict[str, Any]:
    return {name: value for names, rows in choices.items() for name, value in zip(names, rows[0], strict=True)}


@pytest.mark.parametrize("kind", INDICATORS)
def test_every_indicator_that_may_be_asked_is_computed(kind: str) -> None:
    assert all(isinstance(value, float) for value in values_of(kind, _first(INDICATORS[kind]), SERIES).values())


@pytest.mark.parametrize(("trigger", "kind"), [(trigger, kind) for trigger, kinds in SIGNALS.items() for kind in kinds])
def test_every_signal_fires_only_from_false_to_true(trigger: str, kind: str) -> None:
    """Along a wave wide enough for each of them: never at two candles in a row, and the mirrored signal in between."""
    signal = SIGNALS[trigger][kind]
    said = {"type": kind, "params": _first(signal.params), "trigger": trigger}
    said |= {"event_params": _first(signal.event_params)} if signal.event_params else {}
    check_indicator("indicator_signal", said)
    wave = Series(
        [1_000 + 300 * sin(n / 20) + 5 * sin(n * 2.1) for n in range(400)],
        [1.0 + 30.0 * (n % 37 == 0) for n in range(400)],
    )
    fired = [fires(said, Series(wave.closes[:n], wave.volumes[:n])) for n in range(60, 401)]
    assert any(fired)
    assert not any(before and after for before, after in pairwise(fired))


def test_conditions_by_hand() -> None:
    cross = {"type": "ma_crossover", "params": {"type": "SMA", "short_period": 5, "long_period": 20}}
    rising, falling = [100.0] * 20 + [101.0], [100.0] * 20 + [99.0]
    for closes, trigger, fires_now in (
        (rising, "golden_cross", True), (rising, "dead_cross", False), (falling, "dead_cross", True),
        (falling, "golden_cross", False), ([*rising, 102.0], "golden_cross", False),
    ):  # fmt: skip
        assert fires({**cross, "trigger": trigger}, Series(closes, closes)) is fires_now, (closes[-2:], trigger)
    above = {"type": "moving_average", "params": {"type": "SMA", "period": 5}, "trigger": "price_cross_above"}
    assert fires(above, Series(rising, rising))
    band = {"type": "bollinger_bands", "params": {"period": 20, "multiplier": 2.0}, "trigger": "price_cross_below"}
    assert fires(band, Series(falling, falling))
