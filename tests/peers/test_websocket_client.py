"""Upbit's own Python guide (websocket-client, threads, callbacks) against the simulator."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tests.peers.runs import running

pytestmark = pytest.mark.peers
_SCRIPT = "websocket_client_guide.py"


async def test_an_idle_connection_is_lost_after_two_minutes(tmp_path: Path) -> None:
    """S0-52: "Opened", "Connection to remote host was lost", "Closed"; here 120 s pass in 1.2 s."""
    async with (
        Simulator(Scenario(speed=100)) as simulator,
        running(_SCRIPT, simulator.url, "idle", str(tmp_path), "0", "0") as peer,
    ):
        await peer.says("opened")
        lost = await peer.says("error")
        await peer.says("closed")
        assert "Connection to remote host was lost" in lost["text"]
        assert simulator.now - simulator.connects[0] >= 120


async def test_pings_keep_it_open_past_two_minutes(tmp_path: Path) -> None:
    """S0-53 with ping_interval=30, ping_timeout=10 at sixty times the speed of life."""
    async with (
        Simulator(Scenario(speed=60)) as simulator,
        running(_SCRIPT, simulator.url, "idle", str(tmp_path), "0.5", "0.17") as peer,
    ):
        await peer.says("opened")
        opened = simulator.now
        assert simulator.connected == 1
        await simulator.reached(opened + 150)
        assert simulator.connected == 1
        peer.tell("end")
        assert (await peer.says("left"))["alive"] is False


async def test_the_stream_demo_writes_a_file_per_market_and_type(tmp_path: Path) -> None:
    """S0-56, S0-57, S0-59: order books, then order books and trades by a second request that replaces the first."""
    async with (
        Simulator() as simulator,
        running(_SCRIPT, simulator.url, "stream", str(tmp_path), "30", "10") as peer,
    ):
        await peer.says("opened")
        peer.tell("subscribe")
        first = await peer.says("file")
        await peer.says("file")
        peer.tell("more")
        await peer.until(lambda fact: fact.get("name") == "KRW-ETH_trade.jsonl")
        peer.tell("end")
        await peer.says("left")
        assert first["binary"] is True
        names = {"KRW-BTC_orderbook.jsonl", "KRW-ETH_orderbook.jsonl", "KRW-BTC_trade.jsonl", "KRW-ETH_trade.jsonl"}
        assert {path.name for path in tmp_path.iterdir()} == names  # noqa: ASYNC240 - a handful of small files
        rows = [json.loads(line) for line in (tmp_path / "KRW-BTC_orderbook.jsonl").read_text().splitlines()]
        assert [row["stream_type"] for row in rows].count("SNAPSHOT") == 2
        assert len(simulator.requests) == 2
        assert simulator.violations == []


async def test_a_close_by_the_exchange_reaches_the_callbacks(tmp_path: Path) -> None:
    async with (
        Simulator() as simulator,
        running(_SCRIPT, simulator.url, "stream", str(tmp_path), "30", "10") as peer,
    ):
        await peer.says("opened")
        simulator.drop(1001, "maintenance")
        assert await peer.says("closed") == {"what": "closed", "code": 1001, "reason": "maintenance"}
