"""The client: what the user's program touches."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import cache
from types import TracebackType
from typing import Any, Self, TypeVar

from tapewire.client.handle import Handle, as_symbols
from tapewire.client.lines import real_ports
from tapewire.client.mailman import Mailman
from tapewire.client.private import Private, as_credentials
from tapewire.client.snapshots import Snapshots
from tapewire.config import Credentials, FeedOptions, MailboxOptions, Secret, with_changes
from tapewire.errors import DecodeError, UsageError
from tapewire.hub.mailbox import Mailbox
from tapewire.hub.stream import EventStream
from tapewire.model.events import CandleEvent, Event, OrderbookEvent, TickerEvent, TradeEvent
from tapewire.model.market import Market
from tapewire.model.status import FeedEvent
from tapewire.model.subscription import StreamPreference, Subscription
from tapewire.runtime.manager import WebSocketManager, running_manager
from tapewire.runtime.observe import Statistics
from tapewire.runtime.pool import Pool
from tapewire.transport.contract import Http, LineFactory
from tapewire.venues.contract import Codec
from tapewire.venues.registry import get_venue

E_contra = TypeVar("E_contra", bound=Event, contravariant=True)
Callback = Callable[[E_contra], Any]
FeedCallback = Callable[[FeedEvent], Any]
Symbols = str | Iterable[str]


class WebSocketClient(Snapshots, Private):
    """One component of the user's program. Works with ``async with``, or without and a final ``cleanup()``.

    Args:
        name: shows in logs, feed events and statistics.
        venue: ``upbit``, ``upbit-sg``, ``upbit-id``, ``upbit-th`` or any installed venue.
        url: WebSocket address in place of the venue's: a simulator, a gateway, a served recording.
        rest_url: REST address; by default beside ``url``, or the venue's own.
        access_key, secret_key: the API key, for what is the account's own (``subscribe_my_order`` …); or both as
            ``credentials``. Sent only to the venue's (or ``url``'s) host, as a token that is new for each connection.
        options: all options; further keyword arguments replace single fields of it and of its ``line`` and
            ``session`` (``format="SIMPLE"``, ``ping_interval=10``).
        manager: the connections to share; by default all clients of one event loop share one.
        line_factory, http: transports in place of real sockets (the simulator's, in tests).

    Raises:
        UnknownName: no such venue is installed.
        ConfigError: an option has an impossible value.
    """

    def __init__(
        self,
        name: str = "tapewire",
        venue: str = "upbit",
        *,
        url: str | None = None,
        rest_url: str | None = None,
        access_key: str | Secret | None = None,
        secret_key: str | Secret | None = None,
        credentials: Credentials | None = None,
        options: FeedOptions | None = None,
        manager: WebSocketManager | None = None,
        line_factory: LineFactory | None = None,
        http: Http | None = None,
        **changes: Any,
    ) -> None:
        self.name = name
        self.venue = get_venue(venue)
        addresses = {name: given for name, given in (("url", url), ("rest_url", rest_url)) if given is not None}
        self.options = with_changes(options or FeedOptions(), addresses | changes)
        self._credentials = as_credentials(access_key, secret_key, credentials)
        self._manager = manager
        self._replacements = (line_factory, http)
        self._pool_in_use: Pool | None = None
        self._handles: list[Handle] = []
        self._mailmen: set[Mailman] = set()
        self._streams: list[Mailbox] = []
        self._feed_callbacks: list[FeedCallback] = []
        self._dropped = 0  # by mailboxes that are gone
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.cleanup()

    # Callbacks.

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
        wanted = list(subscriptions)
        handle, deliver, mailman = self._handle(Subscription("", ""), callback, stream_preference, mailbox)
        return await self._begin(handle, deliver, mailman, handle.add_subscriptions(wanted))

    def subscribe_feed(self, callback: FeedCallback) -> None:
        """Call ``callback`` (plain) with each event of the feed itself (connected, disconnected, gap …).

        It hears every connection that this client shares. A callback that raises is logged.
        """
        if _is_async(callback):
            raise UsageError(f"callback is {callback!r}; it must be a plain function that takes one feed event")
        self._feed_callbacks.append(callback)
        self._pool.feed_listeners.append(callback)

    # Iterators.

    def tickers(self, symbols: Symbols, **how: Any) -> EventStream[TickerEvent]:
        """Iterate over tickers. ``how``: ``stream_preference``, ``mailbox``."""
        return self._iterate([Subscription("ticker", s) for s in as_symbols(symbols)], **how)

    def trades(self, symbols: Symbols, **how: Any) -> EventStream[TradeEvent]:
        """Iterate over trades. ``how``: ``stream_preference``, ``mailbox``."""
        return self._iterate([Subscription("trade", s) for s in as_symbols(symbols)], **how)

    def orderbooks(
        self, symbols: Symbols, *, depth: int | None = None, level: float = 0, **how: Any
    ) -> EventStream[OrderbookEvent]:
        """Iterate over order books. ``how``: ``stream_preference``, ``mailbox``."""
        wanted = [Subscription("orderbook", s, depth=depth, level=level) for s in as_symbols(symbols)]
        return self._iterate(wanted, **how)

    def candles(self, symbols: Symbols, *, unit: str = "1s", **how: Any) -> EventStream[CandleEvent]:
        """Iterate over candles of ``unit``. ``how``: ``stream_preference``, ``mailbox``."""
        return self._iterate([Subscription("candle", s, unit=unit) for s in as_symbols(symbols)], **how)

    def stream(self, subscriptions: Iterable[Subscription], **how: Any) -> EventStream[Event | FeedEvent]:
        """Iterate over data and the feed's own events in one stream, in the order they happened."""
        return self._iterate(list(subscriptions), with_feed=True, **how)

    # The rest.

    async def unsubscribe(self, handle: Handle) -> None:
        """As ``handle.unsubscribe()``."""
        await handle.unsubscribe()

    async def markets(self) -> list[Market]:
        """Everything the venue lists. Raises HttpFailed (no answer) or DecodeError."""
        return list((await self._pool.markets()).values())

    def statistics(self) -> Statistics:
        """What the connections of this client (and of those that share them) did so far; also after ``cleanup``."""
        pool = self._pool_in_use or self._pool
        mailboxes = [mailman.mailbox for mailman in self._mailmen] + self._streams
        return pool.statistics(dropped=self._dropped + sum(mailbox.dropped for mailbox in mailboxes))

    async def cleanup(self) -> None:
        """Give every subscription back, let async callbacks finish what was received, close: within 5 s.

        A connection that other clients use stays open. A second call does nothing.
        """
        if self._closed:
            return
        self._closed = True
        for handle in tuple(self._handles):
            handle.end()
        for mailbox in self._streams:
            mailbox.close()
        ends = [mailman.finish() for mailman in tuple(self._mailmen)]
        if self._pool_in_use is not None:
            try:
                await asyncio.gather(self._own_manager.drained(), *ends)
            finally:
                for callback in self._feed_callbacks:
                    self._pool_in_use.feed_listeners.remove(callback)

    @property
    def _own_manager(self) -> WebSocketManager:
        if self._manager is None:
            line_factory, http = self._replacements
            if line_factory is None and http is None:
                self._manager = running_manager(real_ports)
            else:
                self._manager = WebSocketManager(self._replaced_ports)
        return self._manager

    def _replaced_ports(self, options: FeedOptions, wall_ns: Callable[[], int]) -> tuple[LineFactory, Http]:
        line_factory, http = self._replacements
        if line_factory is not None and http is not None:
            return line_factory, http
        real = real_ports(options, wall_ns)
        return line_factory or real[0], http or real[1]

    @property
    def _pool(self) -> Pool:
        if self._closed:
            raise UsageError("the client was closed; make a new WebSocketClient")
        if self._pool_in_use is None:
            self._pool_in_use = self._own_manager.pool(self.venue, self.options)
        self._pool_in_use.check_loop()
        return self._pool_in_use

    async def _subscribe(
        self,
        template: Subscription,
        symbols: Symbols,
        callback: Callback[Any],
        preference: StreamPreference,
        mailbox: MailboxOptions | None,
    ) -> Handle:
        handle, deliver, mailman = self._handle(template, callback, preference, mailbox)
        return await self._begin(handle, deliver, mailman, handle.add(symbols))

    def _handle(
        self,
        template: Subscription,
        callback: Callback[Any],
        preference: StreamPreference,
        mailbox: MailboxOptions | None,
    ) -> tuple[Handle, Callable[[Any], object], Mailman | None]:
        if not callable(callback):
            raise UsageError(f"callback is {callback!r}; it must be a function that takes one event")
        name = f"{self.name}:{template.kind or 'streams'}"
        handle = Handle(name, self._pool, template, preference, self._credentials)
        if not _is_async(callback):
            return handle, callback, None
        mailman = Mailman(handle, callback, mailbox or self.options.mailbox, self._pool)
        return handle, mailman.mailbox.put, mailman

    async def _begin(
        self,
        handle: Handle,
        deliver: Callable[[Any], object],
        mailman: Mailman | None,
        add: Coroutine[Any, Any, None],
    ) -> Handle:
        self._handles.append(handle)
        if mailman is not None:
            self._mailmen.add(mailman)
            mailman.task.add_done_callback(lambda _task: self._retire(mailman))

        def ended(_error: object) -> None:
            self._handles.remove(handle)
            if mailman is not None:
                mailman.mailbox.close()

        handle.bind(deliver, ended)
        try:
            await add
        except BaseException:
            handle.end()
            raise
        return handle

    def _retire(self, mailman: Mailman) -> None:
        self._mailmen.discard(mailman)
        self._dropped += mailman.mailbox.dropped

    def _iterate(
        self,
        subscriptions: list[Subscription],
        *,
        stream_preference: StreamPreference = "both",
        mailbox: MailboxOptions | None = None,
        with_feed: bool = False,
    ) -> EventStream[Any]:
        kinds = "+".join(dict.fromkeys(s.kind for s in subscriptions)) or "nothing"
        name = f"{self.name}:{kinds}"
        handle = Handle(name, self._pool, Subscription("", ""), stream_preference, self._credentials)
        lag = self._pool.lag_reporter()
        box = Mailbox(name, mailbox or self.options.mailbox, on_full=handle.hold, on_drop=lag)
        handle.bind(box.put, box.close)
        self._streams.append(box)
        feed = self._pool.feed_listeners

        async def begin() -> None:
            if handle not in self._handles:  # a call that was cut off may have come so far
                self._handles.append(handle)
                if with_feed:
                    feed.append(box.put)
            await handle.add_subscriptions(subscriptions)

        def end() -> None:
            handle.end()
            box.close()
            lag.flush(box)
            if with_feed and box.put in feed:
                feed.remove(box.put)
            if handle in self._handles:
                self._handles.remove(handle)
            if box in self._streams:
                self._streams.remove(box)
                self._dropped += box.dropped

        return EventStream(box, begin, end)


def decode(venue: str, payload: bytes, received_ns: int = 0) -> list[Event]:
    """Read one WebSocket payload of ``venue``, whatever its format; pure.

    Returns:
        The market events in it, in order; an empty list for the exchange's own words (status, error, lists).

    Raises:
        DecodeError: the payload, or an element of it, cannot be read.
        UnknownName: no such venue is installed.
        UsageError: ``payload`` is no bytes (a text message: ``text.encode()``).
    """
    if not isinstance(payload, bytes):
        raise UsageError(f"payload is {type(payload).__name__}; it must be the bytes of one message")
    reading = _codec(venue).read(payload, received_ns)
    if reading.quarantined:
        first = reading.quarantined[0]
        raise DecodeError(venue, first.reason, first.payload)
    return list(reading.events)


async def markets(venue: str = "upbit", *, url: str | None = None, rest_url: str | None = None) -> list[Market]:
    """Everything ``venue`` lists: symbol, base, quote, names. Raises HttpFailed or DecodeError."""
    async with WebSocketClient("markets", venue, url=url, rest_url=rest_url) as client:
        return await client.markets()


@cache
def _codec(venue: str) -> Codec:
    return get_venue(venue).codec("DEFAULT", "float", False)


def _is_async(callback: Callable[..., Awaitable[Any] | Any]) -> bool:
    return inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(getattr(callback, "__call__", None))  # noqa: B004
