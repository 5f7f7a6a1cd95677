"""Makes the connections of a pool: a driver, or a group of them where the options ask for redundancy."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

from msgspec.structs import replace

from tapewire.config import Credentials, FeedOptions, LineOptions
from tapewire.errors import ConfigError, FeedError
from tapewire.hub.mailbox import Mailbox
from tapewire.runtime.clock import Clock
from tapewire.runtime.cursor_file import Aside
from tapewire.runtime.driver import Driver, DriverEvents
from tapewire.runtime.driving import Events, Membership, Origin
from tapewire.runtime.group import Group, Terms
from tapewire.runtime.heard import Heard
from tapewire.runtime.limits import account_of
from tapewire.runtime.sharing import Sharing
from tapewire.runtime.signing import ServerClock, Signer
from tapewire.runtime.sourced import Sourced
from tapewire.runtime.taping import FeedTape
from tapewire.session.backoff import Backoff
from tapewire.session.gate import MARGIN, Gate
from tapewire.session.limits import Limits
from tapewire.session.machine import Machine
from tapewire.sinks.brokers.source import Begin, SharedSource, read_wanted
from tapewire.sinks.registry import source_of
from tapewire.transport.contract import Http, Line, LineFactory, NamedLine
from tapewire.venues.contract import Codec, Venue, Window

#: What a subscription is given to: one connection, or several that carry the same.
Carrier = Driver | Group | Sourced
#: Seconds between two dials of one group: lines that are lost together do not come back together.
APART = 0.5
#: The side whose connections are called by the venue's name alone.
PUBLIC = "public"


class Ports:
    """What a pool needs from outside, handed in so that tests can replace it."""

    def __init__(
        self,
        clock: Clock,
        make_line: LineFactory,
        http: Http,
        random: Callable[[], float],
        ticket: Callable[[], str],
        *,
        numbers: Counter[str] | None = None,
        tape: FeedTape | None = None,
        aside: Aside = asyncio.to_thread,
    ) -> None:
        self.clock = clock
        self.make_line = make_line
        self.http = http
        self.random = random
        self.ticket = ticket
        #: Connections made so far, by venue: those of all pools have names of their own.
        self.numbers: Counter[str] = Counter() if numbers is None else numbers
        self.tape = tape
        self.aside = aside


class Builder:
    """Knows what every connection of a pool is made of.

    Args:
        venue, options, limits, ports: as of the pool.
        server_clock: signs with.
        events: whom a connection tells.
        finished: told of a connection or group that ended for good.
        mailboxes: those in which events of the pool's connections may wait.
    """

    def __init__(  # noqa: PLR0917 - each handed in once, by the pool
        self,
        venue: Venue,
        options: FeedOptions,
        limits: Limits,
        ports: Ports,
        server_clock: ServerClock,
        events: Events,
        finished: Callable[[Carrier, FeedError | None], None],
        mailboxes: Callable[[], Iterable[Mailbox]] = tuple,
    ) -> None:
        self._mailboxes = mailboxes
        self._venue, self._options, self._limits, self._ports = venue, options, limits, ports
        self._server_clock, self._events, self._finished = server_clock, events, finished

    def connection(self, account: Credentials | None, side: str) -> Carrier:
        """One more, for this side of the venue, with this key."""
        # Who logs in by message has shown no key when he connects: the exchange knows his address alone.
        options, shown = self._options, account if self._venue.authorize else None
        if options.source is not None:
            return self._sourced(options.source, side)
        connects = self._limits.connects(account_of(shown))
        if options.redundancy > 1 and side not in self._venue.facts.signed_sides:
            return self._group(side, Gate([] if self._limits.free else [Window(1, APART)], MARGIN, connects))
        events = DriverEvents(self._events, self._finished)
        return self._driver(_Plan(self._name(side), options, options.line, connects, side, account), events)

    def signer(self, account: Credentials) -> Signer:
        """Shows this key."""
        return Signer(self._venue, account, self._server_clock, self._ports.ticket)

    def _sourced(self, address: str, side: str) -> Sourced:
        wanted = read_wanted(address)
        source = source_of(wanted.address)(wanted.address, wanted.stream)
        clock, name = self._ports.clock, self._venue.name
        origin = Origin(name, self._name(side), source.shown, side)
        heard = Heard(name, wanted.prefix, wanted.begin(clock.wall_ns()))
        backoff = Backoff(self._options.session, self._ports.random)
        others = (heard, self._codec(), clock, backoff, self._events, self._finished)
        if not wanted.group:
            return Sourced(origin, source, *others)
        if not isinstance(source, SharedSource):
            raise ConfigError("group", wanted.group, f"left out: {source.shown} cannot share messages among programs")
        if wanted.begin(0) != Begin() and not source.keeps_history:
            raise ConfigError(
                "since" if wanted.since else "sequence", wanted.since or wanted.sequence,
                f"left out with a group: at {source.shown} it begins with what comes",
            )  # fmt: skip
        return Sharing(origin, *others, source=source, group=wanted.group, mailboxes=self._mailboxes)

    def _group(self, side: str, connects: Gate) -> Group:
        plans = [
            _Plan(self._name(side), options, line, connects, side) for options, line in _lines(self._options)
        ]  # fmt: skip
        name = "+".join(plan.name for plan in plans)
        return Group(
            Origin(self._venue.name, name, self._options.url or self._venue.facts.url, side),
            self._venue,
            self._codec(),
            self._ports.clock,
            self._events,
            self._finished,
            Terms(self._options.session.lag_after, self._options.drop_doubles),
            [partial(self._driver, plan) for plan in plans],
        )

    def _driver(self, plan: _Plan, events: DriverEvents, membership: Membership | None = None) -> Driver:
        venue, ports, options = self._venue, self._ports, plan.options
        machine = Machine(
            venue, plan.name, options, plan.connects, self._limits.messages, ports.random, ports.ticket, plan.side
        )
        origin = Origin(venue.name, plan.name, machine.url, plan.side, plan.account)

        signer = None if plan.account is None else self.signer(plan.account)

        def make_line() -> Line:
            line = ports.make_line(plan.line, ports.clock.wall_ns)
            if isinstance(line, NamedLine):
                line.be(plan.name)
            return line

        return Driver(
            origin, machine, venue, self._codec(), make_line, ports.clock, events, signer,
            drop_doubles=options.drop_doubles, numbers=options.numbers, membership=membership,
        )  # fmt: skip

    def _codec(self) -> Codec:
        return self._venue.codec(self._options.format, self._options.numbers, self._options.keep_raw)

    def _name(self, side: str) -> str:
        numbers, venue = self._ports.numbers, self._venue.name
        numbers[venue] += 1
        return f"{venue}-{numbers[venue]}" if side == PUBLIC else f"{venue}-{side}-{numbers[venue]}"


class _Plan(NamedTuple):
    """What one connection is made of."""

    name: str
    options: FeedOptions
    line: LineOptions
    connects: Gate
    side: str
    account: Credentials | None = None


def _lines(options: FeedOptions) -> Iterator[tuple[FeedOptions, LineOptions]]:
    """The options of each line of a group: where it leads, and how it is made."""
    for number in range(options.redundancy):
        url = options.urls[number] if number < len(options.urls) else options.url
        line = options.lines[number] if number < len(options.lines) else options.line
        yield replace(options, url=url, urls=()), line
