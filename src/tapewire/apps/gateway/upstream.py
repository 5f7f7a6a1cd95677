"""One venue behind the gateway: streams that somebody wants are subscribed once, and held; what nobody wants goes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from tapewire.apps.gateway.brokered import broker_markets, source_at
from tapewire.client import Handle, WebSocketClient
from tapewire.errors import AuthenticationFailed, DecodeError, FeedError, HttpFailed, Rejected
from tapewire.model.events import Event
from tapewire.model.market import Market
from tapewire.model.subscription import Subscription
from tapewire.venues.contract import Codec
from tapewire.venues.serving import BookCopy

_log = logging.getLogger(__name__)

#: Trades that are held of each market.
TRADES_HELD = 500
#: Seconds that the list of markets is taken for the present one; that of a broker grows with what is published.
_MARKETS_SECONDS, _BROKER_SECONDS = 300.0, 5.0

Hear = Callable[[Event], None]

#: An event, or what it is made of when somebody asks for it: its frame, and when that came (ns UTC).
_Kept = Event | tuple[bytes, int]


def _clock_of(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """``loop.time``, or what asyncio's own asks: each call in Python costs a message that comes alone 1 to 3 µs."""
    own = getattr(type(loop), "time", None) is asyncio.BaseEventLoop.time
    return time.monotonic if own else loop.time


def restoring(codec: Codec) -> Callable[[bytes, int], Event]:
    """Reads events once more; see ``Serving.restores``."""
    decode, classes = codec.decode, codec.classes

    def restore(frame: bytes, received_ns: int) -> Event:
        try:
            event: Event = decode(frame)
            event.__class__ = classes[type(event)][0]
        except Exception:  # as the short road (``transport.dispatch``): whatever is not plain data
            [event] = codec.read(frame).events
        event.received_ns = received_ns
        return event

    return restore


class Channel:
    """One stream of the exchange, with what it said last.

    Where events can be made of their frames again, frames are kept: an event that lives on is dozens of objects, which
    are cold when the next takes its place (a tenth of what a message cost).

    Args:
        subscription: which.
        copy: see below.
        restore: makes an event of its frame again; None: events are kept.

    Attributes:
        count: events so far.
        heard_at: when the newest came (seconds of the loop), None before the first.
        copy: of a book that the exchange tells by changes, in its own words; None: none is kept.
    """

    __slots__ = (
        "_all", "_begun", "_hearers", "_is_trade", "_latest", "_now", "_restore", "_trades", "copy", "count", "error",
        "first", "heard_at", "subscription",
    )  # fmt: skip
    #: See ``client.ear``: the gateway closes its client itself.
    closes_client = True

    def __init__(
        self,
        subscription: Subscription,
        copy: BookCopy | None = None,
        restore: Callable[[bytes, int], Event] | None = None,
    ) -> None:
        self.subscription, self.copy, self._restore = subscription, copy, restore
        self._latest: _Kept | None = None
        self._trades: deque[_Kept] = deque(maxlen=TRADES_HELD)
        self.count = 0
        self.heard_at: float | None = None
        self.error: FeedError | None = None
        self.first = asyncio.Event()
        self._begun = False
        self._is_trade = subscription.kind == "trade"
        self._hearers: dict[Hear, None] = {}
        self._all: tuple[Hear, ...] = ()
        self._now = _clock_of(asyncio.get_running_loop())

    @property
    def latest(self) -> Event | None:
        """Its newest event, None before the first."""
        if self._latest is not None:
            self._latest = self._whole(self._latest)
        return self._latest

    @property
    def trades(self) -> list[Event]:
        """Its newest trades, newest first."""
        found = [self._whole(kept) for kept in self._trades]
        self._trades = deque(found, TRADES_HELD)
        return found

    def _whole(self, kept: _Kept) -> Event:
        if isinstance(kept, Event):
            return kept
        assert self._restore is not None  # noqa: S101 - else no frame is kept
        return self._restore(*kept)

    @property
    def users(self) -> int:
        """How many hear it."""
        return len(self._hearers)

    def hear(self, event: Event) -> None:
        """An event of the exchange."""
        self.count += 1
        now = self._now
        self.heard_at = now()
        kept: _Kept = event
        if self._restore is not None and event.raw is not None and not (event.recovered or event.polled):
            kept = event.raw, event.received_ns
        if not self._is_trade:
            self._latest = kept
        elif event.recovered:
            self._trades.append(kept)
        else:
            self._latest = kept
            self._trades.appendleft(kept)
        if self.copy is not None:
            self.copy.hear(event)
        if not self._begun:
            self._begun = True
            self.first.set()
        for hear in self._all:
            hear(event)

    def add(self, hear: Hear) -> None:
        """One more hears it."""
        self._hearers[hear] = None
        self._all = tuple(self._hearers)

    def remove(self, hear: Hear) -> None:
        """One less does."""
        self._hearers.pop(hear, None)
        self._all = tuple(self._hearers)

    def failed(self, error: FeedError) -> None:
        """The exchange refused it, or its connection gave up."""
        self.error = error
        self.first.set()


