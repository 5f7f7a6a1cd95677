"""Collectors as their users run them: they share out, take over from who dies or hangs, hand over when stopped."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tapewire.fleet.words import State
from tapewire.testing.background import BackgroundSimulator
from tests.fleet.fleets import Fleet, carried, judge, trades, wait_for
from tests.fleet.test_stored import publish
from tests.sinks.brokers.servers import PASSWORD, NatsServer, nats_client

MARKETS = tuple(f"KRW-M{number}" for number in range(8))
QUICK = ("--markets", "KRW-*", "--types", "trade", "--lease", "2")

pytestmark = pytest.mark.skipif(not NatsServer.is_there(), reason="make servers")


@pytest.fixture
def simulator() -> Iterator[BackgroundSimulator]:
    with BackgroundSimulator(markets=MARKETS, rate=80.0) as running:
        yield running


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path / "nats") as server:
        yield server


def made(simulator: BackgroundSimulator) -> dict[str, list[int]]:
    """Numbers of its trades, as they were published."""
    found: dict[str, list[int]] = {}
    for trade in simulator.trades:
        assert trade.sequential_id is not None
        found.setdefault(trade.symbol, []).append(trade.sequential_id)
    return found


def all_carried(states: dict[str, State], copies: int) -> bool:
    return Counter(map(len, carried(states).values())) == {copies: len(MARKETS)}


def each_has_a_share(states: dict[str, State]) -> bool:
    return all(0 < len(state.carries) < len(MARKETS) for state in states.values())


@pytest.mark.timeout(150)
def test_nothing_is_lost_or_doubled_whoever_dies_hangs_comes_or_goes(
    simulator: BackgroundSimulator, nats: NatsServer, tmp_path: Path
) -> None:
    with Fleet(nats.address, simulator.url, tmp_path, *QUICK) as fleet:
        first = fleet.start("a")
        fleet.until(lambda states: all_carried(states, 1))
        killed, hung = fleet.start("b"), fleet.start("c")
        fleet.until(lambda states: len(states) == 3 and all_carried(states, 2) and each_has_a_share(states))
        killed.end(signal.SIGKILL)
        fleet.until(lambda states: set(states) == {"a", "c"} and all_carried(states, 2))
        hung.send(signal.SIGSTOP)
        first.until("c is not heard of any more")
        fleet.until(lambda states: set(states) == {"a"})
        hung.send(signal.SIGCONT)
        hung.until("the lease is lost")
        last = fleet.start("d")
        fleet.until(lambda states: set(states) == {"a", "c", "d"} and all_carried(states, 2))
        assert first.end(signal.SIGTERM) == 0
        states = fleet.states()
        assert set(states) == {"c", "d"}
        assert all_carried(states, 2)
        counts = [state.counts for state in fleet.until(lambda found: set(found) == {"c", "d"}).values()]
        assert any(one.fenced for one in counts)
        assert sum(one.first for one in counts)
        assert hung.end(signal.SIGTERM) == last.end(signal.SIGINT) - 130 == 0
        assert PASSWORD not in str(first.said) + str(last.said) + fleet.complaints()
    assert judge(made(simulator), trades(nats.stored())) > 100


@pytest.mark.timeout(120)
def test_what_nobody_carried_is_filled_from_the_brokers_last(
    simulator: BackgroundSimulator, nats: NatsServer, tmp_path: Path
) -> None:
    with Fleet(nats.address, simulator.url, tmp_path, *QUICK) as fleet:
        both = [fleet.start("a"), fleet.start("b")]
        fleet.until(lambda states: all_carried(states, 2))
        wait_for(lambda: set(trades(nats.stored())) == set(MARKETS))
        for one in both:
            one.end(signal.SIGKILL)
        fleet.until(lambda states: not states)  # by then their leases are over, and some trades missed
        heir = fleet.start("c")
        heir.until("8 of which nobody carried")
        fleet.until(lambda states: all_carried(states, 1))
        assert heir.end(signal.SIGTERM) == 0
        gaps = [line for line in heir.said if line["type"] == "gap" and line["state"] == "filled"]
        assert sum(gap["recovered"] for gap in gaps) > 10
    judge(made(simulator), trades(nats.stored()))


@pytest.mark.timeout(120)
def test_what_another_brought_before_it_was_live_is_gone_on_with(
    simulator: BackgroundSimulator, nats: NatsServer, tmp_path: Path
) -> None:
    """It finds nothing at the broker; another brings the first trade of each market and dies before it is live."""
    simulator.refuse(503, times=4)
    with Fleet(nats.address, simulator.url, tmp_path, *QUICK) as fleet:
        one = fleet.start("a")
        one.until("carries")
        publish(nats, *{trade.symbol: trade for trade in simulator.trades}.values())
        seen = len(simulator.trades)
        wait_for(lambda: len({trade.symbol for trade in simulator.trades[seen:]}) == len(MARKETS))
        fleet.until(lambda states: all_carried(states, 1))
        wait_for(lambda: {symbol for symbol, rows in trades(nats.stored()).items() if len(rows) > 1} == set(MARKETS))
        assert one.end(signal.SIGTERM) == 0
    judge(made(simulator), trades(nats.stored()))


@pytest.mark.timeout(90)
def test_who_wants_something_else_or_has_a_taken_name_is_told(
    simulator: BackgroundSimulator, nats: NatsServer, tmp_path: Path
) -> None:
    with Fleet(nats.address, simulator.url, tmp_path, "--types", "trade", "--lease", "2") as fleet:
        one = fleet.start("a", "--markets", "KRW-*")
        one.until("in the fleet upbit as a")

        def refused(*words: str) -> str:
            markets = () if "--markets" in words else ("--markets", "KRW-*")
            command = [sys.executable, "-m", "tapewire", "collect", *fleet.words, *markets, *words]
            ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            assert ran.returncode == 2
            assert PASSWORD not in ran.stdout + ran.stderr
            return ran.stderr

        wrong = {
            "a has copies 2, not 3": ("--name", "b", "--copies", "3"),
            "that no other collector of the fleet has": ("--name", "a"),
            "as the fleet upbit has it already": ("--name", "b", "--lease", "4"),
            "pattern that fits one of upbit's symbols": ("--name", "b", "--markets", "BTC-*", "--fleet-name", "x"),
            "belongs to no market": ("--name", "b", "--types", "myAsset"),
        }
        with ThreadPoolExecutor(len(wrong)) as crowd:
            told = list(crowd.map(lambda words: refused(*words), wrong.values()))
        assert [expected for expected, said in zip(wrong, told, strict=True) if expected not in said] == []
        assert one.end(signal.SIGTERM) == 0


@pytest.mark.timeout(120)
def test_hosts_behind_one_address_keep_its_limits_by_nats(nats: NatsServer, tmp_path: Path) -> None:
    """Each has a directory of limits of its own, as hosts do; the exchange counts what comes to its address."""
    names = ("a", "b", "c", "d")
    with (
        BackgroundSimulator(markets=MARKETS, rate=80.0, limits=False) as simulator,
        Fleet(nats.address, simulator.url, tmp_path, *QUICK, "--limits", f"{nats.address}?wait=20") as fleet,
    ):
        members = [fleet.start(name, before=("env", f"TAPEWIRE_LIMITS_DIR={tmp_path / name}")) for name in names]
        fleet.until(lambda states: set(states) == set(names) and all_carried(states, 2))
        with ThreadPoolExecutor(len(names)) as crowd:
            assert list(crowd.map(lambda one: one.end(signal.SIGTERM), members)) == [0] * len(names)
        assert simulator.violations == []
        assert PASSWORD not in str([one.said for one in members]) + fleet.complaints()
    assert "limits_alone" not in fleet.complaints()
    assert keys_of_limits(nats) >= {"connects", "messages", "rest-crix-trades", "rest-market"}


@pytest.mark.timeout(90)
def test_the_fleets_own_nats_keeps_its_limits_when_it_is_told_to(
    simulator: BackgroundSimulator, nats: NatsServer, tmp_path: Path
) -> None:
    with Fleet(nats.address, simulator.url, tmp_path, *QUICK, "--limits", "fleet", "--set", "replicas=1") as fleet:
        one = fleet.start("a")
        fleet.until(lambda states: all_carried(states, 1))
        wait_for(lambda: "connects" in keys_of_limits(nats))
        assert one.end(signal.SIGTERM) == 0


def keys_of_limits(server: NatsServer) -> set[str]:
    async def keys() -> set[str]:
        async with nats_client(server.address) as client:
            info = await client.jetstream(timeout=10).stream_info("KV_tapewire_limits", subjects_filter=">")
            return {key.rpartition(".")[2] for key in info.state.subjects}

    return asyncio.run(keys())
