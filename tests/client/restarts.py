"""A program that ends at any moment and is started again, while the exchange goes on: each life is a manager."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tapewire import WebSocketClient
from tapewire.config import FeedOptions
from tapewire.model.events import Event
from tapewire.model.status import FeedEvent, Gap
from tapewire.runtime.clock import LoopClock
from tapewire.runtime.manager import WebSocketManager
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tapewire.testing.clock import VirtualTimeLoop, elapse, run_virtual
from tapewire.transport.contract import Http, LineFactory


async def at_once(act: Callable[[], None]) -> None:
    """Virtual time has no threads."""
    act()


class Lives:
    """One exchange, and one program after the other with the same cursor file."""

    def __init__(self, scenario: Scenario, path: Path, seed: int) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        self.loop, self.path, self._draw = loop, path, random.Random(f"client {seed}").random
        self.simulator = Simulator(scenario)
        self._tickets = iter(range(10**9))
        #: When each was heard (s of the loop), and what.
        self.heard: list[tuple[float, Event]] = []
        self.feed: list[FeedEvent] = []
        #: When each life ended (s of the loop).
        self.ends: list[float] = []
        self.manager: WebSocketManager
        self._dead: list[WebSocketClient] = []

    def _ports(self, _options: FeedOptions, _wall_ns: Callable[[], int]) -> tuple[LineFactory, Http]:
        return self.simulator.lines(), self.simulator.http()

    @contextmanager
    def life(self, **options: Any) -> Iterator[WebSocketClient]:
        """One process, from its start to ``kill -9``."""
        self.manager = WebSocketManager(
            self._ports, clock=LoopClock(self.loop.wall_ns), draw=self._draw,
            ticket=lambda: f"t{next(self._tickets)}", aside=at_once,
        )  # fmt: skip
        client = WebSocketClient("lives", manager=self.manager, cursor_file=str(self.path), **options)
        client.subscribe_feed(self.feed.append)
        try:
            yield client
        finally:
            self.ends.append(self.loop.time())
            self._dead.append(client)  # nothing of a dead process is collected
            self.manager.kill()

    def hear(self, event: Event) -> None:
        """A callback."""
        self.heard.append((self.loop.time(), event))

    def rows(self, cause: str = "restart") -> list[Gap]:
        """The newest state of each row of this cause."""
        rows = {(row.subscription, row.from_ns): row for row in self.feed if isinstance(row, Gap)}
        return [row for row in rows.values() if row.cause == cause]

    async def after(self, seconds: float) -> None:
        """Let time pass."""
        self.simulator.exchange  # noqa: B018 - its clock begins here at the latest
        await elapse(seconds)


def play(story: Callable[[Lives], Awaitable[None]], path: Path, *, seed: int = 1, **scenario: Any) -> None:
    """Run one story to its end; the exchange's limits must have been kept."""
    facts: dict[str, Any] = {"seed": seed, "markets": ("KRW-BTC", "KRW-ETH", "KRW-XRP")} | scenario

    async def run() -> None:
        lives = Lives(Scenario(**facts), path, seed)
        try:
            await story(lives)
            assert lives.simulator.violations == []
        finally:
            await lives.simulator.stop()

    run_virtual(run())
