"""The simulated exchange's market: seeded, event-driven, perhaps begun with recorded traffic (pure).

``advance(t)`` moves it on and tells what is published; ``deadline`` says when it wants to be called next. Trades come
by chance (Poisson), books conflated, tickers with the trades, candles at most once a second and only after a trade.
How fast, and what else is told, is the exchange's (``Rhythm``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from heapq import heappop, heappush
from math import log
from typing import Protocol

from msgspec import Struct

from tapewire.model.events import CandleEvent, Event, OrderbookEvent, TickerEvent, TradeEvent
from tapewire.model.market import Market
from tapewire.sim.bars import window
from tapewire.sim.book import UNIT
from tapewire.sim.pit import Done, Listing, Pit
from tapewire.venues.exchange import Due, Ladder, Rhythm

_DELAY = 0.052  # execution to publication, 2026 capture
_LATEST = 1.5
_KEPT = 200_000


class Chance(Protocol):
    """A seeded source of numbers in [0, 1), such as ``random.Random(seed)``."""

    def random(self) -> float: ...


class Recorded(Struct, frozen=True):
    """One recorded event: seconds after the recording's first, and what it was. Trades and books only."""

    at: float
    event: Event


class SeededMarket:
    """All markets of one exchange; every draw comes from ``chance``, so the same seed gives the same market.

    Args:
        venue: name that events carry.
        listings: what is listed.
        start_ms: wall clock of the beginning, ms UTC.
        chance: seeded generator.
        pace: factor on all rhythms (2.0: twice as many trades and books).
        recorded: events played first; their markets fall in with the others when the recording ends.
        rhythm: how the exchange publishes.
    """

    def __init__(
        self,
        venue: str,
        listings: Sequence[Listing],
        start_ms: int,
        chance: Chance,
        *,
        pace: float = 1.0,
        recorded: Sequence[Recorded] = (),
        rhythm: Rhythm | None = None,
    ) -> None:
        self._random, self._pace, self._start_ms = chance.random, pace, start_ms
        self.rhythm = rhythm = rhythm or Rhythm()
        self.pits = {
            listing.market.symbol: Pit(venue, listing, key, start_ms, self._random, rhythm=rhythm)
            for key, listing in enumerate(listings)
        }
        self.trades_made: deque[TradeEvent] = deque(maxlen=_KEPT)
        self.now_ms = start_ms
        self._due: list[tuple[float, int, Callable[[float], Iterable[Due]]]] = []
        self._count = 0
        #: what a trade with a customer's order brings; the desk (``sim.desk``) puts itself here
        self.settle: Callable[[str, Done], Iterable[Due]] = _nobody
        self._moment = 0.0
        self._flows = {symbol: _Flow(self, pit) for symbol, pit in self.pits.items()}
        self._play(recorded)
        for symbol in sorted(set(self.pits) - {entry.event.symbol for entry in recorded}):
            self._flows[symbol].start(0.0)
        for unit in rhythm.closing_units if self.pits else ():
            self._await_close(unit, start_ms // 1000)

    @property
    def deadline(self) -> float:
        """When something happens next, seconds since the start."""
        return self._due[0][0] if self._due else float("inf")

    @property
    def symbols(self) -> Collection[str]:
        """The codes of all listed markets."""
        return self.pits.keys()

    def advance(self, now: float) -> list[Due]:
        """Everything that is published up to ``now`` (seconds since the start), in order."""
        published: list[Due] = []
        due = self._due
        while due and due[0][0] <= now:
            at, _, happen = heappop(due)
            self.now_ms, self._moment = self.ms(at), at
            published.extend(happen(at))
        self.now_ms, self._moment = max(self.now_ms, self.ms(now)), max(self._moment, now)
        return published

    def lacks(self, kind: str, symbol: str, detail: str = "") -> str:  # noqa: ARG002 - a tape has not everything
        """Why there is no such stream: there is every one."""
        return ""

    def listing(self, symbol: str) -> Market:
        """What is listed under a code."""
        return self.pits[symbol].listing.market

    def tick_size(self, symbol: str) -> str:
        """The tick as plain decimal text."""
        return str(self.pits[symbol].tick)

    def ticker(self, symbol: str) -> TickerEvent:
        """The ticker now."""
        return self.pits[symbol].ticker(self.now_ms)

    def last_trade(self, symbol: str) -> TradeEvent:
        """The trade published last."""
        return self.pits[symbol].last

    def orderbook(self, symbol: str, level: float = 0) -> OrderbookEvent:
        """The book now, thirty levels; grouped when ``level`` is not 0."""
        return self.pits[symbol].orderbook(self.now_ms, level)

    def ladder(self, symbol: str) -> Ladder:
        """The book now in whole numbers."""
        return self.pits[symbol].shown()

    def candle(self, symbol: str, unit: str) -> CandleEvent:
        """The latest candle that had a trade, or where every window has one the running one."""
        return self.pits[symbol].candle(unit, self.now_ms)

    def trades(self, symbol: str, before_ms: int, before_id: int | None, count: int) -> list[TradeEvent]:
        """Newest first, executed before ``before_ms`` and with a lower id than ``before_id``."""
        return self.pits[symbol].trades(before_ms, before_id, count)

    def candles(self, symbol: str, unit: str, before_ms: int, count: int) -> list[CandleEvent]:
        """Newest first, windows that begin before ``before_ms``."""
        return self.pits[symbol].candles(unit, before_ms, count, self.now_ms)

    def ms(self, at: float) -> int:
        """Wall clock of a moment, ms UTC."""
        return self._start_ms + int(at * 1000 + 1e-6)

    def at(self, moment: float, happen: Callable[[float], Iterable[Due]]) -> None:
        """Have something happen; things of one moment happen in the order they were asked for."""
        self._count += 1
        heappush(self._due, (moment, self._count, happen))

    def tell(self, dues: Iterable[Due]) -> None:
        """Publish something at once, after what is under way."""
        self.at(self._moment, lambda _: dues)

    def close(self, unit: str) -> None:
        """Tell the close of every running candle of ``unit`` now, as it stands, before its time is over."""
        running = ((symbol, pit.bars[unit].now.end) for symbol, pit in self.pits.items())
        self.tell([Due("close", symbol, unit=unit, ms=end * 1000) for symbol, end in running])

    def done(self, symbol: str, trade: Done) -> None:
        """A customer's order took from the market: the trade is published as any other is, and the book."""
        flow = self._flows[symbol]
        self.at(self._moment + _DELAY, lambda at: flow.publish(trade, at))
        self.touched(symbol)

    def touched(self, symbol: str) -> None:
        """The customers' orders in a market's book are others now."""
        self.tell(self._flows[symbol].changed(self._moment))

    def wait(self, rate: float) -> float:
        """Seconds until the next event of a Poisson process of ``rate`` a second."""
        return -log(1.0 - self._random()) / (rate * self._pace)

    def quicken(self, seconds: float, spread: float = 0.0) -> float:
        """A pause of the rhythm, as long as the pace lets it be."""
        return (seconds + (spread * self._random() if spread else 0.0)) / max(1.0, self._pace)

    def delay(self) -> float:
        """Seconds from execution to publication."""
        if self.rhythm.late and self._random() < self.rhythm.late:
            return _DELAY + _LATEST * self._random()
        return _DELAY

    def draw(self) -> float:
        """A number in [0, 1)."""
        return self._random()

    def _await_close(self, unit: str, at: int) -> None:
        _, end = window(unit, at)
        self.at(end - self._start_ms / 1000 + self.rhythm.closing, lambda _: self._close(unit, end))

    def _close(self, unit: str, end: int) -> Iterable[Due]:
        self._await_close(unit, end)
        for symbol, pit in self.pits.items():
            if self.rhythm.every_window or pit.bars[unit].traded_until(end):
                yield Due("close", symbol, unit=unit, ms=end * 1000)

    def _play(self, recorded: Sequence[Recorded]) -> None:
        if not recorded:
            return
        shift = self._start_ms - min(entry.event.timestamp or 0 for entry in recorded)
        for entry in recorded:
            flow = self._flows[entry.event.symbol]
            self.at(entry.at, flow.replaying(entry.event, shift))
        end = recorded[-1].at
        for symbol in sorted({entry.event.symbol for entry in recorded}):
            self._flows[symbol].start(end)


class _Flow:
    """What happens in one market, one thing after another."""

    def __init__(self, market: SeededMarket, pit: Pit) -> None:
        self._market, self._pit = market, pit
        self._symbol, self._listing = pit.symbol, pit.listing
        self._candles_asked = False
        self._last_candles = -1.0
        rhythm = market.rhythm
        self._books = _Stream(market, "orderbook", self._symbol, rhythm.book_pause, rhythm.book_spread)
        self._told = [self._books]
        if rhythm.fast_pause is not None:
            self._told.insert(0, _Stream(market, "orderbook-fast", self._symbol, rhythm.fast_pause))
        self._tickers: _Stream | None = None
        if rhythm.ticker_pause is not None:
            self._tickers = _Stream(market, "ticker", self._symbol, rhythm.ticker_pause)
            self._told.append(self._tickers)
        self._books_alone = len(self._told) == 1

    def start(self, at: float) -> None:
        self._market.at(at + self._market.wait(self._listing.trades), self._trade)
        self._market.at(at + self._market.wait(self._listing.books), self._touch)

    def replaying(self, event: Event, shift: int) -> Callable[[float], Iterable[Due]]:
        if isinstance(event, TradeEvent):
            return lambda at: self._replay_trade(event, shift, at)
        if not isinstance(event, OrderbookEvent):
            raise TypeError(f"a recording holds trades and books, not {type(event).__name__}")
        return lambda at: self._replay_book(event, at)

    def _trade(self, at: float) -> Iterable[Due]:
        market, pit = self._market, self._pit
        market.at(at + market.wait(self._listing.trades), self._trade)
        # The farther the price went from where it opened, the likelier it goes back.
        drift = (pit.book.asks[0] - pit.opened) / pit.opened
        buy = market.draw() < 0.5 - 2.5 * max(-0.16, min(0.16, drift))
        draw = market.draw()
        size = 1 + int(self._listing.size * UNIT * 3 * draw * draw)
        trade = pit.execute(market.ms(at), pit.book.whole(size), buy=buy)
        market.at(at + market.delay(), lambda then: self.publish(trade, then))
        return *market.settle(self._symbol, trade), *self.changed(at)

    def _touch(self, at: float) -> Iterable[Due]:
        self._market.at(at + self._market.wait(self._listing.books), self._touch)
        self._pit.book.touch()
        return *self._uncross(at), *self.changed(at)

    def _uncross(self, at: float) -> Iterable[Due]:
        """The market's quotes that reached customers' orders."""
        if not self._pit.resting:
            return
        for trade in self._pit.uncross(self._market.ms(at)):
            self._market.at(at + _DELAY, lambda then, trade=trade: self.publish(trade, then))  # type: ignore[misc]
            yield from self._market.settle(self._symbol, trade)

    def changed(self, at: float) -> Iterable[Due]:
        """The book changed: whoever tells of it does so now, or when the pause since the last time is over."""
        if self._books_alone:
            return self._books.changed(at)
        return [due for stream in self._told for due in stream.changed(at)]

    def publish(self, trade: Done, at: float) -> Iterable[Due]:
        event = self._pit.publish(trade, self._market.ms(at))
        self._market.trades_made.append(event)
        if not self._candles_asked:
            self._candles_asked = True
            self._market.at(max(at, self._last_candles + 1.0), self._publish_candles)
        parts = self._pit.parts(trade, self._market.ms(at))
        ticker = self._tickers.changed(at) if self._tickers else (Due("ticker", self._symbol),)
        return Due("trade", self._symbol, event, parts=parts), *ticker

    def _publish_candles(self, at: float) -> Iterable[Due]:
        self._candles_asked = False
        self._last_candles = at
        return (Due("candle", self._symbol),)

    def _replay_trade(self, event: TradeEvent, shift: int, at: float) -> Iterable[Due]:
        pit = self._pit
        number, then = event.sequential_id or 0, (event.trade_timestamp or 0) + shift
        factor = 1_000 if number < 5 * 10**15 else 10_000  # ids are ms x 1,000 or ms x 10,000, by market and year
        pit.prev_close = event.prev_closing_price or pit.prev_close
        trade = Done(
            price=pit.tick.ticks(event.trade_price or 0.0),
            size=round((event.trade_volume or 0.0) * UNIT),
            buy=event.ask_bid == "BID",
            id=number + shift * factor,
            ms=then,
        )
        pit.count(trade, self._market.ms(at))
        return self.publish(trade, at)

    def _replay_book(self, event: OrderbookEvent, at: float) -> Iterable[Due]:
        self._pit.book.set(event.orderbook_units)
        return *self._uncross(at), *self._books.tell(at)


class _Stream:
    """One kind of news of one market's book: told at once, and then not sooner than after a pause."""

    def __init__(self, market: SeededMarket, kind: str, symbol: str, pause: float, spread: float = 0.0) -> None:
        self._market, self._due, self._pause, self._spread = market, Due(kind, symbol), pause, spread
        self._asked = self._watched = False
        self._last = -1.0

    def changed(self, at: float) -> Iterable[Due]:
        """Something changed."""
        if self._asked:
            return ()
        next_time = self._last + self._market.quicken(self._pause, self._spread)
        if next_time <= at:
            return self.tell(at)
        self._asked = True
        self._market.at(next_time, self.tell)
        return ()

    def tell(self, at: float) -> Iterable[Due]:
        """Tell it now."""
        self._asked, self._last = False, at
        quiet = self._market.rhythm.quiet
        if quiet is not None and self._due.kind == "orderbook" and not self._watched:
            self._watched = True
            self._market.at(at + quiet, lambda then: self._still(then, quiet))
        return (self._due,)

    def _still(self, at: float, quiet: float) -> Iterable[Due]:
        """Nothing changed for so long; unless something did."""
        told = at >= self._last + quiet - 1e-9
        if told:
            self._last = at
        self._market.at(self._last + quiet, lambda then: self._still(then, quiet))
        return (self._due._replace(kind="still"),) if told else ()


def _nobody(_symbol: str, _trade: Done) -> Iterable[Due]:
    """Nobody trades here but the market itself."""
    return ()
