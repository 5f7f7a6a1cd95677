"""Serves metrics (for Prometheus) and health (for load balancers and people) over HTTP, on loopback by default."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Self

import msgspec

from tapewire.errors import ConfigError, FeedError
from tapewire.model.health import HealthState

if TYPE_CHECKING:
    from aiohttp import web

    from tapewire.runtime.prometheus import Source

#: Seconds that a running scrape has when the server closes.
_CLOSE_TIMEOUT = 1.0


class MetricsServer:
    """``GET /metrics`` and ``GET /health`` (503 while unhealthy) of one manager. Made by ``serve_metrics``.

    It shows counts, names of connections, symbols and addresses, never a key; there is no password: beyond loopback put
    it behind something that asks for one.

    Attributes:
        url: of the metrics, with the port that was taken.
    """

    def __init__(self, manager: Source, *, per_symbol: bool = False) -> None:
        from prometheus_client import CollectorRegistry  # noqa: PLC0415 - heavy, loaded when used

        from tapewire.runtime.prometheus import MetricsCollector  # noqa: PLC0415

        self.url = ""
        self._manager = manager
        self._registry = CollectorRegistry()
        self._registry.register(MetricsCollector(manager, per_symbol=per_symbol))
        self._runner: web.AppRunner | None = None
        self._closing: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes a free one.

        Raises:
            ConfigError: no such port.
            FeedError: the port is taken, or the address is not this machine's.
        """
        from aiohttp import web  # noqa: PLC0415 - as above

        if type(port) is not int or not 0 <= port <= 65535:
            raise ConfigError("port", port, "a whole number from 0 (any free one) to 65535")
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/health", self._health)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_CLOSE_TIMEOUT, handle_signals=False)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            await runner.cleanup()
            raise FeedError(f"metrics: cannot listen on {host}:{port}: {error.strerror}") from None
        self._runner = runner
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{runner.addresses[0][1]}/metrics"

    async def close(self) -> None:
        """Listen no more; a running scrape has a second to end. A second call does nothing."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def close_soon(self) -> None:
        """As ``close``, by a task of its own: its owner is gone."""
        if self._runner is not None:
            self._closing = asyncio.get_running_loop().create_task(self.close(), name="close metrics")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _metrics(self, request: web.Request) -> web.Response:
        from aiohttp import web  # noqa: PLC0415
        from prometheus_client.exposition import choose_encoder  # noqa: PLC0415

        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._registry), headers={"Content-Type": content_type})

    async def _health(self, _request: web.Request) -> web.Response:
        from aiohttp import web  # noqa: PLC0415

        health = self._manager.get_health_status()
        return web.Response(
            status=503 if health.status == HealthState.UNHEALTHY else 200,
            body=msgspec.json.encode(health),
            content_type="application/json",
        )
