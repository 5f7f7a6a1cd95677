"""Events of all venues → every client of the gateway's own doors that wants them: each encoded once for each form."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tapewire.apps.gateway.frames import Form, Part, body_of, message
from tapewire.apps.gateway.outlet import Outlet, Pump
from tapewire.apps.gateway.upstream import Upstream, cut
from tapewire.apps.gateway.window import Kept, Window
from tapewire.apps.gateway.wishes import Stream, upstream_of
from tapewire.model.events import Event
from tapewire.model.status import CallbackFailed, FeedEvent
from tapewire.model.subscription import Subscription

#: The streams of the feed's own events in the window: for all, and for those who may hear the key's owner's.
NEWS, OWNERS_NEWS = "news", "owner's news"


class Listing:
    """One stream as clients of these doors have it.

    Attributes:
        stream: which.
        channel: the exchange's stream that it is cut from.
        begun: number of the newest message when it began to be kept.
        clients: who hear it.
        users: how many want it, those included that do not hear it yet.
    """

    __slots__ = ("begun", "channel", "clients", "conflates", "hear", "leaving", "stream", "users")

    def __init__(self, stream: Stream, begun: int, fanout: Fanout) -> None:
        self.stream, self.begun, self.users = stream, begun, 0
        self.clients: dict[Outlet, None] = {}
        self.conflates = stream.subscription.kind in fanout.upstreams[stream.venue].client.venue.facts.full_state_kinds
        self.hear: Callable[[Event], None] = lambda event: fanout.deliver(self, event)
        self.leaving: asyncio.TimerHandle | None = None
        self.channel = fanout.upstreams[stream.venue].open(upstream_of(stream.subscription), self.hear)


class Fanout:
    """Who hears what.

    Args:
        pump: writes.
        window: keeps what was sent.
        upstreams: by venue. Kinds whose every message is the whole state give way to newer ones; no others do.
        keep: seconds that a stream is kept for clients that come back, after its last one has gone.
    """

    def __init__(self, pump: Pump, window: Window, upstreams: Mapping[str, Upstream], keep: float) -> None:
        self.pump, self.window, self.upstreams, self._keep = pump, window, upstreams, keep
        self.listings: dict[Stream, Listing] = {}
        self._loop = asyncio.get_running_loop()
        #: Who hears the feed's own events, and whether those of the key's owner, too.
        self.news: dict[Outlet, bool] = {}

    def hold(self, stream: Stream) -> Listing:
        """One more wants this stream; it is subscribed if nobody had it."""
        listing = self.listings.get(stream)
        if listing is None or listing.channel.error is not None:
            listing = self.listings[stream] = Listing(stream, self.window.number, self)
        if listing.leaving is not None:
            listing.leaving.cancel()
            listing.leaving = None
        listing.users += 1
        return listing

    def release(self, listing: Listing) -> None:
        """One less wants it."""
        listing.users -= 1
        if not listing.users:
            keep = 0.0 if listing.channel.error is not None else self._keep
            listing.leaving = self._loop.call_later(keep, self._end, listing)

    def close(self) -> None:
        """Stop every timer."""
        for listing in self.listings.values():
            if listing.leaving is not None:
                listing.leaving.cancel()

    def _end(self, listing: Listing) -> None:
        if self.listings.get(listing.stream) is listing:
            del self.listings[listing.stream]
        self.upstreams[listing.stream.venue].close(upstream_of(listing.stream.subscription), listing.hear)

    def deliver(self, listing: Listing, event: Event) -> None:
        """An event of the exchange, to all who hear it."""
        stream = listing.stream
        body = body_of(cut(event, stream.subscription.depth))
        key = stream if listing.conflates else None
        self._send(listing.clients, key, stream, "event", body)

    def tell(self, venue: str, event: FeedEvent) -> None:
        """The feed's own event, to all who may hear it. What a callback of ours raised is nobody's business."""
        if isinstance(event, CallbackFailed):
            return
        owners = self._is_owners(venue, event)
        clients = [outlet for outlet, private in self.news.items() if private or not owners]
        self._send(clients, None, OWNERS_NEWS if owners else NEWS, "news", body_of(event))

    def _is_owners(self, venue: str, event: FeedEvent) -> bool:
        """Whether it tells of a stream that belongs to the key's owner."""
        one: Subscription | None = getattr(event, "subscription", None)
        streams = (one,) if one is not None else getattr(event, "subscriptions", ())
        known = self.upstreams[venue].client.venue
        return any(known.side(stream) in known.facts.signed_sides for stream in streams)

    def show(self, outlet: Outlet, listing: Listing, event: Event) -> None:
        """Send one client what is held of a stream."""
        body = body_of(cut(event, listing.stream.subscription.depth))
        key = listing.stream if listing.conflates else None
        outlet.put(key, message(outlet.form, "state", self.window.cursor(), body))

    def say(self, outlet: Outlet, part: Part, body: Any) -> None:
        """Send one client a word of ours."""
        outlet.put(None, message(outlet.form, part, "", body_of(body)))

    def missed(self, outlet: Outlet, number: int, listings: Mapping[Stream, Listing]) -> list[Kept] | None:
        """What a client missed after ``number``; None: that is not known here any more."""
        private = self.news.get(outlet)
        news = () if private is None else (NEWS, OWNERS_NEWS) if private else (NEWS,)
        return self.window.since(number, {*listings, *news}, [one.begun for one in listings.values()])

    def repeat(self, outlet: Outlet, missed: Iterable[Kept]) -> None:
        """Send one client what it missed."""
        for kept in missed:
            frame = message(outlet.form, kept.part, self.window.cursor(kept.number), kept.body)
            outlet.allow(len(frame))
            outlet.put(None, frame)

    def _send(
        self, clients: Iterable[Outlet], key: Stream | None, stream: Stream | str, part: Part, body: bytes
    ) -> None:
        number = self.window.add(self.pump.now(), stream, part, body)
        cursor = self.window.cursor(number)
        frames: dict[Form, bytes] = {}
        for outlet in clients:
            frame = frames.get(outlet.form)
            if frame is None:
                frame = frames[outlet.form] = message(outlet.form, part, cursor, body)
            outlet.put(key, frame)
