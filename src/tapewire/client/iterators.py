"""The part of the client that iterates: each event waits in a mailbox until it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Any

from tapewire.client.component import Component
from tapewire.client.handle import Handle, as_subscriptions, as_symbols
from tapewire.client.latest import DataPool
from tapewire.client.open_stream import OpenStream
from tapewire.config import MailboxOptions
from tapewire.errors import ConfigError, FeedError
from tapewire.hub.calls import Take
from tapewire.hub.frame_box import PART, FrameBox
from tapewire.hub.mailbox import Mailbox
from tapewire.hub.stream import EventStream
from tapewire.model.events import CandleEvent, Event, OrderbookEvent, TickerEvent, TradeEvent
from tapewire.model.frame_run import FrameTaker
from tapewire.model.status import FeedEvent
from tapewire.model.subscription import StreamPreference, Subscription
from tapewire.runtime.lag import LagReporter
from tapewire.runtime.pool import Pool
from tapewire.venues.contract import Venue

Symbols = str | Iterable[str]
#: What lets an event wait → what is called with each in its place.
Condensing = Callable[[Callable[[Any], None]], Callable[[Any], None]]


class Iterators:
    """What ``WebSocketClient`` lets iterate. An iterator keeps its client."""

    name: str
    venue: Venue
    _component: Component
    _kept: DataPool

    @property
    def _pool(self) -> Pool:
        raise NotImplementedError

    def tickers(self, symbols: Symbols, **how: Any) -> EventStream[TickerEvent]:
        """Iterate over tickers. ``how``: ``stream_preference``, ``mailbox``."""
        return self._iterate([Subscription("ticker", s) for s in as_symbols(symbols)], **how)

    def trades(self, symbols: Symbols, **how: Any) -> EventStream[TradeEvent]:
        """Iterate over trades. ``how``: ``stream_preference``, ``mailbox``."""
        return self._iterate([Subscription("trade", s) for s in as_symbols(symbols)], **how)

    def orderbooks(
        self, symbols: Symbols, *, depth: int | None = None, level: float = 0, **how: Any
    ) -> EventStream[OrderbookEvent]:
        """Iterate over order books. ``how``: ``stream_preference``, ``mailbox``."""
        wanted = [Subscription("orderbook", s, depth=depth, level=level) for s in as_symbols(symbols)]
        return self._iterate(wanted, **how)

    def candles(self, symbols: Symbols, *, unit: str = "1s", **how: Any) -> EventStream[CandleEvent]:
        """Iterate over candles of ``unit``. ``how``: ``stream_preference``, ``mailbox``."""
        return self._iterate([Subscription("candle", s, unit=unit) for s in as_symbols(symbols)], **how)

    def stream(self, subscriptions: Iterable[Subscription], **how: Any) -> EventStream[Event | FeedEvent]:
        """Iterate over data and the feed's own events in one stream, in the order they happened.

        ``how``: ``stream_preference``, ``mailbox``, and ``condensing``, which makes of the function that lets events
        wait one that lets something else wait in their place (not with the rule ``conflate``); ``frames`` is what takes
        the events' frames in their place, ``part`` of them at a time, where the rule is ``drop_oldest``; ``beside`` is
        called with each event then, at once.
        """
        return self._iterate(as_subscriptions(subscriptions), with_feed=True, **how)

    def open_stream(self, *, mailbox: MailboxOptions | None = None, news_only: Collection[str] = ()) -> OpenStream:
        """As ``stream``, of nothing yet: streams are added and removed while it is iterated.

        Args:
            mailbox: what waits.
            news_only: kinds of which no state is iterated, only what is new since they were added, in its order.
        """
        self._pool  # noqa: B018 - it is in use from now on
        return OpenStream(self._component, mailbox or self._component.options.mailbox, news_only)

    def _iterate(
        self,
        subscriptions: list[Subscription],
        *,
        stream_preference: StreamPreference = "both",
        mailbox: MailboxOptions | None = None,
        with_feed: bool = False,
        condensing: Condensing | None = None,
        frames: FrameTaker | None = None,
        part: int = PART,
        beside: Callable[[Event], None] | None = None,
    ) -> EventStream[Any]:
        if condensing is not None and (mailbox or self._component.options.mailbox).rule == "conflate":
            raise ConfigError("rule", "conflate", "another one: what is condensed does not say which stream it is of")
        pool, component = self._pool, self._component
        kinds = list(dict.fromkeys(one.kind for one in subscriptions))
        handle = component.handle("+".join(kinds) or "nothing", Subscription("", ""), stream_preference)
        lag = pool.lag_reporter()
        options = mailbox or component.options.mailbox
        box = _box_for(handle, options, lag, frames, part)
        venue, kept = self.venue.name, self._kept
        deliver_of = _ways_into(box, venue, condensing, beside)
        component.boxes[box] = None
        pool.troubles.mailboxes.add(box)
        feed = pool.feed_listeners

        def ended(error: FeedError | None) -> None:
            box.close(error)
            component.ended(handle)

        take_of = partial(_frames_into, box, venue, beside, kept, kinds)
        handle.bind_each(lambda one: kept.keeping(deliver_of(one), kinds), ended, take_of=take_of)

        async def begin() -> None:
            if handle not in self._component.handles:  # a call that was cut off may have come so far
                component.begun(handle)
                if with_feed:
                    feed.append(box.put)
            await handle.add_subscriptions(subscriptions)

        def end() -> None:
            box.settle()
            lag.flush(box)  # so that it is the last that is iterated
            handle.end()
            box.close()
            lag.flush(box)
            if with_feed and box.put in feed:
                feed.remove(box.put)
            component.ended(handle)
            component.box_gone(box)

        return EventStream(box, begin, end)


def _box_for(
    handle: Handle, options: MailboxOptions, lag: LagReporter, frames: FrameTaker | None, part: int
) -> Mailbox:
    if frames is not None and options.rule == "drop_oldest" and not options.interval:
        return FrameBox(handle.name, options, frames, part=part, on_drop=lag)
    return Mailbox(handle.name, options, on_full=handle.hold, on_drop=lag)


def _frames_into(  # noqa: PLR0917 - what a way into a box depends on
    box: Mailbox,
    venue: str,
    beside: Callable[[Event], None] | None,
    kept: DataPool,
    kinds: Collection[str],
    subscription: Subscription,
) -> Take | None:
    """What takes the frames of a stream, if these are all that is wanted of it now."""
    if not isinstance(box, FrameBox) or beside is not None or not kept.kinds.isdisjoint(kinds):
        return None
    return box.take_frames(venue, subscription)


def _ways_into(
    box: Mailbox, venue: str, condensing: Condensing | None, beside: Callable[[Event], None] | None
) -> Callable[[Subscription], Callable[[Any], None]]:
    """What is called with the events of each stream."""
    if not isinstance(box, FrameBox):
        deliver = box.put if condensing is None else condensing(box.put)
        return lambda _subscription: deliver
    if beside is None:
        return lambda one: box.hear(venue, one)

    def hearing(one: Subscription) -> Callable[[Event], None]:
        hear = box.hear(venue, one)

        def hear_both(event: Event) -> None:
            hear(event)
            beside(event)

        return hear_both

    return hearing
