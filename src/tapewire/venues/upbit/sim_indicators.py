"""Upbit's indicators and signals, computed from the simulated market's candles (spec/upbit.md 4.8 and 4.9).

The formulas are the textbooks'. EMA starts with the plain mean of its first ``period`` prices; RSI is Wilder's, whose
means start likewise; Bollinger bands use the population's deviation. How much history Upbit itself takes is unknown:
here it is ``HISTORY`` candles, long enough that the beginning no longer shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from math import sqrt
from typing import Any, NamedTuple

HISTORY = 420  # candles: the longest period is 200, an EMA of it forgets 88 % in 200 more

Params = Mapping[str, Any]
Values = dict[str, float]


class Series(NamedTuple):
    """Closing prices and volumes of the candles of one time frame, the oldest first."""

    closes: Sequence[float]
    volumes: Sequence[float]

    def before(self) -> Series:
        """The same as they were one candle ago."""
        return Series(self.closes[:-1], self.volumes[:-1])


def sma(values: Sequence[float], period: int) -> float:
    """Mean of the last ``period`` values."""
    return sum(values[-period:]) / period


def ema_line(values: Sequence[float], period: int) -> list[float]:
    """Exponential mean after each value from the ``period``-th on; weight 2/(period+1)."""
    mean = sum(values[:period]) / period
    line, weight = [mean], 2 / (period + 1)
    for value in values[period:]:
        mean += weight * (value - mean)
        line.append(mean)
    return line


def rsi(closes: Sequence[float], period: int) -> float:
    """Wilder's relative strength index, 0 to 100; 50 where nothing moved."""
    moves = [after - before for before, after in pairwise(closes)]
    gain, loss = (sum(max(0.0, sign * move) for move in moves[:period]) / period for sign in (1, -1))
    for move in moves[period:]:
        gain += (max(0.0, move) - gain) / period
        loss += (max(0.0, -move) - loss) / period
    return 100 * gain / (gain + loss) if gain + loss else 50.0


def values_of(indicator: str, params: Params, series: Series) -> Values:
    """The ``value`` object of an indicator at the last candle of ``series``, rounded to eight decimals."""
    return {name: round(value, 8) for name, value in _INDICATORS[indicator](params, series).items()}


def fires(said: Params, series: Series) -> bool:
    """Whether a signal's condition is true at the last candle of ``series`` and was false at the one before."""
    return _holds(said, series) and not _holds(said, series.before())


def _holds(said: Params, series: Series) -> bool:
    return _CONDITIONS[said["trigger"]](said, _INDICATORS[said["type"]](said["params"], series), series.closes[-1])


def _volume(params: Params, series: Series) -> Values:
    volume, mean = series.volumes[-1], sma(series.volumes, int(params["period"]))
    return {"volume": volume, "avg_volume": mean, "ratio": volume / mean if mean else 0.0}


def _rsi(params: Params, series: Series) -> Values:
    return {"rsi": rsi(series.closes, int(params["period"]))}


def _mean(kind: str, closes: Sequence[float], period: int) -> float:
    return sma(closes, period) if kind == "SMA" else ema_line(closes, period)[-1]


def _moving_average(params: Params, series: Series) -> Values:
    return {"value": _mean(params["type"], series.closes, int(params["period"]))}


def _ma_crossover(params: Params, series: Series) -> Values:
    return {
        name: _mean(params["type"], series.closes, int(params[f"{length}_period"]))
        for name, length in (("ma_short", "short"), ("ma_long", "long"))
    }


def _bollinger_bands(params: Params, series: Series) -> Values:
    last = series.closes[-int(params["period"]) :]
    middle = sum(last) / len(last)
    width = params["multiplier"] * sqrt(sum((close - middle) ** 2 for close in last) / len(last))
    return {"bb_upper": middle + width, "bb_middle": middle, "bb_lower": middle - width}


def _macd(params: Params, series: Series) -> Values:
    fast, slow = (ema_line(series.closes, int(params[name])) for name in ("fast", "slow"))
    line = [quick - long for quick, long in zip(fast[-len(slow) :], slow, strict=True)]
    signal = ema_line(line, int(params["signal_period"]))[-1]
    return {"macd": line[-1], "macd_signal": signal, "histogram": line[-1] - signal}


_INDICATORS: Mapping[str, Callable[[Params, Series], Values]] = {
    "volume": _volume,
    "rsi": _rsi,
    "moving_average": _moving_average,
    "ma_crossover": _ma_crossover,
    "bollinger_bands": _bollinger_bands,
    "macd": _macd,
}


def _crossed(said: Params, values: Values) -> float:
    """Above 0 where the faster line is above the slower one."""
    if said["type"] == "macd":
        return values["histogram"]
    return values["ma_short"] - values["ma_long"]


def _band(values: Values, name: str) -> float:
    return values.get(name, values.get("value", 0.0))


_CONDITIONS: Mapping[str, Callable[[Params, Values, float], bool]] = {
    "volume_spike": lambda said, values, _: values["ratio"] >= said["event_params"]["multiplier"],
    "overbought": lambda said, values, _: values["rsi"] >= said["event_params"]["threshold"],
    "oversold": lambda said, values, _: values["rsi"] <= said["event_params"]["threshold"],
    "price_cross_above": lambda _, values, close: close > _band(values, "bb_upper"),
    "price_cross_below": lambda _, values, close: close < _band(values, "bb_lower"),
    "golden_cross": lambda said, values, _: _crossed(said, values) > 0,
    "dead_cross": lambda said, values, _: _crossed(said, values) < 0,
    "zero_cross_above": lambda _, values, __: values["macd"] > 0,
    "zero_cross_below": lambda _, values, __: values["macd"] < 0,
}
