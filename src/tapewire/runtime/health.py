"""What one pool remembers of its troubles, and how they and its connections are judged when somebody asks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from weakref import WeakSet

from tapewire.config import Credentials
from tapewire.errors import FeedError
from tapewire.hub.mailbox import Mailbox
from tapewire.model.health import HealthState, Reason
from tapewire.model.status import Connected, Disconnected, FeedEvent, Lagged, Rejected, Subscribed
from tapewire.model.subscription import Subscription
from tapewire.runtime.driver import Driver
from tapewire.runtime.metrics import facts_of
from tapewire.session.actions import Now
from tapewire.session.health import FULL, LAG_MEMORY, REJECTED_MEMORY, Incident, given_up, lasting, reasons_of

#: Refused subscriptions, lagging subscribers and ended accounts that are remembered; the oldest are let go.
REMEMBERED = 1_000


class Troubles:
    """Told every feed event of a pool.

    Attributes:
        errors, rejected, dropped: counts so far, of ended connections too.
        mailboxes: of all who have one, while they live.
    """

    def __init__(self) -> None:
        self.errors = self.rejected = self.dropped = 0
        self.last_error: str | None = None
        self.last_error_ns: int | None = None
        self.first_opened_ns: int | None = None
        self.mailboxes: WeakSet[Mailbox] = WeakSet()
        self._failures: dict[tuple[str, Credentials | None], Incident] = {}
        self._refused: dict[Subscription, Incident] = {}
        self._lagging: dict[str, Incident] = {}

    def publish(self, event: FeedEvent, drivers: Iterable[Driver]) -> None:
        """Something happened on one of these connections."""
        match event:
            case Connected():
                self.first_opened_ns = self.first_opened_ns or event.at_ns
                origin = next((one.origin for one in drivers if one.origin.connection == event.connection), None)
                if origin is not None:
                    self._failures.pop((origin.side, origin.credentials), None)
            case Disconnected() if event.loss.cause != "stopped":
                self.errors += 1
                self._note(str(event.loss), event.at_ns)
            case Rejected():
                self._note(f"{event.name}: {event.message}", event.at_ns)
                self._refuse(event)
            case Subscribed():
                for subscription in event.subscriptions:
                    self._refused.pop(subscription, None)
            case Lagged():
                self._lag(event)

    def gave_up(self, driver: Driver, error: FeedError, at_ns: int) -> None:
        """A connection ended for good, with all its streams."""
        origin = driver.origin
        failed = Incident(origin.connection, str(error), at_ns, at_ns, tuple(driver.router.streams))
        self._note(str(error), at_ns)
        _keep(self._failures, (origin.side, origin.credentials), failed)

    def forget(self) -> None:
        """Nobody uses the pool any more."""
        self._failures.clear()
        self._refused.clear()
        self._lagging.clear()

    def reasons(
        self, drivers: Iterable[Driver], now: Now, quiet_kinds: frozenset[str], patience: float | None
    ) -> list[Reason]:
        """What is wrong now; ``quiet_kinds`` and ``patience`` as of ``metrics.facts_of``."""
        found = given_up(self._failures.values())
        for driver in drivers:
            found += reasons_of(facts_of(driver, now, quiet_kinds, patience), now.ns)
        found += lasting(self._refused.values(), now.ns, REJECTED_MEMORY)
        found += lasting(self._lagging.values(), now.ns, LAG_MEMORY)
        told = {reason.connection for reason in found}
        return found + [reason for reason in self._full(now) if reason.connection not in told]

    def ended_ns(self, now: Now) -> int:
        """When the last of what counts for a while ceased to count."""
        ends = [one.last_ns + int(REJECTED_MEMORY * 1e9) for one in self._refused.values()]
        ends += [one.last_ns + int(LAG_MEMORY * 1e9) for one in self._lagging.values()]
        return max((ns for ns in ends if ns <= now.ns), default=0)

    def _full(self, now: Now) -> list[Reason]:
        return [
            Reason(
                HealthState.DEGRADED,
                box.name,
                f"{len(box):,} events wait in a mailbox of {box.options.size:,} ({box.options.rule})",
                now.ns,
            )
            for box in tuple(self.mailboxes)
            if not box.closed and len(box) >= FULL * box.options.size
        ]

    def _note(self, text: str, at_ns: int) -> None:
        self.last_error, self.last_error_ns = text, at_ns

    def _refuse(self, event: Rejected) -> None:
        self.rejected += len(event.subscriptions)
        for subscription in event.subscriptions:
            text = f"{subscription} was refused: {event.name}: {event.message}"
            incident = Incident(event.connection, text, event.at_ns, event.at_ns, (subscription,))
            _keep(self._refused, subscription, incident)

    def _lag(self, event: Lagged) -> None:
        self.dropped += event.dropped
        before = self._lagging.pop(event.subscriber, None)
        if before is not None and event.at_ns - before.last_ns > LAG_MEMORY * 1e9:
            before = None
        text = f"fell behind: {event.total_dropped:,} dropped ({event.rule})"
        since_ns = event.at_ns if before is None else before.first_ns
        _keep(self._lagging, event.subscriber, Incident(event.subscriber, text, since_ns, event.at_ns))


def _keep(kept: dict[Any, Incident], key: object, incident: Incident) -> None:
    """Note it, the newest last; of too many the oldest is let go."""
    kept.pop(key, None)
    kept[key] = incident
    if len(kept) > REMEMBERED:
        del kept[next(iter(kept))]
