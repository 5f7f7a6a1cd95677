"""One client of the gateway's own doors: what it asked for, what it has, and what its messages do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import UNSET

from tapewire.apps.gateway.fanout import Fanout, Listing
from tapewire.apps.gateway.outlet import Outlet
from tapewire.apps.gateway.problems import Problem
from tapewire.apps.gateway.settings import GatewayOptions
from tapewire.apps.gateway.upstream import Upstream
from tapewire.apps.gateway.wishes import Message, Stream, Wish, chosen, streams_of, template_of
from tapewire.errors import FeedError

#: Streams, each with what it counts as.
Wanted = dict[Stream, object]


class Member:
    """One client.

    Args:
        outlet: the way to it.
        fanout: who hears what.
        options: of the gateway.
        private: it may hear what belongs to the key's owner.
    """

    def __init__(self, outlet: Outlet, fanout: Fanout, options: GatewayOptions, *, private: bool) -> None:
        self.outlet, self._fanout, self._options, self._private = outlet, fanout, options, private
        self._counted: Wanted = {}
        self._listings: dict[Stream, Listing] = {}
        self._gone = False
        fanout.news[outlet] = private

    @property
    def _upstreams(self) -> Mapping[str, Upstream]:
        return self._fanout.upstreams

    async def obey(self, message: Message) -> None:
        """Do what a message says, and answer it. One that cannot be obeyed is answered so, and changes nothing."""
        try:
            added, removed = await self._meant(message)
            self._check(added, removed)
        except (Problem, FeedError) as error:
            problem = error if isinstance(error, Problem) else Problem("upstream", str(error))
            said: dict[str, Any] = {} if message.id is None else {"id": message.id}
            self._fanout.say(self.outlet, "error", said | problem.facts)
            return
        self._change(message)
        self._drop(removed)
        joined, refused = await self._join([one for one in added if one not in self._listings])
        if self._gone:
            self._let_go(joined)
            return
        self._begin(message, joined, refused)
        self._counted = {one: counts for one, counts in (self._counted | added).items() if one in self._listings}

    def leave(self) -> None:
        """The client is gone."""
        self._gone = True
        self._fanout.news.pop(self.outlet, None)
        self._drop(tuple(self._listings))

    async def _meant(self, message: Message) -> tuple[Wanted, list[Stream]]:
        """The streams that are added, and taken off. Raises Problem for a wish that nobody could grant."""
        added: Wanted = {}
        for wish in message.subscribe:
            added |= await self._streams_of(wish)
        if isinstance(message.unsubscribe, str):
            return added, list(self._listings) if message.unsubscribe else []
        removed: Wanted = {}
        for wish in message.unsubscribe:
            removed |= await self._streams_of(wish, of_mine=True)
        return added, [one for one in removed if one in self._listings]

    async def _streams_of(self, wish: Wish, *, of_mine: bool = False) -> Wanted:
        venue = chosen(wish.venue, self._upstreams)
        upstream = self._upstreams[venue]
        known = upstream.client.venue
        template = template_of(wish, venue, known.facts)
        if known.side(template) in known.facts.signed_sides and not self._private:
            raise Problem("forbidden", f"{wish.type} belongs to the key's owner, and is not served to this client")
        starred = not of_mine and any(code.endswith("*") for code in wish.codes)
        markets = [market.symbol for market in await upstream.markets()] if starred else []
        return streams_of(wish, venue, template, markets, self._listings if of_mine else None)

    def _check(self, added: Wanted, removed: Iterable[Stream]) -> None:
        after = {one: counts for one, counts in self._counted.items() if one not in set(removed)} | added
        if len(set(after.values())) > self._options.most_subscriptions:
            raise Problem("too_many", f"at most {self._options.most_subscriptions:,} subscriptions a client")

    def _change(self, message: Message) -> None:
        if message.news is not UNSET:
            self._fanout.news.pop(self.outlet, None)
            if message.news:
                self._fanout.news[self.outlet] = self._private
        if message.interval is not UNSET:
            self.outlet.interval = message.interval

    async def _join(self, wanted: list[Stream]) -> tuple[list[Listing], list[dict[str, str]]]:
        """Hold these streams; those that are carried now, and those that cannot be."""
        held = [self._fanout.hold(stream) for stream in wanted]
        joined: list[Listing] = []
        refused: list[dict[str, str]] = []
        try:
            for listing in held:
                stream = listing.stream
                try:
                    await self._ready(listing)
                    joined.append(listing)
                except FeedError as error:
                    what = {"venue": stream.venue, "type": stream.subscription.kind}
                    refused.append(what | {"symbol": stream.subscription.symbol, "message": str(error)})
        except asyncio.CancelledError:
            self._let_go(held)
            raise
        self._let_go(listing for listing in held if listing not in joined)
        return joined, refused

    async def _ready(self, listing: Listing) -> None:
        """Until the exchange has agreed to what it tells but once (an order): nothing may pass before the answer."""
        upstream = self._upstreams[listing.stream.venue]
        await upstream.ready(listing.channel)
        if listing.stream.subscription.kind in upstream.client.venue.facts.event_kinds:
            await upstream.live(listing.channel, self._options.patience)

    def _begin(self, message: Message, joined: list[Listing], refused: list[dict[str, str]]) -> None:
        """Answer, then what was missed or what is held, then what comes: nothing can come between."""
        window, outlet = self._fanout.window, self.outlet
        for listing in joined:
            self._listings[listing.stream] = listing
        number = None if message.resume is None else window.place(message.resume)
        missed = None if number is None else self._fanout.missed(outlet, number, self._listings)
        resumed = None if message.resume is None else missed is not None
        answer = {"id": message.id, "subscribed": len(self._listings), "refused": refused}
        self._fanout.say(outlet, "answer", answer | {"resumed": resumed, "cursor": window.cursor()})
        self._fanout.repeat(outlet, missed or ())
        for listing in joined:
            if listing.channel.latest is not None and (not resumed or (outlet.interval and listing.conflates)):
                self._fanout.show(outlet, listing, listing.channel.latest)
            listing.clients[outlet] = None

    def _drop(self, streams: Iterable[Stream]) -> None:
        gone = [self._listings.pop(stream) for stream in streams]
        for listing in gone:
            listing.clients.pop(self.outlet, None)
            self._counted.pop(listing.stream, None)
        self._let_go(gone)

    def _let_go(self, listings: Iterable[Listing]) -> None:
        for listing in listings:
            self._fanout.release(listing)
