"""The examples run against a simulated exchange over real sockets and end when they are told to."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from tapewire.testing.background import BackgroundSimulator
from tests.docs.pages import ROOT

pytestmark = pytest.mark.xdist_group("examples")  # one worker: they are started once for all

FOLDER = ROOT / "examples"
#: example → what it must have printed
SAYS = {
    "hello_world.py": ("KRW-BTC: ", "KRW-ETH: "),
    "iterate.py": ("KRW-BTC bought", "once: KRW-XRP", "%"),
    "blocking_prices.py": ("once: KRW-ETH", "KRW-BTC: ", "traded ", "best ask "),
    "candles_and_books.py": ("spread",),
    "record_with_python.py": ("KRW-BTC_trade.jsonl: ", "misc.jsonl: "),
    "feed_events.py": ("act on KRW-BTC", "-- whole", "-- lost: closed (1001"),
    "kimchi_premium.py": ("kimchi premium ", "BTC-USDT on okx", "KRW-USDT on upbit", "drawn in premium.svg"),
    "okex_v3_monitor.py": (
        "BTC-USD-190517: best bid 7,", '{"table":"futures/depth5","data":[{"asks":[[', '{"table":"futures/trade"',
        "Stopping monitoring...",
    ),
}  # fmt: skip
#: example → the exchange that it is run against, and what else it is told; the others: Upbit
ELSEWHERE = {"okex_v3_monitor.py": ("okex3", ("--raw",)), "kimchi_premium.py": ("upbit", ("--simulate",))}
#: How long an example is let run: longer when that was not enough on a busy machine.
SECONDS = ("1.2", "5", "20")
Ran = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    """Every example, run side by side."""
    faults = ("drop:1001@3.5/3.5",)  # the exchange's time runs five times faster
    done: dict[str, Ran] = {}
    # Without limits: six programs at one address do not know of each other, and one second is five of the exchange.
    with contextlib.ExitStack() as stack:
        urls = {
            venue: stack.enter_context(
                BackgroundSimulator(venue=venue, rate=120.0, speed=5.0, faults=faults, limits=False)
            ).url
            for venue in ("upbit", *{venue for venue, _ in ELSEWHERE.values()})
        }
        for seconds in SECONDS:
            left = [name for name in SAYS if name not in done or not _said_all(done[name])]
            running = [_start(name, urls, seconds, tmp_path_factory.mktemp("here")) for name in left]
            for name, process in zip(left, running, strict=True):
                output, errors = process.communicate(timeout=50)
                done[name] = subprocess.CompletedProcess(name, process.returncode, output, errors)
    return done


def _start(name: str, urls: dict[str, str], seconds: str, place: Path) -> subprocess.Popen[str]:
    venue, more = ELSEWHERE.get(name, ("upbit", ()))
    command = [sys.executable, "-W", "error", str(FOLDER / name), "--url", urls[venue], "--seconds", seconds, *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=place)


def _said_all(result: Ran) -> bool:
    return result.returncode == 0 and all(words in result.stdout for words in SAYS[result.args])


@pytest.mark.parametrize("name", SAYS)
def test_an_example_runs_and_ends(name: str, ran: dict[str, Ran]) -> None:
    result = ran[name]
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    assert "Warning" not in result.stderr
    for words in SAYS[name]:
        assert words in result.stdout, result.stdout[-2000:]


def test_the_examples_own_test_passes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(FOLDER / "test_my_bot.py")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=90, cwd=tmp_path, check=False)
    assert result.returncode == 0, result.stdout
    assert "1 passed" in result.stdout


def test_every_example_is_tried() -> None:
    assert {path.name for path in FOLDER.glob("*.py")} == {*SAYS, "test_my_bot.py"}
