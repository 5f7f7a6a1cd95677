"""The part of the client that subscribes: each event goes to a callback."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from tapewire.client.component import Component, Ears
from tapewire.client.ear import Ear, closes_client, leads_to
from tapewire.client.handle import Handle, as_subscriptions
from tapewire.client.latest import DataPool
from tapewire.client.mailman import Mailman
from tapewire.config import MailboxOptions
from tapewire.errors import UsageError
from tapewire.model.events import CandleEvent, Event, OrderbookEvent, TickerEvent, TradeEvent
from tapewire.model.status import FeedEvent
from tapewire.model.subscription import StreamPreference, Subscription
from tapewire.runtime.pool import Pool

E_contra = TypeVar("E_contra", bound=Event, contravariant=True)
Callback = Callable[[E_contra], Any]
FeedCallback = Callable[[FeedEvent], Any]
Symbols = str | Iterable[str]


class Callbacks:
    """What ``WebSocketClient`` hands to callbacks."""

    _component: Component
    _ears: Ears
    _feed_ears: list[Ear]
    _kept: DataPool

    @property
    def _pool(self) -> Pool:
        raise NotImplementedError

    async def subscribe_ticker(
        self,
        symbols: Symbols,
        callback: Callback[TickerEvent],
        stream_preference: StreamPreference = "both",
        *,
        mailbox: MailboxOptions | None = None,
    ) -> Handle:
        """Call ``callback`` (plain or async) with each ``TickerEvent`` of ``symbols``.

        A plain callback runs at once on the loop's thread; an async one has a mailbox (``mailbox``, its rule
        when it falls behind) and runs in order, one event at a time.

        Raises:
            SubscriptionError: none of the symbols can be subscribed. A single bad one is in ``rejected``.
        """
        return await self._subscribe(Subscription("ticker", ""), symbols, callback, stream_preference, mailbox)

    async def subscribe_trade(
        self,
        symbols: Symbols,
        callback: Callback[TradeEvent],
        stream_preference: StreamPreference = "both",
        *,
        mailbox: MailboxOptions | None = None,
    ) -> Handle:
        """As ``subscribe_ticker``, for each ``TradeEvent``."""
        return await self._subscribe(Subscription("trade", ""), symbols, callback, stream_preference, mailbox)

    async def subscribe_orderbook(
        self,
        symbols: Symbols,
        callback: Callback[OrderbookEvent],
        stream_preference: StreamPreference = "both",
        *,
        depth: int | None = None,
        level: float = 0,
        mailbox: MailboxOptions | None = None,
    ) -> Handle:
        """As ``subscribe_ticker``, for each ``OrderbookEvent``: ``depth`` levels grouped by ``level``."""
        template = Subscription("orderbook", "", depth=depth, level=level)
        return await self._subscribe(template, symbols, callback, stream_preference, mailbox)

    async def subscribe_candle(
        self,
        symbols: Symbols,
        callback: Callback[CandleEvent],
        stream_preference: StreamPreference = "both",
        *,
        unit: str = "1s",
        mailbox: MailboxOptions | None = None,
    ) -> Handle:
        """As ``subscribe_ticker``, for each ``CandleEvent`` of ``unit`` (``1s``, ``1m`` … ``240m``)."""
        template = Subscription("candle", "", unit=unit)
        return await self._subscribe(template, symbols, callback, stream_preference, mailbox)

    async def subscribe(
        self,
        subscriptions: Iterable[Subscription],
        callback: Callback[Any],
        stream_preference: StreamPreference = "both",
        *,
        mailbox: MailboxOptions | None = None,
    ) -> Handle:
        """Any mixture of streams to one callback."""
        wanted = as_subscriptions(subscriptions)
        kinds = {one.kind for one in wanted}
        handle = self._handle("streams", kinds, Subscription("", ""), callback, stream_preference, mailbox)
        return await self._begin(handle, handle.add_subscriptions(wanted))

    def subscribe_feed(self, callback: FeedCallback) -> None:
        """Call ``callback`` (plain) with each event of the feed itself (connected, disconnected, gap …).

        It hears every connection that this client shares. A callback that raises is logged.
        """
        if _is_async(callback):
            raise UsageError(f"callback is {callback!r}; it must be a plain function that takes one feed event")
        ear = Ear(callback)
        self._pool  # noqa: B018 - it is in use from now on
        self._component.hear_feed(ear.weakly())
        self._feed_ears.append(ear)

    async def _subscribe(
        self,
        template: Subscription,
        symbols: Symbols,
        callback: Callback[Any],
        preference: StreamPreference,
        mailbox: MailboxOptions | None,
    ) -> Handle:
        handle = self._handle(template.kind, {template.kind}, template, callback, preference, mailbox)
        return await self._begin(handle, handle.add(symbols))

    def _handle(  # noqa: PLR0917 - what one subscribe call was given
        self,
        name: str,
        kinds: set[str],
        template: Subscription,
        callback: Callback[Any],
        preference: StreamPreference,
        mailbox: MailboxOptions | None,
    ) -> Handle:
        """A handle whose events go to the callback: itself, if nothing speaks against it."""
        if not callable(callback):
            raise UsageError(f"callback is {callback!r}; it must be a function that takes one event")
        self._pool  # noqa: B018 - it is in use from now on
        component, mailman, deliver, ear = self._component, None, callback, Ear(callback)
        handle = component.handle(name, template, preference)
        if _is_async(callback):
            options, lag = mailbox or component.options.mailbox, component.pool.lag_reporter()
            mailman = Mailman(handle, ear, options, lag, handle.hold)
            deliver = mailman.mailbox.put
        elif not closes_client(callback) and leads_to(callback, Callbacks):
            deliver = ear.weakly()
        if deliver is not callback:
            self._ears[handle] = ear
        handle.bind(self._kept.keeping(deliver, kinds), lambda error: component.ended(handle, error))
        component.begun(handle, mailman)
        return handle

    async def _begin(self, handle: Handle, add: Coroutine[Any, Any, None]) -> Handle:
        try:
            await add
        except BaseException:
            handle.end()
            raise
        return handle


def _is_async(callback: Callable[..., Awaitable[Any] | Any]) -> bool:
    return inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(getattr(callback, "__call__", None))  # noqa: B004