class Upstream:
    """One venue's client, shared by all local programs.

    Args:
        client: subscribes; closed by ``close``.
        linger: seconds that a stream goes on after its last user has gone.
        carried: streams that are held from the beginning to the end, whoever wants them (those of a tape).
    """

    def __init__(self, client: WebSocketClient, linger: float, carried: Iterable[Subscription] = ()) -> None:
        self.client, self._linger, self._carried = client, linger, tuple(carried)
        self.channels: dict[Subscription, Channel] = {}
        self._handles: dict[Subscription, Handle] = {}
        self._opening: dict[Subscription, asyncio.Task[None]] = {}
        self._leaving: dict[Subscription, asyncio.TimerHandle] = {}
        self._listing: asyncio.Task[list[Market]] | None = None
        #: A broker in the exchange's place: nothing is asked of the exchange's REST.
        self._broker = client.options.source
        self.asks = self._broker is None or client.options.rest_url is not None
        self._fresh = _MARKETS_SECONDS if self._broker is None else _BROKER_SECONDS
        #: The broker cannot say what it has: every symbol is taken for one of its.
        self.takes_any = False
        self._listed_at = float("-inf")
        #: Makes an event of its frame again, where that can be done.
        self._restore: Callable[[bytes, int], Event] | None = None
        #: What keeps a copy of a book (``venues.serving``), where the exchange's own protocol is served.
        self.copies: Callable[[Subscription], BookCopy | None] | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def name(self) -> str:
        return self.client.venue.name

    @property
    def shown(self) -> str:
        """Where its streams come from, without a password that may stand in the address."""
        if self._broker is not None:
            return source_at(self._broker).shown
        return self.client.options.url or self.client.venue.facts.url

    def keep_frames(self) -> None:
        """Keep the exchange's frames in the place of events; see ``Serving.restores``."""
        if self._broker is None:
            options = self.client.options
            self._restore = restoring(self.client.venue.codec(options.format, options.numbers, options.keep_raw))

    def carry(self) -> None:
        """Begin with the streams that are always held."""
        for stream in self._carried:
            self.open(stream, _nobody)

    async def markets(self) -> list[Market]:
        """Everything the venue lists; of a tape that does not tell it the markets of its streams.

        Raises:
            HttpFailed, DecodeError: it cannot be had.
        """
        try:
            return await self._listed()
        except (HttpFailed, DecodeError):
            if not self._carried:
                raise
            return [Market(symbol, symbol, "") for symbol in dict.fromkeys(one.symbol for one in self._carried)]

    async def _listed(self) -> list[Market]:
        now = self._loop.time()
        task = self._listing
        if task is None or (task.done() and (now > self._listed_at + self._fresh or task.exception())):
            task = self._listing = self._loop.create_task(self._list(), name="gateway markets")
            self._listed_at = now
        return await asyncio.shield(task)

    async def _list(self) -> list[Market]:
        if self._broker is None:
            return await self.client.markets()
        found = await broker_markets(self._broker, self.name)
        self.takes_any = found is None
        return found or []

    def open(self, subscription: Subscription, hear: Hear) -> Channel:
        """Let ``hear`` have a stream; subscribed if it was not. ``ready`` says what became of it."""
        channel = self.channels.get(subscription)
        if channel is None or channel.error is not None:
            copy = None if self.copies is None else self.copies(subscription)
            channel = self.channels[subscription] = Channel(subscription, copy, self._restore)
            opening = self._loop.create_task(self._open(channel), name=f"gateway {subscription}")
            self._opening[subscription] = opening
        timer = self._leaving.pop(subscription, None)
        if timer is not None:
            timer.cancel()
        channel.add(hear)
        return channel

    async def ready(self, channel: Channel) -> None:
        """Wait until it is subscribed.

        Raises:
            FeedError: it was refused: no such market, an unsupported option, no key.
        """
        opening = self._opening.get(channel.subscription)
        if opening is not None:
            await asyncio.shield(opening)
        if channel.error is not None:
            raise channel.error

    async def state(self, channel: Channel, seconds: float) -> Event | None:
        """Its newest event; None: none came within so many seconds, or it was refused."""
        try:
            async with asyncio.timeout(seconds):
                await channel.first.wait()
        except TimeoutError:
            return None
        return channel.latest

    async def live(self, channel: Channel, seconds: float) -> None:
        """Wait until the exchange has agreed to it, or refused, at most so many seconds."""
        try:
            await self.ready(channel)
            handle = self._handles.get(channel.subscription)
            if handle is not None:
                await handle.live(seconds)
        except (
            Rejected,
            AuthenticationFailed,
        ) as error:  # the door says it
            channel.failed(error)
            self._handles.pop(channel.subscription, None)
        except FeedError as error:
            _log.info("gateway: %s is not confirmed: %s", channel.subscription, error)

    def close(self, subscription: Subscription, hear: Hear) -> None:
        """``hear`` wants it no more; without others it is given back some time later."""
        channel = self.channels.get(subscription)
        if channel is None:
            return
        channel.remove(hear)
        if not channel.users and channel.error is not None:
            self._leave(subscription)
        elif not channel.users and subscription not in self._leaving:
            timer = self._loop.call_later(self._linger, self._leave, subscription)
            self._leaving[subscription] = timer

    def forget(self) -> None:
        """Stop every timer and task of its own."""
        for timer in self._leaving.values():
            timer.cancel()
        for task in (*self._opening.values(), *([self._listing] if self._listing else [])):
            task.cancel()

    async def _open(self, channel: Channel) -> None:
        subscription = channel.subscription
        try:
            await self._check(subscription)
            handle = await self.client.subscribe([subscription], channel.hear)
            if subscription in self.channels:
                self._handles[subscription] = handle
            else:  # given up while it was opened
                handle.end()
        except FeedError as error:
            channel.failed(error)
        finally:
            self._opening.pop(subscription, None)

    async def _check(self, subscription: Subscription) -> None:
        """Refuse here what there is not: what a local program gets wrong is no trouble of the feed."""
        if not self.client.options.validate:
            return
        try:
            listed = {market.symbol: market for market in await self.markets()}
        except (HttpFailed, DecodeError):  # nobody knows what there is: the exchange itself may refuse it
            return
        self.client.venue.check(subscription, listed)

    def _leave(self, subscription: Subscription) -> None:
        self._leaving.pop(subscription, None)
        channel = self.channels.get(subscription)
        if channel is not None and not channel.users:
            del self.channels[subscription]
            handle = self._handles.pop(subscription, None)
            if handle is not None:
                handle.end()


def _nobody(_event: Event) -> None:
    """Hears a stream that is held for whoever comes."""


def cut(event: Event, depth: int | None) -> Event:
    """A book with so many levels a side; every other event, and None, as it is."""
    if depth is None:
        return event
    said: dict[str, Any] = {}
    for name in ("asks", "bids", "orderbook_units"):
        levels = getattr(event, name, None)
        if isinstance(levels, list) and len(levels) > depth:
            said[name] = levels[:depth]
    return msgspec.structs.replace(event, **said) if said else event
