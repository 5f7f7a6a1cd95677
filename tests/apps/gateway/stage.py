"""A gateway on a free port before a simulated exchange, and a local client for it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import aiohttp

from tapewire import WebSocketClient
from tapewire.apps.gateway.access import Token
from tapewire.apps.gateway.gateway import Gateway
from tapewire.apps.gateway.settings import GatewayOptions
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator

#: Seconds after which a test gives up; far more than it needs.
PATIENCE = 30.0


class Stage(NamedTuple):
    """Everything that runs."""

    simulator: Simulator
    gateway: Gateway
    session: aiohttp.ClientSession

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        async with self.session.get(self.gateway.url + path, headers=headers) as answer:
            return answer.status, json.loads(await answer.read())

    async def gone(self) -> None:
        """Wait until nobody is connected to the exchange."""
        while self.simulator.connected:
            await self.simulator.reached(self.simulator.now + 0.02)

    @contextlib.asynccontextmanager
    async def stream(self, **message: Any) -> AsyncIterator[Local]:
        """A client of ``/v1/stream`` that begins with this message."""
        async with self.session.ws_connect(f"{self.gateway.url}/v1/stream") as socket:
            local = Local(socket)
            if message:
                await socket.send_json(message)
            yield local


class Local:
    """One client of ``/v1/stream``."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.heard: list[dict[str, Any]] = []

    async def next(self, wanted: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """The next message that is wanted."""
        async with asyncio.timeout(PATIENCE):
            while True:
                said: dict[str, Any] = json.loads(await self.socket.receive_str())
                self.heard.append(said)
                if wanted(said):
                    return said

    async def answer(self, **message: Any) -> dict[str, Any]:
        """Send a message and wait for its answer, or its refusal."""
        if message:
            await self.socket.send_json(message)
        said = await self.next(lambda one: "answer" in one or "error" in one)
        found: dict[str, Any] = said.get("answer") or said
        return found

    async def events(self, count: int, kind: str = "") -> list[dict[str, Any]]:
        """So many events of a kind, or of any."""
        found = [
            await self.next(lambda one: "event" in one and kind in ("", one["event"]["type"])) for _ in range(count)
        ]
        return [one["event"] for one in found]


@contextlib.asynccontextmanager
async def served(
    options: dict[str, Any] | None = None,
    tokens: tuple[Token, ...] | None = None,
    client: dict[str, Any] | None = None,
    **scenario: Any,
) -> AsyncIterator[Stage]:
    """A gateway that serves a simulated exchange."""
    facts: dict[str, Any] = {"rate": 300.0, "markets": ("KRW-BTC", "KRW-ETH", "BTC-ETH")} | scenario
    async with Simulator(Scenario(**facts)) as simulator:
        upstream = WebSocketClient(
            "gateway", facts.get("venue", "upbit"), url=simulator.url, keep_raw=True, **client or {}
        )
        gateway = Gateway(upstream, GatewayOptions(port=0, **options or {}), tokens=tokens)
        async with gateway, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            yield Stage(simulator, gateway, session)
