"""The part of the client that tells how it is: health, and figures for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapewire.client.component import Component
from tapewire.model.health import HealthStatus
from tapewire.model.metrics import ConnectionMetrics
from tapewire.model.status import Gap
from tapewire.runtime.metrics_server import MetricsServer
from tapewire.runtime.pool import Pool
from tapewire.tape.recorder import Position

if TYPE_CHECKING:
    from tapewire.runtime.prometheus import MetricsCollector


class Observing:
    """Its own connections' health; figures of all connections that its manager has."""

    _component: Component

    @property
    def _pool(self) -> Pool:
        raise NotImplementedError

    def get_health_status(self) -> HealthStatus:
        """As ``manager.get_health_status()``, of the connections of this client's venue and options alone.

        Raises:
            UsageError: no event loop runs, and the client was never used.
        """
        pool = self._component.pool_in_use
        return self._component.manager.health_of([pool] if pool is not None else [])

    def gaps(self) -> tuple[Gap, ...]:
        """The gap ledger: each interruption of a stream as it stands now, in the order of their beginnings.

        Of the connections of this client's venue and options, which it may share; also after ``cleanup()``. Rows that
        are open are among them; the last 10,000 that were told are kept. What the states mean: docs/guarantees.md.

        Raises:
            UsageError: no event loop runs, and the client was never used.
        """
        pool = self._component.pool_in_use
        return () if pool is None else self._component.manager.gaps_of(pool)

    def tape_position(self) -> Position | None:
        """How far the tape of this client's feed has come: what is safe on it (see ``TapeOptions``).

        None: it keeps no tape, or nothing was asked of it yet.

        Raises:
            UsageError: no event loop runs, and the client was never used.
        """
        pool = self._component.pool_in_use
        return None if pool is None or pool.tape is None else pool.tape.position

    def connection_metrics(self) -> tuple[ConnectionMetrics, ...]:
        """Every figure of each connection of this client's venue and options, which it may share."""
        pool = self._component.pool_in_use
        return () if pool is None else tuple(pool.connection_metrics())

    def metrics_collector(self, *, per_symbol: bool = False) -> MetricsCollector:
        """For a registry of ``prometheus_client``: the figures of all connections that its manager has.

        Args:
            per_symbol: also one series for each stream (``tapewire_stream_messages_total``).

        Raises:
            UsageError: no event loop runs.
        """
        from tapewire.runtime.prometheus import MetricsCollector  # noqa: PLC0415 - heavy, loaded when used

        return MetricsCollector(self._component.manager, per_symbol=per_symbol)

    async def serve_metrics(self, port: int = 0, host: str = "127.0.0.1", *, per_symbol: bool = False) -> MetricsServer:
        """Serve ``/metrics`` for Prometheus and ``/health`` until ``cleanup()``, or the answer's ``close()``.

        Args:
            port: 0 takes a free one; ``url`` of the answer names it.
            host: this machine alone by default. There is no password: anybody who reaches it can read the figures.
            per_symbol: also one series for each stream (``tapewire_stream_messages_total``).

        Raises:
            ConfigError: no such port. FeedError: it is taken, or the address is not this machine's.
        """
        self._pool  # noqa: B018 - in use from now on
        server = await self._component.manager.serve_metrics(port, host, per_symbol=per_symbol)
        self._component.servers.append(server)
        return server
