"""``record`` in every layout, and how ``gaps``, ``convert`` and ``query`` read each; where its options are set."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest

from tapewire import RecordOptions, read_parquet
from tapewire.apps.cli.record_options import Measured, Policy
from tapewire.apps.settings import load
from tapewire.config import TapeOptions
from tapewire.errors import ConfigError
from tapewire.model.events import TradeEvent
from tapewire.sinks.files.reading import is_misc, lines_of, recorded_lines
from tapewire.testing.background import BackgroundSimulator
from tests.apps.test_commands import read_until, started, tapewire


def record(exchange: BackgroundSimulator, *options: str) -> dict[str, Any]:
    """The summary of a recording that is stopped when trades of both markets came."""
    arguments = ("record", "KRW-BTC", "KRW-ETH", "--url", exchange.url, "--types", "trade,orderbook.5", "--json",
                 "--status", "0.1")  # fmt: skip
    with started(*arguments, *options) as process:
        read_until(process, '"trade":')
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    summary: dict[str, Any] = json.loads(rest.splitlines()[-1])
    return summary


def recorded(folder: Path) -> dict[str, int]:
    """Lines of each kind of event."""
    found: dict[str, int] = {}
    for one in recorded_lines(folder):
        if not is_misc(one):
            kind = one.found.place.kind
            found[kind] = found.get(kind, 0) + sum(1 for _ in lines_of(one.path))
    return found


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (("--layout", "dated", "--zone", "KST", "--compress", "zstd"), "upbit/trade/*/date=*/??.jsonl.zst"),
        (("--rotate-count", "1", "--fsync", "each"), "*_trade-2.jsonl"),
        (("--rotate-every", "1d", "--rotate-size", "1kB", "--form", "event"), "*_orderbook-*-2.jsonl"),
    ],
)
def test_each_layout_holds_what_came_and_can_be_read(
    exchange: BackgroundSimulator, tmp_path: Path, options: tuple[str, ...], name: str
) -> None:
    summary = record(exchange, *options)
    folder = tmp_path / "recording"
    assert list(folder.glob(name)), sorted(folder.rglob("*"))
    held = recorded(folder)
    assert held["trade"] == summary["received"]["trade"] == sum(
        file["events"] for file in summary["files"] if "trade" in file["name"]
    )  # fmt: skip
    assert tapewire("gaps", "recording").output == "no gaps\n"
    result = tapewire("convert", "recording", "columns")
    assert result.exit_code == 0, result.output
    assert read_parquet("columns", "trade").num_rows == held["trade"]


def test_a_recording_as_parquet_is_asked_in_sql_when_it_ends(exchange: BackgroundSimulator, tmp_path: Path) -> None:
    result = tapewire("record", "KRW-BTC", "--url", exchange.url, "--types", "trade", "--seconds", "2", "--json",
                      "--layout", "dated", "--files", "parquet", "--rotate-count", "50")  # fmt: skip
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout.splitlines()[-1])
    assert recorded(tmp_path / "recording") == {}, "all of it became Parquet"
    answer = tapewire("query", "SELECT count(*) AS n FROM trade", "recording", "--json")
    assert json.loads(answer.stdout) == {"n": summary["received"]["trade"]}
    trades: list[TradeEvent] = read_parquet("recording", "trade", "KRW-BTC", form="events")
    assert all(trade.received_ns > 0 and trade.raw is None for trade in trades)
    assert tapewire("gaps", "recording").output == "no gaps\n"


def test_what_a_killed_recorder_left_becomes_parquet_by_convert(exchange: BackgroundSimulator, tmp_path: Path) -> None:
    arguments = ("record", "KRW-BTC", "--url", exchange.url, "--types", "trade", "--files", "parquet", "--json")
    with started(*arguments) as process:
        read_until(process, '"type":"status"')
        process.kill()
        process.wait(30)
    lines = recorded(tmp_path / "recording")["trade"]
    result = tapewire("convert", "recording")
    assert (result.exit_code, result.output) == (0, "1 file of lines became Parquet in recording\n")
    assert read_parquet("recording", "trade").num_rows == lines > 0
    (tmp_path / "recording" / "KRW-ETH_trade.segment").write_bytes(b"no event\n")
    result = tapewire("convert", "recording")
    assert result.exit_code == 1
    assert "KRW-ETH_trade.segment: JSON is malformed" in result.output


def test_gaps_of_a_recording_in_hours(exchange: BackgroundSimulator, tmp_path: Path) -> None:
    arguments = ("record", "KRW-BTC", "--url", exchange.url, "--types", "trade", "--layout", "dated",
                 "--compress", "zstd")  # fmt: skip
    with started(*arguments) as process:
        read_until(process, "upbit-1: trade KRW-BTC live")
        exchange.abort()
        read_until(process, "recovered")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    told = tapewire("gaps", "recording")
    assert told.stdout.split("\t")[3:7] == ["upbit", "trade KRW-BTC", "reset", "filled"]


def test_the_settings_file_the_environment_and_the_command_line_each_before_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tapewire.toml").write_text('[record]\nlayout = "dated"\nzone = "KST"\nkeep_days = 30\n')
    assert load({}).record == RecordOptions(layout="dated", zone="KST", keep_days=30)
    environ = {"TAPEWIRE_RECORD_ZONE": "UTC", "TAPEWIRE_RECORD_ROTATE_SIZE": "1000", "TAPEWIRE_RECORD_FSYNC": "each"}
    given = {"record": {"rotate_size": 2000}}
    assert load(environ, given).record == RecordOptions(
        layout="dated", zone="UTC", keep_days=30, fsync="each", rotate_size=2000
    )
    with pytest.raises(ConfigError, match="TAPEWIRE_RECORD_ROTATE_SIZE"):
        load({"TAPEWIRE_RECORD_ROTATE_SIZE": "much"})
    with pytest.raises(ConfigError, match="TAPEWIRE_RECORD_LAYOUT"):
        load({"TAPEWIRE_RECORD_LAYOUT": "tree"})
    shown = tapewire("settings", "--changed").output
    assert "record.keep_days = 30.0 d   (tapewire.toml)" in shown


def test_a_tape_has_a_table_of_its_own_in_the_settings(tmp_path: Path) -> None:
    (tmp_path / "tapewire.toml").write_text('[tape]\nfsync = "each"\nfile_seconds = 60\nkeep_bytes = 5000000\n')
    environ = {"TAPEWIRE_TAPE_KEEP_BYTES": "6000000", "TAPEWIRE_TAPE_FILE_RECORDS": "9", "TAPEWIRE_TAPE_FOLDER": "no"}
    assert load(environ, {"tape": {"file_seconds": 120.0}}).tape == TapeOptions(
        fsync="each", file_seconds=120.0, keep_bytes=6_000_000, file_records=9
    )
    with pytest.raises(ConfigError, match="TAPEWIRE_TAPE_FSYNC"):
        load({"TAPEWIRE_TAPE_FSYNC": "seldom"})
    assert "tape.fsync = each   (tapewire.toml)" in tapewire("settings", "--changed").output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--rotate-size", "much"), "'much' is none; write 256MB or 1GiB."),
        (("--rotate-size", "0"), "'0' is none; write 256MB or 1GiB."),
        (("--rotate-every", "1w"), "'1w' is none; write 30m, 1h or 1d."),
        (("--fsync", "often"), "'often' is none; write 1000 (milliseconds), 2s, each or none."),
        (("--layout", "dated", "--rotate-every", "2h"), "3600 or less in the dated layout"),
        (("--files", "parquet", "--form", "raw"), 'it must be "event", for Parquet'),
        (("--keep-days", "0"), "0.0 is not in the range x>0"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_before_anything_is_asked(options: tuple[str, ...], words: str) -> None:
    result = tapewire("record", "KRW-BTC", "--url", "ws://127.0.0.1:1", "--seconds", "1", *options)
    assert result.exit_code == 2
    assert words in result.output


@pytest.mark.parametrize(
    ("text", "size"), [("100", 100), ("2kB", 2000), ("1.5 MiB", 1.5 * 2**20), ("1GB", 10**9), ("3tib", 3 * 2**40)]
)
def test_sizes(text: str, size: float) -> None:
    assert Measured("size", {"": 1, "kb": 1e3, "mib": 2**20, "gb": 1e9, "tib": 2**40}, "", "").convert(
        text, None, None
    ) == pytest.approx(size)


@pytest.mark.parametrize(("text", "policy"), [("each", "each"), ("none", "none"), ("1500", 1.5), ("2s", 2.0)])
def test_policies(text: str, policy: object) -> None:
    assert Policy().convert(text, None, None) == policy
    with pytest.raises(click.BadParameter):
        Policy().convert("2 weeks", None, None)


def test_zstd_of_everybody_reads_the_files(exchange: BackgroundSimulator, tmp_path: Path) -> None:
    record(exchange, "--compress", "zstd")
    path = next((tmp_path / "recording").glob("*_trade.jsonl.zst"))
    try:
        done = subprocess.run(["zstd", "-dc", str(path)], capture_output=True, check=True)
    except FileNotFoundError:
        pytest.skip("no zstd program here")
    assert done.stdout.splitlines(keepends=True) == list(lines_of(path))
