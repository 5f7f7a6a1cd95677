"""A market that says what was recorded: the simulated exchange tells it as its own (pure).

Whoever plays the tape hands each event to ``hear``, and what that returns to the exchange at once. What the tape does
not hold is not made up: ``lacks`` says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

from tapewire.model.events import CandleEvent, Event, OrderbookEvent, TickerEvent, TradeEvent
from tapewire.model.market import Market
from tapewire.model.subscription import Subscription
from tapewire.sim.bars import Bar, candle, window
from tapewire.sim.market import Chance, SeededMarket
from tapewire.sim.pit import Listing
from tapewire.sim.ticks import Tick, tick_of
from tapewire.venues.exchange import Due, Ladder, NothingThere, Rhythm

#: Trades and candles kept of each market and unit, for REST.
_TRADES, _CANDLES = 200_000, 1_000
#: Trades that may come late: so many more are looked through for the newest ones.
_LATE = 1_000
_SATOSHI = -8
_SERVED = ("ticker", "trade", "orderbook", "candle")


class TapedMarket(SeededMarket):
    """The markets of a tape. Times are the tape's own.

    Args:
        venue: name that events carry.
        listings: the markets, as far as they are known (names, ticks).
        streams: what was subscribed when the tape was recorded.
        rhythm: the exchange's.
        clock_ms: the tape's wall clock, ms UTC.
        units: the venue's words for units of candles → the market's.
        chance: nothing is drawn from it.
    """

    def __init__(
        self,
        venue: str,
        listings: Sequence[Listing],
        streams: Iterable[Subscription],
        *,
        rhythm: Rhythm,
        clock_ms: Callable[[], int],
        units: Mapping[str, str],
        chance: Chance,
    ) -> None:
        super().__init__(venue, (), clock_ms(), chance, rhythm=rhythm)
        self._venue, self._clock_ms, self._units = venue, clock_ms, units
        self._listings = {one.market.symbol: one for one in listings}
        self._streams = {(one.kind, one.symbol, self._detail(one)) for one in streams if one.kind in _SERVED}
        self._depths: dict[tuple[str, str], int] = {}
        self._said: dict[tuple[str, str, str], Event] = {}
        self._trades: dict[str, deque[TradeEvent]] = {}
        self._candles: dict[tuple[str, str], dict[str, CandleEvent]] = {}

    # -- what the tape says -------------------------------------------------------------------------------------

    def prime(self, event: Event) -> None:
        """The first that a stream says on the tape stands for what was before it."""
        key = self._key(event)
        if key is None:
            return
        known = self._said.setdefault(key, event)
        if isinstance(event, OrderbookEvent) and isinstance(known, OrderbookEvent):
            self._said[key] = max(known, event, key=lambda one: len(one.orderbook_units))

    def hear(self, event: Event) -> list[Due]:
        """Take over one event; what is to be published of it: nothing if it tells only how things stood."""
        key = self._key(event)
        if key is None or self._is_shallow(key, event):
            return []
        self._said[key] = event
        kind, symbol, detail = key
        if isinstance(event, CandleEvent):
            self._keep_candle(symbol, detail, event)
        if event.stream_type == "SNAPSHOT":
            return []
        if isinstance(event, OrderbookEvent):
            return [Due(name, symbol, unit=detail or "0") for name in ("orderbook-fast", "orderbook")]
        if not isinstance(event, TradeEvent):
            return [Due(kind, symbol, unit=detail)]
        self._trades.setdefault(symbol, deque(maxlen=_TRADES)).append(event)
        self.trades_made.append(event)
        return [Due("trade", symbol, event)]

    def _key(self, event: Event) -> tuple[str, str, str] | None:
        kind = str(event.__struct_config__.tag)
        key = (kind, event.symbol, self._detail(event))
        return key if key in self._streams else None

    def _detail(self, said: Any) -> str:
        """Unit of a candle, level of a book, ``""`` of anything else."""
        unit = getattr(said, "unit", None)
        level = getattr(said, "level", None)
        return self._units.get(unit, unit) if unit else f"{level:g}" if level else ""

    def _is_shallow(self, key: tuple[str, str, str], event: Event) -> bool:
        """Of one book recorded in several depths only the deepest is told."""
        if not isinstance(event, OrderbookEvent):
            return False
        place, depth = (key[1], key[2]), len(event.orderbook_units)
        deepest = self._depths[place] = max(depth, self._depths.get(place, 0) * 99 // 100)
        return depth < deepest * 3 // 4

    def _keep_candle(self, symbol: str, unit: str, event: CandleEvent) -> None:
        kept = self._candles.setdefault((symbol, unit), {})
        kept[event.candle_date_time_utc or ""] = event
        if len(kept) > _CANDLES:
            del kept[next(iter(kept))]

    # -- the market ---------------------------------------------------------------------------------------------

    def advance(self, now: float) -> list[Due]:
        """What came since the last call; its clock is the tape's."""
        published = super().advance(now)
        self.now_ms = self._clock_ms()
        return published

    def lacks(self, kind: str, symbol: str, detail: str = "") -> str:
        """Why there is no such stream; ``""``: there is."""
        if (kind, symbol, detail) in self._streams:
            return ""
        there = sorted({f"{one}.{more}" if more else one for one, code, more in self._streams if code == symbol})
        wanted = f"{kind}.{detail}" if detail else kind
        return f"the tape has no {wanted} of {symbol}; it has {', '.join(there) or 'nothing of it'}"

    @property
    def symbols(self) -> Collection[str]:
        """The codes of all markets on the tape."""
        return self._listings.keys()

    def listing(self, symbol: str) -> Market:
        """What is listed under a code."""
        return self._listings[symbol].market

    def tick_size(self, symbol: str) -> str:
        """The tick as plain decimal text."""
        one = self._listings[symbol]
        return str(Tick(*one.tick) if one.tick else tick_of(one.market.quote, one.price))

    def ticker(self, symbol: str) -> TickerEvent:
        """The ticker that was told last. Raises NothingThere."""
        found: TickerEvent = self._last("ticker", symbol)
        return found

    def last_trade(self, symbol: str) -> TradeEvent:
        """The trade that was told last. Raises NothingThere."""
        found: TradeEvent = self._last("trade", symbol)
        return found

    def orderbook(self, symbol: str, level: float = 0) -> OrderbookEvent:
        """The book that was told last. Raises NothingThere."""
        found: OrderbookEvent = self._last("orderbook", symbol, f"{level:g}" if level else "")
        return found

    def ladder(self, symbol: str) -> Ladder:
        """The book in whole numbers; an empty one before the tape tells of it."""
        event = self._said.get(("orderbook", symbol, ""))
        if not isinstance(event, OrderbookEvent):
            return Ladder({}, {}, _SATOSHI)
        asks = [(Decimal(str(unit.ask_price)), unit.ask_size) for unit in event.orderbook_units if unit.ask_size]
        bids = [(Decimal(str(unit.bid_price)), unit.bid_size) for unit in event.orderbook_units if unit.bid_size]
        power = min((_power(price) for price, _ in (*asks, *bids)), default=_SATOSHI)
        return Ladder(_whole(asks, power), _whole(bids, power), power)

    def candle(self, symbol: str, unit: str) -> CandleEvent:
        """The candle that was told last. Raises NothingThere."""
        found: CandleEvent = self._last("candle", symbol, unit)
        return found

    def trades(self, symbol: str, before_ms: int, before_id: int | None, count: int) -> list[TradeEvent]:
        """Newest first, of those that the tape has told so far. Raises NothingThere."""
        if why := self.lacks("trade", symbol):
            raise NothingThere(why)
        found = (
            trade
            for trade in reversed(self._trades.get(symbol, ()))
            if _ms(trade) < before_ms and (before_id is None or (trade.sequential_id or 0) < before_id)
        )
        newest = sorted(islice(found, count + _LATE), key=lambda one: one.sequential_id or 0, reverse=True)
        return newest[:count]

    def candles(self, symbol: str, unit: str, before_ms: int, count: int) -> list[CandleEvent]:
        """Newest first: recorded ones, else those that its trades make, of windows that began on the tape.

        Raises:
            NothingThere: it has neither.
        """
        recorded = self._candles.get((symbol, unit))
        if recorded is None and self.lacks("trade", symbol):
            raise NothingThere(self.lacks("candle", symbol, unit))
        found = recorded or self._made_of_trades(symbol, unit)
        newest = sorted(found.values(), key=lambda one: one.candle_date_time_utc or "", reverse=True)
        before = _text(before_ms)
        return [one for one in newest if (one.candle_date_time_utc or "") < before][:count]

    def _made_of_trades(self, symbol: str, unit: str) -> dict[str, CandleEvent]:
        bars: dict[int, Bar] = {}
        for trade in self._trades.get(symbol, ()):
            start, end = window(unit, _ms(trade) // 1000)
            if start * 1000 >= self._start_ms:
                bar = bars.setdefault(start, Bar(start, end, float(trade.trade_price or 0)))
                bar.add(float(trade.trade_price or 0), float(trade.trade_volume or 0), _ms(trade))
        made = [candle(bar, unit, self._venue, symbol) for bar in bars.values()]
        return {one.candle_date_time_utc or "": one for one in made}

    def _last(self, kind: str, symbol: str, detail: str = "") -> Any:
        event = self._said.get((kind, symbol, detail))
        if event is None:
            why = self.lacks(kind, symbol, detail)
            raise NothingThere(why or f"the tape has not come to the first {kind} of {symbol} yet")
        return event


def _ms(trade: TradeEvent) -> int:
    return trade.trade_timestamp if trade.trade_timestamp is not None else trade.timestamp or 0


def _text(ms: int) -> str:
    """The first second at which a window that begins before ``ms`` does not begin any more."""
    return str(candle(Bar(-(-ms // 1000), 0, 0.0), "1s", "", "").candle_date_time_utc)


def _power(price: Decimal) -> int:
    exponent = price.normalize().as_tuple().exponent
    return min(0, exponent) if isinstance(exponent, int) else 0


def _whole(side: Iterable[tuple[Decimal, Any]], power: int) -> dict[int, int]:
    return {int(price.scaleb(-power)): round(float(size) * 10**8) for price, size in side}
