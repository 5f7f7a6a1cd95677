"""Limits over several hosts by NATS: what a real server tells and swaps, programs on one, and one that goes away."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tapewire.config import FeedOptions
from tapewire.errors import ConfigError
from tapewire.runtime import nats_limits
from tapewire.runtime.host_limits import host_gates
from tapewire.runtime.nats_limits import Desk, NatsStore, nats_gates
from tapewire.runtime.server_limits import RETRY, Gone
from tapewire.session.limits import MakeGate
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tapewire.sinks.brokers.address import Address
from tapewire.sinks.brokers.nats_line import SCHEMES
from tapewire.venues.contract import Window
from tests.ports import free_port
from tests.runtime.test_host_limits import PROCESSES, together
from tests.session.test_gate import ideal
from tests.sinks.brokers.servers import PASSWORD, NatsServer, nats_client
from tests.sizes import figure, size

WINDOWS = (Window(4, 1.0), Window(6, 5.0))
#: The server's time is real: a busy machine may take seconds from one step to the next.
LONG_WINDOWS = (Window(4, 100.0), Window(6, 500.0))
PLACE = ("upbit", "api.upbit.com")
#: A busy machine answers late: what is tested is not how fast.
PATIENT, WAIT = "?wait=20", 20.0
needs_nats = pytest.mark.skipif(not NatsServer.is_there(), reason="make servers")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path / "nats") as running:
        yield running
        gc.collect()  # lines end with those who hold them


def made(server: NatsServer, folder: Path) -> MakeGate:
    return nats_gates(server.address + PATIENT, PLACE, host_gates(str(folder), PLACE))


@needs_nats
def test_gates_of_one_nats_share_what_is_left_and_its_keys_tell_none(server: NatsServer, tmp_path: Path) -> None:
    one, two = (made(server, tmp_path)("rest-0123", LONG_WINDOWS, 10.0) for _ in range(2))
    assert [one.take(5.0), two.take(5.1), one.take(5.2), two.take(5.3), one.take(5.4)] == [True] * 4 + [False]
    one.arrived(5.0, 5.3)
    assert [left for _, left in two.left(5.4)] == [0, 2]
    assert 90 < one.next_at(5.4) - 5.4 < 130

    async def keys() -> list[str]:
        async with nats_client(server.address) as client:
            info = await client.jetstream().stream_info("KV_tapewire_limits", subjects_filter=">")
            return sorted(key for key in info.state.subjects if ".clock." not in key)

    assert asyncio.run(keys()) == ["$KV.tapewire_limits.upbit.api%2Eupbit%2Ecom.1014218b.rest-0123"]


@needs_nats
def test_of_two_who_swap_the_same_value_one_does_and_both_have_the_servers_time(server: NatsServer) -> None:
    desks = [Desk(Address(server.address, SCHEMES), {}, wait=WAIT) for _ in range(2)]
    one, two = (NatsStore(desk, "a.b") for desk in desks)
    before = time.time()
    assert (one.read()[0], two.read()[0]) == (b"", b"")
    assert one.swap(b"", b"one", 1.0)
    assert not two.swap(b"", b"two", 1.0)
    assert two.read()[0] == b"one"
    assert two.swap(b"one", b"two", 1.0)
    for store in (one, two):
        value, at = store.read()
        assert value == b"two"
        assert before - store.spread <= at <= time.time()
        assert 0.01 <= store.spread < 20.0
    for desk in desks:
        desk.close()
    assert not [thread for thread in threading.enumerate() if thread.name.endswith(f":{server.port}")]


@needs_nats
async def test_programs_that_name_one_nats_keep_the_limits_together(server: NatsServer, tmp_path: Path) -> None:
    calls = size(8, 30)
    async with Simulator(Scenario(limits=False, switches={"messages_per_address": True})) as simulator:
        began = simulator.now
        await together(simulator.url, server.address + PATIENT, tmp_path, calls)
        seconds, broken = simulator.now - began, simulator.violations
    assert broken == []
    least = ideal((Window(10, 1.0),), PROCESSES * (calls + 1))
    figure(f"{PROCESSES} programs made {PROCESSES * (calls + 1)} calls in {seconds:.2f} s, the least is {least:.2f} s")
    assert seconds < least + 40.0


@needs_nats
def test_a_password_that_is_refused_is_told_and_not_shown(server: NatsServer, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        nats_gates(server.refused_address + PATIENT, PLACE, host_gates(str(tmp_path), PLACE))
    assert "it must be an address that lets us in" in str(caught.value)
    assert PASSWORD not in str(caught.value)
    options = FeedOptions(limits=server.address + PATIENT)
    assert PASSWORD not in repr(options)
    assert nats_gates(options.limits, PLACE, host_gates(str(tmp_path), PLACE))("messages", WINDOWS, 10.0).take(1.0)


@needs_nats
def test_a_nats_that_is_killed_and_comes_back(
    server: NatsServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gate, later = made(server, tmp_path)("messages", LONG_WINDOWS, 10.0), 2_000.0
    assert gate.take(0.0)
    gate.arrived(0.0, 0.0)
    server.kill()
    assert [gate.take(later) for _ in range(3)] == [True, True, False], "half of four"
    server.start()
    left = list(zip(LONG_WINDOWS, (1, 3), strict=True))
    assert gate.left(later + RETRY) == left, "what it knows, and what was taken alone"
    assert [record.__dict__["event"] for record in caplog.records if record.levelno >= logging.WARNING] == [
        "limits_alone", "limits_shared",
    ]  # fmt: skip


@needs_nats
def test_a_question_that_is_on_its_way_ends_with_the_line(server: NatsServer) -> None:
    desk = Desk(Address(server.address, SCHEMES), {}, wait=WAIT)
    store = NatsStore(desk, "a.b")
    store.read()
    server.pause()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(store.read)
        server.wait_until(lambda: unread(server.port) > 50)  # more than nats-py's own pings
        server.kill()
        began = time.monotonic()
        with pytest.raises(Gone, match="does not answer"):
            asked.result(2 * WAIT)
        assert time.monotonic() - began < WAIT / 2, "it was not waited for in vain"
    desk.close()


def unread(port: int) -> int:
    """Bytes that came to a port of this host and that nobody has read."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(row[4].partition(":")[2], 16) for row in rows if row[1].endswith(f":{port:04X}"))


