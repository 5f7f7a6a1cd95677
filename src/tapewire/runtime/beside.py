"""What a driver has beside its line: its own holes and stand-in, or those of the group that it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from tapewire.hub.listening import Listener
from tapewire.hub.router import Router
from tapewire.model.line import Loss
from tapewire.model.status import FeedEvent
from tapewire.model.subscription import Subscription
from tapewire.runtime.clock import Clock
from tapewire.runtime.driving import Events, Membership, Origin
from tapewire.runtime.holes import Holes
from tapewire.runtime.polling import Polling
from tapewire.runtime.signing import Signer
from tapewire.runtime.standby import Connection, Standby
from tapewire.session.machine import Machine
from tapewire.venues.contract import Venue

Failed = Callable[[Listener, BaseException], None]


class Beside(NamedTuple):
    """``standby``: who stands in for its streams; ``facts``: whom the driver tells what that one must know."""

    holes: Membership | Holes
    standby: Standby
    facts: Facts


class Facts:
    """Hands the facts of one connection on to its stand-in. A group tells its own: then nobody is told here."""

    def __init__(self, standby: Standby | None = None, polling: Polling | None = None) -> None:
        self._standby, self._polling = standby, polling

    def want(self, streams: Iterable[Subscription]) -> None:
        """The complete new set."""
        if self._standby is not None:
            self._standby.want(streams)

    def hear(self, event: FeedEvent) -> None:
        """The machine told something."""
        if self._standby is not None:
            self._standby.hear(event)

    def data(self, stream: Subscription) -> bool:
        """The line brought something of it; True: it was polled until now."""
        return self._standby is not None and self._standby.data(stream)

    def end(self) -> None:
        """The connection ends."""
        if self._standby is not None and self._polling is not None:
            self._polling.leave(self._standby)


def beside(  # noqa: PLR0917 - each handed in once, by the driver
    membership: Membership | None,
    at: Origin,
    venue: Venue,
    machine: Machine,
    router: Router,
    clock: Clock,
    events: Events,
    failed: Failed,
    signer: Signer | None,
) -> Beside:
    """Of one line of several, or of one that carries its streams alone; ``failed``: told of a callback that raised."""
    if membership is not None:
        return Beside(membership, membership.standby, Facts())

    def loss() -> Loss | None:
        return None if machine.state == "open" else machine.last_loss or Loss("unreachable")

    holes = Holes(at.venue, at.connection, router, clock, events.publish, events.recovery, failed, signer)
    connection = Connection(
        at.connection, at.side, venue, router, machine.ledger, loss, failed, events.snapshot_done, holes.account
    )
    standby = events.polling.standby(connection)
    return Beside(holes, standby, Facts(standby, events.polling))
