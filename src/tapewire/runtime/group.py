"""Several connections that carry the same streams: the first copy of each message wins (``redundancy``)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tapewire.errors import FeedError
from tapewire.hub.calls import Callback
from tapewire.hub.first_copy import FirstCopies, Score
from tapewire.hub.listening import Listener, Stream
from tapewire.hub.relay import Relay
from tapewire.hub.router import Router
from tapewire.model.events import Event, TradeEvent
from tapewire.model.line import Loss
from tapewire.model.status import Disconnected, FeedEvent, Gap, Recovered, Stale, Subscribed
from tapewire.model.subscription import Subscription
from tapewire.runtime.clock import Clock
from tapewire.runtime.complaints import Complaints
from tapewire.runtime.driver import Driver, DriverEvents
from tapewire.runtime.driving import Events, Origin
from tapewire.runtime.holes import Holes
from tapewire.runtime.missed import missed_trades
from tapewire.runtime.stale_streams import StaleStreams
from tapewire.runtime.standby import Connection, Standby
from tapewire.session.actions import Now, Progress
from tapewire.session.cover import Cover
from tapewire.session.laggards import LOOK, Laggards
from tapewire.venues.contract import Codec, Venue

#: Seconds within which a line must bring what its sister showed, where ``lag_after`` is switched off.
PATIENCE = 5.0


class Terms(NamedTuple):
    """How a group judges: seconds that a line may be behind (None: as much as it likes); deliver trades once."""

    lag_after: float | None
    drop_doubles: bool


class Member:
    """One line's place in its group (``driver.Membership``)."""

    def __init__(self, group: Group, number: int, codec: Codec, venue: Venue) -> None:
        self._group, self.number = group, number
        self.router = Relay(codec.classes, self._ear, self._careful, venue.wire_name, venue.keeps)

    @property
    def score(self) -> Score:
        """What this line does for the group."""
        return self._group.copies.scores[self.number]

    @property
    def standby(self) -> Standby:
        """Stands in for the group's streams."""
        return self._group.standby

    def hear(self, event: FeedEvent) -> None:
        """The line's machine told something."""
        self._group.told(self, event)

    def look(self, stream: Stream, snapshot: Event) -> Gap | None:
        """A snapshot came on a line; whether trades were missed shows later."""
        self._group.look_at(self.number, stream.subscription, snapshot)
        return None

    def is_filling(self, subscription: Subscription) -> bool:
        """Whether what the group missed of a stream is still being asked for."""
        return self._group.is_filling(subscription)

    def _ear(self, front: Stream) -> Callback:
        return self._group.ear(self.number, front)

    def _careful(self, front: Stream, event: Event) -> None:
        self._group.careful(self.number, front, event)


