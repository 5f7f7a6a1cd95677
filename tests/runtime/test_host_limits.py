"""Limits of a host: several gates on one file, and several processes against one exchange."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tapewire.config import FeedOptions
from tapewire.errors import ConfigError
from tapewire.runtime import host_limits
from tapewire.runtime.host_limits import BUSY_WAIT, PATIENCE, Busy, HostGate, host_gates
from tapewire.runtime.limits import figures_of, place_of
from tapewire.session.gate import Gate
from tapewire.session.limits import Limits
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tapewire.venues.contract import Window
from tapewire.venues.registry import get_venue
from tests.session.test_gate import ideal
from tests.sizes import figure, size

VENUE = get_venue("upbit")
WINDOWS = (Window(2, 1.0), Window(3, 5.0))
PROCESSES = 4
#: One program among several: it takes part when it is told to begin.
PROGRAM = """
import asyncio, sys
from tapewire import WebSocketClient
async def main(url, limits, folder, calls):
    async with WebSocketClient("one", url=url, limits=limits, limits_dir=folder) as client:
        await client.subscribe_trade("KRW-BTC", lambda trade: None)
        for _ in range(calls):
            await client.markets()
print("ready", flush=True)
sys.stdin.readline()
asyncio.run(main(*sys.argv[1:4], int(sys.argv[4])))
"""
#: One that takes the lock of a file and stands still.
HOLDER = """
import fcntl, os, signal, sys
file = os.open(sys.argv[1], os.O_RDWR)
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
signal.pause()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gate"


def pair(path: Path) -> tuple[HostGate, HostGate]:
    return HostGate(path, WINDOWS, 10.0), HostGate(path, WINDOWS, 10.0)


@settings(max_examples=size(60, 1_000), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from(("take", "arrived", "told", "close")), st.floats(0, 2)), max_size=30
    )
)
def test_two_gates_on_one_file_are_one_gate(tmp_path: Path, steps: list[tuple[bool, str, float]]) -> None:
    file = tmp_path / f"{os.urandom(8).hex()}"
    one, two, alone = *pair(file), Gate(WINDOWS, 10.0)
    t, sent = 0.0, 0.0
    for first, step, pause in steps:
        t += pause
        gate = one if first else two
        if step == "take":
            taken = gate.take(t)
            assert taken == alone.take(t)
            sent = t if taken else sent
        elif step == "arrived":
            gate.arrived(sent, t)
            alone.arrived(sent, t)
        elif step == "told":
            gate.told(sent, t, 1, 1.0)
            alone.told(sent, t, 1, 1.0)
        else:
            gate.close(t + 0.5)
            alone.close(t + 0.5)
        figures = [(it.next_at(t), it.ask_at(t), it.left(t), it.spent(t)) for it in (one, two, alone)]
        assert figures == [figures[2]] * 3


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_a_process_that_is_killed_holds_nobody_back(path: Path) -> None:
    gate, _ = pair(path)
    assert gate.take(0.0)
    with holder(path) as process:
        assert (gate.take(0.1), gate.next_at(0.1), gate.ask_at(0.1)) == (False, 0.1 + BUSY_WAIT, 0.1 + BUSY_WAIT)
        gate.arrived(0.0, 0.1)
        gate.told(0.0, 0.1, 0, 1.0)
        gate.close(0.3)
        assert [left for _, left in gate.left(0.4)] == [1, 2], "as last seen"
        assert gate.spent(0.4) == 0.5
        process.kill()
        process.wait(10)
        assert (gate.take(0.2), gate.next_at(0.2)) == (False, 0.3), "what was refused meanwhile is known"
        assert gate.take(0.3)


