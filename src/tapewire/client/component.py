"""What one client has in the engine. It leads to neither the client nor its callbacks, so that both can be dropped."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from typing import Protocol

from tapewire.client.ear import Ear
from tapewire.client.handle import Handle
from tapewire.client.lines import real_ports
from tapewire.client.mailman import Mailman
from tapewire.config import Credentials, FeedOptions
from tapewire.errors import FeedError, UsageError
from tapewire.hub.mailbox import Mailbox
from tapewire.model.status import FeedEvent
from tapewire.model.subscription import StreamPreference, Subscription
from tapewire.runtime.manager import WebSocketManager, running_manager
from tapewire.runtime.observe import Statistics, log_fields, logger
from tapewire.runtime.pool import Place, Pool
from tapewire.transport.contract import Http, LineFactory
from tapewire.venues.contract import Venue


class Ending(Protocol):
    """What ends with its client: a page of figures, a sink."""

    async def close(self) -> None: ...
    def close_soon(self) -> None:
        """As ``close``, of a client that is gone: nobody waits."""


class Ears(dict[Handle, Ear]):
    """The callbacks that a client holds itself, by the handles they belong to."""

    __slots__ = ("__weakref__",)


class Component:
    """The subscriptions, mailboxes and feed listeners of one client, on the connections that it shares.

    Attributes:
        handles: those that have not ended, in the order they were made.
        mailmen: those that still work, by handle.
        boxes: mailboxes of iterators that have not ended.
        closed: nothing can be subscribed any more.
        loop: the event loop it belongs to; None: it was not used yet.
        servers: what ends with it.
    """

    def __init__(  # noqa: PLR0917 - each handed in once, by the client
        self,
        name: str,
        venue: Venue,
        options: FeedOptions,
        credentials: Credentials | None,
        manager: WebSocketManager | None,
        replacements: tuple[LineFactory | None, Http | None],
        ears: Ears,
    ) -> None:
        self.name, self.venue, self.options, self.key = name, venue, options, credentials
        self.handles: dict[Handle, None] = {}
        self.mailmen: dict[Handle, Mailman] = {}
        self.boxes: dict[Mailbox, None] = {}
        self.closed = False
        self.loop: asyncio.AbstractEventLoop | None = None
        self.used_since = 0.0  # time of its loop
        self._manager = manager
        self._replacements = replacements
        self._ears = weakref.ref(ears)
        self._pool_in_use: Pool | None = None
        self._feed: list[Callable[[FeedEvent], None]] = []
        self._dropped = 0  # by mailboxes that are gone
        self.servers: list[Ending] = []

    @property
    def manager(self) -> WebSocketManager:
        """The connections it shares. Raises UsageError where no event loop runs."""
        if self._manager is None:
            self._running_loop()
            if self._replacements == (None, None):
                self._manager = running_manager(real_ports)
            else:
                self._manager = WebSocketManager(self._replaced_ports)
        return self._manager

    @property
    def pool(self) -> Pool:
        """The connections of its venue and options. Raises UsageError after the end, and in another event loop."""
        if self.closed:
            raise UsageError(f"{self.name}: the client was closed; make a new WebSocketClient")
        if self._pool_in_use is None:
            loop = self._running_loop()
            self._pool_in_use = self.manager.pool(self.venue, self.options)
            self.loop, self.used_since = loop, loop.time()
        self._pool_in_use.check_loop()
        return self._pool_in_use

    @property
    def pool_in_use(self) -> Pool | None:
        """Its connections, also after the end; None: it has used none."""
        return self._pool_in_use

    def use(self, manager: WebSocketManager) -> None:
        """Share this manager's connections. Raises UsageError when it shares another's."""
        if self._manager not in (None, manager):
            raise UsageError(f"{self.name}: the client shares the connections of another manager")
        self._manager = manager

    def handle(self, kind: str, template: Subscription, preference: StreamPreference) -> Handle:
        """A new subscribe call."""
        return Handle(f"{self.name}:{kind}", self.pool, template, preference, self.key)

    def begun(self, handle: Handle, mailman: Mailman | None = None) -> None:
        """The handle lives, and what its async callback needs."""
        self.handles[handle] = None
        if mailman is not None:
            self.mailmen[handle] = mailman
            self.pool.troubles.mailboxes.add(mailman.mailbox)
            mailman.task.add_done_callback(lambda _task: self._retire(handle))

    def ended(self, handle: Handle, _error: FeedError | None = None) -> None:
        """The handle has ended, whoever ended it."""
        self.handles.pop(handle, None)
        ears = self._ears()
        if handle in self.mailmen:
            self.mailmen[handle].mailbox.close()  # its callback is needed until what waits was handed over
        elif ears is not None:
            ears.pop(handle, None)

    def box_gone(self, box: Mailbox) -> None:
        """An iterator has ended."""
        if box in self.boxes:
            del self.boxes[box]
            self._dropped += box.dropped

    def places(self) -> list[Place]:
        """Each stream of each handle, as the pool knows it."""
        return [place for handle in self.handles for place in handle.places()]

    def hear_feed(self, hear: Callable[[FeedEvent], None]) -> None:
        self._feed.append(hear)
        self.pool.feed_listeners.append(hear)

    def statistics(self) -> Statistics:
        """What its connections did so far; also after the end."""
        pool = self._pool_in_use or self.pool
        mailboxes = [mailman.mailbox for mailman in self.mailmen.values()] + list(self.boxes)
        return pool.statistics(dropped=self._dropped + sum(mailbox.dropped for mailbox in mailboxes))

    def give_back(self, error: FeedError | None = None) -> None:
        """End every subscription, for this reason."""
        for handle in tuple(self.handles):
            handle.end(error)
        for box in tuple(self.boxes):
            box.close()

    async def close(self) -> None:
        """End everything, let async callbacks finish what was received: within 5 s."""
        self.closed = True
        self.give_back()
        ends = [mailman.finish() for mailman in self.mailmen.values()] + [server.close() for server in self.servers]
        if self._pool_in_use is not None:
            try:
                ended = await asyncio.gather(self.manager.drained(), *ends, return_exceptions=True)
            finally:
                self._deaf()
            for error in ended:
                if isinstance(error, BaseException):
                    raise error

    def drop(self) -> None:
        """The client is gone without a word: give everything back."""
        if self.closed:
            return
        self.closed = True
        if self.handles:
            logger.warning(
                "%s: its client was dropped without cleanup(): %d subscriptions are given back",
                self.name, sum(len(handle.symbols) for handle in self.handles),
                extra=log_fields("client_dropped", self.venue.name),
            )  # fmt: skip
        for mailman in self.mailmen.values():
            mailman.mailbox.abandon()
        self.give_back(UsageError(f"{self.name}: the client is gone; keep it as long as its subscriptions"))
        for server in self.servers:
            server.close_soon()
        self._deaf()
        self.manager.retire()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        loop = asyncio._get_running_loop()  # noqa: SLF001 - its one way to ask without an error
        if loop is None:
            raise UsageError(
                f"{self.name}: no event loop is running: use the client inside an async function that asyncio.run() "
                "runs; programs without asyncio take tapewire.blocking"
            )
        return loop

    def _deaf(self) -> None:
        if self._pool_in_use is not None:
            for hear in self._feed:
                self._pool_in_use.feed_listeners.remove(hear)
        self._feed.clear()

    def _retire(self, handle: Handle) -> None:
        self._dropped += self.mailmen.pop(handle).mailbox.dropped
        self.ended(handle)

    def _replaced_ports(self, options: FeedOptions, wall_ns: Callable[[], int]) -> tuple[LineFactory, Http]:
        line_factory, http = self._replacements
        if line_factory is not None and http is not None:
            return line_factory, http
        real = real_ports(options, wall_ns)
        return line_factory or real[0], http or real[1]


def dropped(component: Component) -> None:
    """A client was collected: tell its loop, from whatever thread the collector runs in."""
    loop = component.loop
    try:
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(component.drop)
    except RuntimeError:  # closed in this very moment
        if loop is not None and not loop.is_closed():
            raise
