"""A whole conversation under virtual time: the real client, seeded, against the simulated exchange."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from tapewire import WebSocketClient
from tapewire.config import FeedOptions
from tapewire.model.events import Event, TradeEvent
from tapewire.model.status import FeedEvent, Gap
from tapewire.runtime.clock import LoopClock
from tapewire.runtime.manager import WebSocketManager
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tapewire.testing.clock import VirtualTimeLoop, run_virtual
from tapewire.testing.oracle import account
from tapewire.transport.contract import Http, LineFactory

Result = TypeVar("Result")
Kind = TypeVar("Kind", bound=FeedEvent)


class Stage:
    """One exchange, one manager, any number of clients."""

    def __init__(
        self,
        scenario: Scenario,
        wall_ns: Callable[[], int] | None = None,
        seed: int = 1,
        clock: type[LoopClock] = LoopClock,
    ) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        self.loop = loop
        self.simulator = Simulator(scenario)
        numbers = iter(range(1_000_000))
        self.manager = WebSocketManager(
            self._ports,
            clock=clock(wall_ns or loop.wall_ns),
            draw=random.Random(seed).random,
            ticket=lambda: f"t{next(numbers)}",
        )
        self.feed: list[FeedEvent] = []
        #: Stands between the client and the exchange's REST.
        self.between: Callable[[Http], Http] = lambda http: http

    def _ports(self, _options: FeedOptions, _wall_ns: Callable[[], int]) -> tuple[LineFactory, Http]:
        return self.simulator.lines(), self.between(self.simulator.http())

    def client(self, name: str = "me", **options: Any) -> WebSocketClient:
        """A client whose feed events are kept in ``feed``."""
        options.setdefault("poll_after", None)
        options.setdefault("recover", False)  # the stories of this stage are about what a line misses
        client = WebSocketClient(name, manager=self.manager, **options)
        client.subscribe_feed(self.feed.append)
        return client

    async def after(self, seconds: float) -> None:
        """Let the exchange's time pass."""
        self.simulator.exchange  # noqa: B018 - its clock begins here at the latest
        await self.simulator.reached(self.simulator.now + seconds)

    async def turns(self, number: int = 5) -> None:
        """Let what is under way arrive."""
        for _ in range(number):
            await asyncio.sleep(0)

    def told(self, kind: type[Kind]) -> list[Kind]:
        """Feed events of one kind so far."""
        return [event for event in self.feed if isinstance(event, kind)]

    def asked(self) -> list[dict[str, str]]:
        """Every request as {"ticker KRW-BTC": "both" | "snapshot" | "realtime"}."""
        return [_wishes(sent.payload) for sent in self.simulator.requests if sent.payload != b"PING"]


def _wishes(payload: bytes) -> dict[str, str]:
    wishes = {}
    for part in msgspec.json.decode(payload):
        how = "snapshot" if part.get("is_only_snapshot") else "realtime" if part.get("is_only_realtime") else "both"
        wishes.update({f"{part['type']} {code}": how for code in part.get("codes", ())})
    return wishes


def play(
    story: Callable[[Stage], Awaitable[Result]],
    *,
    seed: int = 1,
    wall_ns: Callable[[], int] | None = None,
    clock: type[LoopClock] = LoopClock,
    **scenario: Any,
) -> Result:
    """Run one story to its end; the exchange's limits must have been kept (P5)."""
    facts: dict[str, Any] = {"seed": seed, "markets": ("KRW-BTC", "KRW-ETH", "KRW-XRP")} | scenario

    async def run() -> Result:
        stage = Stage(Scenario(**facts), wall_ns, seed, clock)
        try:
            result = await story(stage)
            assert stage.simulator.violations == []
            return result
        finally:
            await stage.simulator.stop()
            stage.manager.kill()

    return run_virtual(run())


def check_account(stage: Stage, symbol: str, heard: list[TradeEvent], until: int | None = None) -> int:
    """P1 and P2: from the first trade heard to trade number ``until`` all were heard once or lie within a gap.

    Returns how many were missed; each within the bounds that a ``Gap`` told.
    """
    made = [trade for trade in stage.simulator.trades[:until] if trade.symbol == symbol]
    got = [trade for trade in heard if trade.symbol == symbol]
    assert got, f"no trade of {symbol} was heard"
    found = account(made, got, stage.told(Gap))
    assert found.doubled == (), "a trade was delivered twice"
    assert found.undetected == ()
    return len(found.lost)


def trades(events: list[Event]) -> list[TradeEvent]:
    """Those that are trades."""
    return [event for event in events if isinstance(event, TradeEvent)]
