"""RELIABILITY S14: what small hostile files cost who reads them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tapewire.sinks.files.frames import pack
from tapewire.tape.format import Header, Run, encode_block, encode_header

#: Of a reader: 256 MB at most.
MOST_KB = 256 * 1024
SIZE = 60_000_000
LINES = """
from pathlib import Path
from tapewire.sinks.files.reading import lines_of
print(sum(1 for _ in lines_of(Path(sys.argv[1]) / "KRW-BTC_trade.jsonl.zst")))
"""
TAPE = """
from pathlib import Path
from tapewire.tape.checking import check_tape
print(sum(report.records for report in check_tape(Path(sys.argv[1]))))
"""
#: Of this program alone: what ``getrusage`` tells begins with what its parent had.
END = """
status = Path("/proc/self/status").read_text()
print(status.partition("VmHWM:")[2].split()[0])
"""


def read(program: str, folder: Path) -> tuple[int, int]:
    """What it printed, and the most memory that it had (kB)."""
    command = [sys.executable, "-c", f"import sys\n{program}\n{END}", str(folder)]
    result = subprocess.run(command, capture_output=True, check=True, text=True)
    count, memory = result.stdout.split()
    return int(count), int(memory)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has /proc")
@pytest.mark.parametrize(("content", "lines"), [(b"%99d\n" % 7, SIZE // 100), (b"x" * 100, 0)])
def test_a_frame_that_swells(tmp_path: Path, content: bytes, lines: int) -> None:
    (tmp_path / "KRW-BTC_trade.jsonl.zst").write_bytes(pack(content * (SIZE // 100)))
    count, memory = read(LINES, tmp_path)
    assert count == lines
    assert memory < MOST_KB


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="as above")
@pytest.mark.parametrize("records", [1, 5_000_000])
def test_a_block_that_swells(tmp_path: Path, records: int) -> None:
    header, run = encode_header(Header("upbit", 1, 1)), Run(1, 1, 1, [bytes(SIZE // records - 4)] * records)
    (tmp_path / "000001-20261121T134500Z.tape").write_bytes(header + encode_block([run], compress=True))
    count, memory = read(TAPE, tmp_path)
    assert count == records
    assert memory < MOST_KB
