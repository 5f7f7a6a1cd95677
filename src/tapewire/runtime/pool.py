"""All connections of one venue at one address: chooses the line for each subscription, opens and retires drivers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

from tapewire.config import Credentials, FeedOptions
from tapewire.errors import FeedError, SubscriptionError, UsageError
from tapewire.errors import Rejected as RejectedError
from tapewire.hub.listening import Listener
from tapewire.model.health import Reason
from tapewire.model.market import Market
from tapewire.model.metrics import ConnectionMetrics, MailboxMetrics, VenueMetrics, latency_statistics
from tapewire.model.status import FeedEvent, Gap, Rejected
from tapewire.model.subscription import Subscription
from tapewire.runtime.clock import Clock
from tapewire.runtime.complaints import Complaints
from tapewire.runtime.driver import Driver, DriverEvents, Origin
from tapewire.runtime.feed_log import FeedLog
from tapewire.runtime.health import Troubles
from tapewire.runtime.lag import LagReporter
from tapewire.runtime.limits import LimitFigures, account_of, figures_of
from tapewire.runtime.listing import Listing
from tapewire.runtime.metrics import mailbox_metrics, metrics_of, statistics_of
from tapewire.runtime.observe import Statistics, log_fields, logger
from tapewire.runtime.recovery import Recovery
from tapewire.runtime.rest import Rest
from tapewire.runtime.signing import ServerClock, Signer
from tapewire.session.limits import Limits
from tapewire.session.machine import Machine
from tapewire.transport.contract import Http, Line, LineFactory
from tapewire.venues.contract import Venue

#: Seconds a clean stop may take.
STOP_TIMEOUT = 4.0
#: Told that a stream ended for a listener: with the error, or None when its snapshot was all it wanted.
Ended = Callable[[Subscription, FeedError | None], None]
#: One stream as the pool knows it: whose key it is read with (None: nobody's), and which it is.
Place = tuple[Credentials | None, Subscription]


class Past:
    """Figures of connections that ended."""

    def __init__(self) -> None:
        self.messages: Counter[str] = Counter()
        self.connects = self.reconnects = 0
        self.quarantined = 0
        self.callback_errors = self.doubled = 0
        self.better: float | None = None

    def add(self, driver: Driver) -> None:
        self.messages.update(driver.router.counts())
        self.connects += driver.connects
        self.reconnects += driver.machine.reconnects
        self.quarantined += driver.quarantined
        self.callback_errors += driver.complaints.count
        self.doubled += driver.router.doubled
        self.better = max((t for t in (self.better, driver.notes.better) if t is not None), default=None)


class Ports:
    """What a pool needs from outside, handed in so that tests can replace it."""

    def __init__(
        self,
        clock: Clock,
        make_line: LineFactory,
        http: Http,
        random: Callable[[], float],
        ticket: Callable[[], str],
        *,
        numbers: Counter[str] | None = None,
    ) -> None:
        self.clock = clock
        self.make_line = make_line
        self.http = http
        self.random = random
        self.ticket = ticket
        #: Connections made so far, by venue: those of all pools have names of their own.
        self.numbers: Counter[str] = Counter() if numbers is None else numbers


class Pool:
    """Connections of one (venue, options). Made by the manager, used by clients."""

    def __init__(self, venue: Venue, options: FeedOptions, limits: Limits, ports: Ports) -> None:
        self.venue = venue
        self.options = options
        self.drivers: list[Driver] = []
        self.feed_listeners: list[Callable[[FeedEvent], None]] = []
        self.gaps = 0
        self.troubles = Troubles()
        self._complaints = Complaints(venue.name, "", ports.clock, self.publish)
        self._past = Past()
        self._log = FeedLog()
        self._limits = limits
        self._ports = ports
        self._place: dict[Place, Driver] = {}
        self._ended: dict[Listener, Ended] = {}
        self._dirty: dict[Driver, set[Subscription]] = {}
        self._flushing: asyncio.Handle | None = None
        self._loop = asyncio.get_running_loop()
        self._rest = Rest(venue, options, ports.http, ports.clock, limits, self.publish)
        self._server_clock = ServerClock(venue, self._rest, ports.clock)
        self._listing = Listing(venue, options, self._rest, ports.clock)
        self._recovery = Recovery(venue, options, self._rest, ports.clock, self._hand_on)

    # Symbols.

    async def check(self, subscriptions: Iterable[Subscription]) -> dict[Subscription, SubscriptionError]:
        """What the exchange would refuse or answer with silence, with the reason for each."""
        return await self._listing.check(subscriptions)

    async def markets(self) -> dict[str, Market]:
        """The venue's markets by symbol, from REST. Raises HttpFailed or DecodeError."""
        return await self._listing.markets()

    def check_loop(self) -> None:
        """Raises UsageError in another event loop than the one this pool belongs to."""
        if asyncio._get_running_loop() not in (None, self._loop):  # noqa: SLF001 - its one way to ask without an error
            raise UsageError("the client belongs to another event loop; make one in each loop (each asyncio.run)")

    @property
    def url(self) -> str:
        return self.options.url or self.venue.facts.url

    # Subscriptions.

    def add(self, subscription: Subscription, listener: Listener, ended: Ended) -> None:
        """Let ``listener`` hear a stream; ``ended`` is told when it ends without being asked to."""
        place = (listener.account, subscription)
        driver = self._place.get(place)
        if driver is None:
            driver = self._place[place] = self._line_for(*place)
        self._ended[listener] = ended
        driver.router.add(subscription, listener)
        self._mark(driver, (subscription,) if listener.needs_snapshot else ())

    def remove(self, subscription: Subscription, listener: Listener) -> None:
        """Take ``listener`` off; the last one's leaving ends the stream on the wire."""
        self._ended.pop(listener, None)
        place = (listener.account, subscription)
        driver = self._place.get(place)
        if driver is None:
            return
        if driver.router.remove(subscription, listener):
            del self._place[place]
        self._mark(driver)

    def hold(self, holder: object, places: Iterable[Place], *, holding: bool) -> None:
        """Stop reading the lines of these streams for ``holder``, or go on with all that it holds."""
        drivers = {self._place[place] for place in places if place in self._place} if holding else self.drivers
        for driver in drivers:
            driver.hold(holder, holding=holding)

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
                self._finished(driver, None)

    def is_live(self, place: Place) -> bool:
        """Whether the stream is confirmed on its connection."""
        driver = self._place.get(place)
        return driver is not None and place[1] in driver.machine.live

    def is_open(self, place: Place) -> bool:
        """Whether the stream's connection is open."""
        driver = self._place.get(place)
        return driver is not None and driver.machine.state == "open"

    def limits_left(self) -> list[LimitFigures]:
        """What the exchange's limits at this address allow now."""
        return figures_of(self._limits, self._ports.clock.now().t)

    def inquire(self) -> list[str]:
        """Ask the exchange what it holds, for each connection that has streams: their names. ``Listed`` answers."""
        self._flush()
        possible = self.venue.encode_list is not None
        asked = [driver for driver in self.drivers if possible and driver.router.streams and not driver.stopping]
        for driver in asked:
            driver.inquire()
        return [driver.origin.connection for driver in asked]

    def wall_ns(self) -> int:
        """Wall clock, ns UTC."""
        return self._ports.clock.wall_ns()

    def statistics(self, *, dropped: int) -> Statistics:
        """What all connections did so far, those that ended included."""
        t = self._ports.clock.now().t
        connections = [statistics_of(driver, t) for driver in self.drivers]
        messages = Counter(self._past.messages)
        for one in connections:
            messages.update(one.messages)
        return Statistics(
            connections=tuple(connections),
            messages=dict(messages),
            total_processed=sum(messages.values()),
            reconnects=self._past.reconnects + sum(one.reconnects for one in connections),
            gaps=self.gaps,
            recovered=self.troubles.recovered,
            doubled=self._past.doubled + sum(driver.router.doubled for driver in self.drivers),
            quarantined=self._past.quarantined + sum(one.quarantined for one in connections),
            callback_errors=self._callback_errors(),
            dropped=dropped,
            latency_ms=latency_statistics([ms for driver in self.drivers for ms in driver.notes.latencies]),
        )

    def connection_metrics(self) -> list[ConnectionMetrics]:
        """Every figure of each connection that there is now."""
        now = self._ports.clock.now()
        return [metrics_of(driver, now, self.venue.facts.event_kinds) for driver in self.drivers]

    def mailbox_metrics(self) -> list[MailboxMetrics]:
        """The queue of each subscriber that has one."""
        open_ones = [mailbox for mailbox in self.troubles.mailboxes if not mailbox.closed]
        return sorted((mailbox_metrics(self.venue.name, one) for one in open_ones), key=lambda figures: figures.name)

    def venue_metrics(self) -> VenueMetrics:
        """Over all connections, those that ended included."""
        messages, troubles = Counter(self._past.messages), self.troubles
        for driver in self.drivers:
            messages.update(driver.router.counts())
        return VenueMetrics(
            venue=self.venue.name,
            url=self.url,
            messages=dict(messages),
            total_processed=sum(messages.values()),
            connects=self._past.connects + sum(driver.connects for driver in self.drivers),
            reconnects=self._past.reconnects + sum(driver.machine.reconnects for driver in self.drivers),
            errors=troubles.errors,
            rejected=troubles.rejected,
            gaps=self.gaps,
            quarantined=self._past.quarantined + sum(driver.quarantined for driver in self.drivers),
            callback_errors=self._callback_errors(),
            dropped=troubles.dropped,
        )

    def reasons(self) -> list[Reason]:
        """What is wrong with this pool's connections, streams and subscribers now."""
        facts, session = self.venue.facts, self.options.session
        return self.troubles.reasons(self.drivers, self._ports.clock.now(), facts.event_kinds, session.stale_after)

    def better(self) -> list[float]:
        """When troubles ended, monotonic seconds; the last of each connection."""
        ends = (self._past.better, *(driver.notes.better for driver in self.drivers))
        return [t for t in ends if t is not None] + self.troubles.ended(self._ports.clock.now())

    def _callback_errors(self) -> int:
        live = sum(driver.complaints.count for driver in self.drivers)
        return self._complaints.count + self._past.callback_errors + live

    def callback_failed(self, subscriber: str, error: BaseException, *, last: bool = False) -> None:
        """An async callback raised: count it, and tell it as those of plain ones; the ``last`` one always."""
        self._complaints.add(subscriber, error, always=last)

    def lag_reporter(self) -> LagReporter:
        """Tells one mailbox's drops as ``Lagged``."""
        return LagReporter(self.venue.name, self.wall_ns, self.publish)

    async def close_http(self) -> None:
        """Give the REST connections back; the next call opens them anew."""
        await self._listing.close()

    def kill(self) -> None:
        """Cut every connection at once."""
        self._recovery.kill()
        for driver in self.drivers:
            driver.kill()
        self.drivers.clear()

    def publish(self, event: FeedEvent) -> None:
        """Log a feed event, end what it says has ended, hand it to whoever listens."""
        self.gaps += isinstance(event, Gap)
        self._hand_on(event)
        if isinstance(event, Rejected) and event.final:
            error = RejectedError(event.venue, event.name, event.message)
            for driver in self.drivers:
                if driver.origin.connection == event.connection:
                    self._end(driver, event.subscriptions, error)

    def _hand_on(self, event: FeedEvent) -> None:
        """As ``publish``, for the row of a gap that comes once more."""
        self._log.tell(event)
        self.troubles.publish(event, self.drivers, self._ports.clock.now().t)
        for hear in tuple(self.feed_listeners):
            try:
                hear(event)
            except Exception:  # a user's callback may raise anything; telling it as an event would go in circles
                fields = log_fields("feed_callback_failed", self.venue.name)
                logger.exception("%s: a feed callback raised", self.venue.name, extra=fields)

    def _line_for(self, account: Credentials | None, subscription: Subscription) -> Driver:
        """A driver whose frames of ``subscription`` could be told apart from all others that may still come."""
        side = self.venue.side(subscription)
        for driver in self.drivers:
            ours = driver.origin.side == side and driver.origin.credentials == account
            if ours and not driver.stopping and not driver.done.is_set() and self._takes(driver, subscription):
                return driver
        return self._new_driver(account, side)

    def _takes(self, driver: Driver, subscription: Subscription) -> bool:
        same_line, fits, streams = self.venue.same_line, self.venue.fits, tuple(driver.router.streams)
        if fits is not None and not fits((*streams, subscription)):
            return False
        return all(other == subscription or same_line(subscription, other) for other in (*streams, *driver.router.gone))

    def _new_driver(self, account: Credentials | None, side: str) -> Driver:
        numbers = self._ports.numbers
        numbers[self.venue.name] += 1
        name = self.venue.name if side == "public" else f"{self.venue.name}-{side}"
        name = f"{name}-{numbers[self.venue.name]}"
        machine = Machine(
            self.venue,
            name,
            self.options,
            self._limits.connects(account_of(account)),
            self._limits.messages,
            self._ports.random,
            self._ports.ticket,
            side,
        )
        origin = Origin(self.venue.name, name, machine.url, side, account)
        codec = self.venue.codec(self.options.format, self.options.numbers, self.options.keep_raw)
        events = DriverEvents(self.publish, self._snapshot_done, self._finished, self._recovery)
        clock, drop_doubles = self._ports.clock, self.options.drop_doubles
        signer = None if account is None else Signer(self.venue, account, self._server_clock, self._ports.ticket)
        driver = Driver(
            origin, machine, self.venue, codec, self._make_line, clock, events, signer, drop_doubles=drop_doubles
        )
        self.drivers.append(driver)
        return driver

    def _make_line(self) -> Line:
        return self._ports.make_line(self.options.line, self._ports.clock.wall_ns)

    def _mark(self, driver: Driver, joined: Iterable[Subscription] = ()) -> None:
        """Tell the driver at the end of this round of the loop, so that many calls make one request."""
        self._dirty.setdefault(driver, set()).update(joined)
        if self._flushing is None:
            self._flushing = self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        dirty, self._dirty = self._dirty, {}
        for driver, joined in dirty.items():
            if not driver.done.is_set():
                driver.want(joined)

    def _finished(self, driver: Driver, error: FeedError | None) -> None:
        if driver in self.drivers:
            self.drivers.remove(driver)
            self._past.add(driver)
        if error is not None:
            self.troubles.gave_up(driver, error, self._ports.clock.now().t)
            self._end(driver, tuple(driver.router.streams), error)

    def _snapshot_done(self, subscription: Subscription, listener: Listener) -> None:
        ended = self._ended.get(listener)
        self.remove(subscription, listener)
        if ended is not None:
            ended(subscription, None)

    def _end(self, driver: Driver, subscriptions: tuple[Subscription, ...], error: FeedError) -> None:
        for subscription in subscriptions:
            stream = driver.router.streams.get(subscription)
            for listener in tuple(stream.listeners) if stream else ():
                ended = self._ended.get(listener)
                self.remove(subscription, listener)
                if ended is not None:
                    ended(subscription, error)
