"""Moves the streams of a connection that the exchange is about to close to a new one, before it does: no gap."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from weakref import WeakKeyDictionary

from msgspec.structs import replace

from tapewire.config import Credentials
from tapewire.hub.calls import hand_over
from tapewire.hub.listening import REMEMBERED_TRADES, Listener, Stream
from tapewire.model.events import Event, TradeEvent
from tapewire.model.line import Loss
from tapewire.model.subscription import Subscription
from tapewire.runtime.building import Carrier
from tapewire.runtime.clock import Clock
from tapewire.runtime.driver import Driver
from tapewire.runtime.observe import log_fields, logger

#: Seconds between two looks at what the new line brought.
LOOK = 0.25
#: Seconds for which both lines are heard: what one of them is behind the other comes in them.
BOTH = 1.0
#: Seconds after which a stream that is live goes over although its two lines do not meet, or it brought nothing.
PATIENCE = 5.0
#: Seconds after which the rest stays where it is: the exchange closes a minute after its notice (spec/okx.md A5).
GIVEN_UP = 45.0
RENEWED = Loss("closed", None, "left before the exchange closes it")
#: States of an account, each message of which tells some of it.
ACCOUNT = ("myAsset", "myPosition", "balanceAndPosition")
#: Messages of one stream that are kept for the moment at which it goes over.
KEPT = 10_000


@dataclass
class Tap:
    """What both lines bring of one stream while it goes over. ``since``: when the new one became live."""

    listener: Listener
    on_new: deque[Event] = field(default_factory=lambda: deque[Event](maxlen=KEPT))
    on_old: deque[Event] = field(default_factory=lambda: deque[Event](maxlen=KEPT))
    witness: Listener | None = None
    since: float | None = None


class Move:
    """One connection's streams, each going over when the new line has it.

    Args:
        old, new: the connections.
        clock: looks from time to time.
        took_over: told of each stream that the new one has now, with the key it is read with.
    """

    def __init__(
        self, old: Driver, new: Driver, clock: Clock, took_over: Callable[[Driver, Driver, Subscription], None]
    ) -> None:
        self._old, self._new, self._clock, self._took_over = old, new, clock, took_over
        self._began = clock.now()
        #: Who looks after the account on either line.
        self._told, self._telling = old.standby.watch, new.standby.watch
        self._taps: dict[Subscription, Tap] = {}
        self._timer: asyncio.Handle | None = None
        self.over = False
        for subscription, stream in old.router.streams.items():
            self._tap(subscription, stream)
        if self._telling is not None:
            self._telling.await_story({subscription.kind for subscription in self._taps})
        new.want(set())
        self._look_later()

    def _tap(self, subscription: Subscription, stream: Stream) -> None:
        account, realtime = self._old.origin.credentials, not stream.wish.snapshot
        tap = Tap(Listener("move", _nobody, "realtime_only" if realtime else "both", account))
        tap.listener.callback = tap.on_new.append
        self._taps[subscription] = tap
        self._new.router.add(subscription, tap.listener)
        if realtime:
            tap.witness = Listener("move", tap.on_old.append, "realtime_only", account)
            self._old.router.add(subscription, tap.witness)

    def tidy(self) -> None:
        """Streams that nobody else hears any more need not go over."""
        for subscription, tap in tuple(self._taps.items()):
            stream = self._old.router.streams.get(subscription)
            if stream is None or all(listener is tap.witness for listener in stream.listeners):
                self._untap(subscription, tap)

    def kill(self) -> None:
        """End without a word."""
        self.over = True
        if self._timer is not None:
            self._timer.cancel()

    def _untap(self, subscription: Subscription, tap: Tap) -> None:
        del self._taps[subscription]
        self._new.router.remove(subscription, tap.listener)
        if tap.witness is not None:
            self._old.router.remove(subscription, tap.witness)
        if self._telling is not None and not any(one.kind == subscription.kind for one in self._taps):
            self._telling.await_no_longer(subscription.kind)

    def _look_later(self) -> None:
        self._timer = self._clock.call_at(self._clock.now().t + LOOK, self._look)

    def _look(self) -> None:
        t = self._clock.now().t
        self.tidy()
        for subscriptions in self._ready(t):
            doubles = self._take_over(subscriptions[0].kind)
            for subscription in subscriptions:
                if subscription in self._old.router.streams:  # a callback of another may have ended it
                    self._hand_over(subscription, self._taps[subscription], doubles)
        if self._taps and (t - self._began.t >= GIVEN_UP or self._new.done.is_set()):
            self._give_up()
        if self._taps:
            self._look_later()
            return
        self.over = True
        for driver in (self._old, self._new):
            if not driver.done.is_set():
                driver.want(set())
                if not driver.router.streams:
                    driver.stop()

    def _ready(self, t: float) -> list[list[Subscription]]:
        """Those that go over now; of an account all of one kind together, for what was told of them is one story."""
        ready = [subscription for subscription, tap in self._taps.items() if self._is_ready(t, subscription, tap)]
        if self._telling is None:
            return [[subscription] for subscription in ready]
        whole = {one.kind for one in ready} - {one.kind for one in self._taps if one not in ready}
        return [[one for one in ready if one.kind == kind] for kind in sorted(whole)]

    def _take_over(self, kind: str) -> list[Event]:
        """Of an account's streams the new line knows what the old one told; returns what both of them brought."""
        if self._telling is None or self._told is None:
            return []
        return self._telling.take_over(kind, self._told, self._began.ns)

    def _is_ready(self, t: float, subscription: Subscription, tap: Tap) -> bool:
        if subscription not in self._new.live:
            tap.since = None
            return False
        if any(driver.holes.is_filling(subscription) for driver in (self._old, self._new)):
            return False  # what is asked for is delivered where it was missed; the other line knows nothing of it
        if any(gap.subscription == subscription for gap in self._old.gaps):
            return False  # nobody heard it between the loss of the old line and the new one's beginning
        tap.since = t if tap.since is None else tap.since
        if t - tap.since >= PATIENCE:
            return True
        return t - tap.since >= BOTH and is_whole(self._old.router.streams[subscription], tap)

    def _hand_over(self, subscription: Subscription, tap: Tap, doubles: Sequence[Event]) -> None:
        """From now on the subscribers hear the new line; first what it brought that the old one did not."""
        old, new = self._old.router.streams[subscription], self._new.router.streams[subscription]
        told = {id(event) for event in doubles}
        missed = [event for event in missed_by_old(old, tap) if id(event) not in told]
        listeners = [listener for listener in old.listeners if listener is not tap.witness]
        for listener in listeners:
            self._new.router.add(subscription, listener)
            listener.joined = 0  # it has all that the old line brought, and is given now what the new one did
            self._old.router.remove(subscription, listener)
        remember_ids(old, new)
        self._untap(subscription, tap)
        self._took_over(self._old, self._new, subscription)
        for event in missed:
            for listener in listeners:
                if listener.wants_realtime:
                    hand_over(listener, event, self._new.listener_failed)

    def _give_up(self) -> None:
        origin = self._old.origin
        logger.warning(
            "%s: %d streams stay until the exchange closes it: no new line had them within %.0f s",
            origin.connection, len(self._taps), GIVEN_UP, extra=log_fields("move_failed", origin.venue),
        )  # fmt: skip
        for subscription, tap in tuple(self._taps.items()):
            self._untap(subscription, tap)
        self._old.stopping = False