def test_a_process_that_stands_still_with_the_file_is_given_up_once(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = pair(path)
    assert one.take(0.0)
    with holder(path) as process:
        process.send_signal(signal.SIGSTOP)
        assert not one.take(1.0)
        assert not two.take(1.0 + PATIENCE - 0.1)
        assert not one.take(1.0 + PATIENCE)
        assert one.take(1.1 + PATIENCE)
        assert one.next_at(1.2 + PATIENCE) == two.next_at(1.2 + PATIENCE) == 11.0, "what was granted before is known"
    assert [record.__dict__["event"] for record in caplog.records] == ["limits_taken_over"]


def test_one_who_was_given_up_takes_nothing_when_he_goes_on(path: Path) -> None:
    one, two = pair(path)

    def stand_still() -> None:
        with one._held(0.0):
            assert Gate.take(one, 0.0)
            assert [two.take(0.0), two.take(PATIENCE)] == [False, False]

    with pytest.raises(Busy):
        stand_still()
    assert [left for _, left in two.left(PATIENCE)] == [2, 3]


def test_after_half_a_write_nothing_is_granted_until_every_window_is_surely_empty(path: Path) -> None:
    one, two = pair(path)
    assert one.take(0.0)
    path.write_bytes(path.read_bytes()[:-3])
    assert (two.take(1.0), two.next_at(1.0)) == (False, 6.0)
    assert two.take(6.0)
    path.write_bytes(b"abc")
    assert one.next_at(7.0) == 12.0


def test_a_host_that_was_started_anew_begins_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = pair(path)
    one.close(1e6)
    assert two.next_at(900_000.0) == 1e6
    monkeypatch.setattr(host_limits, "_boot", lambda: "another")
    assert two.take(1.0)


def test_a_directory_that_is_gone_stops_all_and_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "meet"
    gate = host_gates(str(folder), ("upbit", "x"))("messages", WINDOWS, 1.0)
    assert gate.take(0.0)
    [file] = folder.iterdir()
    file.unlink()
    folder.rmdir()
    assert [gate.take(t) for t in (1.0, 2.0, 9.0)] == [False] * 3
    assert [record.__dict__["event"] for record in caplog.records] == ["limits_unusable"]
    folder.mkdir()
    assert gate.take(9.1)


def test_a_grant_that_cannot_be_written_down_is_none(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = pair(path)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "pwrite", full)
        assert not one.take(0.0)
    assert [left for _, left in two.left(0.0)] == [2, 3]
    assert "No space left on device" in caplog.text
    assert one.take(0.1)


def test_each_limit_has_a_file_of_its_own_that_tells_no_key(tmp_path: Path) -> None:
    here, there = (place_of(VENUE, address) for address in ("api.upbit.com", "127.0.0.1:9001"))
    one = Limits(VENUE.facts, host_gates(str(tmp_path), here))
    two = Limits(VENUE.facts, host_gates(str(tmp_path), here))
    other = Limits(VENUE.facts, host_gates(str(tmp_path), there))
    one.messages.take(0.0)
    one.connects("0123456789abcdef").take(0.0)
    names = sorted(file.name.rpartition("-")[2] for file in tmp_path.iterdir())
    assert names == ["0123456789abcdef", "messages"]
    shown = [[one.left for one in figures_of(limits, 0.0)][:3] for limits in (two, other)]
    assert shown == [[5, 4, 99], [5, 5, 100]]


def test_a_directory_that_cannot_be_used_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConfigError, match=r"limits_dir is '.*file'; it must be a directory that can be written"):
        host_gates(str(file), ("upbit", "x"))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"tapewire-limits-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="a directory of this user's own"):
        host_gates(None, ("upbit", "x"))
    monkeypatch.setattr(host_limits, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match="this system has no file locks"):
        host_gates(None, ("upbit", "x"))
    with pytest.raises(ConfigError, match='limits is \'redis\'; it must be "process", "host" or an address of Redis'):
        FeedOptions(limits="redis")


async def together(url: str, limits: str, folder: Path, calls: int) -> None:
    """Several programs that begin at the same moment."""
    arguments = [sys.executable, "-c", PROGRAM, url, limits, str(folder), str(calls)]
    pipe = asyncio.subprocess.PIPE
    programs = [await asyncio.create_subprocess_exec(*arguments, stdin=pipe, stdout=pipe) for _ in range(PROCESSES)]
    for program in programs:
        assert program.stdout is not None
        assert await program.stdout.readline() == b"ready\n"
    await asyncio.gather(*(program.communicate(b"\n") for program in programs))
    assert [program.returncode for program in programs] == [0] * PROCESSES


@pytest.mark.parametrize("limits", ["host", "process"])
async def test_programs_of_one_host_keep_the_limits_together(limits: str, tmp_path: Path) -> None:
    calls = size(10, 30) if limits == "host" else 6
    async with Simulator(Scenario(limits=False, switches={"messages_per_address": True})) as simulator:
        began = simulator.now
        async with asyncio.timeout(60):
            await together(simulator.url, limits, tmp_path, calls)
        seconds, broken = simulator.now - began, simulator.violations
    if limits == "process":
        assert broken, "each for itself they break them: this is what the option is for"
        return
    assert broken == []
    least = ideal((Window(10, 1.0),), PROCESSES * (calls + 1))
    figure(f"{PROCESSES} programs made {PROCESSES * (calls + 1)} calls in {seconds:.2f} s, the least is {least:.2f} s")
    assert seconds < least + 6.0


@pytest.mark.parametrize("name", ["rest-/api/v5/public/instruments", "rest-a b", "../up"])
def test_a_limit_of_any_name_has_a_file_of_its_own(name: str, tmp_path: Path) -> None:
    make = host_gates(str(tmp_path), ("okx", "127.0.0.1:1"))
    one, other, plain = make(name, WINDOWS, 1.0), make(name, WINDOWS, 1.0), make("rest", WINDOWS, 1.0)
    assert [one.take(1.0), other.take(1.0), one.take(1.0), plain.take(1.0)] == [True, True, False, True]
    assert len([path for path in tmp_path.iterdir() if path.is_file()]) == 2
