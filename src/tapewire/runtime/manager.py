"""Owns every connection of one event loop: pools by venue and options, and the connect limit they share."""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid
import weakref
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from typing import Protocol
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from tapewire.config import NATS, REDIS, FeedOptions
from tapewire.errors import UsageError
from tapewire.model.health import ManagerState
from tapewire.runtime.building import Ports
from tapewire.runtime.clock import Clock, LoopClock
from tapewire.runtime.cursor_file import Aside
from tapewire.runtime.host_limits import host_gates
from tapewire.runtime.limits import place_of, shared_gate
from tapewire.runtime.nats_limits import nats_gates
from tapewire.runtime.observed import Observed
from tapewire.runtime.pool import Pool
from tapewire.runtime.redis_limits import redis_gates
from tapewire.runtime.taping import FeedTape
from tapewire.session.limits import Limits
from tapewire.transport.contract import Http, LineFactory
from tapewire.venues.contract import Venue

#: Whose limits: exchange, host and port, kept by whom, and where these meet.
LimitsKey = tuple[str, str, str, str | None]
#: Chooses line and HTTP implementations for a set of options and a wall clock; the client joins the concrete parts.
PortsFactory = Callable[[FeedOptions, Callable[[], int]], tuple[LineFactory, Http]]


class Component(Protocol):
    """A client, as its manager knows it."""

    name: str

    def use(self, manager: WebSocketManager) -> None: ...
    def give_back(self) -> None: ...
    async def cleanup(self) -> None: ...


