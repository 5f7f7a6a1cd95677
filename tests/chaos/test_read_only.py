"""A disk that becomes read-only under a real recorder, because its file system found an error in itself (D12)."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from tapewire.tape.checking import check_tape
from tests.chaos.disks import Ext4
from tests.chaos.exchange import Exchange
from tests.chaos.recorders import MARKETS, Life, read_recorded_lines, read_recorded_tape

#: A batch goes to seven files at most; before the next begins, the disk has it (``--fsync each``). So when the count
#: of lines has been seen to grow so often, all that it was before is confirmed.
GROWN = 8


def test_what_was_safe_is_there_when_the_disk_is_well_again_and_the_next_recorder_goes_on(tmp_path: Path) -> None:
    disk, tape, files = Ext4(tmp_path / "disk"), tmp_path / "disk" / "tape", tmp_path / "disk" / "files"
    arguments = ("--tape", str(tape), "--out", str(files), "--fsync", "each")
    with Exchange(seed=5, markets=MARKETS, rate=500.0) as simulator:
        with disk.mounted(), Life(simulator.url, *arguments) as life:
            life.until_safe()
            life.until(lambda: min(life.statuses[-1].lines, life.statuses[-1].tape["synced"]) > 100)
            then = life.statuses[-1]
            life.until(lambda: len({one.lines for one in life.statuses if one.seconds > then.seconds}) > GROWN)
            disk.fail()
            life.until(lambda: bool(life.told("taping")) and bool(life.told("note")))
            made_yet = len(simulator.trades)
            life.until(lambda: len(simulator.trades) > made_yet + 100)
            assert life.end(signal.SIGTERM) == 1, "what could not be written is a failure"
        assert b"read-only file system" in life.complaints
        waiting = re.search(rb"([0-9,]+) lines wait", life.complaints)
        assert waiting is not None, life.complaints
        assert int(waiting[1].replace(b",", b"")) > 100, "it heard as before"
        assert life.told("taping")[0]["reason"] == "read-only file system"
        assert "degraded" in life.told("note")[0]["text"]
        with disk.mounted():
            assert read_recorded_tape(tape).records >= then.tape["synced"]
            assert read_recorded_lines(files).records >= then.lines
            with Life(simulator.url, *arguments) as life:
                life.until_safe()
                assert life.end(signal.SIGTERM) == 0, life.complaints
            assert not any(report.damages for report in check_tape(tape))
