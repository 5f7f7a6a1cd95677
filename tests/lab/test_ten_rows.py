"""tapewire lives through the ten faults, under virtual time: against the lab's server and against the simulator."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from random import Random

import pytest
from benchmarks.lab.rows import BY_KEY, ROWS, Row, Verdict

from tapewire.client import WebSocketClient
from tapewire.config import FeedOptions
from tapewire.runtime.manager import WebSocketManager
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tapewire.testing.clock import run_virtual
from tapewire.transport.contract import Http, LineFactory
from tests.lab.memory_lab import MemoryLab
from tests.lab.watching import Watch

#: The same rows in the simulator's own words. It refuses no good request, so row 8 is the lab's alone.
SIMULATED = {
    "abort": ("abort@5",),
    "close-1000": ("drop:1000@5",),
    "close-1001": ("drop:1001@5",),
    "closed-down": ("drop:1001@5", "maintenance:8@5"),
    "aborted-down": ("maintenance:8@5",),
    "garbage": ("garbage@5", "unknown@5"),
    "status": ("status@5",),
    "close-each": ("drop:1000@5", "close-after-subscribe:1000@5x5"),
    "silence": ("silence@5",),
}


@pytest.mark.parametrize("key", [row.key for row in ROWS])
def test_every_row_of_the_lab_is_green(key: str) -> None:
    verdict, watch = run_virtual(_in_the_lab(BY_KEY[key]))
    assert verdict.green, verdict
    assert watch.seen.data or key == "error"


@pytest.mark.parametrize("key", SIMULATED)
def test_every_row_that_the_simulator_can_play_is_green(key: str) -> None:
    verdict, simulator = run_virtual(_in_the_simulator(BY_KEY[key]))
    assert verdict.green, verdict
    assert simulator.violations == []


def test_a_line_whose_data_stop_is_told_and_then_replaced() -> None:
    _, watch = run_virtual(_in_the_lab(BY_KEY["silence"]))
    fault = watch.seen.fault_at
    assert fault is not None
    stale = [at - fault for at, text in watch.seen.told if text.startswith("Stale")]
    replaced = [at - fault for at in watch.seen.connects if at > fault]
    assert stale
    assert 60 <= stale[0] <= 65
    assert replaced
    assert 120 <= replaced[0] <= 130


def _client(lines: LineFactory, http: Http) -> WebSocketClient:
    """A client whose jitter is the same in every run."""

    def ports(_: FeedOptions, __: Callable[[], int]) -> tuple[LineFactory, Http]:
        return lines, http

    return WebSocketClient("lab", manager=WebSocketManager(ports, draw=Random(1).random))


async def _in_the_lab(row: Row) -> tuple[Verdict, Watch]:
    lab = MemoryLab(row)
    watch = Watch(lab)
    try:
        return await watch.through(_client(lab.line, lab)), watch
    finally:
        await lab.stop()


class _SimulatedFault:
    """What the watch wants to know of a fault that the simulator makes, at its fifth second."""

    def __init__(self, row: Row, simulator: Simulator) -> None:
        self.row, self._simulator = row, simulator
        self.connects: Sequence[float] = simulator.exchange.connects
        self.fault_at: float | None = None
        self.last_id = 0
        # The exchange began a line above, at the loop's second 0: their seconds are the same.
        asyncio.get_running_loop().call_at(5.0, self._strikes)

    def _strikes(self) -> None:
        self.fault_at = asyncio.get_running_loop().time()
        self.last_id = max(trade.sequential_id or 0 for trade in self._simulator.trades)


async def _in_the_simulator(row: Row) -> tuple[Verdict, Simulator]:
    simulator = Simulator(Scenario(markets=("KRW-BTC",), rate=100, faults=SIMULATED[row.key]))
    watch = Watch(_SimulatedFault(row, simulator))
    try:
        return await watch.through(_client(simulator.lines(), simulator.http())), simulator
    finally:
        await simulator.stop()
