"""``record --tape`` and ``tapewire tape``: a tape is made, looked at, found damaged, mended."""

from __future__ import annotations

import json
from pathlib import Path

from tapewire.tape.files import tape_files
from tapewire.tape.format import Kind, Record
from tapewire.tape.reader import read_tape
from tapewire.testing.background import BackgroundSimulator
from tests.apps.test_commands import lines, tapewire


def test_a_tape_alone_and_beside_the_files(exchange: BackgroundSimulator, tmp_path: Path) -> None:
    common = ("record", "KRW-BTC", "--url", exchange.url, "--types", "trade", "--seconds", "0.7", "--json")
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
    tapewire("record", "KRW-BTC", "--url", exchange.url, "--types", "trade", "--seconds", "0.7", "--tape", "ticks")
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