class WebSocketManager(Observed):
    """All clients of one event loop share one: one connection for all subscriptions of a venue and its options.

    ``clock``, ``draw`` (0 to 1, for jitter) and ``ticket`` are handed in by tests that move time by hand; ``limits``
    is the table of what other managers of the process used up already, ``free`` that there are none; ``aside`` runs
    what may wait for a disk; ``adjusted`` gives the options that a client's own become here.
    """

    def __init__(
        self,
        ports: PortsFactory,
        *,
        clock: Clock | None = None,
        draw: Callable[[], float] = random.random,
        ticket: Callable[[], str] = lambda: str(uuid.uuid4()),
        limits: dict[LimitsKey, Limits] | None = None,
        free: bool = False,
        aside: Aside = asyncio.to_thread,
        adjusted: Callable[[FeedOptions], FeedOptions] = lambda options: options,
    ) -> None:
        self.clock: Clock = clock or LoopClock()
        self.made_at = self.clock.now().t
        self._ports = ports
        self._draw = draw
        self._ticket = ticket
        self._aside, self._adjusted = aside, adjusted
        self._pools: dict[tuple[str, FeedOptions], Pool] = {}
        self._limits: dict[LimitsKey, Limits] = {} if limits is None else limits
        self._free = free
        #: It was handed to a loop's clients by ``share_manager``.
        self.lent = False
        self._numbers: Counter[str] = Counter()
        self._components: WeakValueDictionary[int, Component] = WeakValueDictionary()
        self._retiring: asyncio.Task[None] | None = None
        self._retire_again = self._stopping = False
        self._guard: AsyncGenerator[None, None] | None = None

    # Components.

    @property
    def components(self) -> tuple[Component, ...]:
        """The clients that share these connections and are still held by somebody, in the order they came."""
        return tuple(self._components.values())

    def register_component(self, component: Component) -> None:
        """Let a client share these connections; each does so by itself when it is first used. Held by weakref.

        Raises:
            UsageError: it shares another manager's connections, or is no client of asyncio's.
        """
        if not callable(getattr(component, "use", None)):  # the v6 guide registers names too
            raise UsageError(f"component is {component!r}; it must be a tapewire.WebSocketClient")
        component.use(self)
        self._components.setdefault(id(component), component)

    def unregister_component(self, component: Component | str) -> bool:
        """Give all subscriptions of a client back (of every client of that name). False when there is none.

        A client that subscribes again is registered again.
        """
        found = [one for one in self.components if component in (one, one.name)]
        for one in found:
            self._components.pop(id(one), None)
            one.give_back()
        return bool(found)

    async def start(self) -> None:
        """For programs written for the v6 guide: connections open by themselves with the first subscription."""

    async def stop(self) -> None:
        """Close every client and every connection, within 5 s; a new client can be used at once."""
        self._stopping = True
        try:
            await asyncio.gather(*(one.cleanup() for one in self.components))
            await self.drained()
        finally:
            self._stopping = False

    async def reset_instance(self) -> None:
        """As ``stop``, and the running loop's next client makes a new manager (between tests of one loop)."""
        await self.stop()
        if _managers.get(asyncio.get_running_loop()) is self:
            _managers.pop(asyncio.get_running_loop())

    def get_state(self) -> ManagerState:
        """``idle`` without connections, ``initializing`` until one is open, ``active``; ``shutting_down`` in a stop."""
        if self._stopping:
            return ManagerState.SHUTTING_DOWN
        states = {driver.machine.state for pool in self.pools for driver in pool.drivers}
        if "open" in states:
            return ManagerState.ACTIVE
        return ManagerState.INITIALIZING if states - {"idle", "stopped"} else ManagerState.IDLE

    def retire(self) -> None:
        """Close soon what nobody uses: a client was dropped without a word."""
        self._retire_again = True
        if self._retiring is None:
            self._retiring = asyncio.create_task(self._retire(), name="close what nobody uses")

    async def _retire(self) -> None:
        while self._retire_again:
            self._retire_again = False
            await self.drained()
        self._retiring = None

    # Connections.

    @property
    def pools(self) -> tuple[Pool, ...]:
        """One for each venue and its options."""
        return tuple(self._pools.values())

    def pool(self, venue: Venue, options: FeedOptions) -> Pool:
        """The pool for a venue with these options, made when first asked for."""
        options = self._adjusted(options)
        key = (venue.name, options)
        if key not in self._pools:
            make_line, http = self._ports(options, self.clock.wall_ns)
            tape = None if options.tape is None else FeedTape(venue, options, options.tape, self.clock)
            if tape is not None:
                make_line, http = tape.tapped(make_line, http)
            ports = Ports(
                self.clock, make_line, http, self._draw, self._ticket,
                numbers=self._numbers, tape=tape, aside=self._aside,
            )  # fmt: skip
            self._pools[key] = Pool(venue, options, self._limits_at(venue, options), ports)
        return self._pools[key]

    async def drained(self) -> None:
        """Wait until connections that nobody uses are closed."""
        for pool in tuple(self._pools.values()):
            await pool.drained()
            if not pool.carriers:
                await pool.close_http()
                pool.troubles.forget()

    def kill(self) -> None:
        """Cut everything at once."""
        for pool in self._pools.values():
            pool.kill()

    def end_with_loop(self) -> None:
        """Cut everything when the running loop ends, so that nothing complains of a program that did not clean up.

        ``asyncio.run`` closes the async generators that are still open, after all tasks.
        """
        self._guard = _until_loop_ends(weakref.ref(self))
        with contextlib.suppress(StopIteration):  # it goes to its first yield, and asks for nothing on the way
            self._guard.__anext__().send(None)

    async def _close(self) -> None:
        self.kill()
        for pool in self._pools.values():
            await pool.close_http()

    def _limits_at(self, venue: Venue, options: FeedOptions) -> Limits:
        """The limits of one address, the same for all connections to it whatever their options."""
        place = place_of(venue, urlsplit(options.url or venue.facts.url).netloc)
        key = (*place, options.limits, options.limits_dir)
        if self._free:
            self._limits.setdefault(key, Limits(venue.facts, free=True))
        if key not in self._limits:
            make = shared_gate if options.limits == "process" else host_gates(options.limits_dir, place)
            if options.limits.startswith(REDIS):
                make = redis_gates(options.limits, place, make)
            elif options.limits.startswith(NATS):
                make = nats_gates(options.limits, place, make)
            self._limits.setdefault(key, Limits(venue.facts, make))
        return self._limits[key]


#: The limits of this process, by venue, address and option: an exchange does not know one event loop from the next.
_limits: dict[LimitsKey, Limits] = {}
_managers: dict[asyncio.AbstractEventLoop, WebSocketManager] = {}


def running_manager(ports: PortsFactory) -> WebSocketManager:
    """The running loop's manager, made with ``ports`` when first asked for; those of closed loops are forgotten."""
    for loop in tuple(_managers):  # other threads have loops of their own
        if loop.is_closed():
            _managers.pop(loop, None)
    loop = asyncio.get_running_loop()
    if loop not in _managers:
        _managers[loop] = WebSocketManager(ports, limits=_limits)
        _managers[loop].end_with_loop()
    return _managers[loop]


def share_manager(manager: WebSocketManager) -> None:
    """Let all clients of the running loop that name no other share this one (a simulated exchange's, in tests)."""
    manager.lent = True
    _managers[asyncio.get_running_loop()] = manager


def knows_the_way() -> bool:
    """Whether clients of the running loop share a manager that was given to them (``share_manager``): addresses are
    its business then.
    """
    try:
        manager = _managers.get(asyncio.get_running_loop())
    except RuntimeError:  # no loop runs
        return False
    return manager is not None and manager.lent


async def _until_loop_ends(find: weakref.ref[WebSocketManager]) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        manager = find()
        if manager is not None:
            await manager._close()  # noqa: SLF001 - this is its end
