"""The examples run against a simulated exchange over real sockets and end when they are told to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tapewire.testing.background import BackgroundSimulator
from tests.docs.pages import ROOT

FOLDER = ROOT / "examples"
#: example → what it must have printed
SAYS = {
    "hello_world.py": ("KRW-BTC: ", "KRW-ETH: "),
    "iterate.py": ("KRW-BTC bought", "once: KRW-XRP", "%"),
    "candles_and_books.py": ("spread",),
    "record_with_python.py": ("KRW-BTC_trade.jsonl: ", "misc.jsonl: "),
    "feed_events.py": ("act on KRW-BTC", "-- whole", "-- lost: closed (1001"),
}
SECONDS = "1.2"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, subprocess.CompletedProcess[str]]:
    """Every example, run side by side."""
    place = tmp_path_factory.mktemp("examples")
    faults = ("drop:1001@3.5/3.5",)  # the exchange's time runs five times faster
    with BackgroundSimulator(rate=120.0, speed=5.0, faults=faults) as simulator:
        told = ("--url", simulator.url, "--seconds", SECONDS)
        running = {
            name: subprocess.Popen(
                [sys.executable, "-W", "error", str(FOLDER / name), *told],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=place,
            )
            for name in SAYS
        }
        done = {}
        for name, process in running.items():
            output, errors = process.communicate(timeout=30)
            done[name] = subprocess.CompletedProcess(name, process.returncode, output, errors)
        assert simulator.violations == []
    return done


@pytest.mark.parametrize("name", SAYS)
def test_an_example_runs_and_ends(name: str, ran: dict[str, subprocess.CompletedProcess[str]]) -> None:
    result = ran[name]
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    assert "Warning" not in result.stderr
    for words in SAYS[name]:
        assert words in result.stdout, result.stdout[-2000:]


def test_the_examples_own_test_passes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(FOLDER / "test_my_bot.py")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=tmp_path, check=False)
    assert result.returncode == 0, result.stdout
    assert "1 passed" in result.stdout


def test_every_example_is_tried() -> None:
    assert {path.name for path in FOLDER.glob("*.py")} == {*SAYS, "test_my_bot.py"}
