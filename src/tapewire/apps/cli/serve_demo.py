"""What ``tapewire serve --demo`` puts behind the gateway: two simulated exchanges on this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator

_COINS = ("BTC", "ETH", "XRP", "SOL", "DOGE", "ADA", "TRX", "USDT")
#: More markets than there are in life, so that the table is a long one. Lines are lost now and then, to be looked at.
_SCENARIOS = (
    Scenario(venue="upbit", markets=120, rate=400.0, faults=("drop:1001@40/120", "abort@95/240")),
    Scenario(
        venue="okx", markets=tuple(f"{coin}-USDT" for coin in _COINS if coin != "USDT"), rate=150.0,
        faults=("drop:1001@70/180",),
    ),
)  # fmt: skip


@asynccontextmanager
async def simulated() -> AsyncIterator[Mapping[str, str]]:
    """Simulated Upbit and OKX, for as long as it is entered: venue → address."""
    async with AsyncExitStack() as stack:
        running = [await stack.enter_async_context(Simulator(scenario)) for scenario in _SCENARIOS]
        yield {simulator.scenario.venue: simulator.url for simulator in running}
