"""``tapewire replay``: what was recorded comes again, as lines, as JSON, as files."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tapewire.testing.background import BackgroundSimulator
from tests.apps.test_commands import lines, tapewire


@pytest.fixture
def ticks(exchange: BackgroundSimulator, tmp_path: Path) -> Path:
    """A tape of a second, and beside it the files of the same recording."""
    result = tapewire("record", "KRW-BTC,KRW-ETH", "--url", exchange.url, "--types", "trade,orderbook.5",
                      "--seconds", "1", "--tape", "ticks", "--out", "files")  # fmt: skip
    assert result.exit_code == 0, result.output
    return tmp_path / "ticks"


def test_the_files_of_a_replay_are_those_of_the_recording(ticks: Path, tmp_path: Path) -> None:
    result = tapewire("replay", str(ticks), "--speed", "max", "--out", "again")
    assert result.exit_code == 0, result.output
    names = sorted(path.name for path in (tmp_path / "files").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "again").iterdir())
    for name in names:
        if name != "misc.jsonl":
            live, again = lines(tmp_path / "files" / name), lines(tmp_path / "again" / name)
            assert again[: len(live)] == live != []


def test_events_that_were_recorded_and_replayed_are_the_same_with_their_times(
    exchange: BackgroundSimulator, tmp_path: Path
) -> None:
    result = tapewire("record", "KRW-BTC", "--url", exchange.url, "--types", "trade,orderbook.5", "--seconds", "1",
                      "--tape", "ticks", "--out", "files", "--form", "event")  # fmt: skip
    assert result.exit_code == 0, result.output
    result = tapewire("replay", str(tmp_path / "ticks"), "--speed", "max", "--out", "again", "--form", "event")
    assert result.exit_code == 0, result.output
    for name in ("KRW-BTC_trade.jsonl", "KRW-BTC_orderbook.jsonl"):
        live, again = lines(tmp_path / "files" / name), lines(tmp_path / "again" / name)
        assert again[: len(live)] == live != []


def test_a_replay_is_printed_and_can_be_chosen_from(ticks: Path) -> None:
    result = tapewire("replay", str(ticks), "--speed", "20", "--types", "trade", "--symbols", "KRW-ETH", "--json")
    assert result.exit_code == 0, result.output
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert {one["symbol"] for one in told if "symbol" in one} == {"KRW-ETH"}
    assert {one["type"] for one in told} >= {"trade", "connected", "subscribed"}
    assert "orderbook" not in {one["type"] for one in told}
    text = tapewire("replay", str(ticks), "--speed", "max", "--to", "2020-01-01T00:00")
    assert (text.exit_code, text.output.partition(": ")[2]) == (1, f"{ticks}: nothing is on the tape in that time\n")


def test_a_replay_names_the_address_of_its_tape(ticks: Path, exchange: BackgroundSimulator) -> None:
    told = [json.loads(line) for line in tapewire("replay", str(ticks), "--speed", "max", "--json").stdout.splitlines()]
    assert {one["url"] for one in told if one["type"] == "connected"} == {exchange.url}


def test_a_reader_that_goes_away_ends_a_replay_without_a_word(ticks: Path) -> None:
    command = [sys.executable, "-m", "tapewire", "replay", str(ticks), "--speed", "5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


def test_what_cannot_be_written_ends_a_replay_with_the_reason(ticks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write

    def full(handle: int, data: bytes) -> int:
        if b'"code"' in data:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, data)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        result = tapewire("replay", str(ticks), "--speed", "max", "--out", "again")
    assert result.exit_code == 1
    assert "no space left on device" in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--speed", "fast"), "'fast' is neither a number above 0 nor max"),
        (("--speed", "0"), "neither a number above 0 nor max"),
        (("--types", "candle.1s"), "the tape has no such stream"),
    ],
)
def test_what_cannot_be_played_is_said(ticks: Path, arguments: tuple[str, ...], words: str) -> None:
    result = tapewire("replay", str(ticks), *arguments)
    assert result.exit_code == 2
    assert words in result.output
