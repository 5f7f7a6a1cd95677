"""C8: a gateway is killed; all its clients come back to the next one, one after the other, with the state first."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tapewire import WebSocketClient
from tapewire.client.lines import real_ports
from tapewire.model.events import Event
from tapewire.model.status import Connected, FeedEvent
from tapewire.runtime.manager import WebSocketManager
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tests.ports import free_port
from tests.sizes import NIGHTLY, figure, size

#: Seconds of the plan, and those after which a test on a busy machine gives up.
PROMISED, PATIENCE = 10.0, 90.0


class Gateway:
    """A gateway in a process of its own."""

    def __init__(self, url: str, port: int) -> None:
        self._command = (
            sys.executable, "-m", "tapewire", "serve", "--url", url, "--listen", f"127.0.0.1:{port}", "--json",
        )  # fmt: skip
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns when it listens."""
        self._process = await asyncio.create_subprocess_exec(*self._command, stdout=asyncio.subprocess.PIPE)
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            assert json.loads(await self._process.stdout.readline())["venues"] == ["upbit"]

    async def kill(self, by: signal.Signals = signal.SIGKILL) -> None:
        assert self._process is not None
        self._process.send_signal(by)
        await self._process.communicate()


class Program:
    """One local program, as if in a process of its own: its manager is nobody else's."""

    def __init__(self, number: int, url: str) -> None:
        manager = WebSocketManager(real_ports, limits={}, free=True)
        self.client = WebSocketClient(f"program-{number}", url=url, manager=manager, validate=False, recover=False)
        self.connected: list[float] = []
        self.heard: list[str] = []
        self.back = asyncio.Event()
        self.client.subscribe_feed(self._tell)

    async def begin(self) -> None:
        await self.client.subscribe_orderbook(["KRW-BTC"], self._hear)

    def _tell(self, event: FeedEvent) -> None:
        if isinstance(event, Connected):
            self.connected.append(time.monotonic())
            self.heard.clear()

    def _hear(self, event: Event) -> None:
        self.heard.append(str(event.stream_type))
        if len(self.heard) == 5:
            self.back.set()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_all_clients_come_back_one_after_the_other_with_the_state_first() -> None:
    count, port = size(60, 200), free_port()
    async with Simulator(Scenario(markets=("KRW-BTC",), rate=50.0)) as simulator, AsyncExitStack() as stack:
        gateway = Gateway(simulator.url, port)
        await gateway.start()
        programs = [Program(number, f"ws://127.0.0.1:{port}/websocket/v1") for number in range(count)]
        for program in programs:
            stack.push_async_callback(program.client.cleanup)
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(program.begin() for program in programs))
            await asyncio.gather(*(program.back.wait() for program in programs))
            assert simulator.connected == 1
            for program in programs:
                program.back.clear()
            await gateway.kill()
            killed = time.monotonic()
            await gateway.start()
            there = time.monotonic()
            await asyncio.gather(*(program.back.wait() for program in programs))
        took = time.monotonic() - there
        figures = said(programs, there)
        figure(f"C8: {count} clients, gateway away {there - killed:.1f} s, all back {took:.2f} s after that: {figures}")
        for program in programs:
            assert len(program.connected) == 2
            assert program.heard[:5] == ["SNAPSHOT", *["REALTIME"] * 4]
        assert simulator.connected == 1
        assert simulator.violations == []
        if NIGHTLY:
            assert took <= PROMISED
            assert figures["most in a second"] <= 50
        await gateway.kill(signal.SIGTERM)


def said(programs: list[Program], there: float) -> dict[str, Any]:
    """How they came: the first, the last, the most of any second."""
    times = sorted(program.connected[-1] - there for program in programs)
    within = Counter(sum(at <= other < at + 1.0 for other in times) for at in times)
    return {"first": round(times[0], 2), "last": round(times[-1], 2), "most in a second": max(within)}