def test_where_nobody_is_it_is_told_when_it_is_needed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    gate = nats_gates(f"nats://me:canary@127.0.0.1:{port}{PATIENT}", PLACE, host_gates(str(tmp_path), PLACE))(
        "messages", WINDOWS, 10.0
    )
    assert not caplog.records
    assert not gate.take(0.0), "it may have given everything away"
    assert gate.take(5.0)
    assert f"NATS at nats://127.0.0.1:{port} does not answer" in caplog.text
    assert "canary" not in caplog.text


@needs_nats
def test_a_nats_without_jetstream_says_why(tmp_path: Path) -> None:
    class Plain(NatsServer):
        def command(self) -> list[str]:
            return [self.program, "-p", str(self.port), "-a", "127.0.0.1"]

    with Plain(tmp_path / "plain") as server:
        desk = Desk(Address(f"nats://127.0.0.1:{server.port}", SCHEMES), {}, wait=WAIT)
        with pytest.raises(Gone, match=r"NATS at nats://127.0.0.1:\d+ does not answer: .+"):
            desk.open()
        desk.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nats://127.0.0.1:notaport", "it must be an address such as nats://host"),
        ("nats://h?replicas=9", "limits is 'nats://h\\?replicas=9'; it must be an address with replicas of 1 to 5"),
        ("nats://h?wait=soon", "limits is 'nats://h\\?wait=soon'; it must be an address with wait of 0.01 to 60"),
    ],
)
def test_an_address_that_is_none_is_refused(url: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        nats_gates(url, PLACE, host_gates(str(tmp_path), PLACE))


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nats_limits, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"used with the extra nats: pip install tapewire\[nats\]") as caught:
        nats_gates("nats://me:canary@h:1", PLACE, host_gates(str(tmp_path), PLACE))
    assert "limits is 'nats://h:1'" in str(caught.value)


@needs_nats
def test_of_hosts_with_addresses_of_their_own_only_an_accounts_limits_are_kept_together(
    server: NatsServer, tmp_path: Path
) -> None:
    gates = [
        nats_gates(f"{server.address}{PATIENT}&scope=accounts", PLACE, host_gates(str(tmp_path / host), PLACE))
        for host in ("one", "two")
    ]
    taken = {
        name: [make(name, (Window(2, 60.0),), 10.0).take(5.0 + number) for number, make in enumerate(gates * 2)]
        for name in ("connects", "connects-0123456789abcdef", "rest-default-0123456789abcdef")
    }
    alone, together = [True] * 4, [True, True, False, False]
    assert list(taken.values()) == [alone, together, together]
    with pytest.raises(ConfigError, match="scope=all or scope=accounts"):
        nats_gates(f"{server.address}?scope=some", PLACE, host_gates(str(tmp_path), PLACE))
