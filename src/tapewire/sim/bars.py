"""Candles of one market in every unit, the finished ones kept for REST (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tapewire.model.events import CandleEvent
from tapewire.sim.past import Past

_SECONDS = {"s": 1, "m": 60, "d": 86_400}
_KEPT = 1_000
_LISTED = 1_506_816_000  # no market is older than October 2017
_WEEK, _MONDAY = 604_800, 345_600  # the first Monday of Unix time was 5 January 1970


def window(unit: str, at: int) -> tuple[int, int]:
    """Start and end (Unix seconds) of the window of ``unit`` that holds the moment ``at``.

    Weeks begin on Monday; with ``+8`` after the unit days begin at UTC+8.
    """
    length, _, hours = unit.partition("+")
    shift = int(hours or 0) * 3600
    start, end = _window(int(length[:-1]), length[-1], at + shift)
    return start - shift, end - shift


def _window(count: int, unit: str, at: int) -> tuple[int, int]:
    if unit == "w":
        start = (at - _MONDAY) // _WEEK * _WEEK + _MONDAY
        return start, start + _WEEK
    if unit in "My":
        months = count if unit == "M" else 12 * count
        day = datetime.fromtimestamp(at, UTC)
        first = (day.year * 12 + day.month - 1) // months * months
        return _month(first), _month(first + months)
    length = count * _SECONDS[unit]
    start = at // length * length
    return start, start + length


def _month(number: int) -> int:
    """Unix time at which the month begins that is the ``number``-th after year 0."""
    return int(datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC).timestamp())


class Bar:
    """One window's figures so far."""

    __slots__ = ("close", "end", "high", "low", "ms", "open", "start", "value", "volume")

    def __init__(self, start: int, end: int, price: float) -> None:
        self.start, self.end = start, end
        self.open = self.high = self.low = self.close = price
        self.volume = self.value = 0.0
        self.ms = start * 1000

    def add(self, price: float, size: float, ms: int) -> None:
        """Count one trade in; it opens a window that had none."""
        if self.volume == 0.0:
            self.open = self.high = self.low = price
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close, self.ms = price, ms
        self.volume += size
        self.value += price * size


class Bars:
    """The windows of one unit: the running one, the finished ones, and those of the past.

    Args:
        unit: ``1s`` … ``240m``, ``1d``, ``1w``, ``1M``, ``1y``.
        past: what happened before the simulation.
        rounded: a price of the past → a price that the market's tick allows.
        every: windows without trades are there too, at the price of the last one.
    """

    def __init__(self, unit: str, past: Past, rounded: Callable[[float], float], *, every: bool = False) -> None:
        self.unit, self._past, self._rounded, self._every = unit, past, rounded, every
        self.done: deque[Bar] = deque(maxlen=_KEPT)
        start, end = window(unit, int(past.end))
        first = self._of_past(start, end)
        while first is None:
            start, end = window(unit, start - 1)
            first = self._of_past(start, end)
        self.now: Bar = first

    def add(self, price: float, size: float, ms: int) -> None:
        """Count one trade in; a new window begins when its time has come."""
        bar = self.now
        if ms >= bar.end * 1000:
            if self._every:
                self.roll(ms)
                bar = self.now
            else:
                self.done.append(bar)
                bar = self.now = Bar(*window(self.unit, ms // 1000), price)
        bar.add(price, size, ms)

    def roll(self, ms: int) -> None:
        """Where every window is there: those up to a moment, without trades so far."""
        if not self._every or ms < self.now.end * 1000:
            return
        price, found = self.now.close, window(self.unit, ms // 1000)
        empty: list[Bar] = []
        while found[0] >= self.now.end and len(empty) <= _KEPT:
            empty.append(Bar(*found, price))
            found = window(self.unit, found[0] - 1)
        self.done.append(self.now)
        self.done.extend(empty[:0:-1])
        self.now = empty[0]

    def traded_until(self, end: int) -> bool:
        """Whether the window that ended at ``end`` (Unix seconds) had a trade."""
        last = self.now if self.now.end <= end or not self.done else self.done[-1]
        return last.end == end

    def latest(self, before_ms: int, count: int) -> list[Bar]:
        """Newest first: windows that begin before ``before_ms``; windows without trades are absent."""
        found = [bar for bar in (self.now, *reversed(self.done)) if bar.start * 1000 < before_ms][:count]
        oldest = (self.done[0] if self.done else self.now).start
        start = window(self.unit, min(oldest - 1, (before_ms - 1) // 1000))[0]
        for _ in range(count * 50):  # an idle market's seconds: look no further than this
            if len(found) == count or start < _LISTED:
                break
            bar = self._of_past(start, window(self.unit, start)[1])
            if bar is not None:
                found.append(bar)
            start = window(self.unit, start - 1)[0]
        return found

    def _of_past(self, start: int, end: int) -> Bar | None:
        stop = min(end, self._past.end)
        if start >= stop or not (self._every or self._past.traded(start, stop)):
            return None
        bar = Bar(start, end, 0.0)
        bar.open, bar.high, bar.low, bar.close = map(self._rounded, self._past.bars(start, stop))
        bar.volume = round(self._past.volume(start, stop), 8)
        bar.value = bar.volume * (bar.open + bar.close) / 2
        bar.ms = int(stop * 1000) - 1
        return bar


def candle(bar: Bar, unit: str, venue: str, symbol: str, published_ms: int | None = None) -> CandleEvent:
    """A bar as the event of its unit; ``timestamp`` is that of its last trade unless one is given."""
    start = datetime.fromtimestamp(bar.start, UTC)
    return CandleEvent(
        venue=venue,
        symbol=symbol,
        unit=unit,
        candle_date_time_utc=start.strftime("%Y-%m-%dT%H:%M:%S"),
        candle_date_time_kst=(start + timedelta(hours=9)).strftime("%Y-%m-%dT%H:%M:%S"),
        opening_price=bar.open,
        high_price=bar.high,
        low_price=bar.low,
        trade_price=bar.close,
        candle_acc_trade_volume=round(bar.volume, 8),
        candle_acc_trade_price=round(bar.value, 8),
        timestamp=bar.ms if published_ms is None else published_ms,
    )
