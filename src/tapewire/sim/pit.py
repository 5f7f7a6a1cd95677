"""One market's whole state: book, last trade, the day's and the last 24 hours' figures, candles, history (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from tapewire.model.events import CandleEvent, OrderbookEvent, TickerEvent, TradeEvent
from tapewire.model.market import Market
from tapewire.sim.bars import Bars, candle
from tapewire.sim.book import UNIT, Book
from tapewire.sim.history import History
from tapewire.sim.past import Past, noise
from tapewire.sim.resting import Quote, Resting
from tapewire.sim.ticks import Tick, tick_of
from tapewire.venues.exchange import Contract, Ladder, Rhythm

_DAY_MS = 86_400_000
_HISTORY = 50_000  # published trades that REST still knows
_YEAR_AGO = 200 * 86_400  # the made-up 52-week extremes lie this long ago


class Listing(Struct, frozen=True, kw_only=True):
    """One market of the simulated exchange.

    Attributes:
        market: what is listed.
        price: where it opens.
        trades, books: mean trades and changes of the book a second.
        size: mean size of a trade in base units.
        tick: mantissa and power of ten; None: by price, as Upbit's markets.
        lot: the smallest step of a size, in 1e-8.
        spot: bought coins are held; else it is a contract.
        contract: what one is, where customers can trade it.
    """

    market: Market
    price: float
    trades: float = 1.0
    books: float = 1.0
    size: float = 1.0
    tick: tuple[int, int] | None = None
    lot: int = 1
    spot: bool = True
    contract: Contract | None = None


class Done(Struct, frozen=True):
    """One executed trade, before it is published.

    ``maker`` is the customer's order that was met, if it was one; ``matches`` the makers' orders that were, the last of
    them has the ``id``.
    """

    price: int
    size: int
    buy: bool
    id: int
    ms: int
    maker: Quote | None = None
    matches: int = 1


class Pit:
    """The state of one market. Times are ms UTC; the caller moves them on.

    Args:
        venue: name that events carry.
        listing: what is traded and how busily.
        key: makes this market's past its own.
        start_ms: when the simulation begins.
        random: draws in [0, 1).
        rhythm: the exchange's ways.
    """

    day_end: int
    open: float
    high: float
    low: float
    close: float
    prev_close: float
    acc_volume: float
    acc_value: float
    ask_volume: float
    bid_volume: float

    def __init__(
        self,
        venue: str,
        listing: Listing,
        key: int,
        start_ms: int,
        random: Callable[[], float],
        *,
        rhythm: Rhythm | None = None,
    ) -> None:
        self.venue, self.listing, self.symbol = venue, listing, listing.market.symbol
        self._rhythm = rhythm = rhythm or Rhythm()
        self.tick = Tick(*listing.tick) if listing.tick else tick_of(listing.market.quote, listing.price)
        self.opened = self.tick.ticks(listing.price)
        size = max(1, round(listing.size * UNIT))
        self.book = Book(self.tick, self.opened, size * 3, random, depth=rhythm.depth, lot=listing.lot)
        self.resting = Resting()
        self.past = Past(key, start_ms / 1000, listing.price, listing.trades, listing.size)
        self.bars = {unit: Bars(unit, self.past, self._rounded, every=rhythm.every_window) for unit in rhythm.units}
        self._every_bar = tuple(self.bars.values())
        self.history = History(_HISTORY)
        self._open_day(start_ms)
        self._rolling = _Rolling(self.past, start_ms)
        self.high52, self.low52 = (self._rounded(listing.price * part) for part in (1.9, 0.6))
        self.high52_date = self.low52_date = _date((start_ms // 1000) - _YEAR_AGO)
        self._id_ms = self._id_count = self.last_id = 0
        self._key, self._next_id = key, self.past.slot(self.past.end)
        self.last = self._last_of_past()

    @property
    def ladder(self) -> Book:
        """The book with the customers' orders in it."""
        if not self.resting:
            return self.book
        return self.book.joined(self.resting.levels(ask=True), self.resting.levels(ask=False))

    def best(self, *, ask: bool) -> tuple[int, int, Quote | None]:
        """(price, size, the customer's order if it is one) of what a taker meets first; customers go first."""
        prices, sizes = (self.book.asks, self.book.ask_sizes) if ask else (self.book.bids, self.book.bid_sizes)
        quote = self.resting.best(ask=ask)
        if quote is not None and (quote.price <= prices[0] if ask else quote.price >= prices[0]):
            return quote.price, quote.left, quote
        return prices[0], sizes[0], None

    def execute(self, ms: int, size: int, *, buy: bool) -> Done:
        """A taker takes at the best price: the book, the day and the candles change at once."""
        price, left, maker = self.best(ask=buy)
        if maker is None:
            price, taken = self.book.take(size, buy=buy)
        else:
            taken = min(size, left)
            self.resting.take(maker, taken)
        return self._done(ms, price, taken, buy=buy, maker=maker)

    def uncross(self, ms: int) -> list[Done]:
        """The market's own quotes that reach a customer's order trade with it."""
        done = []
        for ask in (True, False):
            while (quote := self.resting.best(ask=ask)) is not None and self._reaches(quote):
                _, size = self.book.take(quote.left, buy=not ask)
                self.resting.take(quote, size)
                done.append(self._done(ms, quote.price, size, buy=ask, maker=quote))
        return done

    def _reaches(self, quote: Quote) -> bool:
        return self.book.bids[0] >= quote.price if quote.ask else self.book.asks[0] <= quote.price

    def _done(self, ms: int, price: int, size: int, *, buy: bool, maker: Quote | None) -> Done:
        matches = 1
        if self._rhythm.counted:
            if maker is None:  # so many orders stood at the price
                matches = min(1 + int(4 * noise(self._key, self._next_id) ** 2), size // self.listing.lot)
            self._next_id += matches
        trade = Done(price, size, buy, self._new_id(ms), ms, maker, matches)
        self.count(trade, ms)
        return trade

    def _new_id(self, ms: int) -> int:
        if self._rhythm.counted:
            return self._next_id
        self._id_count = self._id_count + 1 if ms == self._id_ms else 0
        self._id_ms = ms
        return ms * 10_000 + self._id_count

    def count(self, trade: Done, ms: int) -> None:
        """Count a trade into the day, the last 24 hours and every candle."""
        self.roll(ms)
        price, size = self.tick.price(trade.price), trade.size / UNIT
        self.high, self.low, self.close = max(self.high, price), min(self.low, price), price
        self.acc_volume += size
        self.acc_value += price * size
        if trade.buy:
            self.bid_volume += size
        else:
            self.ask_volume += size
        self._rolling.add(ms, size, price * size)
        self._extremes(price, ms)
        for bars in self._every_bar:
            bars.add(price, size, ms)

    def publish(self, trade: Done, ms: int) -> TradeEvent:
        """The event of an executed trade, published at ``ms``; its matches are kept for REST."""
        event = self.last = self._event(trade, ms, self.prev_close)
        self.last_id = max(self.last_id, trade.id)
        self.history.extend(self.parts(trade, ms) or (event,))
        return event

    def parts(self, trade: Done, ms: int) -> tuple[TradeEvent, ...]:
        """The single matches of a trade that took several."""
        if trade.matches == 1:
            return ()
        lot, count = self.listing.lot, trade.matches
        share = trade.size // lot // count * lot
        sizes = (*(share for _ in range(count - 1)), trade.size - share * (count - 1))
        first = trade.id - count + 1
        return tuple(
            self._event(replace(trade, size=size, id=first + place), ms, self.prev_close)
            for place, size in enumerate(sizes)
        )

    def roll(self, ms: int) -> None:
        """Begin a new UTC day when its time has come."""
        if ms >= self.day_end:
            self.prev_close = self.close
            self._new_day(ms, self.close)

    def ticker(self, now_ms: int) -> TickerEvent:
        """The market's figures at this moment."""
        self.roll(now_ms)
        last, change = self.last, self.close - self.prev_close
        at = datetime.fromtimestamp((last.trade_timestamp or 0) / 1000, UTC)
        signed, rate = round(change, 8), round(change / self.prev_close, 10)
        volume_24h, value_24h = self._rolling.sums(now_ms)
        return TickerEvent(
            venue=self.venue, symbol=self.symbol, timestamp=now_ms, trade_price=self.close,
            trade_volume=last.trade_volume, opening_price=self.open, high_price=self.high, low_price=self.low,
            prev_closing_price=self.prev_close, change=_word(signed), change_price=abs(signed),
            signed_change_price=signed, change_rate=abs(rate), signed_change_rate=rate,
            acc_trade_volume=round(self.acc_volume, 8), acc_trade_volume_24h=volume_24h,
            acc_trade_price=round(self.acc_value, 8), acc_trade_price_24h=value_24h,
            acc_ask_volume=round(self.ask_volume, 8), acc_bid_volume=round(self.bid_volume, 8), ask_bid=last.ask_bid,
            trade_date=at.strftime("%Y%m%d"), trade_time=at.strftime("%H%M%S"), trade_timestamp=last.trade_timestamp,
            highest_52_week_price=self.high52, highest_52_week_date=self.high52_date,
            lowest_52_week_price=self.low52, lowest_52_week_date=self.low52_date,
            market_state="ACTIVE", is_trading_suspended=False, delisting_date=None,
            market_warning="CAUTION" if self.listing.market.warning else "NONE",
        )  # fmt: skip

    def orderbook(self, now_ms: int, level: float) -> OrderbookEvent:
        """The book with its totals over all levels shown."""
        book = self.ladder
        if level:
            units = book.grouped(level)
            asks, bids = (
                round(sum(sizes), 8) for sizes in zip(*((u.ask_size, u.bid_size) for u in units), strict=True)
            )
        else:
            units, asks, bids = book.units(), sum(book.ask_sizes) / UNIT, sum(book.bid_sizes) / UNIT
        return OrderbookEvent(
            venue=self.venue, symbol=self.symbol, timestamp=now_ms, orderbook_units=units,
            total_ask_size=asks, total_bid_size=bids, level=level,
        )  # fmt: skip

    def shown(self) -> Ladder:
        """The book in whole numbers."""
        book, times = self.ladder, self.tick.mantissa
        asks, bids = ([price * times for price in side] for side in (book.asks, book.bids))
        return Ladder(
            dict(zip(asks, book.ask_sizes, strict=True)), dict(zip(bids, book.bid_sizes, strict=True)), self.tick.power
        )

    def candle(self, unit: str, now_ms: int) -> CandleEvent:
        """The latest candle that had a trade, or where every window has one the running one."""
        self.bars[unit].roll(now_ms)
        return candle(self.bars[unit].now, unit, self.venue, self.symbol, now_ms)

    def candles(self, unit: str, before_ms: int, count: int, now_ms: int) -> list[CandleEvent]:
        """Newest first; ``timestamp`` is that of the window's last trade."""
        self.bars[unit].roll(now_ms)
        return [candle(bar, unit, self.venue, self.symbol) for bar in self.bars[unit].latest(before_ms, count)]

    def trades(self, before_ms: int, before_id: int | None, count: int) -> list[TradeEvent]:
        """Newest first by (time, id): what was published, then the past."""

        def older(event: TradeEvent) -> bool:
            at, number = event.trade_timestamp or 0, event.sequential_id or 0
            return at < before_ms and (before_id is None or number < before_id)

        found = self.history.newest(older, count)
        slot = self._slot_before(before_ms, before_id)
        while len(found) < count:
            event = self._past_event(slot)
            slot -= 1
            if older(event):
                found.append(event)
        return found

    def _slot_before(self, before_ms: int, before_id: int | None) -> int:
        """The newest trade of the past that may be older than a moment and an id."""
        newest = self.past.slot(min(self.past.end, before_ms / 1000))
        if before_id is None:
            return newest
        if self._rhythm.counted:
            return min(newest, before_id - 1)
        return self.past.slot(min(self.past.end, before_id / 10_000_000 + 0.001, before_ms / 1000))

    def _event(self, trade: Done, ms: int, closed: float) -> TradeEvent:
        book, price = self.ladder, self.tick.price
        at, change = datetime.fromtimestamp(trade.ms / 1000, UTC), round(price(trade.price) - closed, 8)
        return TradeEvent(
            venue=self.venue, symbol=self.symbol, timestamp=ms, trade_price=price(trade.price),
            trade_volume=trade.size / UNIT, ask_bid="BID" if trade.buy else "ASK", sequential_id=trade.id,
            trade_timestamp=trade.ms, trade_date=at.strftime("%Y-%m-%d"), trade_time=at.strftime("%H:%M:%S"),
            prev_closing_price=closed, change=_word(change), change_price=abs(change),
            best_ask_price=price(book.asks[0]), best_ask_size=book.ask_sizes[0] / UNIT,
            best_bid_price=price(book.bids[0]), best_bid_size=book.bid_sizes[0] / UNIT,
        )  # fmt: skip

    def _past_event(self, slot: int) -> TradeEvent:
        at = self.past.trade_at(slot)
        size = max(1, round(self.past.trade_size(slot) * UNIT))
        ms = int(at * 1000)
        number = slot if self._rhythm.counted else ms * 10_000 + slot % 3
        done = Done(self.tick.ticks(self.past.price(at)), self.book.whole(size), self.past.buys(slot), number, ms)
        return self._event(done, ms + 50, self._rounded(self.past.price(ms // _DAY_MS * _DAY_MS / 1000)))

    def _last_of_past(self) -> TradeEvent:
        event = self._past_event(self.past.slot(self.past.end))
        self.close = event.trade_price or self.listing.price
        return event

    def _open_day(self, start_ms: int) -> None:
        """The figures of the UTC day so far, from the past."""
        begin = start_ms // _DAY_MS * _DAY_MS
        self.prev_close = self._rounded(self.past.price(begin / 1000))
        self._new_day(start_ms, self.prev_close)
        self.close = self._rounded(self.listing.price)
        day = self.bars["1d"].now
        if day.start * 1000 == begin:
            self.open = day.open
            self.high, self.low = max(day.high, self.close), min(day.low, self.close)
            self.acc_volume, self.acc_value = day.volume, day.value
            self.ask_volume, self.bid_volume = day.volume * 0.48, day.volume * 0.52

    def _new_day(self, ms: int, price: float) -> None:
        self.day_end = (ms // _DAY_MS + 1) * _DAY_MS
        self.open = self.high = self.low = price
        self.acc_volume = self.acc_value = self.ask_volume = self.bid_volume = 0.0

    def _extremes(self, price: float, ms: int) -> None:
        if price > self.high52:
            self.high52, self.high52_date = price, _date(ms // 1000)
        elif price < self.low52:
            self.low52, self.low52_date = price, _date(ms // 1000)

    def _rounded(self, price: float) -> float:
        return self.tick.price(self.tick.ticks(price))


class _Rolling:
    """Turnover of the last 24 hours: minutes of the simulation, and the past for the rest."""

    def __init__(self, past: Past, start_ms: int) -> None:
        self._past, self._start = past, start_ms
        self._minutes: deque[list[float]] = deque()
        self._volume = self._value = 0.0

    def add(self, ms: int, size: float, value: float) -> None:
        minute = ms // 60_000
        if not self._minutes or self._minutes[-1][0] != minute:
            self._minutes.append([minute, 0.0, 0.0])
            self._drop(minute - 1440)
        self._minutes[-1][1] += size
        self._minutes[-1][2] += value
        self._volume += size
        self._value += value

    def sums(self, now_ms: int) -> tuple[float, float]:
        """Volume and turnover of the 24 hours before ``now_ms``."""
        self._drop(now_ms // 60_000 - 1440)
        since = now_ms / 1000 - 86_400
        old = self._past.volume(since, self._past.end) if since < self._past.end else 0.0
        value = old * self._past.price((since + self._past.end) / 2) if old else 0.0
        return round(self._volume + old, 8), round(self._value + value, 8)

    def _drop(self, minute: int) -> None:
        while self._minutes and self._minutes[0][0] <= minute:
            _, volume, value = self._minutes.popleft()
            self._volume = max(0.0, self._volume - volume)
            self._value = max(0.0, self._value - value)


def _word(change: float) -> str:
    return "RISE" if change > 0 else "FALL" if change < 0 else "EVEN"


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
