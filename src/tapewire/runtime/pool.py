"""All connections of one venue at one address: chooses the line for each subscription, opens and retires drivers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import msgspec

from tapewire.config import FeedOptions
from tapewire.errors import FeedError, HttpFailed, SubscriptionError, VenueError
from tapewire.errors import Rejected as RejectedError
from tapewire.hub.mailbox import Mailbox
from tapewire.hub.router import Listener
from tapewire.model.market import Market
from tapewire.model.status import FeedEvent, Gap, Lagged, Rejected
from tapewire.model.subscription import Subscription
from tapewire.runtime.clock import Clock
from tapewire.runtime.driver import Driver, DriverEvents, Origin
from tapewire.runtime.observe import Statistics, callback_failed, latency_statistics, log, logger
from tapewire.session.gate import Gate
from tapewire.session.machine import Machine
from tapewire.transport.contract import Http, Line, LineFactory
from tapewire.venues.contract import Venue

#: Seconds a REST call for the list of markets may take; the subscription waits for it.
MARKETS_TIMEOUT = 3.0
#: Seconds after which an unknown symbol makes the list of markets be asked again (it may be newly listed).
MARKETS_MAX_AGE = 60.0
#: Seconds a clean stop may take.
STOP_TIMEOUT = 4.0
#: Seconds between two reports of one mailbox's drops.
LAG_INTERVAL = 1.0

Failed = Callable[[Subscription, FeedError], None]


class Past:
    """Figures of connections that ended."""

    def __init__(self) -> None:
        self.messages: Counter[str] = Counter()
        self.reconnects = 0
        self.quarantined = 0
        self.callback_errors = 0

    def add(self, driver: Driver) -> None:
        self.messages.update(driver.router.counts())
        self.reconnects += driver.machine.reconnects
        self.quarantined += driver.quarantined
        self.callback_errors += driver.callback_errors


class Ports:
    """What a pool needs from outside, handed in so that tests can replace it."""

    def __init__(
        self,
        clock: Clock,
        make_line: LineFactory,
        http: Http,
        random: Callable[[], float],
        ticket: Callable[[], str],
    ) -> None:
        self.clock = clock
        self.make_line = make_line
        self.http = http
        self.random = random
        self.ticket = ticket


class Pool:
    """Connections of one (venue, options). Made by the manager, used by clients."""

    def __init__(self, venue: Venue, options: FeedOptions, connect_gate: Gate, ports: Ports) -> None:
        self.venue = venue
        self.options = options
        self.drivers: list[Driver] = []
        self.feed_listeners: list[Callable[[FeedEvent], None]] = []
        self.gaps = 0
        self._errors = 0
        self._past = Past()
        self._gate = connect_gate
        self._ports = ports
        self._made = 0
        self._place: dict[Subscription, Driver] = {}
        self._failed: dict[Listener, Failed] = {}
        self._dirty: set[Driver] = set()
        self._flushing: asyncio.Handle | None = None
        self._markets: dict[str, Market] | None = None
        self._markets_at = float("-inf")
        self._fetching = asyncio.Lock()

    # Symbols.

    async def check(self, subscriptions: Iterable[Subscription]) -> dict[Subscription, SubscriptionError]:
        """What the exchange would refuse or answer with silence, with the reason for each."""
        wanted = list(subscriptions)
        refused = self._refused(wanted, None)
        rest = [subscription for subscription in wanted if subscription not in refused]
        if not self.options.validate or not rest:
            return refused
        markets = await self._known_markets(rest)
        return refused | self._refused(rest, markets) if markets is not None else refused

    async def markets(self) -> dict[str, Market]:
        """The venue's markets by symbol, from REST. Raises HttpFailed or DecodeError."""
        async with self._fetching:
            body = await self._ports.http.get(self.rest_url + self.venue.markets_request, timeout=MARKETS_TIMEOUT)
            self._markets = {market.symbol: market for market in self.venue.read_markets(body)}
            self._markets_at = self._ports.clock.now().t
            return self._markets

    @property
    def url(self) -> str:
        return self.options.url or self.venue.facts.url

    @property
    def rest_url(self) -> str:
        """The REST address: as set, or beside the WebSocket address that was set, or the venue's own."""
        if self.options.rest_url is not None:
            return self.options.rest_url.rstrip("/")
        if self.options.url is None:
            return self.venue.facts.rest_url
        scheme, rest = self.options.url.split("://", 1)
        return f"{'https' if scheme == 'wss' else 'http'}://{rest.split('/', 1)[0]}"

    async def _known_markets(self, subscriptions: list[Subscription]) -> Mapping[str, Market] | None:
        unknown = self._markets is None or any(s.symbol not in self._markets for s in subscriptions)
        old = self._ports.clock.now().t - self._markets_at > MARKETS_MAX_AGE
        try:
            if self._markets is None or (unknown and old):
                await self.markets()
            await self._add_levels({s.symbol for s in subscriptions if s.level})
        except (HttpFailed, VenueError) as error:
            logger.warning("%s: symbols are not checked against the list of markets: %s", self.venue.name, error)
        return self._markets

    async def _add_levels(self, symbols: set[str]) -> None:
        markets = self._markets or {}
        missing = sorted(s for s in symbols if s in markets and markets[s].levels is None)
        if not missing or self.venue.levels_request is None or self.venue.read_levels is None:
            return
        body = await self._ports.http.get(self.rest_url + self.venue.levels_request(missing), timeout=MARKETS_TIMEOUT)
        for symbol, levels in self.venue.read_levels(body).items():
            if symbol in markets:
                markets[symbol] = msgspec.structs.replace(markets[symbol], levels=levels)

    def _refused(
        self, subscriptions: list[Subscription], markets: Mapping[str, Market] | None
    ) -> dict[Subscription, SubscriptionError]:
        refused = {}
        for subscription in subscriptions:
            try:
                self.venue.check(subscription, markets)
            except SubscriptionError as error:
                refused[subscription] = error
        return refused

    # Subscriptions.

    def add(self, subscription: Subscription, listener: Listener, failed: Failed) -> None:
        """Let ``listener`` hear a stream; ``failed`` is told when it ends for good."""
        driver = self._place.get(subscription)
        fresh = driver is None
        if driver is None:
            driver = self._place[subscription] = self._line_for(subscription)
        self._failed[listener] = failed
        driver.router.add(subscription, listener)
        if not fresh and listener.needs_snapshot:
            driver.refresh({subscription})
        self._mark(driver)

    def remove(self, subscription: Subscription, listener: Listener) -> None:
        """Take ``listener`` off; the last one's leaving ends the stream on the wire."""
        self._failed.pop(listener, None)
        driver = self._place.get(subscription)
        if driver is not None and driver.router.remove(subscription, listener):
            del self._place[subscription]
        if driver is not None:
            self._mark(driver)

    def hold(self, subscription: Subscription, holding: bool) -> None:  # noqa: FBT001
        """Stop or go on reading the line of this stream (``block`` rule)."""
        driver = self._place.get(subscription)
        if driver is not None:
            driver.hold(holding)

    async def drained(self) -> None:
        """Wait until connections without subscriptions are closed (at most 4 s, then they are cut)."""
        self._flush()
        leaving = [driver for driver in self.drivers if not driver.router.streams]
        waits = [asyncio.create_task(driver.done.wait()) for driver in leaving]
        if not waits:
            return
        for driver in leaving:
            driver.stop()
        _, late = await asyncio.wait(waits, timeout=STOP_TIMEOUT)
        for wait in late:
            wait.cancel()
        for driver in leaving:
            if not driver.done.is_set():
                driver.kill()

    def is_live(self, subscription: Subscription) -> bool:
        """Whether the stream is confirmed on its connection."""
        driver = self._place.get(subscription)
        return driver is not None and subscription in driver.machine.live

    def wall_ns(self) -> int:
        """Wall clock, ns UTC."""
        return self._ports.clock.wall_ns()

    def statistics(self, *, dropped: int) -> Statistics:
        """What all connections did so far, those that ended included."""
        connections = [driver.statistics() for driver in self.drivers]
        messages = Counter(self._past.messages)
        for one in connections:
            messages.update(one.messages)
        return Statistics(
            connections=tuple(connections),
            messages=dict(messages),
            total_processed=sum(messages.values()),
            reconnects=self._past.reconnects + sum(one.reconnects for one in connections),
            gaps=self.gaps,
            quarantined=self._past.quarantined + sum(one.quarantined for one in connections),
            callback_errors=self._errors
            + self._past.callback_errors
            + sum(driver.callback_errors for driver in self.drivers),
            dropped=dropped,
            latency_ms=latency_statistics([ms for driver in self.drivers for ms in driver.latencies]),
        )

    def callback_failed(self, subscriber: str, error: BaseException) -> None:
        """An async callback raised: count, log and tell it."""
        self._errors += 1
        self.publish(callback_failed(self.venue.name, "", self.wall_ns(), subscriber, error))

    def lag_reporter(self) -> Callable[[Mailbox], None]:
        """Tells a mailbox's drops as ``Lagged``: at most once a second, with counts."""
        loop = asyncio.get_running_loop()
        told = 0
        pending = False

        def report(mailbox: Mailbox) -> None:
            nonlocal told, pending
            pending = False
            dropped, told = mailbox.dropped - told, mailbox.dropped
            if dropped:
                self.publish(
                    Lagged(
                        venue=self.venue.name,
                        connection="",
                        at_ns=self.wall_ns(),
                        subscriber=mailbox.name,
                        rule=mailbox.options.rule,
                        dropped=dropped,
                        total_dropped=mailbox.dropped,
                        size=mailbox.options.size,
                    )
                )

        def on_drop(mailbox: Mailbox) -> None:
            nonlocal pending
            if not pending:
                pending = True
                loop.call_later(LAG_INTERVAL, report, mailbox)

        return on_drop

    async def close_http(self) -> None:
        """Give the REST connections back; the next call opens them anew."""
        await self._ports.http.close()

    def kill(self) -> None:
        """Cut every connection at once."""
        for driver in self.drivers:
            driver.kill()
        self.drivers.clear()

    def publish(self, event: FeedEvent) -> None:
        """Log a feed event, end what it says has ended, hand it to whoever listens."""
        log(event)
        if isinstance(event, Gap):
            self.gaps += 1
        for hear in tuple(self.feed_listeners):
            try:
                hear(event)
            except Exception:  # a user's callback may raise anything; telling it as an event would go in circles
                logger.exception("%s: a feed callback raised", self.venue.name)
        if isinstance(event, Rejected) and event.final:
            self._end(event.subscriptions, RejectedError(event.venue, event.name, event.message))

    def _line_for(self, subscription: Subscription) -> Driver:
        for driver in self.drivers:
            streams = driver.router.streams
            if not driver.done.is_set() and all(self.venue.same_line(subscription, other) for other in streams):
                return driver
        return self._new_driver()

    def _new_driver(self) -> Driver:
        self._made += 1
        origin = Origin(self.venue.name, f"{self.venue.name}-{self._made}", self.url)
        machine = Machine(
            self.venue,
            origin.connection,
            self.options,
            self._gate,
            self._ports.random,
            self._ports.ticket,
        )
        codec = self.venue.codec(self.options.format, self.options.numbers, self.options.keep_raw)
        events = DriverEvents(self.publish, self.remove, self._finished)
        driver = Driver(origin, machine, codec, self._make_line, self._ports.clock, events)
        self.drivers.append(driver)
        return driver

    def _make_line(self) -> Line:
        return self._ports.make_line(self.options.line, self._ports.clock.wall_ns)

    def _mark(self, driver: Driver) -> None:
        self._dirty.add(driver)
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        dirty, self._dirty = self._dirty, set()
        for driver in sorted(dirty, key=lambda one: one.origin.connection):
            if not driver.done.is_set():
                driver.want()

    def _finished(self, driver: Driver, error: FeedError | None) -> None:
        if driver in self.drivers:
            self.drivers.remove(driver)
            self._past.add(driver)
        if error is not None:
            self._end(tuple(driver.router.streams), error)

    def _end(self, subscriptions: tuple[Subscription, ...], error: FeedError) -> None:
        for subscription in subscriptions:
            driver = self._place.get(subscription)
            stream = None if driver is None else driver.router.streams.get(subscription)
            for listener in tuple(stream.listeners) if stream else ():
                failed = self._failed.get(listener)
                self.remove(subscription, listener)
                if failed is not None:
                    failed(subscription, error)
