"""The exchange's own doors: local programs that were written for the exchange, over streams that are held for all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial

from aiohttp import web

from tapewire.apps.gateway.access import Access
from tapewire.apps.gateway.asker import Asker
from tapewire.apps.gateway.backlog import Backlog
from tapewire.apps.gateway.brokered import NOT_ASKED, AnyMarket
from tapewire.apps.gateway.doors import Rate
from tapewire.apps.gateway.frames import BINARY, TEXT, framed
from tapewire.apps.gateway.keys import ShownKeys
from tapewire.apps.gateway.outlet import Outlet, Pump
from tapewire.apps.gateway.problems import Problem
from tapewire.apps.gateway.relay import Relay
from tapewire.apps.gateway.settings import GatewayOptions
from tapewire.apps.gateway.sockets import FAILED, POLICY, Socket, Switching
from tapewire.apps.gateway.upstream import Channel, Upstream
from tapewire.errors import AuthenticationFailed, DecodeError, FeedError, HttpFailed, Rejected
from tapewire.model.events import Event
from tapewire.model.market import Market
from tapewire.model.subscription import Subscription, Wish
from tapewire.venues.exchange import Answer, HttpAnswer, HttpCall
from tapewire.venues.serving import BookCopy, Serving, Visitor

_log = logging.getLogger(__name__)

#: Messages of a client that wait to be answered at most.
_WAITING = 100
#: Said where the exchange does not take the gateway's own key.
_KEY_REFUSED = "the exchange does not take the gateway's key"
#: A message of a client and whether it is text; None: it was one too many.
_Message = tuple[bytes, bool] | None


class Held:
    """One venue's streams, as its own side of the talk looks at them."""

    def __init__(self, upstream: Upstream, key_refused: str) -> None:
        self._upstream, self._key_refused = upstream, key_refused
        self.markets: Mapping[str, Market] = {}
        self.relays: dict[Subscription, Relay] = {}

    def latest(self, stream: Subscription) -> Event | None:
        """See ``HeldStreams``."""
        channel = self._upstream.channels.get(stream)
        return None if channel is None else channel.latest

    def refused(self, stream: Subscription) -> tuple[str, str] | None:
        """See ``HeldStreams``."""
        channel = self._upstream.channels.get(stream)
        error = None if channel is None else channel.error
        if isinstance(error, AuthenticationFailed):
            return self._key_refused, _KEY_REFUSED
        return (error.name, error.message) if isinstance(error, Rejected) else None

    def book(self, stream: Subscription) -> BookCopy | None:
        """See ``HeldStreams``."""
        channel = self._upstream.channels.get(stream)
        copy = None if channel is None else channel.copy
        return copy if copy is not None and copy.is_whole else None


class Visit:
    """One local program."""

    def __init__(self, hall: Hall, socket: Socket, talk: Visitor) -> None:
        self._hall, self.socket, self.talk = hall, socket, talk
        options = hall.options
        backlog = Backlog(options.backlog_bytes, options.backlog_seconds)
        self.outlet = Outlet(socket, "websocket", hall.pump, backlog)
        self._held: dict[Subscription, Channel] = {}
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    async def obey(self, payload: bytes, *, is_text: bool) -> None:
        """Answer a message: first its streams are subscribed, as far as they can be."""
        hall, new = self._hall, dict[Subscription, Channel]()
        wishes = self.talk.wishes(payload)
        try:
            for wish in wishes:
                if wish.subscription not in self._held:
                    new[wish.subscription] = hall.hold(wish.subscription)
            await hall.known(self._held | new, wishes)
            self.say(self.talk.receive(self._loop.time(), payload, is_text=is_text))
        finally:
            self._settle(new)
        self._wake()
        if not hall.acknowledges:  # what it asks next is answered when this is agreed to, as at the exchange
            await hall.agreed(self._held, wishes)
            self._refuse()

    def _refuse(self) -> None:
        """Say what the exchange refused to the gateway, in its words, and hold that no more."""
        words: dict[tuple[str, str], None] = {}
        for stream in tuple(self._held):
            refused = self._hall.held.refused(stream)
            if refused is not None:
                words[refused] = None
                self.talk.forget(stream)
        for name, message in words:
            self.say(self.talk.error(name, message))
        if words:
            self._settle({})

    def say(self, answer: Answer) -> None:
        """What the exchange says."""
        for payload in (*answer.payloads, *answer.books):
            self.outlet.put(None, framed(payload, self._hall.first))
        if answer.close is not None:
            self.outlet.flush()
            self.socket.close(*answer.close)

    def leave(self) -> None:
        """The program is gone."""
        if self._timer is not None:
            self._timer.cancel()
        self.outlet.close()
        for stream in tuple(self._held):
            self._let_go(stream)

    def _settle(self, new: dict[Subscription, Channel]) -> None:
        """Hear what the talk holds now, and nothing else: nothing can come between this and its answer."""
        wanted = set(self.talk.holds())
        for stream, channel in new.items():
            self._held[stream] = channel
        for stream in tuple(self._held):
            if stream in wanted:
                self._hall.held.relays[stream].renew(self)
            else:
                self._let_go(stream)

    def _let_go(self, stream: Subscription) -> None:
        del self._held[stream]
        self._hall.release(stream, self)

    def _wake(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        deadline = self.talk.deadline
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._advance)

    def _advance(self) -> None:
        for payload in self.talk.advance(self._loop.time()):
            self.outlet.put(None, framed(payload, self._hall.first))
        self._wake()


