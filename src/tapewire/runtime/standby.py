"""Stands in for the streams of one connection that has no line: delivers what polling tells, and keeps the gap rows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol

from msgspec.structs import replace

from tapewire.hub.listening import Listener, Stream
from tapewire.hub.polled import Polled, deliver
from tapewire.hub.router import Router
from tapewire.model.line import Loss
from tapewire.model.status import Disconnected, FeedEvent, Gap, Polling, Stale, Subscribed
from tapewire.model.subscription import Subscription
from tapewire.runtime.account import AccountWatch
from tapewire.runtime.clock import Clock
from tapewire.session.actions import Now, Progress
from tapewire.session.blind import Blind
from tapewire.session.candle_fill import windows_of
from tapewire.session.ledger import Answer
from tapewire.session.polled import Candles, States, Told, Trades
from tapewire.venues.contract import Venue

#: Seconds for which news of single streams is collected, to be told together.
COLLECT = 0.5
#: Seconds after a stream's return in which doubles are looked out for: REST may know a trade before it comes live.
SETTLE = 5.0


class Connection(NamedTuple):
    """What a stand-in needs of its connection.

    ``loss``: why there is no line; None: it is open. ``failed``: told of a callback that raised. ``done``: a listener
    has the snapshot that was all it wanted. ``watch``: looks after its account.
    """

    name: str
    side: str
    venue: Venue
    router: Router
    ledger: Rows
    loss: Callable[[], Loss | None]
    failed: Callable[[Listener, BaseException], None]
    done: Callable[[Subscription, Listener], None]
    watch: AccountWatch | None


class Rows(Protocol):
    """A gap ledger (``session.ledger``, ``session.cover``)."""

    @property
    def open(self) -> tuple[Gap, ...]: ...
    def polled(self, now: Now, stream: Subscription, cause: str, answer: Answer, /) -> list[Gap]: ...


class Office(Protocol):
    """The pool's polling, as its stand-ins know it."""

    after: float

    def look(self) -> None: ...
    def closed(self, standby: Standby, stream: Subscription) -> None: ...
    def pollable(self, stream: Subscription) -> bool: ...
    def down(self, side: str) -> float | None: ...
    def dress(self, event: Any) -> Any: ...
    def interval(self, standby: Standby, streams: Iterable[Subscription]) -> float: ...
    def publish(self, event: FeedEvent) -> None: ...


class Entry:
    """One stream that is polled: since when it is blind, how its answers are read, why the last call failed."""

    __slots__ = ("asks", "error", "since", "stream")

    def __init__(self, stream: Stream, since: float, asks: Trades | Candles | States | None) -> None:
        self.stream, self.since, self.asks = stream, since, asks
        self.error = ""


