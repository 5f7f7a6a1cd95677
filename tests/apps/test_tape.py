"""``record --tape`` and ``tapewire tape``: a tape is made, looked at, found damaged, mended."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from tapewire.config import TapeOptions
from tapewire.model.status import Gap, GapState
from tapewire.model.subscription import Subscription
from tapewire.tape.checking import check_tape
from tapewire.tape.files import tape_files
from tapewire.tape.format import Header, Kind, Record, Run
from tapewire.tape.reader import read_tape
from tapewire.tape.writer import TapeWriter
from tapewire.testing.background import BackgroundSimulator
from tests.apps.test_commands import lines, tapewire


def test_a_tape_alone_and_beside_the_files(exchange: BackgroundSimulator, tmp_path: Path) -> None:
    common = ("record", "KRW-BTC", "--url", exchange.url, "--types", "trade", "--seconds", "2", "--json")
    alone = tapewire(*common, "--tape", "alone")
    assert alone.exit_code == 0, alone.output
    summary = json.loads(alone.stdout.splitlines()[-1])
    assert [one["name"] for one in summary["files"]] == [path.name for path in tape_files(tmp_path / "alone")]
    assert not (tmp_path / "recording").exists()
    both = tapewire(*common, "--tape", "both", "--out", "files")
    assert both.exit_code == 0, both.output
    frames = [
        one for one in read_tape(tmp_path / "both") if isinstance(one, Record) and one.kind == Kind.RECEIVED_BINARY
    ]
    written = lines(tmp_path / "files" / "KRW-BTC_trade.jsonl")
    assert written
    assert [json.loads(frame.payload) for frame in frames][: len(written)] == written, (
        "what came after the end is kept, too"
    )


def test_a_tape_is_shown_checked_and_mended(exchange: BackgroundSimulator, tmp_path: Path) -> None:
    tapewire("record", "KRW-BTC", "--url", exchange.url, "--types", "trade", "--seconds", "2", "--tape", "ticks")
    info = tapewire("tape", "info", "ticks")
    assert info.exit_code == 0, info.output
    assert "on 1 connection; 1 REST answer" in info.output
    assert "nothing left out" in info.output
    report = json.loads(tapewire("tape", "info", "ticks", "--json").stdout)
    assert report["damages"] == []
    good = tapewire("tape", "check", "ticks")
    assert (good.exit_code, good.output) == (0, f"1 file, {report['records']:,} records: all whole\n")
    [path] = tape_files(tmp_path / "ticks")
    path.write_bytes(path.read_bytes()[:-3])
    bad = tapewire("tape", "check", "ticks")
    assert bad.exit_code == 1
    assert "unfinished end" in bad.output
    assert "1 place cannot be read" in bad.output
    assert json.loads(tapewire("tape", "check", "ticks", "--json").stdout)["is_tail"] is True
    mended = tapewire("tape", "repair", "ticks")
    assert mended.exit_code == 0
    assert "1 place mended" in mended.output
    assert tapewire("tape", "check", "ticks").exit_code == 0
    assert tapewire("tape", "repair", "ticks").output == "nothing to mend\n"


def test_a_folder_without_a_tape_is_said_so() -> None:
    for command in ("info", "check", "repair"):
        result = tapewire("tape", command, "nowhere")
        assert result.exit_code == 1
        assert result.output.startswith("tapewire: nowhere: no"), result.output


@pytest.mark.parametrize(
    "option", [("--keep-days", "1"), ("--rotate-count", "5"), ("--layout", "dated"), ("--fsync", "each")]
)
def test_options_of_files_are_refused_where_there_are_none(option: tuple[str, str]) -> None:
    result = tapewire("record", "KRW-BTC", "--tape", "alone", *option)
    assert (result.exit_code, f"{option[0]} is for files" in result.output) == (2, True)
    assert not Path("alone").exists()


def test_a_tapes_files_are_ended_and_let_go_as_the_command_line_says(
    exchange: BackgroundSimulator, tmp_path: Path
) -> None:
    asked = ("record", "KRW-BTC", "--url", exchange.url, "--types", "trade", "--seconds", "1.5")
    counted = tapewire(*asked, "--tape", "counted", "--tape-rotate-count", "20")
    assert counted.exit_code == 0, counted.output
    reports = check_tape(tmp_path / "counted")
    assert len(reports) > 2
    assert all(report.records >= 20 for report in reports[:-1])
    kept = tapewire(*asked, "--tape", "kept", "--tape-rotate-every", "200ms", "--tape-keep-days", "0.000005")
    assert kept.exit_code == 0, kept.output
    numbers = [path.name[:6] for path in tape_files(tmp_path / "kept")]
    assert numbers[-1] > "000004"
    assert "000001" not in numbers


@pytest.mark.parametrize("option", [("--tape-keep-bytes", "1MB"), ("--tape-fsync", "each")])
def test_options_of_a_tape_are_refused_where_there_is_none(option: tuple[str, str]) -> None:
    result = tapewire("record", "KRW-BTC", "--out", "files", *option)
    assert (result.exit_code, "none is kept: add --tape DIR" in result.output) == (2, True)
    assert not Path("files").exists()
    files = tapewire("record", "KRW-BTC", "--tape", "alone", option[0].replace("tape-", ""), option[1])
    assert f"(of a tape: {option[0]})" in files.output


def test_info_tells_the_gaps_of_the_feed_each_once(tmp_path: Path) -> None:
    one = TapeWriter(TapeOptions(folder=str(tmp_path / "ticks")), Header("upbit", 0, 0), lambda: 1)
    one.open()
    told: tuple[tuple[str, GapState], ...] = (
        ("KRW-BTC", "open"), ("KRW-BTC", "filled"), ("KRW-ETH", "nothing_missed"),
    )  # fmt: skip
    for symbol, state in told:
        gap = Gap(
            venue="upbit", connection="upbit-1", at_ns=5, subscription=Subscription("trade", symbol), cause="closed",
            state=state, from_ns=3,
        )  # fmt: skip
        one.write([Run(Kind.FEED, 0, 5, [msgspec.json.encode(gap)])])
    one.write([Run(Kind.FEED, 0, 5, [b'{"type":"gap","of":"a later version"}'])])
    one.close()
    shown = tapewire("tape", "info", str(tmp_path / "ticks"))
    assert "2 gaps of the feed (1 filled, 1 nothing missed)" in shown.output
    assert tapewire("tape", "check", str(tmp_path / "ticks")).exit_code == 0
