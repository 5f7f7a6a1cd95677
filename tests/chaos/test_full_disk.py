"""RELIABILITY C2: a disk that is full for a while, with a real recorder on a file system of 2 MiB."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tapewire.tape.checking import check_tape
from tapewire.testing.oracle import account
from tests.chaos.disks import fill, small_disk
from tests.chaos.exchange import Exchange
from tests.chaos.recorders import MARKETS, PATIENCE, Life, read_recorded_lines, read_recorded_tape
from tests.sizes import NIGHTLY

SIZE = 2 * 1024 * 1024
#: Seconds after which the trouble is told; a machine with other work is given more.
DEGRADED = 1.0 if NIGHTLY else PATIENCE


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", SIZE) as place:
        yield place


@pytest.mark.parametrize("strict", [True, False])
def test_c2_the_feed_goes_on_and_the_tape_resumes_when_there_is_space(disk: Path, strict: bool) -> None:
    tape = disk / "tape"
    arguments = ("--tape", str(tape), *(("--strict",) if strict else ()))
    with Exchange(seed=2, markets=MARKETS, rate=2_000.0) as simulator:
        with Life(simulator.url, *arguments) as life:
            life.until_safe()
            ballast, full_ns = fill(disk), time.time_ns()
            life.until(lambda: bool(life.told("taping")))
            received = sum(life.statuses[-1].received.values())
            life.until(lambda: sum(life.statuses[-1].received.values()) > received + 1_000)  # it hears as before
            assert not any(report.damages for report in check_tape(tape)), "no torn block, not even for a moment"
            written = life.statuses[-1].tape["written"]
            assert written < sum(life.statuses[-1].received.values())
            ballast.unlink()
            life.until(lambda: life.statuses[-1].tape["written"] > written + 1_000)
            code = life.end(signal.SIGTERM)
        made = simulator.trades
    assert code == (1 if strict else 0), life.complaints
    assert (b"no space left on device" in life.complaints) is strict
    trouble, well = life.told("taping")
    assert (trouble["at_ns"] - full_ns) / 1e9 < DEGRADED
    assert (trouble["reason"], trouble["missed"]) == ("no space left on device", 0)
    assert (well["reason"], well["missed"]) == ("", 0)
    recording = read_recorded_tape(tape)
    seen = {(one.symbol, one.sequential_id) for one in recording.trades}
    until = max(number for number, one in enumerate(made) if (one.symbol, one.sequential_id) in seen) + 1
    assert account(made[:until], recording.trades, []).lost == (), "what came meanwhile was written afterwards"
    assert not any(report.damages for report in check_tape(tape))


def test_c2_a_disk_that_stays_full_is_a_failure_even_if_nobody_is_strict(disk: Path) -> None:
    tape = disk / "tape"
    with (
        Exchange(seed=3, markets=MARKETS, rate=2_000.0) as simulator,
        Life(simulator.url, "--tape", str(tape)) as life,
    ):
        life.until_safe()
        fill(disk)
        life.until(lambda: bool(life.told("taping")))
        assert life.end(signal.SIGTERM) == 1
    assert b"no space left on device" in life.complaints
    assert not any(report.damages for report in check_tape(tape))


@pytest.mark.parametrize("strict", [True, False] if NIGHTLY else [True])
def test_c2_the_feed_goes_on_and_the_files_resume_when_there_is_space(disk: Path, strict: bool) -> None:
    files = disk / "files"
    arguments = ("--out", str(files), "--rotate-size", "100KB", *(("--strict",) if strict else ()))
    with Exchange(seed=4, markets=MARKETS, rate=500.0) as simulator:
        with Life(simulator.url, *arguments) as life:
            life.until_safe()
            ballast = fill(disk)
            life.until(lambda: any("degraded" in note["text"] for note in life.told("note")))
            made_yet = len(simulator.trades)
            life.until(lambda: len(simulator.trades) > made_yet + 100)  # it hears as before: see below
            read_recorded_lines(files)  # no torn line, not even for a moment
            ballast.unlink()
            life.until(lambda: any("recording again" in note["text"] for note in life.told("note")))
            code = life.end(signal.SIGTERM)
        made = simulator.trades
    assert code == (1 if strict else 0), life.complaints
    assert (b"no space left on device" in life.complaints) is strict
    [summary] = life.told("summary")
    recording = read_recorded_lines(files)
    assert summary["dropped"] == 0
    assert sum(recording.events.values()) == sum(summary["received"].values()), "each once"
    seen = {(one.symbol, one.sequential_id) for one in recording.trades}
    until = max(number for number, one in enumerate(made) if (one.symbol, one.sequential_id) in seen) + 1
    assert account(made[:until], recording.trades, []).lost == ()