def _nobody(_event: Event) -> None: ...


def is_whole(old: Stream, tap: Tap) -> bool:
    """Whether nothing can lie between what the two lines brought."""
    if old.subscription.kind != "trade":
        return bool(tap.on_new) or tap.listener.preference == "realtime_only"
    first = next((event for event in tap.on_new if isinstance(event, TradeEvent)), None)
    if first is None or first.sequential_id is None:
        return False
    return old.last_id is None or old.last_id >= first.sequential_id - (first.count or 1)


def missed_by_old(old: Stream, tap: Tap) -> Sequence[Event]:
    """What the new line brought and the old one did not."""
    if not tap.on_new:
        return ()
    if isinstance(tap.on_new[0], TradeEvent):
        known = old.remembered
        first = min(known, default=0)
        return [event for event in tap.on_new if isinstance(event, TradeEvent) and _is_new(event, first, known)]
    if tap.listener.preference == "realtime_only":
        told = [_plain(event) for event in tap.on_old]
        return [event for event in tap.on_new if _plain(event) not in told]
    newer = [event for event in tap.on_new if (event.timestamp or 0) > (old.last_timestamp or 0)]
    return (newer if old.subscription.kind in ACCOUNT else newer[-1:]) or ()


def _is_new(trade: TradeEvent, first: int, known: set[int]) -> bool:
    """A trade may be late: what came before all that is remembered is not new, whatever else is not known is."""
    return trade.sequential_id not in known and (trade.sequential_id or 0) > first


