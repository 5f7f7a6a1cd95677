"""Candles of one market in every unit, the finished ones kept for REST (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tapewire.model.events import CandleEvent
from tapewire.sim.past import Past

#: What the WebSocket sends.
STREAM_UNITS = ("1s", "1m", "3m", "5m", "10m", "15m", "30m", "60m", "240m")
#: Longer ones, on REST only.
CALENDAR_UNITS = ("1d", "1w", "1M", "1y")
#: Those whose close is told.
CLOSING_UNITS = ("5m", "15m", "60m", "240m", "1d")
_SECONDS = {"s": 1, "m": 60, "d": 86_400}
_KEPT = 1_000
_LISTED = 1_506_816_000  # no market is older than October 2017
_WEEK, _MONDAY = 604_800, 345_600  # the first Monday of Unix time was 5 January 1970


def window(unit: str, at: int) -> tuple[int, int]:
    """Start and end (Unix seconds) of the window of ``unit`` that holds the moment ``at``. Weeks begin on Monday."""
    if unit == "1w":
        start = (at - _MONDAY) // _WEEK * _WEEK + _MONDAY
        return start, start + _WEEK
    if unit in ("1M", "1y"):
        day = datetime.fromtimestamp(at, UTC).replace(hour=0, minute=0, second=0, day=1)
        day = day if unit == "1M" else day.replace(month=1)
        after = day + timedelta(days=32 if unit == "1M" else 367)
        return int(day.timestamp()), int(after.replace(day=1).timestamp())
    length = int(unit[:-1]) * _SECONDS[unit[-1]]
    start = at // length * length
    return start, start + length


class Bar:
    """One window's figures so far."""

    __slots__ = ("close", "end", "high", "low", "ms", "open", "start", "value", "volume")

    def __init__(self, start: int, end: int, price: float) -> None:
        self.start, self.end = start, end
        self.open = self.high = self.low = self.close = price
        self.volume = self.value = 0.0
        self.ms = start * 1000

    def add(self, price: float, size: float, ms: int) -> None:
        """Count one trade in."""
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
    """

    def __init__(self, unit: str, past: Past, rounded: Callable[[float], float]) -> None:
        self.unit, self._past, self._rounded = unit, past, rounded
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
            self.done.append(bar)
            bar = self.now = Bar(*window(self.unit, ms // 1000), price)
        bar.add(price, size, ms)

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
        if start >= stop or not self._past.traded(start, stop):
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
