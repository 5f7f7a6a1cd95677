"""The part of the client that asks once: the present state of some streams, awaited with a time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from tapewire.client.component import Component
from tapewire.client.handle import Handle, as_symbols
from tapewire.errors import ConfigError, FeedError, TimedOut, UsageError
from tapewire.model.events import CandleEvent, Event, OrderbookEvent, TickerEvent, TradeEvent
from tapewire.model.subscription import Subscription
from tapewire.runtime.pool import Pool

#: Streams that an error names; the others it counts.
_NAMED = 10


class Snapshots:
    """What ``WebSocketClient`` answers once. Streams that run are not disturbed: in the request that asks for the
    snapshot they are asked realtime-only, and a stream that is live already is asked again with its snapshot.
    """

    name: str
    _component: Component

    @property
    def _pool(self) -> Pool:
        raise NotImplementedError

    async def ticker_snapshot(
        self,
        symbols: str | Iterable[str],
        timeout: float = 5.0,  # noqa: ASYNC109 - the user's limit
    ) -> list[TickerEvent]:
        """The present ticker of each symbol, in the order of ``symbols`` (a symbol named twice comes once).

        Args:
            symbols: one code or several.
            timeout: seconds for all of it, connecting included.

        Raises:
            SubscriptionError: a symbol cannot be subscribed; nothing was asked for the others either.
            TimedOut: names the streams that did not answer in time.
            FeedError: the exchange refused, or the connection gave up.
            UsageError: the client was closed meanwhile.
        """
        return await self._once([Subscription("ticker", symbol) for symbol in as_symbols(symbols)], timeout)

    async def trade_snapshot(
        self,
        symbols: str | Iterable[str],
        timeout: float = 5.0,  # noqa: ASYNC109 - the user's limit
    ) -> list[TradeEvent]:
        """The last trade of each symbol; see ``ticker_snapshot``."""
        return await self._once([Subscription("trade", symbol) for symbol in as_symbols(symbols)], timeout)

    async def orderbook_snapshot(
        self,
        symbols: str | Iterable[str],
        *,
        depth: int | None = None,
        level: float = 0,
        timeout: float = 5.0,  # noqa: ASYNC109 - the user's limit
    ) -> list[OrderbookEvent]:
        """The present book of each symbol, ``depth`` levels grouped by ``level``; see ``ticker_snapshot``.

        A depth or level other than that of a running stream of the same symbol takes a connection of its own.
        """
        wanted = [Subscription("orderbook", symbol, depth=depth, level=level) for symbol in as_symbols(symbols)]
        return await self._once(wanted, timeout)

    async def candle_snapshot(
        self,
        symbols: str | Iterable[str],
        *,
        unit: str = "1s",
        timeout: float = 5.0,  # noqa: ASYNC109 - the user's limit
    ) -> list[CandleEvent]:
        """The present candle of ``unit`` of each symbol; see ``ticker_snapshot``."""
        return await self._once([Subscription("candle", symbol, unit=unit) for symbol in as_symbols(symbols)], timeout)

    async def _once(self, wanted: list[Subscription], seconds: float) -> list[Any]:
        check_timeout(seconds)
        came: dict[str, Event] = {}
        ended = asyncio.Event()
        self._pool  # noqa: B018 - it is in use from now on
        component = self._component
        handle = component.handle("snapshot", Subscription("", ""), "snapshot_only")
        handle.bind(lambda event: came.setdefault(event.symbol, event), lambda _error: ended.set())
        component.begun(handle)
        try:
            async with asyncio.timeout(seconds):
                await handle.add_subscriptions(wanted)
                if not handle.rejected:
                    await ended.wait()
        except TimeoutError as error:
            late = [str(one) for one in wanted if one.symbol not in came]
            if not late or isinstance(error, FeedError):
                raise
            raise TimedOut(f"{self.name}: {_some(late)}", seconds) from None
        finally:
            handle.end()
            component.ended(handle)
        _raise_refusal(handle, wanted, came)
        return [came[one.symbol] for one in wanted]


def check_timeout(seconds: object, name: str = "timeout") -> None:
    """Raises ConfigError for what is no time limit: it must be a number of seconds, more than 0."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        raise ConfigError(name, seconds, "seconds, more than 0")


def _raise_refusal(handle: Handle, wanted: list[Subscription], came: dict[str, Event]) -> None:
    for one in wanted:
        if one in handle.refused:
            raise handle.refused[one]
    if any(one.symbol not in came for one in wanted):
        raise handle.error or UsageError(f"{handle.name}: the client was closed before the answer came")


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