class Group:
    """As a driver for its pool, with several drivers behind it.

    The subscribers listen at ``router``; each line has a relay that leads there, past the judge of first copies.

    Args:
        origin: what it is called, and where its first line leads.
        venue, clock: as of a driver.
        codec: names the wire classes; each line decodes with its own.
        events: whom it tells.
        finished: told when its last line has ended for good.
        terms: how it judges.
        make: a driver for each membership.
    """

    def __init__(  # noqa: PLR0917 - each handed in once, by who builds the connections
        self,
        origin: Origin,
        venue: Venue,
        codec: Codec,
        clock: Clock,
        events: Events,
        finished: Callable[[Group, FeedError | None], None],
        terms: Terms,
        make: Sequence[Callable[[DriverEvents, Member], Driver]],
    ) -> None:
        self.origin = origin
        self._venue, self._clock, self._events = venue, clock, events
        patience = terms.lag_after or PATIENCE
        self._laggards = Laggards(terms.lag_after, patience)
        self.router = Router(
            codec.classes, self._callback_failed,
            drop_doubles=terms.drop_doubles, counted=venue.counts_trades, wire_name=venue.wire_name,
            is_kept=venue.keeps,
        )  # fmt: skip
        self.complaints = Complaints(origin.venue, origin.connection, clock, events.publish)
        self.copies = FirstCopies(len(make))
        self.done = asyncio.Event()
        self.stopping = False
        self._finished = finished
        self._timer: asyncio.Handle | None = None
        self._cover = Cover(origin.venue, origin.connection, venue.facts.full_state_kinds, patience, self._brought)
        self._stale = StaleStreams(len(make), self._cover.carriers, self._tell_stale, clock.wall_ns)
        self._holes = Holes(
            origin.venue, origin.connection, self.router, clock, events.publish, events.recovery, self._listener_failed,
            None,
        )  # fmt: skip
        connection = Connection(
            origin.connection, origin.side, venue, self.router, self._cover, self._why_down, self._listener_failed,
            events.snapshot_done, None,
        )  # fmt: skip
        self.standby = events.polling.standby(connection)
        self._members = [Member(self, number, codec, venue) for number in range(len(make))]
        told = DriverEvents(events, self._line_finished)
        self.drivers = tuple(one(told, member) for one, member in zip(make, self._members, strict=True))

    # What the pool asks.

    @property
    def live(self) -> frozenset[Subscription]:
        """Streams confirmed on any line."""
        return frozenset[Subscription]().union(*(driver.live for driver in self.drivers))

    @property
    def is_open(self) -> bool:
        """Whether there is any line."""
        return any(driver.is_open for driver in self.drivers)

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """The open rows of the gap ledger: of streams that no line carries."""
        return self._cover.open

    @property
    def callback_errors(self) -> int:
        """Callbacks that raised."""
        return self.complaints.count + sum(driver.complaints.count for driver in self.drivers)

    def resume(self, now: Now, stream: Subscription, from_ns: int, last: Progress, cause: str) -> None:
        """See ``session.cover``."""
        self._cover.resume(now, stream, from_ns, last, cause)

    @property
    def taken(self) -> tuple[Subscription, ...]:
        """Streams of which frames may come on any line."""
        return (*self.router.streams, *(one for driver in self.drivers for one in driver.taken))

    def is_filling(self, subscription: Subscription) -> bool:
        """See ``Holes.is_filling``."""
        return self._holes.is_filling(subscription)

    # What the pool says.

    def want(self, joined: set[Subscription]) -> None:
        """The router's streams changed; see ``Driver.want``."""
        self.complaints.forget()
        left = self.copies.follow(tuple(self.router.streams))
        self.standby.want(self.router.streams)
        self.router.gone.clear()  # each line knows what may still come there
        for told in self._cover.drop(self._clock.now(), left):
            self._holes.hear(told)
        self._stale.follow(self.router.streams)
        for member, driver in zip(self._members, self.drivers, strict=True):
            if not driver.done.is_set():
                member.router.follow(self.router.streams)
                driver.want(joined)
        self._set_timer()

    def stop(self) -> None:
        """End gracefully; ``done`` is set when every line is closed."""
        self.stopping = True
        for driver in self.drivers:
            driver.stop()

    def kill(self) -> None:
        """Cut every line at once."""
        self.stopping = True
        for driver in self.drivers:
            driver.kill()
        self._end()

    def hold(self, holder: object, *, holding: bool) -> None:
        """Stop reading every line while anybody holds."""
        self._laggards.hold(self._clock.now().t, holder, holding=holding)
        for driver in self.drivers:
            driver.hold(holder, holding=holding)

    # What the lines bring.

    def ear(self, line: int, front: Stream) -> Callback:
        """What one line's short road calls with a message of a stream."""
        is_first, is_hot = self.copies.streams[front.subscription].is_first, self.router.is_hot

        def hear(event: Event) -> None:
            if not is_first(line, event):
                return
            if not is_hot(front):
                self._deliver(front, event)
                return
            front.last = event.timestamp
            front.count += 1
            try:
                front.deliver(event)
            except Exception as error:  # a user's callback may raise anything; the feed goes on
                self._callback_failed(front.deliver, error)

        return hear

    def careful(self, line: int, front: Stream, event: Event) -> None:
        """What one line's careful road brought: snapshots, and the first message of a stream."""
        subscription = front.subscription
        copy = self.copies.streams.get(subscription)
        if copy is None:  # nobody wants it any more, which this line is about to be told
            return
        if self.standby.data(subscription) or self._cover.concerns(line, subscription):
            copy.begin(line)
            self._returned(line, front, event)
        if event.stream_type != "SNAPSHOT":
            self.ear(line, front)(event)
        elif _is_wanted(front, event):
            self._deliver(front, event)

    def _deliver(self, front: Stream, event: Event) -> None:
        self.router.deliver_to(front, event, self._listener_failed)
        for listener in tuple(front.listeners):
            if listener.finished:
                self._events.snapshot_done(front.subscription, listener)

    def _returned(self, line: int, front: Stream, event: Event) -> None:
        number, timestamp = self._venue.position(event)
        known = number is not None and front.seen_at(number) > 0
        first = Progress(front.count - front.base + 1, number, timestamp)
        now = self._clock.now()
        for told in self._cover.data(now, line, front.subscription, first, _position(front), known=known):
            self._holes.hear(told)

    def look_at(self, line: int, subscription: Subscription, snapshot: Event) -> None:
        """A snapshot came on a line, and was not delivered yet: does it show a trade that no line brought?"""
        front = self.router.streams.get(subscription)
        if front is None or self._cover.concerns(line, subscription):
            return
        now = self._clock.now()
        gap = missed_trades(self.origin.venue, self.origin.connection, now, front, snapshot)
        if gap is not None:
            self._cover.suspect(now, gap)

    def _brought(self, line: int, subscription: Subscription, position: Progress) -> bool:
        copy = self.copies.streams.get(subscription)
        return copy is not None and copy.brought(line, position.last_id)

    # What the lines tell.

    def told(self, member: Member, event: FeedEvent) -> None:
        """One line's machine told something. Of the streams the group tells itself, the rest is handed on."""
        match event:
            case Gap() | Recovered():
                return
            case Stale():
                self._stale.hear(member.number, event)
                return
            case Subscribed():
                self._confirmed(member.number, event.subscriptions)
        self._events.publish(event)
        if isinstance(event, Disconnected):
            self._lost(member, event)
        if isinstance(event, Subscribed) or not self.is_open:
            self.standby.hear(event)

    def _confirmed(self, line: int, subscriptions: Sequence[Subscription]) -> None:
        for subscription in subscriptions:
            copy = self.copies.streams.get(subscription)
            if copy is not None and line not in self._cover.carriers(subscription):
                copy.begin(line)
        self._cover.confirmed(line, subscriptions)
        self._stale.judge(subscriptions)

    def _lost(self, member: Member, event: Disconnected) -> None:
        """A line is gone, or could not be had: then it carried nothing. A gap begins when that was told."""
        self._stale.lost(member.number)
        if event.loss.cause == "stopped":
            self._cover.left(member.number)
            return
        positions = {one: _position(stream) for one, stream in self.router.streams.items() if stream.wish.realtime}
        now = Now(self._clock.now().t, event.at_ns)
        told, bare = self._cover.lost(now, member.number, event.loss, positions)
        self.copies.lost(member.number)
        for subscription in bare:
            self.router.anew(self.router.streams[subscription])
        self._stale.judge(tuple(self.router.streams))
        for gap in told:
            self._holes.hear(gap)

    def _tell_stale(self, event: Stale) -> None:
        self._events.publish(event)
        self.standby.hear(event)

    def _line_finished(self, driver: Driver, error: FeedError | None) -> None:
        """One line has ended for good; the group ends with the last."""
        if not all(one.done.is_set() for one in self.drivers):
            self._cover.left(self.drivers.index(driver))
            return
        self._end()
        for told in self._cover.drop(self._clock.now(), tuple(self.router.streams)):
            self._events.publish(told)
        self.router.line_lost()
        self._finished(self, error)

    # Looking at the lines.

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.router.streams and not self.done.is_set():
            self._timer = self._clock.call_at(self._clock.now().t + LOOK, self._look)

    def _look(self) -> None:
        now = self._clock.now()
        if self._laggards.can_tell(now.t):
            for gap in self._cover.look(now):
                self._holes.hear(gap)
            behind = [self._behind(line) / 1000 for line in range(len(self.drivers))]
            line = self._laggards.find(behind, self._stands_alone)
            if line is not None:
                others = (one for one in self.drivers if one.is_open and one is not self.drivers[line])
                names = ", ".join(one.origin.connection for one in others)
                loss = Loss("lagging", 1006, f"{behind[line]:.1f} s behind {names}")
                self.drivers[line].line.close(loss, graceful=False)
        self._set_timer()

    def _stands_alone(self, line: int) -> bool:
        """Whether it carries a stream that no other open line does."""
        others = {other for other, driver in enumerate(self.drivers) if other != line and driver.is_open}
        carriers = (self._cover.carriers(one) for one in self.copies.streams)
        return any(line in those and not those & others for those in carriers)

    def _behind(self, line: int) -> int:
        """Milliseconds of the exchange: the worst of the streams that this line and another carry."""
        return max((
            copy.behind(line)
            for subscription, copy in self.copies.streams.items()
            if len(carriers := self._cover.carriers(subscription)) > 1 and line in carriers
        ), default=0)  # fmt: skip

    def _why_down(self) -> Loss | None:
        """What ended the last line or dial, None while a line is open."""
        losses = [driver.machine.last_loss for driver in self.drivers]
        return None if self.is_open else next((loss for loss in losses if loss is not None), Loss("unreachable"))

    def _end(self) -> None:
        self.done.set()
        self._events.polling.leave(self.standby)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Callbacks that raise.

    def _callback_failed(self, callback: Callable[[Any], object], error: BaseException) -> None:
        self.complaints.blame(callback, error, self.router.callbacks_of)

    def _listener_failed(self, listener: Listener, error: BaseException) -> None:
        self.complaints.add(listener.name, error)


def _position(stream: Stream) -> Progress:
    return Progress(stream.count - stream.base, stream.last_id, stream.last_timestamp)


def _is_wanted(front: Stream, snapshot: Event) -> bool:
    """Somebody waits for a snapshot, or it shows a trade that did not come before."""
    if front.needing:
        return True
    return isinstance(snapshot, TradeEvent) and not front.seen_at(snapshot.sequential_id)
