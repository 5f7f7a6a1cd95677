"""Limits over several hosts: gates on one state with one clock, programs on one Redis, and a Redis that goes away."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapewire.config import FeedOptions
from tapewire.errors import ConfigError
from tapewire.runtime import server_limits
from tapewire.runtime.host_limits import host_gates
from tapewire.runtime.redis_limits import redis_gates
from tapewire.runtime.server_limits import BUSY_WAIT, RETRY, Gone, Link, ServerGate
from tapewire.session.gate import Gate, Grant
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tapewire.venues.contract import Window
from tests.ports import free_port
from tests.runtime.test_host_limits import PROCESSES, together
from tests.session.test_gate import ideal
from tests.sizes import figure, size

WINDOWS = (Window(4, 1.0), Window(6, 5.0))
HALVED = (Window(2, 1.0), Window(3, 5.0))
SERVER = shutil.which("redis-server")
PLACE = ("upbit", "api.upbit.com")
needs_redis = pytest.mark.skipif(SERVER is None, reason="needs redis-server (Debian: apt-get install redis-server)")


class State:
    """What a server holds, and its clock: so many seconds ahead of everybody's."""

    spread = 0.0

    def __init__(self, ahead: float = 1e9) -> None:
        self.content, self.t, self.ahead = b"", 0.0, ahead
        self.away = False
        self.rivals = 0

    def read(self) -> tuple[bytes, float]:
        if self.away:
            raise Gone("it is away")
        return self.content, self.t + self.ahead

    def swap(self, before: bytes, after: bytes, keep: float) -> bool:
        assert keep > 0
        if self.rivals:
            self.rivals -= 1
            return False
        if self.content != before:
            return False
        self.content = after
        return True


def gates(state: State, number: int = 2) -> list[ServerGate]:
    link = Link("Redis")
    return [ServerGate(state, WINDOWS, 10.0, Gate(HALVED, 10.0), link) for _ in range(number)]


@settings(max_examples=size(100, 2_000), deadline=None)
@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from(("take", "book", "arrived", "told", "close")), st.floats(0.01, 2)),
        max_size=30,
    )
)
def test_two_gates_on_one_state_are_one_gate_whatever_its_clock_says(steps: list[tuple[bool, str, float]]) -> None:
    state, alone = State(ahead=1024.0), Gate(WINDOWS, 10.0)
    one, two = gates(state)
    t, sent = 0.0, dict.fromkeys((True, False), -1.0)
    for first, step, pause in steps:
        t = state.t = round((t + pause) * 1024) / 1024
        gate = one if first else two
        if step == "take":
            taken = gate.take(t)
            assert taken == alone.take(t)
            sent[first] = t if taken else sent[first]
        elif step == "book":
            gate.book(t)
            alone.book(t)
        elif step == "arrived":
            gate.arrived(sent[first], t)
            alone.arrived(sent[first], t)
        elif step == "told":
            if sent[first] in gate._sent:
                gate.told(sent[first], t, 1, 1.0)
                alone.told(sent[first], t, 1, 1.0)
        else:
            gate.close(t + 0.5)
            gate.next_at(t)  # the next question tells the others
            alone.close(t + 0.5)
        figures = [
            (round(it.next_at(t), 5), round(it.ask_at(t), 5), it.left(t), it.spent(t)) for it in (one, two, alone)
        ]
        assert figures == [figures[2]] * 3


def test_without_redis_the_host_keeps_half_and_what_was_granted_before_counts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = State()
    (gate,) = gates(state, 1)
    assert [gate.take(0.0) for _ in range(5)] == [True] * 4 + [False]
    for _ in range(4):
        gate.arrived(0.0, 0.0)
    state.away = True
    state.t = 0.5
    assert not gate.take(0.5), "the second is spent"
    assert [gate.left(t)[0][1] for t in (0.6, 30.0)] == [0, 2]
    assert [gate.take(30.0) for _ in range(3)] == [True, True, False]
    gate.arrived(30.0, 30.1)
    gate.told(30.0, 30.1, 0, 1.0)
    gate.book(30.2)
    assert gate.spent(30.3) == 1.0
    assert gate.next_at(30.3) > 31.0
    assert gate.ask_at(30.3) > 30.3
    state.away = False
    state.t = 30.4 + RETRY
    assert gate.left(30.4 + RETRY) == [(WINDOWS[0], 2), (WINDOWS[1], 4)], "what it took alone counts for all"
    assert [record.__dict__["event"] for record in caplog.records] == ["limits_alone", "limits_shared"]


def test_a_redis_that_never_answered_may_have_given_everything_away() -> None:
    state = State()
    state.away = True
    (gate,) = gates(state, 1)
    assert [gate.take(t) for t in (0.0, 4.9)] == [False, False]
    assert gate.next_at(0.0) == 5.0
    assert gate.take(5.0)


