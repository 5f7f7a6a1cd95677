"""Streams from a message broker in the exchange's place: to its pool it looks like a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec.structs import replace

from tapewire.errors import DecodeError, FeedError
from tapewire.hub.calls import Callback
from tapewire.hub.listening import Listener, Stream
from tapewire.hub.router import Router
from tapewire.model.book import DepthOrderbookEvent
from tapewire.model.events import Event, OrderbookEvent
from tapewire.model.line import Loss
from tapewire.model.status import Connected, Connecting, Disconnected, FeedEvent, Gap, Stopped, Subscribed
from tapewire.model.subscription import Subscription
from tapewire.runtime.clock import Clock
from tapewire.runtime.complaints import Complaints
from tapewire.runtime.driver import Driver
from tapewire.runtime.driving import Events, Origin
from tapewire.runtime.heard import Heard
from tapewire.runtime.quarantine import QuarantineLane
from tapewire.session.actions import Now, Progress
from tapewire.session.backoff import Backoff
from tapewire.session.health import ConnectionFacts
from tapewire.sinks.brokers.link import Away, NotLetIn
from tapewire.sinks.brokers.source import Missed, Received, Source
from tapewire.venues.contract import Codec, Quarantine


class Sourced:
    """As a driver for its pool, with a broker behind it.

    After a loss each subject goes on behind the last message that was heard: nothing is missing that the broker still
    has, and what it has no more is told as a ``Gap``. A new listener's snapshot is the newest message.

    Args:
        origin: what it is called; its address is for people.
        source: the broker's client.
        heard: how far each subject was heard.
        codec: names the wire classes.
        clock, backoff: when to try again.
        events: whom it tells.
        finished: told of its end.
    """

    def __init__(  # noqa: PLR0917 - each handed in once, by who builds the connections
        self,
        origin: Origin,
        source: Source,
        heard: Heard,
        codec: Codec,
        clock: Clock,
        backoff: Backoff,
        events: Events,
        finished: Callable[[Sourced, FeedError | None], None],
    ) -> None:
        self.origin = origin
        self._source, self._heard, self._clock, self._backoff = source, heard, clock, backoff
        self._events, self._finished = events, finished
        self.router = Router(codec.classes, self._callback_failed)
        self.complaints = Complaints(origin.venue, origin.connection, clock, events.publish)
        self._quarantine = QuarantineLane(origin.venue, origin.connection, clock, events.publish)
        self.done = asyncio.Event()
        self.stopping = False
        self.drivers: tuple[Driver, ...] = ()
        self.gaps: tuple[Gap, ...] = ()
        self.is_open = False
        self.live: frozenset[Subscription] = frozenset()
        self._holders: dict[object, None] = {}
        self._free = asyncio.Event()
        self._free.set()
        self._joined: set[Subscription] = set()
        self._followed: dict[str, Subscription] = {}
        self._untold = False  # that tellings of gaps were thrown away while nothing was heard
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._reconnects = -1
        self._down_since: float | None = None
        self._error: str | None = None

    # What the pool asks and says.

    @property
    def callback_errors(self) -> int:
        """Callbacks that raised."""
        return self.complaints.count

    @property
    def taken(self) -> tuple[Subscription, ...]:
        """Streams that it carries."""
        return tuple(self.router.streams)

    def facts(self) -> ConnectionFacts:
        """What the judgement of its health needs: whether there is a line."""
        return ConnectionFacts(
            name=self.origin.connection, streams=self.taken, watched=0, down_since=self._down_since,
            was_open=self._reconnects >= 0, failures=self._backoff.failures, last_error=self._error,
        )  # fmt: skip

    def want(self, joined: Iterable[Subscription]) -> None:
        """The router's streams changed; of those that are ``joined`` somebody waits for a snapshot."""
        self.complaints.forget()
        self.router.gone.clear()
        self._joined.update(joined)
        self._changed.set()
        if self._task is None:
            self._down_since = self._clock.now().t
            self._task = asyncio.create_task(self._run(), name=f"{self.origin.connection} source")

    def hold(self, holder: object, *, holding: bool) -> None:
        """Take nothing from the broker while anybody holds."""
        if holding:
            self._holders[holder] = None
            self._free.clear()
            self._changed.set()  # who waits for data waits no more
        else:
            self._holders.pop(holder, None)
            if not self._holders:
                self._free.set()

    def stop(self) -> None:
        """End; ``done`` is set when the line is closed."""
        if not self.stopping:
            self.stopping = True
            if self._task is None:
                self._end(None)
            else:
                self._changed.set()  # a client that swallows the next line (redis-py does at times) is asked twice
                self._task.cancel()

    def kill(self) -> None:
        """End at once."""
        self.stop()

    def resume(self, now: Now, stream: Subscription, from_ns: int, last: Progress, cause: str) -> None:
        """Where another process left off is not known here: the broker has its own history (``since``)."""

    # The line.

    async def _run(self) -> None:
        error: FeedError | None = None
        try:
            await self._stay()
        except asyncio.CancelledError:
            if not self.stopping:
                raise
        except FeedError as failed:
            error = failed
        finally:
            await self._source.close()
            self._end(error)

    async def _stay(self) -> None:
        while not self.stopping:
            await self._free.wait()
            try:
                await self._connect()
                await self._hear()
            except (Away, NotLetIn) as lost:
                await self._lost(str(lost))

    async def _connect(self) -> None:
        began = self._clock.now().t
        self._tell(Connecting, url=self.origin.url, attempt=self._backoff.failures + 1)
        await self._source.connect()
        self._reconnects += 1
        self.is_open, self._down_since = True, None
        seconds = self._clock.now().t - began
        self._tell(Connected, url=self.origin.url, reconnect=self._reconnects, seconds=seconds)
        told = self._heard.told()
        for message in await self._source.latest([name for name in told if self._heard.is_new(name)]):
            self._newest(message, begins=True)
        missing = await self._source.follow({name: self._heard.begin(name) for name in told})
        for name in told:
            self._heard.follow(name)
        self._untold = not missing.isdisjoint(self._heard.losses)

    async def _hear(self) -> None:
        """Follow what is wanted, and hand on what comes, until the line is lost."""
        self._followed = {}
        while not self.stopping:
            await self._adjust()
            await self._free.wait()
            messages = await self._until_changed()
            for message in messages:
                if isinstance(message, Missed):
                    self._missed(message)
                else:
                    self._take(message)
            if messages:
                self._backoff.stable()
            await self._worked_on()

    async def _worked_on(self) -> None:
        """What came has been handed on."""

    async def _until_changed(self) -> Sequence[Received | Missed]:
        """What comes next; nothing when what is wanted has changed first."""
        receiving = asyncio.ensure_future(self._source.receive())
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait({receiving, changed}, timeout=self._patience(), return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
            if not receiving.done():
                receiving.cancel()
                await asyncio.wait([receiving])
        return () if receiving.cancelled() else receiving.result()  # a client may forget that it was cancelled

    def _patience(self) -> float | None:
        """Seconds to wait for what comes next; None: for as long as it takes."""
        return None

    async def _adjust(self) -> None:
        """Leave what nobody wants, join what somebody does, fetch the snapshots that are waited for."""
        followed = self._followed
        if not self._changed.is_set() and followed:
            return
        self._changed.clear()
        joined, self._joined = self._joined, set()
        wanted = {self._heard.name(one): one for one in self.router.streams}
        gone = [name for name in followed if name not in wanted]
        new = {name: one for name, one in wanted.items() if name not in followed}
        for name in gone:
            del followed[name]
        self._heard.keep(wanted)
        try:
            await self._source.leave(gone)
            await self._look({name: one for name, one in wanted.items() if one in joined}, new)
        except (Away, NotLetIn):  # they wait on the next line
            self._joined |= joined
            raise
        missing = await self._follow(new) if new else frozenset()
        followed |= new
        for name in new:
            self._heard.follow(name)
        for name in missing:
            self._missed(Missed(name))
        if self._untold:
            self._untold = False
            self._missed(Missed(self._heard.losses[0]))
        self.live = frozenset(followed.values())
        if new:
            self._tell(Subscribed, subscriptions=tuple(new.values()))

    async def _follow(self, new: Iterable[str]) -> frozenset[str]:
        """Hear these, too. Returns those of which something is gone."""
        return await self._source.follow({name: self._heard.begin(name) for name in new})

    async def _look(self, joined: Mapping[str, Subscription], new: Mapping[str, Subscription]) -> None:
        """The newest message of each: a snapshot for who waits for one, behind which a new stream begins."""
        begins = {name for name in new if self._heard.begins_at_once(name)}
        for message in await self._source.latest(tuple(dict.fromkeys([*joined, *begins]))):
            items = self._newest(message, begins=message.subject in begins)
            for item in items[-1:]:
                if isinstance(item, Event) and any(stream.awaits_snapshot for stream in self.router.find(item)):
                    self._deliver(replace(item, stream_type="SNAPSHOT"))

    def _newest(self, message: Received, *, begins: bool) -> Sequence[Event | FeedEvent]:
        try:
            return self._heard.newest(message, begins=begins)
        except DecodeError as error:
            self._quarantine.put([Quarantine(error.reason, error.payload)])
            return ()

    # Data.

    def _take(self, message: Received) -> None:
        """A message that came; one that was on its way when its subject was left is nobody's, and no place to go on."""
        if message.subject in self._followed or message.subject in self._heard.told():
            self._read(message)

    def _read(self, message: Received) -> None:
        try:
            items = self._heard.read(message)
        except DecodeError as error:
            self._quarantine.put([Quarantine(error.reason, error.payload)])
            return
        for item in items:
            if isinstance(item, Event):
                self._live(replace(item, stream_type="REALTIME"))
            else:
                self._events.publish(item)

    def _live(self, event: Event) -> None:
        """A message that came; who waits for a snapshot, of which there was none, takes it for one."""
        streams = self.router.find(event)
        for stream in streams:
            if stream.needing:
                self._first(stream, event)
        self._deliver(event)

    def _first(self, stream: Stream, event: Event) -> None:
        only = [one for one in stream.listeners if one.needs_snapshot and not one.wants_realtime]
        for listener in stream.listeners:
            if listener.wants_realtime:
                stream.need(listener, snapshot=False)
        if only:
            self._deliver(replace(event, stream_type="SNAPSHOT"))

    def _deliver(self, event: Event) -> None:
        for stream in self.router.find(event):
            self.router.deliver_to(stream, _cut(stream.subscription, event), self._listener_failed)
            for listener in tuple(stream.listeners):
                if listener.finished:
                    self._events.snapshot_done(stream.subscription, listener)

    # What it tells.

    async def _lost(self, reason: str) -> None:
        loss = Loss("reset" if self.is_open else "unreachable", None, reason)
        delay = self._backoff.delay(loss)
        self._error = reason
        self._down_since = self._clock.now().t if self._down_since is None else self._down_since
        self.is_open, self.live = False, frozenset()
        self.router.line_lost()
        self._tell(Disconnected, loss=loss, attempt=self._backoff.failures, retry_in=delay, final=delay is None)
        await self._source.close()
        if delay is None:
            raise FeedError(f"{self.origin.url}: {reason}")
        await self._clock.until(self._clock.now().t + delay)
        self._changed.set()

    def _missed(self, missed: Missed) -> None:
        """The broker has thrown away what came next; of what a collector lost, nobody knows of which stream it was."""
        now = self._clock.wall_ns()
        mine = self._followed.get(missed.subject)
        streams = self._followed.values() if missed.subject in self._heard.losses else () if mine is None else (mine,)
        begun = now if missed.from_ns is None else missed.from_ns
        until = max(begun, now if missed.to_ns is None else missed.to_ns)
        for stream in streams:
            self._tell(Gap, subscription=stream, cause="trimmed", state="unfilled", from_ns=begun, to_ns=until)

    def _tell(self, kind: type[FeedEvent], **fields: object) -> None:
        origin = self.origin
        self._events.publish(
            kind(venue=origin.venue, connection=origin.connection, at_ns=self._clock.wall_ns(), **fields)
        )

    def _end(self, error: FeedError | None) -> None:
        if self.done.is_set():
            return
        self.is_open, self.live = False, frozenset()
        self._tell(Stopped, reason="stopped" if error is None else str(error), error=error is not None)
        self.done.set()
        self._finished(self, error)

    def _callback_failed(self, callback: Callback, error: BaseException) -> None:
        self.complaints.blame(callback, error, self.router.callbacks_of)

    def _listener_failed(self, listener: Listener, error: BaseException) -> None:
        self.complaints.add(listener.name, error)


def _cut(subscription: Subscription, event: Event) -> Event:
    """A book of the asked depth, anything else as it came."""
    depth = subscription.depth
    if depth is None or not isinstance(event, OrderbookEvent) or len(event.orderbook_units) <= depth:
        return event
    if isinstance(event, DepthOrderbookEvent):
        return replace(event, asks=event.asks[:depth], bids=event.bids[:depth])
    return replace(event, orderbook_units=event.orderbook_units[:depth])
