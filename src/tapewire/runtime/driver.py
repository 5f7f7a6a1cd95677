"""Runs one machine: performs its actions, feeds back the facts, and carries data on the short road."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from tapewire.config import Numbers
from tapewire.errors import CredentialsError, FeedError
from tapewire.hub.listening import Listener, Stream
from tapewire.hub.router import Router
from tapewire.model.book import BookChange
from tapewire.model.events import Event
from tapewire.model.line import Handshake, Loss
from tapewire.model.status import FeedEvent, Gap, Stale, Stopped
from tapewire.model.subscription import Subscription, Wish
from tapewire.runtime.beside import beside
from tapewire.runtime.clock import Clock
from tapewire.runtime.complaints import Complaints
from tapewire.runtime.driving import Events, Membership, Origin
from tapewire.runtime.first_states import FirstStates
from tapewire.runtime.kept_books import KeptBooks
from tapewire.runtime.notes import Notes, total_of
from tapewire.runtime.observe import log_internal_error
from tapewire.runtime.own_line import OwnLine
from tapewire.runtime.quarantine import QuarantineLane
from tapewire.runtime.sampling import Sampling
from tapewire.runtime.signing import Signer
from tapewire.session.actions import Action, Close, Connect, Finish, LogIn, Ping, Progress, Publish, Replace, Send
from tapewire.session.machine import Machine
from tapewire.transport.contract import Line
from tapewire.transport.dispatch import Dispatch, HeadDispatch
from tapewire.venues.contract import Codec, Reading, Venue


class DriverEvents(NamedTuple):
    """Whom a driver tells, the end included."""

    events: Events
    finished: Callable[[Driver, FeedError | None], None]


class Driver:
    """One connection: its machine, its line, its router."""

    def __init__(  # noqa: PLR0917 - each handed in once, by the pool
        self,
        origin: Origin,
        machine: Machine,
        venue: Venue,
        codec: Codec,
        make_line: Callable[[], Line],
        clock: Clock,
        told: DriverEvents,
        signer: Signer | None,
        *,
        drop_doubles: bool,
        numbers: Numbers = "float",
        membership: Membership | None = None,
    ) -> None:
        events, self._finished = told
        self.origin = origin
        self.machine = machine
        self.router = membership.router if membership is not None else Router(
            codec.classes, self.callback_failed,
            drop_doubles=drop_doubles, counted=venue.counts_trades, wire_name=venue.wire_name, is_kept=venue.keeps,
            skim=codec.skim,
        )  # fmt: skip
        self.score = None if membership is None else membership.score
        self.connects = 0
        self.quarantine = QuarantineLane(origin.venue, origin.connection, clock, events.publish)
        self.complaints = Complaints(origin.venue, origin.connection, clock, events.publish)
        self.notes = Notes(clock, venue.facts)
        self.error: FeedError | None = None
        self.done = asyncio.Event()
        self._venue, self._codec = venue, codec
        self._clock, self._signer, self._events = clock, signer, events
        self._timer: asyncio.Handle | None = None
        self._due: float | None = None
        self._facts: deque[tuple[Callable[..., list[Action]], tuple[Any, ...]]] = deque()
        self._telling = self.stopping = False
        self._holders: set[object] = set()
        self._wished: dict[Subscription, Wish] = {}
        #: Live streams that are asked again with their snapshot, until it comes.
        self._again: set[Subscription] = set()
        self._stale: set[Subscription] = set()
        self._states = FirstStates(marked=venue.facts.marks_snapshots, rare=venue.facts.event_kinds)
        self._sampling = Sampling(self.router)
        self.books = KeptBooks(venue, origin.connection, self.router, numbers, clock, events.fetch, self)
        self.dispatch: Dispatch | HeadDispatch = (
            Dispatch(
                codec.decode, self.router.tables, self._careful_road, self.callback_failed, *self.router.unread.road
            )
            if venue.wire_name is None
            else HeadDispatch(self.router.heads.table, self._careful_road, self.callback_failed)
        )
        self.line = OwnLine(origin.connection, make_line, self._signature, self.dispatch, self)
        self.holes, self.standby, self._beside = beside(
            membership, origin, venue, machine, self.router, clock, events, self.listener_failed, signer
        )

    # What the pool asks, of one driver as of a group.

    @property
    def drivers(self) -> tuple[Driver, ...]:
        """Itself."""
        return (self,)

    @property
    def live(self) -> frozenset[Subscription]:
        """Streams confirmed on the present line."""
        return self.machine.live

    @property
    def is_open(self) -> bool:
        """Whether there is a line, and the machine knows."""
        return self.machine.state == "open"

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """The open rows of the gap ledger."""
        return self.machine.gaps

    @property
    def callback_errors(self) -> int:
        """Callbacks that raised."""
        return self.complaints.count

    @property
    def taken(self) -> tuple[Subscription, ...]:
        """Streams of which frames may come."""
        return (*self.router.streams, *self.router.gone)

    # What the pool says.

    def want(self, joined: set[Subscription]) -> None:
        """The router's streams changed: tell the machine the whole new set.

        ``joined`` are streams that got a listener who needs their snapshot: those that the machine knows are asked
        again, unless the new set asks for a snapshot that the old one did not.
        """
        self.complaints.forget()
        joined = self.books.joined(joined)
        wishes = self.router.wishes()
        known = {subscription for subscription in joined if subscription in wishes and subscription in self._wished}
        again = {subscription for subscription in known if self._wished[subscription].snapshot}
        self._again = (self._again | known) & wishes.keys()
        changed, self._wished = wishes != self._wished, wishes
        self.notes.want(wishes)
        self._beside.want(wishes)
        if changed:
            self.tell(self.machine.want, wishes)
        if again:
            self.tell(self.machine.refresh, again)

    def inquire(self) -> None:
        """Ask the exchange what it holds; ``Listed`` tells the answer."""
        self.tell(self.machine.inquire)

    def stop(self) -> None:
        """End gracefully; ``done`` is set when the line is closed. It takes no new streams from now on."""
        self.stopping = True
        self.tell(self.machine.stop)

    def kill(self) -> None:
        """Cut at once, without a word: the loop is about to end."""
        self.stopping = True
        self._cut()

    def _cut(self) -> None:
        self.done.set()
        self.books.stop()
        if self._timer:
            self._timer.cancel()
        self._beside.end()
        self.line.cut()

    def hold(self, holder: object, *, holding: bool) -> None:
        """Stop reading while anybody holds (the ``block`` rule of a full mailbox)."""
        before = bool(self._holders)
        (self._holders.add if holding else self._holders.discard)(holder)
        if bool(self._holders) != before:
            self.line.hold(holding=not before)
            self.tell(self.machine.hold, not before)

    # What is not for the short road (transport.dispatch).

    def _careful_road(self, payload: bytes, received_ns: int) -> None:
        reading = self._codec.read(payload, received_ns)
        for event in reading.events:
            self._first_or_cold(event, reading)
        for control in reading.controls:
            self.notes.word(control)
            if control.kind == "error" and self._signer is not None:
                self._signer.doubt()
            self.tell(self.machine.control, control)
        self.quarantine.put(reading.quarantined)

    def _first_or_cold(self, event: Event, reading: Reading) -> None:
        if isinstance(event, BookChange):
            self.books.take(event, reading.stream, reading.head)
            return
        streams = self.router.find(event, reading.stream)
        self._states.mark(streams, event)
        for stream in streams:
            self._tell_of(stream, event)  # the gap is told before the message that ends it
        if self.router.deliver(event, self.listener_failed, reading.stream, reading.head):
            self._delivered(streams, event)

    def cold(self, stream: Stream, event: Event) -> None:
        """An order book that is kept here, for a stream that is not hot."""
        if self.router.streams.get(stream.subscription) is stream:  # a callback may have ended it
            self._tell_of(stream, event)
            self.router.deliver_to(stream, event, self.listener_failed)
            self._delivered((stream,), event)

    def _delivered(self, streams: tuple[Stream, ...], event: Event) -> None:
        self.notes.delivered(event)
        for stream in streams:
            for listener in tuple(stream.listeners):
                if listener.finished:
                    self._events.snapshot_done(stream.subscription, listener)

    def _tell_of(self, stream: Stream, event: Event) -> None:
        snapshot = event.stream_type == "SNAPSHOT"
        if snapshot:
            if self.holes.look(stream, event) and stream.subscription in self._stale and self.line.is_open:
                self.line.close(Loss("stale", 1006, f"trades of {event.symbol} were missed"), graceful=False)
            self._again.discard(stream.subscription)
        count = stream.count - stream.base + 1
        mended = self.books.came(stream.subscription)
        polled = self._beside.data(stream.subscription)
        if snapshot or mended or polled or count == 1 or stream.subscription not in self.machine.live:
            progress = Progress(count, *self._venue.position(event))
            self.tell(self.machine.first_data, stream.subscription, progress, snapshot)

    # Facts in, actions out.

    def tell(self, fact: Callable[..., list[Action]], *details: Any) -> None:
        """Tell the machine a fact, and do what it says."""
        if self.done.is_set():
            return
        self._facts.append((fact, details))
        if self._telling:
            return
        self._telling = True
        try:
            while self._facts:
                fact, details = self._facts.popleft()
                for action in fact(self._clock.now(), *details):
                    self._perform(action)
        except Exception as error:  # a fault of ours must end loudly, not leave a feed that looks alive
            self.line_at_fault(error)
        finally:
            self._telling = False
        self._set_timer()

    def _perform(self, action: Action) -> None:
        match action:
            case Publish(event):
                if isinstance(event, Stale):
                    self._note_stale(event)
                self.publish(event)
            case Send() | Ping() | LogIn():
                self._say(action)
            case Replace():
                self._events.moving(self)
            case Connect(url):
                self.connects += 1
                self.line.dial(url)
            case Close(loss, graceful):
                self.line.close(loss, graceful=graceful)
            case Finish(error):
                self._end(error)

    def _say(self, action: Send | Ping | LogIn) -> None:
        match action:
            case Send(payload, request):
                if request:
                    self._note_request()
                if self.line.send(payload):
                    self.notes.sending(payload)
            case Ping(payload):
                if self.line.ping(payload):
                    self.notes.pinging()
            case LogIn():
                self._log_in()

    def publish(self, event: FeedEvent) -> None:
        """Note and tell what happened on this connection."""
        self.notes.publish(event)
        self._beside.hear(event)
        self.holes.hear(event)

    def _note_stale(self, event: Stale) -> None:
        if event.over:
            self._stale.discard(event.subscription)
        else:
            self._stale.add(event.subscription)
            self._again.update(self.router.streams)  # the machine may ask all streams again

    def _note_request(self) -> None:
        self._states.asked(self.router, self.machine.live, self._again, self._clock.now().ns)

    def line_opened(self, line: Line, handshake: Handshake) -> None:
        """The dial succeeded."""
        self.notes.opened(line)
        self._again.clear()
        self._stale.clear()
        self._states.clear()
        self.router.line_opened()
        self.tell(self.machine.opened, handshake)

    def dial_failed(self, loss: Loss) -> None:
        """The dial failed, or was given up."""
        self.tell(self.machine.failed, loss)

    async def _signature(self) -> dict[str, str]:
        """The headers that show the key: made anew for each dial, and never kept."""
        if self._signer is None:
            return {}
        await self._signer.ready()
        return self._signer.headers()

    def _log_in(self) -> None:
        """Show the key on the open line; it goes into no note."""
        assert self._signer is not None  # noqa: S101 - a stream of a signed side is refused without a key
        try:
            self.line.send(self._signer.login())
        except CredentialsError as error:
            self.line_impossible(error)

    def line_lost(self, loss: Loss) -> None:
        """The line is gone."""
        self.notes.lost()
        progress = self._progress()
        self.router.line_lost()
        self.books.line_lost()
        self.tell(self.machine.lost, loss, progress)

    def pong(self, payload: bytes) -> None:
        """A pong came."""
        self.notes.alive()
        self.tell(self.machine.pong, payload)

    def _tick(self) -> None:
        self._timer = None
        counts = {one: Progress(stream.count - stream.base) for one, stream in self.router.streams.items()}
        self.tell(self.machine.tick, counts)
        self.notes.look(total_of(self.router))
        self._sampling.turn()

    def _progress(self) -> dict[Subscription, Progress]:
        return {
            subscription: Progress(stream.count - stream.base, stream.last_id, stream.last_timestamp)
            for subscription, stream in self.router.streams.items()
        }

    def _set_timer(self) -> None:
        deadline = None if self.done.is_set() else self.machine.deadline
        if self._timer is not None:
            if deadline is not None and self._due == deadline:
                return
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            self._timer, self._due = self._clock.call_at(deadline, self._tick), deadline

    def line_at_fault(self, error: Exception) -> None:
        """A fault of ours."""
        log_internal_error(self.origin.venue, self.origin.connection, error)
        self.line_impossible(FeedError(f"internal error: {error!r}"))

    def line_impossible(self, error: FeedError) -> None:
        """The end that no machine decided: told as one that it did."""
        origin, at_ns = self.origin, self._clock.wall_ns()
        self._end(error)
        self._events.publish(
            Stopped(venue=origin.venue, connection=origin.connection, at_ns=at_ns, reason=str(error), error=True)
        )

    def _end(self, error: FeedError | None) -> None:
        if self.done.is_set():
            return
        self.error = error
        self._cut()
        if error is not None:
            self.router.line_lost()
        self._finished(self, error)

    # Callbacks that raise.

    def callback_failed(self, callback: Callable[[Any], object], error: BaseException) -> None:
        self.complaints.blame(callback, error, self.router.callbacks_of)

    def listener_failed(self, listener: Listener, error: BaseException) -> None:
        self.complaints.add(listener.name, error)