def test_a_redis_that_forgot_grants_nothing_until_every_window_is_surely_empty() -> None:
    state = State()
    one, two = gates(state)
    assert one.take(0.0)
    state.content = b""
    assert one.next_at(0.0) == pytest.approx(5.0)
    assert not one.take(0.1)
    assert not two.take(0.1), "the first to see it tells the others"
    state.t = 30.0
    state.content = b""
    assert one.take(30.0)


def test_who_is_always_too_late_asks_again_soon() -> None:
    state = State()
    (gate,) = gates(state, 1)
    state.rivals = 10_000
    assert (gate.take(0.0), gate._sent) == (False, {})
    gate._grants = [Grant(1.0, 1.0, awaited=True)]
    gate.close(9.0)
    assert (gate.next_at(1.0), gate.ask_at(1.0)) == (1.0 + BUSY_WAIT, 1.0 + BUSY_WAIT)
    assert gate.spent(1.0) == 1.0
    assert gate.left(1.0) == [(HALVED[0], 0), (HALVED[1], 0)]
    gate.book(1.0)
    assert state.content == b""


def test_what_is_awaited_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_limits, "AWAITED_MOST", 2)
    (gate,) = gates(State(), 1)
    assert [gate.take(t / 10) for t in range(4)] == [True] * 4
    assert len(gate._sent) == 2


@contextmanager
def running(folder: Path, *options: str, port: int | None = None) -> Iterator[str]:
    """A Redis of our own, its address."""
    assert SERVER is not None
    port = port or free_port()
    command = [SERVER, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert any("eady to accept connections" in line for line in process.stdout)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.communicate(timeout=10)


@needs_redis
def test_gates_of_one_redis_share_what_is_left_and_its_key_tells_none(tmp_path: Path) -> None:
    with running(tmp_path) as url:
        one, two = (redis_gates(url, PLACE, host_gates(str(tmp_path), PLACE))("rest-0123", WINDOWS, 10.0)
                    for _ in range(2))  # fmt: skip
        assert [one.take(5.0), two.take(5.1), one.take(5.2), two.take(5.3), one.take(5.4)] == [True] * 4 + [False]
        one.arrived(5.0, 5.3)
        assert [left for _, left in two.left(5.4)] == [0, 2]
        assert 0.9 < one.next_at(5.4) - 5.4 < 16


@needs_redis
async def test_programs_that_name_one_redis_keep_the_limits_together(tmp_path: Path) -> None:
    calls = size(8, 30)
    with running(tmp_path) as url:
        async with Simulator(Scenario(limits=False, switches={"messages_per_address": True})) as simulator:
            began = simulator.now
            await together(simulator.url, url, tmp_path, calls)
            seconds, broken = simulator.now - began, simulator.violations
    assert broken == []
    least = ideal((Window(10, 1.0),), PROCESSES * (calls + 1))
    figure(f"{PROCESSES} programs made {PROCESSES * (calls + 1)} calls in {seconds:.2f} s, the least is {least:.2f} s")
    assert seconds < least + 40.0


@needs_redis
def test_a_password_that_is_refused_is_told_and_not_shown(tmp_path: Path) -> None:
    with running(tmp_path, "--requirepass", "canary-right") as url:
        for wrong in (url, url.replace("//", "//:canary-wrong@")):
            with pytest.raises(ConfigError) as caught:
                redis_gates(wrong, PLACE, host_gates(str(tmp_path), PLACE))
            assert "it must be an address that lets us in" in str(caught.value)
            assert "canary" not in str(caught.value)
        options = FeedOptions(limits=url.replace("//", "//:canary-right@"))
        assert "canary" not in repr(options)
        gate = redis_gates(options.limits, PLACE, host_gates(str(tmp_path), PLACE))("messages", WINDOWS, 10.0)
        assert gate.take(1.0)


@needs_redis
def test_a_redis_that_is_killed_and_comes_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    with running(tmp_path, port=port) as url:
        gate = redis_gates(url, PLACE, host_gates(str(tmp_path), PLACE))("messages", WINDOWS, 10.0)
        assert gate.take(0.0)
        gate.arrived(0.0, 0.0)
    assert [gate.take(20.0) for _ in range(3)] == [True, True, False], "half of four"
    with running(tmp_path, port=port):
        assert not gate.take(20.0 + RETRY), "it forgot what others were granted"
        assert 0 < gate.next_at(60.0) - 60.0 <= 5.0
    assert [record.__dict__["event"] for record in caplog.records if record.levelno >= logging.WARNING] == [
        "limits_alone", "limits_shared",
    ]  # fmt: skip


def test_an_address_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="it must be an address of Redis"):
        redis_gates("redis://127.0.0.1:notaport/0", PLACE, host_gates(str(tmp_path), PLACE))


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigError, match=r"used with the extra redis: pip install tapewire\[redis\]") as caught:
        redis_gates("redis://me:canary@h:1/0", PLACE, host_gates(str(tmp_path), PLACE))
    assert "limits is 'redis://h:1/0'" in str(caught.value)
