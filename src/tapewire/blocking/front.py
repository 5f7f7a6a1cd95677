"""The blocking client: the methods of the asyncio client without ``await``, from any thread."""

from __future__ import annotations

import atexit
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, overload

from tapewire import client
from tapewire.blocking.alerted import Alerts, plain_channels
from tapewire.blocking.handle import Handle, Latest, guarded
from tapewire.blocking.iterator import EventIterator
from tapewire.blocking.private import Private
from tapewire.blocking.snapshots import Snapshots
from tapewire.blocking.thread import LoopThread
from tapewire.client.alerts import Channel, Notice, Rule
from tapewire.client.handle import as_symbols
from tapewire.client.keys import as_credentials
from tapewire.client.latest import key
from tapewire.client.snapshots import check_timeout
from tapewire.config import Credentials, FeedOptions, MailboxOptions, Secret
from tapewire.errors import FeedError, SubscriptionError, TimedOut, UsageError
from tapewire.hub.stream import EventStream
from tapewire.model.events import CandleEvent, Event, OrderbookEvent, TickerEvent, TradeEvent
from tapewire.model.health import HealthStatus
from tapewire.model.market import Market
from tapewire.model.status import FeedEvent, Gap
from tapewire.model.subscription import StreamPreference, Subscription

E_contra = TypeVar("E_contra", bound=Event, contravariant=True)
Callback = Callable[[E_contra], Any]
Symbols = str | Iterable[str]
Result = TypeVar("Result")

#: Kinds of which each stream has a unit.
_WITH_UNIT = frozenset({"candle", "indicator", "indicator_signal"})
#: Events that an iterator takes from its mailbox at once. With ``conflate`` it is one: the others may become newer.
_AT_ONCE = 256
#: Seconds that the end of the program waits for clients which nobody closed.
_EXIT_TIMEOUT = 3.0


