"""What one pool remembers of its troubles, and how they and its connections are judged when somebody asks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from weakref import WeakSet

from tapewire.config import Credentials
from tapewire.errors import FeedError
from tapewire.hub.mailbox import Mailbox
from tapewire.model.counted import clause_of
from tapewire.model.gap_rows import GapRows
from tapewire.model.health import HealthState, Reason
from tapewire.model.status import Connected, Disconnected, FeedEvent, Gap, Lagged, Rejected, Subscribed, Taping
from tapewire.model.subscription import Subscription
from tapewire.runtime.building import Carrier
from tapewire.runtime.driver import Driver
from tapewire.runtime.metrics import facts_of
from tapewire.runtime.sourced import Sourced
from tapewire.session.actions import Now
from tapewire.session.health import (
    FULL,
    LAG_MEMORY,
    REJECTED_MEMORY,
    Incident,
    filling,
    given_up,
    lasting,
    reasons_of_lines,
)

#: Refused subscriptions, lagging subscribers and ended accounts that are remembered; the oldest are let go.
REMEMBERED = 1_000


class Troubles:
    """Told every feed event of a pool.

    Attributes:
        errors, rejected, dropped, recovered: counts so far, of ended connections too.
        mailboxes: of all who have one, while they live.
    """

    def __init__(self) -> None:
        self.errors = self.rejected = self.dropped = self.recovered = 0
        self.last_error: str | None = None
        self.last_error_at: float | None = None
        self.first_opened: float | None = None
        self.mailboxes: WeakSet[Mailbox] = WeakSet()
        self._failures: dict[tuple[str, Credentials | None], Incident] = {}
        self._refused: dict[Subscription, Incident] = {}
        self._lagging: dict[str, Incident] = {}
        self._holes: dict[tuple[str, Subscription, int], Incident] = {}
        self._rows = GapRows()
        self._tape: Incident | None = None
        self._sinks: dict[str, Incident] = {}
        self._better: float | None = None

    def publish(self, event: FeedEvent, drivers: Iterable[Driver], t: float) -> None:
        """Something happened on one of these connections, at ``t`` (monotonic seconds)."""
        self._rows.hear(event)
        match event:
            case Connected():
                self.first_opened = t if self.first_opened is None else self.first_opened
                origin = next((one.origin for one in drivers if one.origin.connection == event.connection), None)
                if origin is not None:
                    self._failures.pop((origin.side, origin.credentials), None)
            case Disconnected() if event.loss.cause != "stopped":
                self.errors += 1
                self._note(str(event.loss), t)
            case Rejected():
                self._note(f"{event.name}: {event.message}", t)
                self._refuse(event, t)
            case Subscribed():
                for subscription in event.subscriptions:
                    self._refused.pop(subscription, None)
            case Lagged():
                self._lag(event, t)
            case Gap():
                self._hole(event, t)
            case Taping():
                self._tape = Incident("tape", f"the tape: {event.reason}", t, t) if event.reason else None
                self._better = self._better if event.reason else t

    def sink(self, name: str, trouble: FeedError | None, t: float) -> None:
        """A sink refuses, at ``t`` (monotonic seconds), or (None) takes all again."""
        if trouble is not None:
            first = self._sinks[name].first if name in self._sinks else t
            _keep(self._sinks, name, Incident(name, str(trouble), first, t))
        elif self._sinks.pop(name, None) is not None:
            self._better = t

    def gave_up(self, driver: Carrier, error: FeedError, t: float) -> None:
        """A connection ended for good, with all its streams."""
        origin = driver.origin
        failed = Incident(origin.connection, str(error), t, t, tuple(driver.router.streams))
        self._note(str(error), t)
        _keep(self._failures, (origin.side, origin.credentials), failed)

    def gaps(self, carriers: Iterable[Carrier]) -> tuple[Gap, ...]:
        """The gap ledger: what these connections have open, and what was told so far."""
        return self._rows.with_open(row for carrier in carriers for row in carrier.gaps)

    def forget(self) -> None:
        """Nobody uses the pool any more. The gap ledger stays."""
        self._failures.clear()
        self._refused.clear()
        self._lagging.clear()
        self._holes.clear()
        self._sinks.clear()

    def reasons(
        self, carriers: Iterable[Carrier], now: Now, quiet_kinds: frozenset[str], patience: float | None
    ) -> list[Reason]:
        """What is wrong now; ``quiet_kinds`` and ``patience`` as of ``metrics.facts_of``."""
        found = given_up(self._failures.values(), now)
        for carrier in carriers:
            lines = [facts_of(driver, now, quiet_kinds, patience) for driver in carrier.drivers]
            found += reasons_of_lines([carrier.facts()] if isinstance(carrier, Sourced) else lines, now)
        found += filling(self._holes.values(), now)
        found += [] if self._tape is None else lasting([self._tape], now, float("inf"))
        found += lasting(self._sinks.values(), now, float("inf"))
        found += lasting(self._refused.values(), now, REJECTED_MEMORY)
        found += lasting(self._lagging.values(), now, LAG_MEMORY)
        told = {reason.connection for reason in found}
        return found + [reason for reason in self._full(now) if reason.connection not in told]

    def ended(self, now: Now) -> list[float]:
        """When what counts for a while ceased to count."""
        ends = [one.last + REJECTED_MEMORY for one in self._refused.values()]
        ends += [one.last + LAG_MEMORY for one in self._lagging.values()]
        ends += [] if self._better is None else [self._better]
        return [t for t in ends if t <= now.t]

    def _full(self, now: Now) -> list[Reason]:
        return [
            Reason(
                HealthState.DEGRADED,
                box.name,
                f"{clause_of(len(box), 'event', 'waits', 'wait')} in a mailbox of {box.options.size:,}"
                f" ({box.options.rule})",
                now.ns,
            )
            for box in tuple(self.mailboxes)
            if not box.closed and len(box) >= FULL * box.options.size
        ]

    def _note(self, text: str, t: float) -> None:
        self.last_error, self.last_error_at = text, t

    def _hole(self, gap: Gap, t: float) -> None:
        key = gap.connection, gap.subscription, gap.from_ns
        if gap.state == "filling":
            _keep(self._holes, key, Incident(gap.connection, gap.cause, t, t, (gap.subscription,)))
        elif self._holes.pop(key, None) is not None:
            self._better = t
            self.recovered += gap.recovered

    def _refuse(self, event: Rejected, t: float) -> None:
        self.rejected += len(event.subscriptions)
        for subscription in event.subscriptions:
            text = f"{subscription} was refused: {event.name}: {event.message}"
            incident = Incident(event.connection, text, t, t, (subscription,))
            _keep(self._refused, subscription, incident)

    def _lag(self, event: Lagged, t: float) -> None:
        self.dropped += event.dropped
        before = self._lagging.pop(event.subscriber, None)
        if before is not None and t - before.last > LAG_MEMORY:
            before = None
        text = f"fell behind: {event.total_dropped:,} dropped ({event.rule})"
        since = t if before is None else before.first
        _keep(self._lagging, event.subscriber, Incident(event.subscriber, text, since, t))


def _keep(kept: dict[Any, Incident], key: object, incident: Incident) -> None:
    """Note it, the newest last; of too many the oldest is let go."""
    kept.pop(key, None)
    kept[key] = incident
    if len(kept) > REMEMBERED:
        del kept[next(iter(kept))]
