"""Carrying a feed into a sink: a stop is clean, and never waits for a disk that hangs."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tapewire.apps.cli import feeding
from tapewire.apps.cli.options import Feed
from tapewire.apps.cli.running import Stop
from tapewire.client import WebSocketClient
from tapewire.config import FeedOptions
from tapewire.errors import ConnectFailed, SinkError, TimedOut
from tapewire.model.events import TradeEvent
from tapewire.model.status import Disconnected, Gap, Stopped
from tapewire.model.subscription import Subscription
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tapewire.sinks.contract import Item, Promise, Written
from tapewire.testing.clock import run_virtual

FEED = Feed(
    "upbit", "ws://simulated/", FeedOptions(url="ws://simulated/websocket/v1"), (Subscription("trade", "KRW-BTC"),)
)


class Memory:
    """A sink that keeps everything, or hangs until it is let go."""

    promise = Promise("at_most_once", "process")

    def __init__(self, gate: threading.Event | None = None) -> None:
        self.items: list[Item] = []
        self.hangs = threading.Event()
        self._gate = gate

    def open(self) -> None: ...

    def write(self, batch: Sequence[Item]) -> None:
        self.hangs.set()
        if self._gate is not None:
            assert self._gate.wait(10)
        self.items += batch

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def written(self) -> tuple[Written, ...]:
        return ()


async def test_everything_heard_before_the_stop_reaches_the_sink() -> None:
    simulator, sink, stop = Simulator(Scenario(markets=("KRW-BTC",), rate=500.0)), Memory(), Stop()
    heard: list[Item] = []

    def hear(item: Item) -> None:
        heard.append(item)
        if sum(isinstance(one, TradeEvent) for one in heard) == 5:
            stop.ask(0)

    async with WebSocketClient(options=FEED.options, line_factory=simulator.lines(), http=simulator.http()) as client:
        await feeding.carry(client, FEED, sink, stop, hear=hear)
    await simulator.stop()
    assert sink.items == heard
    assert len(heard) > 5


async def test_a_gap_that_is_open_at_the_end_is_written_too() -> None:
    simulator, sink, stop = Simulator(Scenario(markets=("KRW-BTC",), rate=500.0)), Memory(), Stop()

    def hear(item: Item) -> None:
        if isinstance(item, TradeEvent):
            simulator.refuse(503, times=1000)
            simulator.abort()
        if isinstance(item, Disconnected):
            stop.ask(0)

    async with WebSocketClient(options=FEED.options, line_factory=simulator.lines(), http=simulator.http()) as client:
        await feeding.carry(client, FEED, sink, stop, hear=hear)
    await simulator.stop()
    gaps = [item for item in sink.items if isinstance(item, Gap)]
    trades = [item.sequential_id for item in sink.items if isinstance(item, TradeEvent)]
    assert [(gap.state, str(gap.subscription), gap.last_id) for gap in gaps] == [("open", "trade KRW-BTC", trades[-1])]


async def test_a_hanging_disk_cannot_hold_up_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "_FINISH", 0.05)
    monkeypatch.setattr(feeding, "_GIVE_UP", 0.05)
    gate = threading.Event()
    simulator, sink, stop = Simulator(Scenario(markets=("KRW-BTC",), rate=500.0)), Memory(gate), Stop()

    def hear(_item: Item) -> None:
        if sink.hangs.is_set():
            stop.ask(0)

    async with WebSocketClient(options=FEED.options, line_factory=simulator.lines(), http=simulator.http()) as client:
        with pytest.raises(SinkError, match=r"took longer than 0\.0[45]"):
            await feeding.carry(client, FEED, sink, stop, hear=hear)
    await simulator.stop()
    gate.set()


def _followed(fault: Callable[[Simulator], None], seconds: float = 20.0) -> list[Item]:
    """What was heard of an exchange with this fault in so many seconds of virtual time."""

    async def story() -> list[Item]:
        simulator, heard = Simulator(Scenario(markets=("KRW-BTC",))), list[Item]()
        fault(simulator)
        here: dict[str, Any] = {"line_factory": simulator.lines(), "http": simulator.http()}
        try:
            async with WebSocketClient(options=FEED.options, **here) as client:
                await feeding.follow(client, replace(FEED, seconds=seconds), Stop(), hear=heard.append)
        finally:
            await simulator.stop()
        return heard

    return run_virtual(story())


def test_a_feed_that_was_never_connected_is_a_failure_with_its_reason() -> None:
    with pytest.raises(ConnectFailed, match=r"refused \(503 Service Unavailable\)"):
        _followed(lambda simulator: simulator.refuse(503, times=1000))


async def test_a_feed_whose_first_try_is_still_running_is_a_failure_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel accepts; nobody ever answers
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}/"
        feed = replace(FEED, address=url, options=FeedOptions(url=url, validate=False), seconds=0.05)
        async with feed.client("silent") as client:
            with pytest.raises(TimedOut, match=rf"connecting to {url}: no answer within 0\.05 s"):
                await feeding.follow(client, feed, Stop(), hear=lambda _: None)


def test_a_line_that_is_dead_at_the_end_is_no_failure() -> None:
    """Half-open: nobody answers the close, which takes two seconds; then all is told."""

    def later(simulator: Simulator) -> None:
        asyncio.get_running_loop().call_later(15.0, simulator.freeze)

    assert isinstance(_followed(later)[-1], Stopped)


async def test_what_cannot_be_taken_in_time_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "_FINISH", 0.05)
    simulator, stop = Simulator(Scenario(markets=("KRW-BTC",), rate=500.0)), Stop()

    async def slow(source: AsyncIterable[Item]) -> None:
        async for _item in source:
            stop.ask(0)
            await asyncio.Event().wait()

    async with WebSocketClient(options=FEED.options, line_factory=simulator.lines(), http=simulator.http()) as client:
        with pytest.raises(TimedOut, match=r"taking what was received: no answer within 0\.05 s"):
            await feeding._until_stopped(client, FEED, stop, slow)
    await simulator.stop()


def test_a_feed_that_lost_its_line_later_is_none() -> None:
    def later(simulator: Simulator) -> None:
        asyncio.get_running_loop().call_later(5.0, simulator.maintenance, 1000.0)

    heard = _followed(later)
    assert any(isinstance(item, Disconnected) for item in heard)
