"""A real process is stopped (SIGSTOP: a laptop that sleeps, a paused machine) and continued: it says what it missed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tapewire.model.events import TradeEvent
from tapewire.testing.background import BackgroundSimulator
from tapewire.testing.oracle import account

PROGRAM = Path(__file__).with_name("stopped_program.py")
#: Trades that are made while it stands still.
MISSED = 20


class Program:
    """The process, and what it said so far."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.said: list[dict[str, Any]] = []

    def until(self, **wanted: Any) -> dict[str, Any]:
        """The first line with these values: among those that were read, or to come."""
        for known in self.said:
            if wanted.items() <= known.items():
                return known
        while not wanted.items() <= self.next().items():
            pass
        return self.said[-1]

    def next(self) -> dict[str, Any]:
        """Read one line more."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"it ended: {self.process.stderr and self.process.stderr.read()!r}"
        self.said.append(msgspec.json.decode(line))
        return self.said[-1]

    def stop(self) -> None:
        """Stop it; returns when it stands still."""
        self.process.send_signal(signal.SIGSTOP)
        _, status = os.waitpid(self.process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)

    @property
    def trades(self) -> list[TradeEvent]:
        names = ("venue", "symbol", "sequential_id", "timestamp", "recovered")
        return [
            TradeEvent(**{name: one[name] for name in names if name in one})
            for one in self.said
            if one["type"] == "trade"
        ]


@pytest.fixture
def exchange() -> Iterator[BackgroundSimulator]:
    with BackgroundSimulator(seed=3, markets=("KRW-BTC",), rate=40.0) as simulator:
        yield simulator


@contextmanager
def started(exchange: BackgroundSimulator, *more: str) -> Iterator[Program]:
    command = [sys.executable, str(PROGRAM), exchange.url, *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield Program(process)
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("meanwhile", "causes"),
    [("abort", {"reset"}), ("drop", {"closed"}), ("freeze", {"ping_timeout"})],
    ids=["the exchange gave it up", "the exchange closed the line", "the network forgot the line"],
)
def test_a_process_that_was_stopped_reconnects_fills_and_says_so(
    exchange: BackgroundSimulator, meanwhile: str, causes: set[str]
) -> None:
    with started(exchange) as program:
        program.until(type="trade", stream_type="REALTIME")
        program.stop()
        getattr(exchange, meanwhile)()
        missed = made_meanwhile(exchange)
        program.process.send_signal(signal.SIGCONT)
        lost = program.until(type="disconnected")
        assert lost["loss"]["cause"] in causes
        filled = program.until(type="gap", state="filled")
        assert (filled["subscription"]["kind"], filled["subscription"]["symbol"]) == ("trade", "KRW-BTC")
        assert filled["recovered"] >= MISSED
        made = exchange.trades
        program.until(type="trade", sequential_id=made[-1].sequential_id)
        found = account(made[:-1], program.trades, [])
    assert (found.lost, found.doubled) == ((), ())
    recovered = {trade.sequential_id for trade in program.trades if trade.recovered}
    assert len(missed & recovered) >= MISSED - 1, "the last of them may be the snapshot"


def made_meanwhile(exchange: BackgroundSimulator) -> set[int | None]:
    """Ids of trades that another program heard meanwhile."""
    with started(exchange) as witness:
        while len([trade for trade in witness.trades if not trade.recovered]) <= MISSED:
            witness.next()
        return {trade.sequential_id for trade in witness.trades[1:]}


def test_a_process_that_was_killed_begins_where_it_was_when_it_is_started_again(
    exchange: BackgroundSimulator, tmp_path: Path
) -> None:
    cursor = tmp_path / "cursor"
    with started(exchange, str(cursor)) as first:
        while not cursor.exists():
            first.next()
        first.process.kill()
        first.process.wait()
        assert first.process.stdout is not None
        first.said += [msgspec.json.decode(line) for line in first.process.stdout if line.endswith(b"}\n")]
    made_meanwhile(exchange)
    with started(exchange, str(cursor)) as second:
        row = second.until(type="gap", state="filled")
        assert (row["cause"], row["recovered"] >= MISSED) == ("restart", True)
        made = exchange.trades
        second.until(type="trade", sequential_id=made[-1].sequential_id)
    found = account(made[:-1], first.trades + second.trades, [])
    assert found.lost == ()
    last = first.trades[-1].timestamp or 0
    again = {number for _, number in found.doubled}
    assert again <= {trade.sequential_id for trade in first.trades if (trade.timestamp or 0) >= last - 3_500}
