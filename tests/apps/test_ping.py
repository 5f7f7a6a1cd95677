"""``tapewire ping`` against the simulated exchange over real sockets."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tapewire.apps.cli.main import cli
from tapewire.testing.background import BackgroundSimulator

SCRIPT = str(Path(sys.executable).with_name("tapewire"))


@pytest.fixture(scope="module")
def fast_exchange() -> Iterator[BackgroundSimulator]:
    """Ten seconds of the exchange are a tenth of ours."""
    with BackgroundSimulator(markets=("KRW-BTC",), speed=100.0) as simulator:
        yield simulator


def ping(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["ping", *arguments], catch_exceptions=False)


def test_the_text_shows_each_sign_of_life_and_the_round_trip(fast_exchange: BackgroundSimulator) -> None:
    before = len(fast_exchange.requests)
    result = ping("--url", fast_exchange.url)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].startswith(f"connected to {fast_exchange.url} in ")
    assert [line.split()[:2] for line in lines[1:4]] == [["UP", "after"]] * 3
    assert lines[4].startswith("3 signs of life; round trip ")
    assert [sent.payload for sent in fast_exchange.requests[before:]] == [b"PING"]


def test_frames_as_json_are_an_object_a_line(fast_exchange: BackgroundSimulator) -> None:
    result = ping("--url", fast_exchange.url, "--frame", "--count", "1", "--json")
    assert result.exit_code == 0, result.output
    connected, pong, summary = map(json.loads, result.stdout.splitlines())
    assert (connected["type"], connected["url"], pong["type"]) == ("connected", fast_exchange.url, "pong")
    assert summary == {
        "type": "summary", "signs": 1, "round_trip_ms": {"min": pong["ms"], "mean": pong["ms"], "max": pong["ms"]},
    }  # fmt: skip


def test_ctrl_c_ends_it_with_what_was_seen(fast_exchange: BackgroundSimulator) -> None:
    command = [SCRIPT, "ping", "--url", fast_exchange.url, "--count", "100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert [process.stdout.readline().split()[0] for _ in range(2)] == ["connected", "UP"]
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (130, "")
    assert "of life; round trip " in output.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--url", "ws://127.0.0.1:1"), 1, "tapewire: unreachable (127.0.0.1:1: connection refused)"),
        (("--url", "http://127.0.0.1:1"), 2, "url is 'http://127.0.0.1:1'; it must be a ws:// or wss:// address"),
        (("--venue", "upbitt"), 2, "no venue is called 'upbitt'"),
        (("--count", "0"), 2, "0 is not in the range x>=1"),
    ],
)
def test_what_fails_is_one_clear_line(arguments: tuple[str, ...], code: int, words: str) -> None:
    result = ping(*arguments)
    assert result.exit_code == code, result.output
    assert words in result.output
    assert "Traceback" not in result.output


def test_an_exchange_that_hears_nothing_is_a_failure(fast_exchange: BackgroundSimulator) -> None:
    command = [SCRIPT, "ping", "--url", fast_exchange.url, "--count", "100000", "--timeout", "0.5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert [process.stdout.readline().split()[0] for _ in range(2)] == ["connected", "UP"]
        fast_exchange.freeze()
        output, errors = process.communicate(timeout=10)
    assert process.returncode == 1
    assert errors == "tapewire: upbit: a sign of life: no answer within 0.5 s\n"
    assert "of life" in output