class Standby:
    """One for each connection. The driver tells it the facts, the pool's polling asks it what to poll."""

    def __init__(self, office: Office, connection: Connection, clock: Clock) -> None:
        self._office, self._at, self._clock = office, connection, clock
        self.blind = Blind(office.after)
        #: Streams that are polled now.
        self.open: dict[Subscription, Entry] = {}
        self._news: dict[tuple[str, bool], list[Subscription]] = {}
        self._telling: asyncio.Handle | None = None

    @property
    def side(self) -> str:
        """Of the connection."""
        return self._at.side

    @property
    def watch(self) -> AccountWatch | None:
        """Who reads the account's orders and balances."""
        return self._at.watch

    # What the driver says.

    def want(self, streams: Iterable[Subscription]) -> None:
        """The complete new set."""
        wanted = dict.fromkeys(streams)
        self.blind.want(self._clock.now().t, wanted, self._office.down(self._at.side))
        for stream in [one for one in self.open if one not in wanted]:
            self._end(stream)
        self._office.look()

    def hear(self, event: FeedEvent) -> None:
        """The machine told something."""
        t, streams = self._clock.now().t, self._at.router.streams
        match event:
            case Disconnected():
                self.blind.lost(t)
            case Stale(over=False):
                self.blind.silent(t, event.subscription, event.silent)
            case Stale():
                self.data(event.subscription)
            case Subscribed():
                for one in event.subscriptions:
                    if one in streams and not streams[one].wish.snapshot:
                        self.data(one)
            case _:
                return
        self._office.look()

    def data(self, stream: Subscription) -> bool:
        """The line brought something of it; True: it was polled until now."""
        self.blind.data(stream)
        if stream not in self.open:
            return False
        self._end(stream)
        return True

    def stop(self) -> None:
        """The connection ends."""
        for stream in tuple(self.open):
            self._end(stream)
        if self._telling is not None:
            self._telling.cancel()
            self._tell_collected()

    # What the pool's polling says.

    def begin(self, t: float) -> list[Subscription]:
        """Open those that are due; returns them."""
        due = {
            stream: since
            for stream, since in self.blind.due(t).items()
            if stream not in self.open and stream in self._at.router.streams and self._office.pollable(stream)
        }
        for stream, since in due.items():
            self.open[stream] = self._entry(self._at.router.streams[stream], since)
        return sorted(due, key=str)

    def began(self, streams: Iterable[Subscription]) -> None:
        """Tell that these are polled now."""
        self._tell(tuple(streams), "", over=False)

    def told(self, stream: Subscription, entry: Entry, told: Told) -> int:
        """An answer; returns how many messages were delivered of it."""
        self._mend((stream,))
        count = deliver(entry.stream, told.events, told.newest, self._office.dress, self._at.failed)
        for listener in tuple(entry.stream.listeners):
            if listener.finished:
                self._at.done(stream, listener)
        self._at.router.trim(entry.stream)
        if told.answer is not None:
            self._row(stream, entry, replace(told.answer, count=count))
        return count

    def account_told(self, counts: Mapping[Subscription, int], complete: Mapping[str, bool]) -> None:
        """The account was read: how many messages of each stream were delivered, whether no other can be missing."""
        nothing = Progress()
        for stream in tuple(self.open):
            if stream.kind in complete:
                count, entry = counts.get(stream, 0), self.open[stream]
                told = Answer(before=nothing, last=nothing, count=count, complete=complete[stream.kind])
                self._row(stream, entry, told)
        self._mend(stream for stream in self.open if stream.kind in complete)

    def failed(self, streams: Iterable[Subscription], error: str) -> None:
        """REST failed for these."""
        for stream in streams:
            if (entry := self.open.get(stream)) is not None:
                if not entry.error:
                    self._collect(stream, error, over=False)
                entry.error = error

    def since_ns(self, kinds: Iterable[str]) -> int:
        """Since when messages of these kinds may be missing, ns UTC."""
        rows = [row.from_ns for row in self._at.ledger.open if row.subscription.kind in kinds]
        return min(rows, default=self._clock.wall_ns())

    # Within.

    def _entry(self, stream: Stream, since: float) -> Entry:
        self._at.router.chill(stream)
        if stream.polled is None:
            stream.polled = Polled()
        if stream.subscription.kind == "trade":
            self._at.router.hole(stream)
        return Entry(stream, since, self._asks(stream))

    def _asks(self, stream: Stream) -> Trades | Candles | States | None:
        subscription, venue = stream.subscription, self._at.venue
        row = next((row for row in self._at.ledger.open if row.subscription == subscription), None)
        last = Progress(last_id=stream.last_id, last_timestamp=stream.last_timestamp)
        if stream.last_timestamp is None and row is not None:  # another process saw the stream last
            last = Progress(last_id=row.last_id, last_timestamp=row.last_timestamp)
        history = venue.history
        if history is not None and subscription.kind == "trade":
            since_ms = None if row is None else row.from_ns // 1_000_000
            return Trades(history.trades_days, last, since_ms, ascending=history.ids_ascend)
        if history is not None and subscription.kind == "candle":
            unit = subscription.unit or ""
            window = windows_of(unit) if history.window is None else partial(history.window, unit)
            return Candles(window, last.last_timestamp, history.candles_late_ms)
        return States(stream.last_timestamp) if subscription.kind in venue.polls else None

    def _row(self, stream: Subscription, entry: Entry, answer: Answer) -> None:
        """A callback may have ended the stream: then nothing of it is open."""
        if self.open.get(stream) is entry and self._at.router.streams.get(stream) is entry.stream:
            for row in self._at.ledger.polled(self._clock.now(), stream, self._cause, answer):
                self._office.publish(row)

    @property
    def _cause(self) -> str:
        loss = self._at.loss()
        return "stale" if loss is None else loss.cause

    def _end(self, subscription: Subscription) -> None:
        entry = self.open.pop(subscription)
        self._office.closed(self, subscription)
        self._collect(subscription, "", over=True)
        stream, router = entry.stream, self._at.router

        def settled() -> None:
            if subscription.kind == "trade":
                router.whole(stream)
            if subscription not in self.open:
                stream.polled = None

        self._clock.call_at(self._clock.now().t + SETTLE, settled)

    def _mend(self, streams: Iterable[Subscription]) -> None:
        for stream in streams:
            if (entry := self.open.get(stream)) is not None and entry.error:
                entry.error = ""
                self._collect(stream, "", over=False)

    def _collect(self, stream: Subscription, error: str, *, over: bool) -> None:
        self._news.setdefault((error, over), []).append(stream)
        if self._telling is None:
            self._telling = self._clock.call_at(self._clock.now().t + COLLECT, self._tell_collected)

    def _tell_collected(self) -> None:
        self._telling = None
        news, self._news = self._news, {}
        for (error, over), streams in news.items():
            self._tell(tuple(dict.fromkeys(streams)), error, over=over)

    def _tell(self, streams: tuple[Subscription, ...], error: str, *, over: bool) -> None:
        self._office.publish(
            Polling(
                venue=self._at.venue.name,
                connection=self._at.name,
                at_ns=self._clock.wall_ns(),
                subscriptions=streams,
                cause=self._cause,
                interval=0.0 if over else self._office.interval(self, streams),
                error=error,
                over=over,
            )
        )
