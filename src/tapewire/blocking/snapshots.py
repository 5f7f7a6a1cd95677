"""The part of the blocking client that asks once: the present state of some streams, within a time limit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from tapewire import client
from tapewire.blocking.thread import PATIENCE, LoopThread
from tapewire.client.handle import as_symbols
from tapewire.client.snapshots import check_timeout
from tapewire.model.events import CandleEvent, OrderbookEvent, TickerEvent, TradeEvent

Symbols = str | Iterable[str]
Result = TypeVar("Result")


class Snapshots:
    """What the blocking client answers once."""

    _client: client.WebSocketClient

    def _running(self) -> LoopThread:
        raise NotImplementedError

    def ticker_snapshot(self, symbols: Symbols, timeout: float = 5.0) -> list[TickerEvent]:
        """The present ticker of each symbol, in the order of ``symbols``.

        Raises:
            SubscriptionError: a symbol cannot be subscribed.
            TimedOut: names the streams that did not answer within ``timeout`` seconds.
            FeedError: the exchange refused, or the connection gave up.
        """
        codes = as_symbols(symbols)
        return self._once(lambda: self._client.ticker_snapshot(codes, timeout), timeout)

    def trade_snapshot(self, symbols: Symbols, timeout: float = 5.0) -> list[TradeEvent]:
        """The last trade of each symbol; see ``ticker_snapshot``."""
        codes = as_symbols(symbols)
        return self._once(lambda: self._client.trade_snapshot(codes, timeout), timeout)

    def orderbook_snapshot(
        self, symbols: Symbols, *, depth: int | None = None, level: float = 0, timeout: float = 5.0
    ) -> list[OrderbookEvent]:
        """The present book of each symbol; see ``ticker_snapshot``."""
        codes, ask = as_symbols(symbols), self._client.orderbook_snapshot
        return self._once(lambda: ask(codes, depth=depth, level=level, timeout=timeout), timeout)

    def candle_snapshot(self, symbols: Symbols, *, unit: str = "1s", timeout: float = 5.0) -> list[CandleEvent]:
        """The present candle of ``unit`` of each symbol; see ``ticker_snapshot``."""
        codes = as_symbols(symbols)
        return self._once(lambda: self._client.candle_snapshot(codes, unit=unit, timeout=timeout), timeout)

    def book(self, symbol: str, *, depth: int | None = None) -> OrderbookEvent | None:
        """The order book of a subscribed market as it is now, as the asyncio client's ``book``."""
        return self._running().do("book", lambda: self._client.book(symbol, depth=depth))

    def _once(self, ask: Callable[[], Awaitable[list[Result]]], timeout: float) -> list[Result]:
        check_timeout(timeout)
        return self._running().run("the snapshot", ask, timeout + PATIENCE)
