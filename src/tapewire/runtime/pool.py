"""All connections of one venue at one address: chooses the line for each subscription, opens and retires drivers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial

from tapewire.config import Credentials, FeedOptions
from tapewire.errors import FeedError, SubscriptionError, UsageError
from tapewire.errors import Rejected as RejectedError
from tapewire.hub.listening import Listener
from tapewire.hub.mailbox import Mailbox
from tapewire.model.health import Reason
from tapewire.model.market import Market
from tapewire.model.metrics import ConnectionMetrics, MailboxMetrics, VenueMetrics, latency_statistics
from tapewire.model.status import FeedEvent, Gap, Rejected
from tapewire.model.subscription import Subscription
from tapewire.runtime.asking import ask_once
from tapewire.runtime.building import Builder, Carrier, Ports
from tapewire.runtime.complaints import Complaints
from tapewire.runtime.cursor_keeper import CursorKeeper
from tapewire.runtime.driver import Driver
from tapewire.runtime.driving import Events
from tapewire.runtime.feed_log import FeedLog
from tapewire.runtime.health import Troubles
from tapewire.runtime.kept_books import BOOK_TIMEOUT
from tapewire.runtime.lag import LagReporter
from tapewire.runtime.limits import LimitFigures, figures_of
from tapewire.runtime.listing import Listing
from tapewire.runtime.metrics import mailbox_metrics, metrics_of, statistics_of
from tapewire.runtime.moving import Moves
from tapewire.runtime.observe import Statistics, log_fields, logger
from tapewire.runtime.past import Past
from tapewire.runtime.polling import Polling
from tapewire.runtime.recovery import Recovery
from tapewire.runtime.rest import Rest
from tapewire.runtime.signing import ServerClock
from tapewire.session.limits import Limits
from tapewire.venues.contract import Venue

#: Seconds a clean stop may take.
STOP_TIMEOUT = 4.0
#: Told that a stream ended for a listener: with the error, or None when its snapshot was all it wanted.
Ended = Callable[[Subscription, FeedError | None], None]
#: One stream as the pool knows it: whose key it is read with (None: nobody's), and which it is.
Place = tuple[Credentials | None, Subscription]


class Pool:
    """Connections of one (venue, options). Made by the manager, used by clients."""

    def __init__(self, venue: Venue, options: FeedOptions, limits: Limits, ports: Ports) -> None:
        self.venue = venue
        self.options = options
        self.carriers: list[Carrier] = []
        self.feed_listeners: list[Callable[[FeedEvent], None]] = []
        self.gaps = 0
        self.troubles = Troubles()
        self._complaints = Complaints(venue.name, "", ports.clock, self.publish)
        self._past = Past()
        self._log = FeedLog()
        self._limits = limits
        self._ports, self.tape = ports, ports.tape
        self._place: dict[Place, Carrier] = {}
        self._ended: dict[Listener, Ended] = {}
        self._dirty: dict[Carrier, set[Subscription]] = {}
        self._flushing: asyncio.Handle | None = None
        self._loop = asyncio.get_running_loop()
        self._rest = Rest(venue, options, ports.http, ports.clock, limits, self.publish)
        self._listing = Listing(venue, options, self._rest, ports.clock)
        self._recovery = Recovery(venue, options, self._rest, ports.clock, self._hand_on)
        self._polling = Polling(venue, options, self._rest, ports.clock, self.publish)
        self._cursor = CursorKeeper(venue.name, options, ports.clock, ports.aside, self, tape=ports.tape)
        self.expect, self.story = self._cursor.expect, self._cursor.story
        if ports.tape is not None:
            ports.tape.begin(self.publish)
            self.feed_listeners.append(ports.tape.hear)
        events = Events(
            self.publish,
            self._snapshot_done,
            self._recovery,
            self._polling,
            partial(self._rest.get, timeout=BOOK_TIMEOUT),
            self._moving,
        )
        server_clock = ServerClock(venue, self._rest, ports.clock)
        self._builder = Builder(
            venue, options, limits, ports, server_clock, events, self._finished, lambda: self.troubles.mailboxes
        )
        self._moves = Moves(ports.clock, self.carriers, self._builder.connection, self._place, self._mark)

    # Symbols.

    async def check(self, subscriptions: Iterable[Subscription]) -> dict[Subscription, SubscriptionError]:
        """What the exchange would refuse or answer with silence, with the reason for each."""
        return await self._listing.check(subscriptions)

    async def markets(self) -> dict[str, Market]:
        """The venue's markets by symbol, from REST. Raises HttpFailed or DecodeError."""
        return await self._listing.markets()

    async def ask(self, path: str, seconds: float, account: Credentials | None = None) -> bytes:
        """Body of a REST answer that somebody waits for, signed if an account is given. Raises HttpFailed."""
        return await ask_once(self._rest, path, seconds, self._builder.signer(account) if account else None)

    def check_loop(self) -> None:
        """Raises UsageError in another event loop than the one this pool belongs to."""
        if asyncio._get_running_loop() not in (None, self._loop):  # noqa: SLF001 - its one way to ask without an error
            raise UsageError("the client belongs to another event loop; make one in each loop (each asyncio.run)")

    @property
    def drivers(self) -> list[Driver]:
        """Every single connection."""
        return [driver for carrier in self.carriers for driver in carrier.drivers]

    @property
    def mailboxes(self) -> Iterable[Mailbox]:
        """Of all who have one."""
        return self.troubles.mailboxes

    @property
    def url(self) -> str:
        if self.options.source is not None:
            return next((carrier.origin.url for carrier in self.carriers), "a message broker")
        return self.options.url or self.venue.facts.url

    # Subscriptions.

    def add(self, subscription: Subscription, listener: Listener, ended: Ended) -> None:
        """Let ``listener`` hear a stream; ``ended`` is told when it ends without being asked to."""
        self._cursor.open()
        place = (listener.account, subscription)
        driver = self._place.get(place)
        if driver is None:
            driver = self._place[place] = self._line_for(*place)
        self._ended[listener] = ended
        self._cursor.begin(driver, driver.router.add(subscription, listener))
        self._mark(driver, (subscription,) if listener.needs_snapshot else ())

    def remove(self, subscription: Subscription, listener: Listener) -> None:
        """Take ``listener`` off; the last one's leaving ends the stream on the wire."""
        self._ended.pop(listener, None)
        place = (listener.account, subscription)
        driver = self._place.get(place)
        if driver is None:
            return
        self._cursor.leave(driver, subscription)
        if driver.router.remove(subscription, listener):
            del self._place[place]
        self._mark(driver)

    def hold(self, holder: object, places: Iterable[Place], *, holding: bool) -> None:
        """Stop reading the lines of these streams for ``holder``, or go on with all that it holds."""
        drivers = {self._place[place] for place in places if place in self._place} if holding else self.carriers
        for driver in drivers:
            driver.hold(holder, holding=holding)

    async def drained(self) -> None:
        """Wait until connections without subscriptions are closed (at most 4 s, then they are cut)."""
        await self._let_go()
        if not self.carriers:
            await self._cursor.close()

    async def _let_go(self) -> None:
        self._moves.tidy()
        self._flush()
        leaving = [carrier for carrier in self.carriers if not carrier.router.streams]
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

    def drivers_of(self, place: Place) -> tuple[Driver, ...]:
        """The connections that carry a stream."""
        carrier = self._place.get(place)
        return () if carrier is None else carrier.drivers

    def is_live(self, place: Place) -> bool:
        """Whether the stream is confirmed on its connection."""
        driver = self._place.get(place)
        return driver is not None and place[1] in driver.live

    def is_open(self, place: Place) -> bool:
        """Whether the stream's connection is open."""
        driver = self._place.get(place)
        return driver is not None and driver.is_open

    def limits_left(self) -> list[LimitFigures]:
        """What the exchange's limits at this address allow now."""
        return figures_of(self._limits, self._ports.clock.now().t)

    def inquire(self) -> list[str]:
        """Ask the exchange what it holds, for each connection that has streams: their names. ``Listed`` answers."""
        self._flush()
        drivers = [driver for driver in self.drivers if not (driver.stopping or driver.done.is_set())]
        asked = [driver for driver in drivers if self.venue.encode_list is not None and driver.router.streams]
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
        messages = self._messages()
        return Statistics(
            connections=tuple(connections),
            messages=dict(messages),
            total_processed=sum(messages.values()),
            reconnects=self._past.reconnects + sum(one.reconnects for one in connections),
            gaps=self.gaps,
            recovered=self.troubles.recovered,
            polled=self._polling.delivered,
            doubled=self._doubled(),
            conflicts=self._conflicts(),
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
        messages, troubles = self._messages(), self.troubles
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
            recovered=troubles.recovered,
            doubled=self._doubled(),
            conflicts=self._conflicts(),
            quarantined=self._past.quarantined + sum(driver.quarantine.count for driver in self.drivers),
            callback_errors=self._callback_errors(),
            dropped=troubles.dropped,
        )

    def reasons(self) -> list[Reason]:
        """What is wrong with this pool's connections, streams and subscribers now."""
        facts, session = self.venue.facts, self.options.session
        return self.troubles.reasons(self.carriers, self._ports.clock.now(), facts.event_kinds, session.stale_after)

    def better(self) -> list[float]:
        """When troubles ended, monotonic seconds; the last of each connection."""
        ends = (self._past.better, *(driver.notes.better for driver in self.drivers))
        return [t for t in ends if t is not None] + self.troubles.ended(self._ports.clock.now())

    def _messages(self) -> Counter[str]:
        """By kind, each counted once."""
        messages = Counter(self._past.messages)
        for carrier in self.carriers:
            messages.update(carrier.router.counts())
        return messages

    def _doubled(self) -> int:
        return self._past.doubled + sum(carrier.router.doubled for carrier in self.carriers)

    def _conflicts(self) -> int:
        return self._past.conflicts + sum(carrier.router.conflicts for carrier in self.carriers)

    def _callback_errors(self) -> int:
        live = sum(carrier.callback_errors for carrier in self.carriers)
        return self._complaints.count + self._past.callback_errors + live

    def callback_failed(self, subscriber: str, error: BaseException, *, last: bool = False) -> None:
        """An async callback raised: count it, and tell it as those of plain ones; the ``last`` one always."""
        self._complaints.add(subscriber, error, always=last)

    def lag_reporter(self) -> LagReporter:
        """Tells one mailbox's drops as ``Lagged``."""
        return LagReporter(self.venue.name, self.wall_ns, self.publish)

    async def close_http(self) -> None:
        """Give the REST connections back, and end the tape's file; the next call opens them anew."""
        await self._listing.close()
        if self.tape is not None:
            self.tape.close()

    def tell_sink(self, name: str, trouble: FeedError | None) -> None:
        """A sink that is fed from here refuses, or (None) takes all again."""
        self.troubles.sink(name, trouble, self._ports.clock.now().t)

    def kill(self) -> None:
        """Cut every connection at once."""
        self._recovery.kill()
        self._cursor.kill()
        self._polling.kill()
        self._moves.kill()
        for carrier in self.carriers:
            carrier.kill()
        self.carriers.clear()

    def publish(self, event: FeedEvent) -> None:
        """Log a feed event, end what it says has ended, hand it to whoever listens."""
        self.gaps += isinstance(event, Gap)
        self._cursor.hear(event)
        self._hand_on(event)
        if isinstance(event, Rejected) and event.final:
            error = RejectedError(event.venue, event.name, event.message)
            for carrier in tuple(self.carriers):
                if any(driver.origin.connection == event.connection for driver in carrier.drivers):
                    self._end(carrier, event.subscriptions, error)

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

    def _moving(self, driver: Driver) -> None:
        self._moves.begin(driver)

    def _line_for(self, account: Credentials | None, subscription: Subscription) -> Carrier:
        """One whose frames of ``subscription`` could be told apart from all others that may still come."""
        side = self.venue.side(subscription)
        for carrier in self.carriers:
            ours = carrier.origin.side == side and carrier.origin.credentials == account
            if ours and not carrier.stopping and not carrier.done.is_set() and self._takes(carrier, subscription):
                return carrier
        carrier = self._builder.connection(account, side)
        self.carriers.append(carrier)
        return carrier

    def _takes(self, carrier: Carrier, subscription: Subscription) -> bool:
        same_line, fits = self.venue.same_line, self.venue.fits
        if fits is not None and not fits((*carrier.router.streams, subscription)):
            return False
        return all(other == subscription or same_line(subscription, other) for other in carrier.taken)

    def _mark(self, driver: Carrier, joined: Iterable[Subscription] = ()) -> None:
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

    def _finished(self, driver: Carrier, error: FeedError | None) -> None:
        if driver in self.carriers:
            self.carriers.remove(driver)
            self._past.add(driver)
        if error is not None:
            self.troubles.gave_up(driver, error, self._ports.clock.now().t)
            self._end(driver, tuple(driver.router.streams), error)

    def _snapshot_done(self, subscription: Subscription, listener: Listener) -> None:
        ended = self._ended.get(listener)
        self.remove(subscription, listener)
        if ended is not None:
            ended(subscription, None)

    def _end(self, driver: Carrier, subscriptions: tuple[Subscription, ...], error: FeedError) -> None:
        for subscription in subscriptions:
            stream = driver.router.streams.get(subscription)
            for listener in tuple(stream.listeners) if stream else ():
                ended = self._ended.get(listener)
                self.remove(subscription, listener)
                if ended is not None:
                    ended(subscription, error)
