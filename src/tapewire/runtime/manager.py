"""Owns every connection of one event loop: pools by venue and options, and the connect limit they share."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable
from urllib.parse import urlsplit

from tapewire.config import FeedOptions
from tapewire.runtime.clock import Clock, LoopClock
from tapewire.runtime.pool import Pool, Ports
from tapewire.session.gate import Limits, limits_of
from tapewire.transport.contract import Http, LineFactory
from tapewire.venues.contract import Venue

#: Chooses line and HTTP implementations for a set of options and a wall clock; the client joins the concrete parts.
PortsFactory = Callable[[FeedOptions, Callable[[], int]], tuple[LineFactory, Http]]


class WebSocketManager:
    """All clients of one event loop share one: one connection for all subscriptions of a venue and its options.

    ``clock``, ``draw`` (0 to 1, for jitter) and ``ticket`` are handed in by tests that move time by hand; ``limits``
    is the table of what other managers of the process used up already.
    """

    def __init__(
        self,
        ports: PortsFactory,
        *,
        clock: Clock | None = None,
        draw: Callable[[], float] = random.random,
        ticket: Callable[[], str] = lambda: str(uuid.uuid4()),
        limits: dict[tuple[str, str], Limits] | None = None,
    ) -> None:
        self.clock: Clock = clock or LoopClock()
        self._ports = ports
        self._draw = draw
        self._ticket = ticket
        self._pools: dict[tuple[str, FeedOptions], Pool] = {}
        self._limits = {} if limits is None else limits

    def pool(self, venue: Venue, options: FeedOptions) -> Pool:
        """The pool for a venue with these options, made when first asked for."""
        key = (venue.name, options)
        if key not in self._pools:
            make_line, http = self._ports(options, self.clock.wall_ns)
            ports = Ports(self.clock, make_line, http, self._draw, self._ticket)
            self._pools[key] = Pool(venue, options, self._limits_at(venue, options), ports)
        return self._pools[key]

    async def drained(self) -> None:
        """Wait until connections that nobody uses are closed."""
        for pool in tuple(self._pools.values()):
            await pool.drained()
            if not pool.drivers:
                await pool.close_http()

    def kill(self) -> None:
        """Cut everything at once."""
        for pool in self._pools.values():
            pool.kill()

    def _limits_at(self, venue: Venue, options: FeedOptions) -> Limits:
        """The limits of one address, the same for all connections to it whatever their options."""
        key = (venue.name.split("-", 1)[0], urlsplit(options.url or venue.facts.url).netloc)
        if key not in self._limits:
            self._limits[key] = limits_of(venue.facts)
        return self._limits[key]


#: The limits of this process, by venue and address: an exchange does not know one event loop from the next.
_limits: dict[tuple[str, str], Limits] = {}
_managers: dict[asyncio.AbstractEventLoop, WebSocketManager] = {}


def running_manager(ports: PortsFactory) -> WebSocketManager:
    """The running loop's manager, made with ``ports`` when first asked for; those of closed loops are forgotten."""
    for loop in tuple(_managers):  # other threads have loops of their own
        if loop.is_closed():
            _managers.pop(loop, None)
    loop = asyncio.get_running_loop()
    if loop not in _managers:
        _managers[loop] = WebSocketManager(ports, limits=_limits)
    return _managers[loop]
