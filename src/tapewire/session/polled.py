"""What REST's answers say of a stream that has no line: which trades and candles are new, whether a state is (pure)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from msgspec.structs import replace

from tapewire.model.events import CandleEvent, Event, TradeEvent
from tapewire.session.actions import Progress
from tapewire.session.candle_fill import LATE_MS, start_of
from tapewire.session.fill import TradeFill
from tapewire.session.ledger import Answer


class Told(NamedTuple):
    """What an answer came to.

    ``events``: to be delivered, in order. ``newest``: for those who wait for a snapshot. ``answer``: for the gap
    ledger; None: the hole stays as it is.
    """

    events: Sequence[Event]
    newest: Event | None
    answer: Answer | None = None


#: Another page is to be asked: now, or at the next turn, since this one did not show what it must.
Unfinished = Literal["more", "later"]


class States:
    """A stream whose every message is the complete state: new is one with a later time stamp.

    Args:
        last_ms: time stamp of the last message delivered (Unix ms, UTC); None: there was none.
    """

    def __init__(self, last_ms: int | None) -> None:
        self._last_ms = last_ms

    def answer(self, event: Event) -> Told:
        """The present state."""
        at, last = event.timestamp, self._last_ms
        if at is not None and last is not None and at <= last:
            return Told((), event if at == last else None)
        self._last_ms = last if at is None else at
        return Told((event,), event)


class Trades:
    """A stream of trades: each turn fills the hole since the last one that was delivered (``session.fill``).

    Args:
        days: how many days back the exchange can be asked.
        last: of the last trade delivered; since_ms: or else when the stream was interrupted (Unix ms, UTC). None of
            both: the newest trade of the first answer is the beginning.
        ascending: ids are counted: what is older than all that are known was delivered, or is not ours. (Not all up to
            the last one: a trade may have been late, and lost with the line.)
    """

    def __init__(self, days: int, last: Progress, since_ms: int | None, *, ascending: bool = False) -> None:
        self._days, self._last, self._since_ms, self._ascending = days, last, since_ms, ascending
        self._fill: TradeFill | None = None
        self._after: int | None = None

    @property
    def request(self) -> tuple[int | None, int]:
        """As of ``TradeFill``."""
        return (None, 0) if self._fill is None else self._fill.request

    def answer(self, page: Sequence[TradeEvent], known: set[int], now_ms: int, *, forgot: bool) -> Told | Unfinished:
        """The page that was asked for, newest first.

        Args:
            page: as the exchange sent it.
            known: ids that were delivered, kept up to date by whoever delivers; those before the beginning are added.
            now_ms: Unix ms, UTC.
            forgot: some that were delivered are not in ``known`` any more.
        """
        since = self._last.last_timestamp if self._last.last_timestamp is not None else self._since_ms
        if since is None:
            return self._begin(page, known)
        fill = self._fill
        if fill is None:
            side = self._last.last_id, self._last.last_timestamp
            if self._ascending and self._after is None:
                self._after = min(known, default=self._last.last_id)
            fill = self._fill = TradeFill(
                known, since, now_ms, days=self._days, sides=(side,), forgot=forgot, after=self._after
            )
        rounds = fill.rounds
        fill.answer(page)
        if not fill.done:
            return "later" if fill.rounds > rounds else "more"
        self._fill = None
        return self._done(fill)

    def _begin(self, page: Sequence[TradeEvent], known: set[int]) -> Told:
        known.update(trade.sequential_id for trade in page if trade.sequential_id is not None)
        newest = max(page, key=_moment, default=None)
        if newest is None:
            return Told((), None)
        before, self._last = self._last, _of(newest)
        return Told((), newest, Answer(before=before, last=self._last, count=0))

    def _done(self, fill: TradeFill) -> Told:
        missed, before = fill.missed(), self._last
        newest = max(missed, key=_moment, default=None)
        if newest is not None and _moment(newest) >= (before.last_timestamp or 0, 0):
            self._last = _of(newest)
        return Told(
            missed,
            fill.newest,
            Answer(
                before=before, last=self._last, count=len(missed), complete=fill.complete, reached_ms=fill.reached_ms
            ),
        )


class Candles:
    """A stream of candles: windows that are over come once, ``final``; the others whenever they changed.

    A window is over when a later one has a message that came so long after its end that no trade of it can be late.

    Args:
        window: a time → when its window began (both Unix ms, UTC).
        last_ms: time stamp of the last one delivered; None: there was none.
        late_ms: for how long after a window's end trades of it may come.
    """

    def __init__(self, window: Callable[[int], int], last_ms: int | None, late_ms: int = LATE_MS) -> None:
        self._window, self._late_ms = window, late_ms
        self._seen_ms = last_ms
        #: Start of the oldest window that is not over, as far as is known.
        self._begin: int | None = None if last_ms is None else window(last_ms - late_ms)
        self._told: dict[int, tuple[Any, ...]] = {}
        self._found: dict[int, CandleEvent] = {}
        self._before: int | None = None

    @property
    def request(self) -> int | None:
        """What to ask next: candles that began before this (Unix ms, UTC); None: the newest."""
        return self._before

    def answer(self, page: Sequence[CandleEvent]) -> Told | Unfinished:
        """The page that was asked for, newest first."""
        starts = {start_of(candle): candle for candle in page}
        self._found |= starts
        oldest = min(starts, default=None)
        reached = oldest is None or self._begin is None or oldest <= self._begin
        if not reached and (self._before is None or (oldest or 0) < self._before):
            self._before = oldest
            return "more"
        found, self._found, self._before = self._found, {}, None
        return self._done(found, complete=reached) if found else Told((), None)

    def _done(self, found: dict[int, CandleEvent], *, complete: bool) -> Told:
        newest = found[max(found)]
        before = Progress(last_timestamp=self._seen_ms)
        end = min(max(found), self._window((newest.timestamp or 0) - self._late_ms))
        begin = self._begin if self._begin is not None else max(found)
        events = [told for start in sorted(found) if start >= begin for told in self._news(start, found[start], end)]
        self._begin = max(begin, end)
        self._told = {start: mark for start, mark in self._told.items() if start >= self._begin}
        self._seen_ms = max([self._seen_ms or 0, *(event.timestamp or 0 for event in events)])
        last = Progress(last_timestamp=self._begin + self._late_ms)
        answer = Answer(before=before, last=last, count=len(events), complete=complete, reached_ms=min(found))
        return Told(events, newest, answer)

    def _news(self, start: int, candle: CandleEvent, end: int) -> list[CandleEvent]:
        if start < end:
            return [replace(candle, final=True)]
        mark, seen = _mark(candle), self._told.get(start)
        self._told[start] = mark
        at = candle.timestamp or 0  # the start itself, where the exchange tells no other time: then it says nothing
        is_old = seen is None and self._seen_ms is not None and start < at <= self._seen_ms
        return [] if is_old or mark == seen else [candle]


def _moment(trade: TradeEvent) -> tuple[int, int]:
    return trade.trade_timestamp or trade.timestamp or 0, trade.sequential_id or 0


def _of(trade: TradeEvent) -> Progress:
    return Progress(last_id=trade.sequential_id, last_timestamp=trade.timestamp)


def _mark(candle: CandleEvent) -> tuple[Any, ...]:
    return candle.timestamp, candle.trade_price, candle.candle_acc_trade_volume
