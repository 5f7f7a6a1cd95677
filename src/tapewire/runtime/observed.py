"""What a manager says of itself: health, metrics, and both over HTTP."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from typing import Any

from msgspec.structs import replace

from tapewire.errors import UsageError
from tapewire.model.health import ConnectionState, HealthState, HealthStatus
from tapewire.model.metrics import ConnectionMetrics, PerformanceMetrics
from tapewire.model.status import Gap
from tapewire.runtime.clock import Clock
from tapewire.runtime.metrics_server import MetricsServer
from tapewire.runtime.pool import Pool
from tapewire.runtime.process import ProcessFigures
from tapewire.session.health import told, verdict

#: Sides whose names stand for their first connection (the v6 guide's ``"public"`` and ``"private"``).
SIDES = ("public", "private", "info")
_RUNNING = (ConnectionState.CONNECTED, ConnectionState.SUBSCRIBING, ConnectionState.ACTIVE)


class Observed:
    """The part of ``WebSocketManager`` that is asked, not used. Everything is read when asked; nothing runs for it."""

    clock: Clock
    #: When the manager was made, monotonic seconds.
    made_at: float

    @property
    def pools(self) -> Collection[Pool]:
        """One for each venue and its options."""
        raise NotImplementedError

    @property
    def components(self) -> Collection[object]:
        """The clients that share the connections."""
        raise NotImplementedError

    def get_health_status(self) -> HealthStatus:
        """How well the whole feed is, why, and since when: see docs/monitoring.md for what counts as what."""
        return self.health_of(self.pools)

    def health_of(self, pools: Iterable[Pool]) -> HealthStatus:
        """As ``get_health_status``, of these pools only."""
        now, pools = self.clock.now(), tuple(pools)
        status, reasons = verdict(replace(reason, venue=pool.venue.name) for pool in pools for reason in pool.reasons())
        worst = [reason.since_ns for reason in reasons if reason.status == status]
        troubles = [pool.troubles for pool in pools]
        opened = [one.first_opened for one in troubles if one.first_opened is not None]
        errors = [(one.last_error_at, one.last_error) for one in troubles if one.last_error_at is not None]
        last_error_at, last_error = max(errors, default=(None, None))
        better = max([self.made_at, *(t for pool in pools for t in pool.better())])
        return HealthStatus(
            status=status,
            reasons=reasons,
            since_ns=min(worst) if worst else told(better, now),
            idle=status == HealthState.HEALTHY and not any(d.router.streams for pool in pools for d in pool.drivers),
            uptime_seconds=now.t - min(opened) if opened else 0.0,
            total_messages_processed=sum(pool.venue_metrics().total_processed for pool in pools),
            connection_errors=sum(one.errors for one in troubles),
            last_error=last_error,
            last_error_ns=None if last_error_at is None else told(last_error_at, now),
        )

    def gaps(self) -> tuple[Gap, ...]:
        """The gap ledger: each interruption of a stream as it stands, in the order of their beginnings.

        Those that are open are among them. Of each venue and its options the last 10,000 that were told are kept.
        """
        return tuple(sorted((row for pool in self.pools for row in self.gaps_of(pool)), key=lambda row: row.from_ns))

    def gaps_of(self, pool: Pool) -> tuple[Gap, ...]:
        """As ``gaps``, of this pool only."""
        return pool.troubles.gaps(pool.carriers)

    def get_all_connection_metrics(self) -> dict[str, Any]:
        """All figures, under five keys; the values are structs that ``msgspec.json.encode`` can write.

        ``total_processed``: data messages over all; ``connections``: name → ConnectionMetrics; ``venues``: a list of
        VenueMetrics; ``mailboxes``: a list of MailboxMetrics; ``process``: ProcessMetrics.
        """
        venues = [pool.venue_metrics() for pool in self.pools]
        return {
            "total_processed": sum(venue.total_processed for venue in venues),
            "connections": dict(self._connections()),
            "venues": venues,
            "mailboxes": [mailbox for pool in self.pools for mailbox in pool.mailbox_metrics()],
            "process": self._process.read(),
        }

    def get_connection_metrics(self, name: str) -> ConnectionMetrics:
        """Of one connection: its name (``upbit-1``), or a side (``public``, ``private``, ``info``) for the first of it.

        Raises:
            UsageError: there is none of that name; names those there are.
        """
        known = self._connections()
        found = known.get(name) or next((one for one in known.values() if one.side == name), None)
        if found is None:
            there = ", ".join(known) or "none is there yet"
            raise UsageError(f"no connection is called {name!r}; a name or a side is needed ({there})")
        return found

    def get_connection_state(self, name: str) -> ConnectionState:
        """As ``get_connection_metrics``, its state; a side without connections is ``disconnected``."""
        if name in SIDES and all(one.side != name for one in self._connections().values()):
            return ConnectionState.DISCONNECTED
        return self.get_connection_metrics(name).state

    def get_performance_metrics(self) -> PerformanceMetrics:
        """The v6 guide's summary."""
        connections, process = self._connections().values(), self._process.read()
        return PerformanceMetrics(
            messages_per_second=sum(one.messages_per_second for one in connections),
            active_connections=sum(one.state in _RUNNING for one in connections),
            total_components=len(self.components),
            memory_usage_mb=process.memory_bytes / 1e6,
            cpu_usage_percent=process.cpu_percent,
        )

    async def serve_metrics(self, port: int = 0, host: str = "127.0.0.1", *, per_symbol: bool = False) -> MetricsServer:
        """Serve ``/metrics`` for Prometheus and ``/health`` until the answer's ``close()`` (or ``async with``).

        Args:
            port: 0 takes a free one; ``url`` of the answer names it.
            host: this machine alone by default. There is no password: anybody who reaches it can read the figures.
            per_symbol: also one series for each stream (``tapewire_stream_messages_total``).

        Raises:
            ConfigError: no such port. FeedError: it is taken, or the address is not this machine's.
        """
        server = MetricsServer(self, per_symbol=per_symbol)
        await server.start(host, port)
        return server

    def _connections(self) -> Mapping[str, ConnectionMetrics]:
        return {one.name: one for pool in self.pools for one in pool.connection_metrics()}

    @cached_property
    def _process(self) -> ProcessFigures:
        return ProcessFigures()
