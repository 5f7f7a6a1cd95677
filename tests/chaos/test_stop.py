"""RELIABILITY C9, C10 and a torn end: a clean stop under load, a second recorder, what a crash left."""

from __future__ import annotations

import random
import signal
import threading
import time
from pathlib import Path

import pytest

from tapewire.tape.checking import check_tape
from tapewire.tape.files import tape_files
from tapewire.tape.format import Kind
from tests.chaos.exchange import Exchange
from tests.chaos.recorders import MARKETS, PATIENCE, Life, read_recorded_lines, read_recorded_tape, read_records
from tests.sizes import NIGHTLY, figure, size

STOPS = size(3, 100)
#: Seconds that a stop may take; a machine with other work is given more.
STOP = 5.0 if NIGHTLY else PATIENCE


@pytest.mark.timeout(1200)
def test_c9_sigterm_under_load_loses_nothing_that_was_read(tmp_path: Path) -> None:
    draw, took = random.Random("stops"), []
    with Exchange(seed=9, markets=MARKETS, rate=float(size(1_000, 5_000)), depth=30) as simulator:
        for number in range(STOPS):
            tape, files = tmp_path / f"{number}.tape", tmp_path / f"{number}.files"
            with Life(simulator.url, "--tape", str(tape), "--out", str(files)) as life:
                life.until_safe()
                timer = threading.Timer(draw.random(), life.process.terminate)
                timer.start()
                timer.join()
                began = time.monotonic()
                assert life.wait() == 0, life.complaints
                took.append(time.monotonic() - began)
            [summary] = life.told("summary")
            received, lines = sum(summary["received"].values()), read_recorded_lines(files)
            assert sum(lines.events.values()) == received > 0
            on_tape = read_recorded_tape(tape)
            assert sum(on_tape.events.values()) >= received
            assert summary["dropped"] == 0
            assert not any(report.damages for report in check_tape(tape))
    assert max(took) < STOP
    figure(f"{STOPS} stops under load: mean {sum(took) / STOPS:.2f} s, worst {max(took):.2f} s, nothing read was lost")


@pytest.mark.parametrize("option", ["--tape", "--out"])
def test_c10_a_second_recorder_is_refused_and_touches_nothing(option: str, tmp_path: Path) -> None:
    folder = tmp_path / "recording"
    with Exchange(seed=10, markets=MARKETS, rate=400.0) as simulator:
        with Life(simulator.url, option, str(folder)) as first:
            first.until_safe()
            names = {path.name for path in folder.iterdir()}
            with Life(simulator.url, option, str(folder)) as second:
                assert second.wait() == 1
            assert b"another recorder is writing here" in second.complaints
            assert {path.name for path in folder.iterdir()} - names <= {f"{one}_ticker.jsonl" for one in MARKETS}
            so_far = len(first.statuses)
            first.until(lambda: len(first.statuses) > so_far)
            assert first.end(signal.SIGTERM) == 0, first.complaints
        assert not first.told("taping")


def test_a_torn_end_is_told_and_cut_off_and_the_tape_goes_on(tmp_path: Path) -> None:
    tape = tmp_path / "tape"
    with Exchange(seed=11, markets=MARKETS, rate=400.0) as simulator:
        with Life(simulator.url, "--tape", str(tape)) as life:
            life.until_safe()
            assert life.end(signal.SIGTERM) == 0, life.complaints
        [path] = tape_files(tape)
        whole = path.read_bytes()
        path.write_bytes(whole[:-7])
        with Life(simulator.url, "--tape", str(tape)) as life:
            life.until_safe()
            assert life.end(signal.SIGTERM) == 0, life.complaints
    [told] = life.told("taping")
    assert [words.partition(":")[0] for words in told["mended"]] == [path.name]
    assert whole.startswith(path.read_bytes())
    assert not any(report.damages for report in check_tape(tape))
    first, *_ = read_records(tape_files(tape)[1:])
    assert first.kind == Kind.GAP
