"""Finds the candles that a stream missed: windows that ended while it was interrupted, and those that began before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from tapewire.model.events import CandleEvent

#: Milliseconds for which a window's last message may come after its end: they are sent once a second at most, and
#: trades are published up to 2.2 s late (spec/upbit.md section 8).
LATE_MS = 3_000
#: How often the pages are asked again when they do not show the window that the stream had before the hole.
ROUNDS_MOST = 6
_MS = {"s": 1_000, "m": 60_000, "H": 3_600_000, "D": 86_400_000, "W": 604_800_000}


class CandleFill:
    """One hole in one stream of candles, from the window of the last message before it to that of the first after.

    The first's own window is not missed: every message is its complete state. Those before it are over, so what REST
    tells of them is final; one without trades does not exist.

    Args:
        unit: of the candles.
        last_ms, first_ms: time stamps of the messages on either side (Unix ms, UTC).
        start: a time → when its window began (``History.window``); None: windows of so many seconds or minutes.
        late_ms: for how long after a window's end messages of it may come.
    """

    def __init__(
        self,
        unit: str,
        last_ms: int,
        first_ms: int,
        *,
        start: Callable[[int], int] | None = None,
        late_ms: int = LATE_MS,
    ) -> None:
        begin = start or windows_of(unit)
        self._begin, self._end, self._late_ms = begin(last_ms - late_ms), begin(first_ms), late_ms
        self._before = self._end
        self._found: dict[int, CandleEvent] = {}
        #: How often all was asked again because the pages did not reach back far enough.
        self.rounds = 0
        #: Nothing is left to ask.
        self.done = self._begin >= self._end
        #: The pages reached back to a window that the stream had.
        self.complete = self.done

    @property
    def request(self) -> int:
        """What to ask next: candles that began before this (Unix ms, UTC)."""
        return self._before

    @property
    def reached_ms(self) -> int | None:
        """Start of the oldest window that was found, None before the first."""
        return min(self._found, default=None)

    @property
    def not_before_ms(self) -> int:
        """When the last of the windows has all its trades (Unix ms, UTC)."""
        return self._end + self._late_ms

    def answer(self, candles: Sequence[CandleEvent]) -> None:
        """The page that was asked for, newest first."""
        starts = [start_of(candle) for candle in candles]
        self._found.update(
            (start, candle) for start, candle in zip(starts, candles, strict=True) if self._begin <= start < self._end
        )
        oldest = min(starts, default=self._before)
        if oldest <= self._begin:
            self.done = self.complete = True
        elif oldest < self._before:
            self._before = oldest
        elif self.rounds < ROUNDS_MOST:
            self.rounds, self._before = self.rounds + 1, self._end
        else:
            self.done = True

    def missed(self) -> list[CandleEvent]:
        """The final candles, in the order of their windows."""
        return [self._found[start] for start in sorted(self._found)]


def length_ms(unit: str) -> int:
    """Milliseconds of one window: ``1s``, ``240m``, ``6Hutc``."""
    span = unit.removesuffix("utc")
    return int(span[:-1]) * _MS[span[-1]]


def windows_of(unit: str) -> Callable[[int], int]:
    """A time → when its window of so many seconds or minutes began (both Unix ms, UTC)."""
    return partial(_even_start, length_ms(unit))


def _even_start(length: int, ms: int) -> int:
    return ms // length * length


def start_of(candle: CandleEvent) -> int:
    """When a window began (Unix ms, UTC)."""
    told = datetime.fromisoformat(candle.candle_date_time_utc or "")
    return int(told.replace(tzinfo=UTC).timestamp() * 1000)
