"""What a simulated OKEX v3 sends on each stream: its state when it is asked for, and then the news (spec/okx.md B3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from tapewire.venues.exchange import Due, MarketView
from tapewire.venues.okex_v3 import sim_frames as frames
from tapewire.venues.okex_v3.channels import CANDLE_SECONDS, Table
from tapewire.venues.okex_v3.sim_books import ToldBook
from tapewire.venues.okex_v3.sim_switches import Switches
from tapewire.venues.okex_v3.symbols import split

Message = dict[str, Any]
#: Candle unit → the market's own word; from six hours on they begin at UTC+8.
CANDLES = {unit: f"{seconds // 60}m" for unit, seconds in CANDLE_SECONDS.items()} | {
    "6H": "360m+8", "12H": "720m+8", "1D": "1d+8", "1W": "1w+8",
}  # fmt: skip
#: Channel → the kind of book news it listens to.
BOOKS = {"depth": "orderbook", "depth_l2_tbt": "orderbook-fast"}
#: Channel → seconds between two messages, at most and at least (B3).
TIMED = {"funding_rate": (60.0, 60.0), "mark_price": (0.2, 10.0), "price_range": (5.0, 5.0)}
#: Channel → the kind of news it listens to, beside books, trades and candles.
_HEARS = {"depth5": "orderbook", "ticker": "ticker"}
_BY_CLOCK = {"funding_rate": frames.funding_row, "mark_price": frames.mark_row, "price_range": frames.range_row}


class Books:
    """The books that anybody on this exchange ever asked for, by channel and instrument, as they were told last."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._told: dict[tuple[str, str], ToldBook] = {}

    def observe(self, due: Due, market: MarketView) -> None:
        """Something is published: the books of that channel move on, before any connection hears of it."""
        for channel, kind in BOOKS.items():
            book = self._told.get((channel, due.symbol))
            if book is None:
                continue
            if due.kind == kind:
                book.move(market.ladder(due.symbol), market.now_ms)
            elif due.kind == "still":
                book.rest(market.now_ms)

    def get(self, channel: str, symbol: str, market: MarketView) -> ToldBook:
        """A book as it was told last."""
        book = self._told.get((channel, symbol))
        if book is None:
            book = ToldBook(market.ladder(symbol), market.now_ms, self._depth)
            self._told[channel, symbol] = book
        return book


class Streams:
    """All that can be heard of one market view."""

    def __init__(self, switches: Switches, market: MarketView, books: Books) -> None:
        self._switches, self._market, self._books = switches, market, books

    @property
    def now_ms(self) -> int:
        """The exchange's time, ms UTC."""
        return self._market.now_ms

    def listed(self, table: Table, symbol: str) -> bool:
        """Whether there is such an instrument on that market."""
        if table.market == "index":
            return self._source(symbol) is not None
        parts = split(symbol)
        return parts is not None and parts.market == table.market and symbol in self._market.symbols

    def _source(self, index: str) -> str | None:
        """The market whose price an index has here: the first of the same coins."""
        return next((symbol for symbol in self._market.symbols if _coins(symbol) == index), None)

    def first(self, table: Table, symbol: str) -> Message:
        """The state of a stream now."""
        if table.channel in BOOKS:
            row = frames.book_row(symbol, self._book(table, symbol), self._switches, whole=True)
            return frames.table(table.name, [row], "partial")
        return frames.table(table.name, [self._row(table, symbol)])

    def news(self, table: Table, symbol: str, due: Due) -> Iterator[Callable[[], Message]]:
        """What is sent of a publication on one stream, to be made when nobody made it yet."""
        if due.symbol != (self._source(symbol) if table.market == "index" else symbol):
            return
        if table.channel in BOOKS:
            if due.kind == "still" or (due.kind == BOOKS[table.channel] and self._book(table, symbol).moved):
                yield partial(self._update, table, symbol, flawed=due.flaw == "checksum")
        elif due.kind == "trade":
            for trade in due.parts or (due.trade,) if table.channel == "trade" and due.trade else ():
                yield partial(frames.table, table.name, [frames.trade_row(table.market, trade)])
        elif due.kind == _HEARS.get(table.channel, table.kind if table.kind == "candle" else ""):
            yield partial(self.first, table, symbol)

    def _update(self, table: Table, symbol: str, *, flawed: bool) -> Message:
        row = frames.book_row(symbol, self._book(table, symbol), self._switches, whole=False, flawed=flawed)
        return frames.table(table.name, [row], "update")

    def _book(self, table: Table, symbol: str) -> ToldBook:
        return self._books.get(table.channel, symbol, self._market)

    def _row(self, table: Table, symbol: str) -> frames.Row:
        """The one row of every channel but the books that are told in changes."""
        view, index = self._market, table.market == "index"
        source = self._source(symbol) or symbol if index else symbol
        if table.kind == "candle":
            return frames.candle_row(table.market, symbol, view.candle(source, CANDLES[table.unit or ""]))
        if index:
            return frames.index_row(view, symbol, source)
        if table.channel == "trade":
            return frames.trade_row(table.market, view.last_trade(symbol))
        if table.channel == "ticker":
            return frames.ticker_row(table.market, view, symbol)
        if table.channel == "depth5":
            return frames.depth5_row(view, symbol, self._switches)
        return _BY_CLOCK[table.channel](view, symbol)


class Timed:
    """A stream that is sent by the clock: when it changed, and at the latest after a while."""

    def __init__(self, now: float, pause: float, longest: float, make: Callable[[], Message]) -> None:
        self._pause, self._longest, self._make = pause, longest, make
        self._told, self._last = now, _figures(make())
        self.at = now + pause

    def due(self, now: float) -> Iterator[Message]:
        """The message, if one is due."""
        if now < self.at:
            return
        self.at = now + self._pause
        said = self._make()
        figures = _figures(said)
        if figures != self._last or now >= self._told + self._longest - 1e-9:
            self._told, self._last = now, figures
            yield said


def _figures(said: Message) -> Message:
    """What a message says beside its time."""
    return {name: value for name, value in said["data"][0].items() if name != "timestamp"}


def _coins(symbol: str) -> str:
    return "-".join(symbol.split("-")[:2])
