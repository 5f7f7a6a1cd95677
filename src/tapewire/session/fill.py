"""Finds the trades that a stream missed: which page of the past is asked next, and what in it is new."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from tapewire.model.events import TradeEvent

#: Milliseconds before the last known trade from which on pages are read: ids do not arrive in order, and a trade is
#: published up to 2.2 s after its execution (spec/upbit.md section 8).
LATEST_MS = 2_200
OVERLAP_MS = 5_000
DAY_MS = 86_400_000
#: How often all pages are asked again when they do not show the trades that they must.
ROUNDS_MOST = 6


class TradeFill:
    """One hole in one stream of trades, filled page by page from the newest back.

    Pages may lie: a cache hands out an old one, a failing server an empty one. What proves them is that they show the
    trades on either side of the hole; as long as they do not, all is asked again, a number of times.

    Args:
        known: ids that were delivered before the hole and since, kept up to date by whoever delivers.
        since_ms: time stamp of the last trade before the hole (Unix ms, UTC). now_ms: of this moment.
        days: how many days back the exchange can be asked; 0: it knows no days.
        sides: (id, time stamp) of the trades on either side of the hole, as far as they are known.
        forgot: some that were delivered are in ``known`` no more.
        after: ids up to this one were delivered, or are not ours; None: they are not counted.
    """

    def __init__(
        self,
        known: Collection[int],
        since_ms: int,
        now_ms: int,
        *,
        days: int,
        sides: Iterable[tuple[int | None, int | None]] = (),
        forgot: bool = False,
        after: int | None = None,
    ) -> None:
        self._after = -1 if after is None else after
        self._known, self._before, self._days = known, frozenset(known), days
        self._late = 0 if forgot else LATEST_MS
        self._boundary, self._kept_since = since_ms - OVERLAP_MS, now_ms - days * DAY_MS
        self._found: dict[int, TradeEvent] = {}
        self._known_since: int | None = None
        self._cursor: int | None = None
        self._days_ago = 0
        self._oldest: int | None = None
        self._newest: TradeEvent | None = None
        self._doubted = False
        self._unproved = {
            number
            for number, time in sides
            if number is not None and (not days or (time or 0) > self._kept_since + OVERLAP_MS)
        }
        #: How often all was asked again because the pages did not show what they must.
        self.rounds = 0
        #: No page is left to ask.
        self.done = False
        #: The pages reached back to what is known, or told all that there was.
        self.complete = False

    @property
    def request(self) -> tuple[int | None, int]:
        """What to ask next: trades older than this id (None: the newest), of the day so many days ago."""
        return self._cursor, self._days_ago

    @property
    def reached_ms(self) -> int | None:
        """Time stamp of the oldest trade that was read, None before the first."""
        return self._oldest

    @property
    def newest(self) -> TradeEvent | None:
        """The trade that was executed last, of all that were read."""
        return self._newest

    def answer(self, trades: Sequence[TradeEvent]) -> None:
        """The page that was asked for, newest first."""
        for trade in trades:
            self._take(trade)
        lowest = min((trade.sequential_id for trade in trades if trade.sequential_id is not None), default=None)
        if self._reached:
            self._end()
        elif lowest is not None and (self._cursor is None or lowest < self._cursor):
            self._cursor, self._doubted = lowest, False
        elif self._unproved and not self._doubted:
            self._doubted = True  # nothing new, although something must be there: the same is asked once more
        elif self._days_ago < self._days:
            self._days_ago, self._doubted = self._days_ago + 1, False
        else:
            self._end()

    @property
    def _reached(self) -> bool:
        return self._oldest is not None and self._oldest < self._boundary

    def _end(self) -> None:
        """Every page was read; pages that did not show what they must are asked again."""
        if self._unproved and self.rounds < ROUNDS_MOST:
            self.rounds += 1
            self._cursor, self._days_ago, self._oldest, self._doubted = None, 0, None, False
            return
        self.done = True
        self.complete = not self._unproved and (self._reached or self._boundary >= self._kept_since)

    def missed(self) -> list[TradeEvent]:
        """The trades that were not delivered yet, in the order of their execution.

        None is older than the oldest that a page showed of those that were known when it began: it was delivered and
        forgotten, or made before the stream was asked for. If none was forgotten, one may be older by as much as a
        trade is published late. What came live since then says nothing of that: the hole is before it.
        """
        floor = self._boundary if self._known_since is None else max(self._boundary, self._known_since - self._late)
        new = (trade for number, trade in self._found.items() if self._is_new(number))
        return sorted((trade for trade in new if _time(trade) >= floor), key=_order)

    def _is_new(self, number: int) -> bool:
        return number > self._after and number not in self._known

    def _take(self, trade: TradeEvent) -> None:
        time, number = _time(trade), trade.sequential_id
        self._oldest = time if self._oldest is None else min(self._oldest, time)
        if self._newest is None or _order(trade) > _order(self._newest):
            self._newest = trade
        if number is None:
            return
        self._unproved.discard(number)
        if number in self._before:
            self._known_since = time if self._known_since is None else min(self._known_since, time)
        elif number not in self._known:
            self._found[number] = trade


def _time(trade: TradeEvent) -> int:
    return trade.trade_timestamp or trade.timestamp or 0


def _order(trade: TradeEvent) -> tuple[int, int]:
    return _time(trade), trade.sequential_id or 0