def _plain(event: Event) -> Event:
    """As it is on either line."""
    return replace(event, received_ns=0, raw=None)


def remember_ids(old: Stream, new: Stream) -> None:
    """Trades that the old line brought come twice if the new one is behind."""
    if old.recent_ids is None or new.recent_ids is None:
        return
    new.late |= old.late.union(number for number in new.recent_ids if number is not None)
    for mine, theirs in ((new.recent_ids, old.recent_ids), (new.counts, old.counts)):
        if mine is not None and theirs is not None:
            both = (*theirs, *mine)
            mine.clear()
            mine.extend(islice(both, max(0, len(both) - REMEMBERED_TRADES), None))
    new.highest = max(old.highest, new.highest)


class Moves:
    """All moves of one pool, of whose parts it is made.

    Args:
        clock: looks from time to time.
        carriers: its connections.
        connect: makes one more, for a key and a side.
        place: where each stream is.
        mark: a connection whose streams changed.
    """

    def __init__(
        self,
        clock: Clock,
        carriers: list[Carrier],
        connect: Callable[[Credentials | None, str], Carrier],
        place: dict[tuple[Credentials | None, Subscription], Carrier],
        mark: Callable[[Carrier], None],
    ) -> None:
        self._clock, self._carriers, self._connect, self._place, self._mark = clock, carriers, connect, place, mark
        self._moves: list[Move] = []
        #: Lines that were left, by their number: until there is another, the driver carries nothing.
        self._left: WeakKeyDictionary[Driver, int] = WeakKeyDictionary()

    def begin(self, old: Driver) -> None:
        """The exchange is about to close this connection."""
        self._moves = [move for move in self._moves if not move.over]
        if old.stopping:
            return
        if old not in self._carriers:
            self._renew(old)
            return
        new = self._connect(old.origin.credentials, old.origin.side)
        assert isinstance(new, Driver)  # noqa: S101 - as the old one was
        self._carriers.append(new)
        old.stopping = True  # nothing new goes there
        self._moves.append(Move(old, new, self._clock, self._took_over))

    def _renew(self, old: Driver) -> None:
        """One of several that carry the same is left at once if another has it all; else the exchange closes it, when
        the others have come back.
        """
        sisters = next(carrier.drivers for carrier in self._carriers if old in carrier.drivers)
        others = [other for other in sisters if other is not old and other.connects != self._left.get(other)]
        if any(other.is_open and old.live <= other.live for other in others):
            self._left[old] = old.connects
            old.line.close(RENEWED, graceful=True)

    def _took_over(self, old: Driver, new: Driver, subscription: Subscription) -> None:
        self._place[old.origin.credentials, subscription] = new
        self._mark(old)
        self._mark(new)

    def tidy(self) -> None:
        """See ``Move.tidy``."""
        for move in self._moves:
            move.tidy()

    def kill(self) -> None:
        """End them without a word."""
        for move in self._moves:
            move.kill()