class WebSocketClient(Snapshots, Private):
    """``tapewire.WebSocketClient`` for programs without asyncio: same methods, no ``await``, safe from any thread.

    The first call that needs the exchange starts a daemon thread; the first subscription connects. Callbacks run on
    that one thread, one at a time: while one runs, nothing is received, so keep them short or use an iterator. A method
    that must wait raises UsageError within a callback. Close it with ``with`` or ``close()``; the end of the program
    closes it too.

    Args:
        name: shows in logs, feed events and statistics.
        venue: ``upbit``, ``upbit-sg``, ``upbit-id``, ``upbit-th`` or any installed venue.
        url: WebSocket address in place of the venue's: a simulator, a gateway, a served recording.
        rest_url: REST address; by default beside ``url``, or the venue's own.
        access_key, secret_key: the API key, for ``subscribe_my_order`` and its like, with its ``passphrase``
            where the venue has one (OKX); or all as ``credentials``.
        options: all options; further keyword arguments replace single fields (``format="SIMPLE"``).

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
        passphrase: str | Secret | None = None,
        credentials: Credentials | None = None,
        options: FeedOptions | None = None,
        **changes: Any,
    ) -> None:
        try:
            credentials = as_credentials(access_key, secret_key, credentials, passphrase)
        finally:
            del access_key, secret_key, passphrase  # a traceback that shows locals shows no key
        self.name = name
        addresses: dict[str, Any] = {"url": url, "rest_url": rest_url}
        self._client = client.WebSocketClient(
            name, venue, options=options, credentials=credentials, **addresses, **changes
        )
        self._lock = threading.Lock()
        self._thread: LoopThread | None = None
        self._handles: tuple[Handle, ...] = ()
        self._figures: client.Statistics | None = None
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Callbacks.

    def subscribe_ticker(
        self,
        symbols: Symbols,
        callback: Callback[TickerEvent] | None = None,
        stream_preference: StreamPreference = "both",
    ) -> Handle:
        """Call ``callback`` (plain) with each ``TickerEvent`` of ``symbols``, on the client's thread.

        Without a callback only the latest event is kept, for ``latest``. Returns when the symbols were checked;
        ``handle.live()`` waits until they are confirmed.

        Raises:
            SubscriptionError: none of the symbols can be subscribed. A single bad one is in ``rejected``.
            UsageError: called within a callback or after ``close``, or the callback is no plain function.
        """
        codes, latest = as_symbols(symbols), Latest(callback)
        return self._handle(latest, lambda: self._client.subscribe_ticker(codes, latest.hear, stream_preference))

    def subscribe_trade(
        self,
        symbols: Symbols,
        callback: Callback[TradeEvent] | None = None,
        stream_preference: StreamPreference = "both",
    ) -> Handle:
        """As ``subscribe_ticker``, for each ``TradeEvent``."""
        codes, latest = as_symbols(symbols), Latest(callback)
        return self._handle(latest, lambda: self._client.subscribe_trade(codes, latest.hear, stream_preference))

    def subscribe_orderbook(
        self,
        symbols: Symbols,
        callback: Callback[OrderbookEvent] | None = None,
        stream_preference: StreamPreference = "both",
        *,
        depth: int | None = None,
        level: float = 0,
    ) -> Handle:
        """As ``subscribe_ticker``, for each ``OrderbookEvent``: ``depth`` levels grouped by ``level``."""
        codes, latest = as_symbols(symbols), Latest(callback)
        subscribe = self._client.subscribe_orderbook
        return self._handle(latest, lambda: subscribe(codes, latest.hear, stream_preference, depth=depth, level=level))

    def subscribe_candle(
        self,
        symbols: Symbols,
        callback: Callback[CandleEvent] | None = None,
        stream_preference: StreamPreference = "both",
        *,
        unit: str = "1s",
    ) -> Handle:
        """As ``subscribe_ticker``, for each ``CandleEvent`` of ``unit`` (``1s``, ``1m`` … ``240m``)."""
        codes, latest = as_symbols(symbols), Latest(callback)
        subscribe = self._client.subscribe_candle
        return self._handle(latest, lambda: subscribe(codes, latest.hear, stream_preference, unit=unit))

    def subscribe(
        self,
        subscriptions: Iterable[Subscription],
        callback: Callback[Any] | None = None,
        stream_preference: StreamPreference = "both",
    ) -> Handle:
        """Any mixture of streams to one callback."""
        wanted, latest = list(subscriptions), Latest(callback)
        return self._handle(latest, lambda: self._client.subscribe(wanted, latest.hear, stream_preference))

    def subscribe_feed(self, callback: Callable[[FeedEvent], Any]) -> None:
        """Call ``callback`` with each event of the feed itself (connected, disconnected, gap …), on that thread."""
        hear = guarded(callback)
        self._running().do("subscribe_feed", lambda: self._client.subscribe_feed(hear))

    def alerts(
        self, rules: Sequence[Rule], channels: Sequence[Channel | Callable[[Notice], Any]] = (), *, gather: float = 1.0
    ) -> Alerts:
        """Watch by ``rules`` and tell ``channels``, as the asyncio client's ``alerts``; functions are plain ones."""
        thread, told = self._running(), plain_channels(channels)
        return Alerts(thread, thread.run("alerts", lambda: self._client.alerts(rules, told, gather=gather)))

    @overload
    def latest(self, symbol: str, kind: Literal["ticker"] = "ticker") -> TickerEvent | None: ...
    @overload
    def latest(self, symbol: str, kind: Literal["trade"]) -> TradeEvent | None: ...
    @overload
    def latest(self, symbol: str, kind: Literal["orderbook"]) -> OrderbookEvent | None: ...
    @overload
    def latest(self, symbol: str, kind: Literal["candle"], *, unit: str = "1s") -> CandleEvent | None: ...

    def latest(self, symbol: str, kind: str = "ticker", *, unit: str = "1s") -> Event | None:
        """The latest event of a stream that was subscribed with ``subscribe_…``; None when none came, or nobody is
        subscribed. Takes no waiting; may be called within a callback. Of an order book that is not the exchange's any
        more (``Stale`` tells why) there is none, until it was fetched anew.

        Raises:
            SubscriptionError: there is no such kind.
            UsageError: the client was closed.
        """
        kinds = self._client.venue.facts.kinds
        if kind not in kinds:
            raise SubscriptionError("kind", kind, " or ".join(kinds))
        if self._closed:
            raise self._is_closed()
        kept = kind == "orderbook" and self._client.venue.book is not None
        if kept and self._running().do("latest", lambda: self._client.book_is_spoilt(symbol)):
            return None
        at = key(kind, symbol, unit if kind in _WITH_UNIT else None)
        found = [event for handle in self._handles if (event := handle.latest(at)) is not None]
        return max(found, key=lambda event: event.received_ns, default=None)

    # Iterators.

    def tickers(
        self,
        symbols: Symbols,
        *,
        stream_preference: StreamPreference = "both",
        mailbox: MailboxOptions | None = None,
    ) -> EventIterator[TickerEvent]:
        """Iterate over tickers with ``for``; subscribes when first used. ``mailbox``: what waits, see the guide."""
        how = {"stream_preference": stream_preference, "mailbox": mailbox}
        codes = as_symbols(symbols)
        return self._iterator(lambda: self._client.tickers(codes, **how), mailbox)

    def trades(
        self,
        symbols: Symbols,
        *,
        stream_preference: StreamPreference = "both",
        mailbox: MailboxOptions | None = None,
    ) -> EventIterator[TradeEvent]:
        """Iterate over trades; see ``tickers``."""
        how = {"stream_preference": stream_preference, "mailbox": mailbox}
        codes = as_symbols(symbols)
        return self._iterator(lambda: self._client.trades(codes, **how), mailbox)

    def orderbooks(
        self,
        symbols: Symbols,
        *,
        depth: int | None = None,
        level: float = 0,
        stream_preference: StreamPreference = "both",
        mailbox: MailboxOptions | None = None,
    ) -> EventIterator[OrderbookEvent]:
        """Iterate over order books; see ``tickers``."""
        how = {"stream_preference": stream_preference, "mailbox": mailbox}
        codes = as_symbols(symbols)
        return self._iterator(lambda: self._client.orderbooks(codes, depth=depth, level=level, **how), mailbox)

    def candles(
        self,
        symbols: Symbols,
        *,
        unit: str = "1s",
        stream_preference: StreamPreference = "both",
        mailbox: MailboxOptions | None = None,
    ) -> EventIterator[CandleEvent]:
        """Iterate over candles of ``unit``; see ``tickers``."""
        how = {"stream_preference": stream_preference, "mailbox": mailbox}
        codes = as_symbols(symbols)
        return self._iterator(lambda: self._client.candles(codes, unit=unit, **how), mailbox)

    def stream(
        self,
        subscriptions: Iterable[Subscription],
        *,
        stream_preference: StreamPreference = "both",
        mailbox: MailboxOptions | None = None,
    ) -> EventIterator[Event | FeedEvent]:
        """Iterate over data and the feed's own events in one stream, in the order they happened."""
        how = {"stream_preference": stream_preference, "mailbox": mailbox}
        wanted = list(subscriptions)
        return self._iterator(lambda: self._client.stream(wanted, **how), mailbox)

    # The rest.

    def unsubscribe(self, handle: Handle) -> None:
        """As ``handle.unsubscribe()``."""
        handle.unsubscribe()

    def markets(self) -> list[Market]:
        """Everything the venue lists. Raises HttpFailed (no answer) or DecodeError."""
        return self._running().run("markets", self._client.markets)

    def statistics(self) -> client.Statistics:
        """What this client's connections did so far; also after ``close``, and within a callback."""
        if self._figures is not None:
            return self._figures
        return self._running().do("statistics", self._client.statistics)

    def get_health_status(self) -> HealthStatus:
        """How well its connections are, why, and since when (docs/monitoring.md); also within a callback."""
        return self._running().do("health", self._client.get_health_status)

    def gaps(self) -> tuple[Gap, ...]:
        """The gap ledger: each interruption of a stream as it stands (docs/guarantees.md); also within a callback."""
        return self._running().do("gaps", self._client.gaps)

    def serve_metrics(self, port: int = 0, host: str = "127.0.0.1", *, per_symbol: bool = False) -> str:
        """Serve ``/metrics`` for Prometheus and ``/health`` until ``close``; gives the address. Raises as async."""
        serve = partial(self._client.serve_metrics, port, host, per_symbol=per_symbol)
        return self._running().run("serving metrics", serve).url

    def close(self, timeout: float = 5.0) -> None:
        """Give every subscription back, close the connections, end the thread. A second call does nothing.

        Iterators end; who waits in another thread gets a UsageError.

        Raises:
            TimedOut: the thread is still held up after ``timeout`` seconds (by a callback): it ends when that comes
                back, or with the program.
            UsageError: called within a callback.
        """
        check_timeout(timeout)
        with self._lock:
            thread = self._thread
            if thread is not None:
                thread.refuse_here("close")
            if self._closed:
                return
            self._closed = True
        _open.discard(self)
        if thread is not None:
            self._end(thread, timeout)

    def _end(self, thread: LoopThread, timeout: float) -> None:
        thread.stopped = True
        until = thread.time() + timeout
        last = thread.begin(self._finish)
        try:
            with contextlib.suppress(TimedOut, UsageError):  # a thread that is held up is told below; or it is gone
                self._figures = thread.wait(last, "close", timeout)
        finally:
            ended = thread.stop(last, max(0.5, until - thread.time()))
        if not ended:
            raise TimedOut(f"{self.name}: close: a callback (or a name look-up) does not come back", timeout)

    async def _finish(self) -> client.Statistics:
        await self._client.cleanup()
        return self._client.statistics()

    def _running(self) -> LoopThread:
        with self._lock:
            if self._closed:
                raise self._is_closed()
            if self._thread is None:
                self._thread = LoopThread(self.name)
                _open.add(self)
            return self._thread

    def _is_closed(self) -> UsageError:
        return UsageError(f"{self.name}: the client was closed; make a new WebSocketClient")

    def _handle(self, latest: Latest, subscribe: Callable[[], Awaitable[client.Handle]]) -> Handle:
        thread = self._running()
        handle = Handle(thread, thread.run("subscribing", subscribe), latest)
        with self._lock:
            self._handles = (*(one for one in self._handles if one.active), handle)
        return handle

    def _iterator(
        self, make: Callable[[], EventStream[Result]], mailbox: MailboxOptions | None
    ) -> EventIterator[Result]:
        thread, options = self._running(), mailbox or self._client.options.mailbox
        at_once = 1 if options.rule == "conflate" else min(_AT_ONCE, options.size)
        return EventIterator(thread, thread.do("iterating", make), at_once)


_open: set[WebSocketClient] = set()


@atexit.register
def _close_all() -> None:
    """The end of the program: say goodbye to the exchange; who does not listen dies with the process."""
    for one in tuple(_open):
        with contextlib.suppress(FeedError):
            one.close(_EXIT_TIMEOUT)