class Hall:
    """One venue's own doors.

    Args:
        upstream: its streams.
        serving: its side of the talk.
        asker: its REST.
        pump: writes.
        options: of the gateway.
        access: whose keys are good where one is shown.
    """

    def __init__(  # noqa: PLR0917 - each handed in once, by the gateway
        self,
        upstream: Upstream,
        serving: Serving,
        asker: Asker,
        pump: Pump,
        options: GatewayOptions,
        access: Access,
    ) -> None:
        self._upstream, self.serving, self._asker, self.pump, self.options = upstream, serving, asker, pump, options
        self._access = access
        self.held = Held(upstream, serving.key_refused)
        self.first = TEXT if serving.is_text else BINARY
        self.visits: set[Visit] = set()
        self.sockets: set[Socket] = set()
        self._users: dict[Subscription, int] = {}
        self._loop = asyncio.get_running_loop()
        upstream.copies = serving.book_copy
        if serving.restores:
            upstream.keep_frames()

    async def door(self, request: web.Request) -> web.StreamResponse:
        """A WebSocket path of the exchange's."""
        side = self.serving.paths[request.path]
        keys = ShownKeys(self._access, request.remote or "")
        if request.path in self.serving.keyed:
            headers = {name.lower(): value for name, value in request.headers.items()}
            served = self.options.private
            refused = self.serving.admit(request.path, headers, keys) if served else self.serving.closed(headers)
            if refused is not None:
                return web.Response(status=refused.status, body=refused.body, headers=dict(refused.headers))
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise Problem("bad_request", "this door speaks WebSocket")
        await self._list()
        switching, opened = Switching(request), list[Visit]()
        messages: asyncio.Queue[_Message] = asyncio.Queue(_WAITING)
        rate = Rate(self.options.commands)

        def hear(payload: bytes, is_text: bool) -> None:
            if messages.full():
                opened[0].socket.close(POLICY, "too many messages")
            else:
                messages.put_nowait(None if rate.over(self._loop.time()) else (payload, is_text))

        def begin(socket: Socket) -> None:
            opened.append(Visit(self, socket, self.serving.visitor(self.held, side, keys)))

        socket = await switching.open(request, self.options.most_message, hear, begin)
        if socket is not None:
            await self._serve(opened[0], socket, messages)
        return switching

    @property
    def keyed(self) -> frozenset[str]:
        """Paths where an exchange's key is shown, if they are served."""
        return self.serving.keyed | self.serving.private_reads if self.options.private else frozenset()

    async def read(self, request: web.Request) -> web.StreamResponse:
        """A REST read of the exchange's: asked there within its limits, and its answer as it came."""
        if not self._upstream.asks:
            raise Problem("not_found", NOT_ASKED)
        private = request.path in self.serving.private_reads
        if private and (refused := self._refused_read(request)) is not None:
            return web.Response(status=refused.status, body=refused.body, headers=dict(refused.headers))
        path, client = request.rel_url.raw_path_qs, self._upstream.client
        call = partial(self._ask, client.rest_signed if private else client.rest, path)
        status, body = await self._asker.ask(("read", path), call)
        return web.Response(status=status, body=body, content_type="application/json", charset="utf-8")

    def close(self) -> None:
        """Say goodbye to everybody."""
        for socket in tuple(self.sockets):
            socket.close(1001, "the gateway stops")

    def hold(self, stream: Subscription) -> Channel:
        """One more wants a stream; ``release`` gives it back."""
        relay = self.held.relays.get(stream)
        if relay is None:
            conflates = stream.kind in self._upstream.client.venue.facts.full_state_kinds
            told_by_changes = self.serving.book_copy(stream) is not None
            relay = Relay(stream, self.first, conflates=conflates and not told_by_changes)
            self.held.relays[stream] = relay
        self._users[stream] = self._users.get(stream, 0) + 1
        return self._upstream.open(stream, relay.hear)

    def release(self, stream: Subscription, visit: Visit) -> None:
        """One less wants it."""
        relay = self.held.relays[stream]
        relay.remove(visit)
        self._users[stream] -= 1
        if not self._users[stream]:
            del self._users[stream], self.held.relays[stream]
            self._upstream.close(stream, relay.hear)

    async def known(self, channels: Mapping[Subscription, Channel], wishes: Iterable[Wish]) -> None:
        """Wait until the streams are subscribed, and of those whose state is asked for until it is there."""
        asked = [channels[wish.subscription] for wish in wishes if wish.snapshot]
        await asyncio.gather(*(self._state(channel) for channel in dict.fromkeys(asked)))
        if self.acknowledges:
            await self.agreed(channels, wishes)

    @property
    def acknowledges(self) -> bool:
        """Whether the exchange answers a good request."""
        return self._upstream.client.venue.facts.acknowledges

    async def agreed(self, channels: Mapping[Subscription, Channel], wishes: Iterable[Wish]) -> None:
        """Wait until the exchange has agreed to what it tells but once (an order): nothing may pass before that."""
        once = self._upstream.client.venue.facts.event_kinds
        streams = dict.fromkeys(wish.subscription for wish in wishes if wish.subscription.kind in once)
        known = [channels[stream] for stream in streams if stream in channels]
        await asyncio.gather(*(self._upstream.live(channel, self.options.patience) for channel in known))

    async def _state(self, channel: Channel) -> None:
        try:
            await self._upstream.ready(channel)
        except FeedError:  # the exchange says nothing of what it does not know
            return
        await self._upstream.state(channel, self.options.patience)

    async def _serve(self, visit: Visit, socket: Socket, messages: asyncio.Queue[_Message]) -> None:
        self.visits.add(visit)
        self.sockets.add(socket)
        obeying = self._loop.create_task(self._obey(visit, messages), name="gateway visit")
        try:
            await socket.closed.wait()
        finally:
            obeying.cancel()
            await asyncio.wait({obeying})
            visit.leave()
            self.visits.discard(visit)
            self.sockets.discard(socket)

    async def _list(self) -> None:
        try:
            listed = {market.symbol: market for market in await self._upstream.markets()}
            self.held.markets = AnyMarket() if self._upstream.takes_any else listed
        except (HttpFailed, DecodeError):
            if not self.held.markets:
                raise Problem("upstream", "the exchange's list of markets cannot be had now") from None

    def _refused_read(self, request: web.Request) -> HttpAnswer | None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if not self.options.private:
            return self.serving.closed(headers)
        query, address = request.rel_url.raw_query_string, request.remote or ""
        return self.serving.admit_call(
            HttpCall(request.path, query, headers, address), ShownKeys(self._access, address)
        )

    async def _ask(self, rest: Callable[[str], Awaitable[bytes]], path: str) -> tuple[int, bytes]:
        try:
            return 200, await rest(path)
        except HttpFailed as error:
            if error.status is None or not error.body:
                raise
            return error.status, error.body

    async def _obey(self, visit: Visit, messages: asyncio.Queue[_Message]) -> None:
        try:
            while True:
                message = await messages.get()
                if message is None:
                    visit.say(visit.talk.error(self.serving.too_many))
                else:
                    await visit.obey(message[0], is_text=message[1])
        except Exception:
            _log.exception("the gateway failed to answer a message of %s", self._upstream.name)
            visit.socket.close(FAILED, "the gateway failed")
