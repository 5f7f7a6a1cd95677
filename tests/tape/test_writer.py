"""A tape's files: rotation, retention, what a crash leaves, what a full disk leaves, what another recorder may do."""

from __future__ import annotations

import errno
import os
import stat
import zlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tapewire.config import TapeOptions
from tapewire.errors import TapeError
from tapewire.tape.checking import check_tape, repair_tape
from tapewire.tape.files import Damage, TapeFile, tape_files
from tapewire.tape.format import Header, Kind, Missing, Record, runs_of
from tapewire.tape.reader import header_of, read_tape
from tapewire.tape.writer import TapeWriter

START = 1_786_611_600 * 10**9
HEADER = Header("upbit", 0, 0, "ws://127.0.0.1:1/", "http://127.0.0.1:1")


class Clock:
    def __init__(self) -> None:
        self.ns = START

    def __call__(self) -> int:
        return self.ns


def writer(folder: Path, clock: Clock | None = None, **options: Any) -> TapeWriter:
    made = TapeWriter(TapeOptions(folder=str(folder), **options), HEADER, clock or Clock())
    made.open()
    return made


def record(number: int, size: int = 10) -> Record:
    return Record(Kind.RECEIVED_TEXT, 1, START + number, number.to_bytes(4, "big") * (size // 4 + 1))


def records(numbers: range) -> list[Record]:
    return [record(number) for number in numbers]


def write(folder: Path, *blocks: range, **options: Any) -> list[Record]:
    one = writer(folder, **options)
    for block in blocks:
        one.write(runs_of(records(block)))
    one.close()
    return [record(number) for block in blocks for number in block]


def test_what_was_written_is_read_over_all_files(tmp_path: Path) -> None:
    written = write(tmp_path, range(5), range(5, 9)) + write(tmp_path, range(9, 12), compress=False)
    assert list(read_tape(tmp_path)) == written
    assert [path.name for path in tape_files(tmp_path)] == [
        "000001-20260813T090000Z.tape", "000002-20260813T090000Z.tape",
    ]  # fmt: skip
    assert header_of(tmp_path) == Header("upbit", 1, START, HEADER.url, HEADER.rest_url)
    assert stat.S_IMODE(tape_files(tmp_path)[0].stat().st_mode) & 0o137 == 0, "nobody outside the group reads it"


def test_a_span_of_time_is_read_alone(tmp_path: Path) -> None:
    write(tmp_path, range(5), range(5, 9), range(9, 20))
    found = list(read_tape(tmp_path, since_ns=START + 3, until_ns=START + 11))
    assert found == records(range(3, 11))


def test_a_file_is_ended_by_size_and_by_age(tmp_path: Path) -> None:
    clock = Clock()
    one = writer(tmp_path, clock, file_size=400, file_seconds=60, compress=False)
    for number in range(10):
        one.write(runs_of(records(range(number, number + 3))))
    by_size = len(tape_files(tmp_path))
    assert by_size > 1
    assert all(path.stat().st_size <= 400 for path in tape_files(tmp_path))
    clock.ns += 60 * 10**9
    one.write(runs_of(records(range(1))))
    one.close()
    assert len(tape_files(tmp_path)) == by_size + 1 == one.files
    assert sum(report.records for report in check_tape(tmp_path)) == one.records == 31


def test_a_file_is_ended_by_count(tmp_path: Path) -> None:
    one = writer(tmp_path, file_records=10)
    for number in range(8):
        one.write(runs_of(records(range(number * 4, number * 4 + 4))))
    one.close()
    assert [report.records for report in check_tape(tmp_path)] == [12, 12, 8]


def test_the_oldest_files_go_first(tmp_path: Path) -> None:
    one = writer(tmp_path, file_size=300, keep_bytes=1000, compress=False)
    for number in range(40):
        one.write(runs_of(records(range(number, number + 3))))
        assert sum(path.stat().st_size for path in tape_files(tmp_path)) <= 1000 + 300
    one.close()
    assert list(read_tape(tmp_path))[-1] == record(41)
    assert tape_files(tmp_path)[0].name > "000002"


def test_files_older_than_wanted_go(tmp_path: Path) -> None:
    write(tmp_path, range(3))
    [old] = tape_files(tmp_path)
    os.utime(old, ns=(START, START))
    clock = Clock()
    clock.ns += 3600 * 10**9
    writer(tmp_path, clock, keep_seconds=1800).close()
    assert old not in tape_files(tmp_path)


def test_a_second_recorder_is_kept_out(tmp_path: Path) -> None:
    one = writer(tmp_path)
    with pytest.raises(TapeError, match="another recorder is writing here"):
        writer(tmp_path)
    with pytest.raises(TapeError, match="another recorder is writing here"):
        repair_tape(tmp_path)
    one.close()
    writer(tmp_path).close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(cut=st.integers(1, 2000))
def test_a_torn_end_is_cut_off_at_the_next_start_and_nothing_else(tmp_path: Path, cut: int) -> None:
    folder = tmp_path / str(cut)
    written = write(folder, range(20), range(20, 60), range(60, 61), compress=False)
    [path] = tape_files(folder)
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    one = writer(folder)
    one.write(runs_of(records(range(99, 100))))
    one.close()
    kept = [one for one in read_tape(folder) if isinstance(one, Record)]
    assert kept[-1] == record(99)
    assert kept[:-1] == written[: len(kept) - 1], "what stood before the tear is there"
    assert len(kept) - 1 in (0, 20, 60)
    if path.exists():
        assert whole.startswith(path.read_bytes())
    assert not any(report.damages for report in check_tape(folder))
    assert len(one.mended) <= 1, "a cut between two blocks leaves nothing unfinished"


@pytest.mark.parametrize("left", [b"tapew", b"", bytes(3 * 1024 * 1024)])
def test_a_file_that_was_just_being_begun_is_no_hindrance(tmp_path: Path, left: bytes) -> None:
    written = write(tmp_path, range(5))
    unborn = tmp_path / "000002-20260813T090000Z.tape"
    unborn.write_bytes(left)
    assert list(read_tape(tmp_path)) == written
    one = writer(tmp_path)
    one.close()
    assert [damage.reason for damage in one.mended] == ["not even its header was finished"]
    assert not any(report.damages for report in check_tape(tmp_path))


def test_a_file_of_something_else_is_never_taken_for_one_that_was_being_begun(tmp_path: Path) -> None:
    other = tmp_path / "000001-20260813T090000Z.tape"
    other.write_bytes(bytes(3 * 1024 * 1024) + b"something")
    with pytest.raises(TapeError, match="is no tape"):
        writer(tmp_path)
    assert other.stat().st_size == 3 * 1024 * 1024 + 9


def damage_in_the_middle(folder: Path) -> tuple[list[Record], Path]:
    written = write(folder, range(20), range(20, 40), range(40, 60), compress=False)
    [path] = tape_files(folder)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    return written, path


def test_damage_in_the_middle_costs_its_block_and_is_told(tmp_path: Path) -> None:
    written, path = damage_in_the_middle(tmp_path)
    found = list(read_tape(tmp_path))
    [damage] = [one for one in found if isinstance(one, Damage)]
    assert [one for one in found if isinstance(one, Record)] == written[:20] + written[40:]
    assert (damage.file, damage.is_tail, damage.reason) == (path, False, "a block is not as it was written")
    before = path.read_bytes()
    writer(tmp_path).close()
    assert path.read_bytes() == before, "a recorder cuts off unfinished ends only"


def test_repair_takes_damage_out_and_keeps_it_aside(tmp_path: Path) -> None:
    written, path = damage_in_the_middle(tmp_path)
    [damage] = repair_tape(tmp_path)
    assert list(read_tape(tmp_path)) == written[:20] + written[40:]
    assert len(path.with_suffix(".damaged").read_bytes()) == damage.length
    assert repair_tape(tmp_path) == []


def headless(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[20] ^= 0xFF
    path.write_bytes(data)


def test_a_damaged_header_is_told_and_made_anew_of_what_another_file_says(tmp_path: Path) -> None:
    written = write(tmp_path, range(5), range(5, 9)) + write(tmp_path, range(9, 12))
    first, second = tape_files(tmp_path)
    headless(first)
    [damage] = check_tape(tmp_path)[0].damages
    assert (damage.offset, damage.reason) == (0, "the header is not as it was written")
    assert check_tape(tmp_path)[0].records == 9
    with pytest.raises(TapeError, match="not as it was written; `tapewire tape repair` mends that"):
        list(read_tape(tmp_path))
    assert repair_tape(tmp_path) == [damage]
    assert list(read_tape(tmp_path)) == written
    assert TapeFile(first).header == Header("upbit", 1, START, HEADER.url, HEADER.rest_url)
    headless(second)
    one = writer(tmp_path)
    one.close()
    assert [damage.reason for damage in one.mended] == ["the header is not as it was written (left as it is)"]
    assert one.earlier_ns == START + 11, "a recorder goes on, whatever became of older files"
    repair_tape(tmp_path)
    assert list(read_tape(tmp_path)) == written


def test_a_damaged_header_of_the_only_file_is_made_anew_of_what_one_is_told(tmp_path: Path) -> None:
    written = write(tmp_path, range(5))
    [path] = tape_files(tmp_path)
    headless(path)
    before = path.read_bytes()
    with pytest.raises(TapeError, match="no other file tells the exchange: give --venue"):
        repair_tape(tmp_path)
    assert path.read_bytes() == before
    repair_tape(tmp_path, Header("okx", 0, 0))
    assert list(read_tape(tmp_path)) == written
    assert header_of(tmp_path) == Header("okx", 1, START)


def test_a_file_of_a_later_version_is_not_judged(tmp_path: Path) -> None:
    write(tmp_path, range(5))
    [path] = tape_files(tmp_path)
    data = bytearray(path.read_bytes())
    data[8], end = 9, TapeFile(path).begin
    data[end - 4 : end] = zlib.crc32(data[: end - 4]).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(TapeError, match="version 9"):
        repair_tape(tmp_path, HEADER)
    assert path.read_bytes() == data


def test_a_report_tells_spans_kinds_and_what_was_left_out(tmp_path: Path) -> None:
    missing = Missing(7, "the disk is too slow", START, START + 5)
    one = writer(tmp_path)
    one.write(runs_of([record(3), Record(Kind.GAP, 0, START + 9, msgspec.json.encode(missing))]))
    one.close()
    [report] = check_tape(tmp_path)
    assert (report.records, report.blocks, report.first_ns, report.last_ns) == (2, 1, START + 3, START + 9)
    assert report.kinds == {"received_text": 1, "gap": 1}
    assert report.missing == (missing,)


def test_a_folder_without_a_tape_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "000001-20260813T090000Z.tape").write_bytes(b"not a tape at all, but called one")
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(TapeError):
            list(read_tape(folder))
        with pytest.raises(TapeError):
            check_tape(folder)
    with pytest.raises(TapeError, match="is no tape"):
        writer(tmp_path)


def test_links_are_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"precious")
    folder = tmp_path / "tape"
    folder.mkdir()
    (folder / "000001-20260813T090000Z.tape").symlink_to(elsewhere)
    with pytest.raises(TapeError):
        writer(folder)
    assert elsewhere.read_bytes() == b"precious"


def test_what_a_sick_disk_left_of_a_block_is_cut_off_before_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = writer(tmp_path, compress=False)
    one.write(runs_of(records(range(5))))
    write, sick = os.write, True

    def half(handle: int, data: bytes) -> int:
        if not sick:
            return write(handle, data)
        if len(data) < 100:
            raise OSError(errno.EIO, "Input/output error")
        return write(handle, data[: len(data) - 50])

    def no_cut(handle: int, size: int) -> None:
        if sick:
            raise OSError(errno.EIO, "Input/output error")
        os.truncate(handle, size)

    monkeypatch.setattr(os, "write", half)
    monkeypatch.setattr(os, "ftruncate", no_cut)
    for _ in range(2):
        with pytest.raises(TapeError, match="input/output error"):
            one.write(runs_of(records(range(5, 40))))
    sick = False
    one.write(runs_of(records(range(5, 40))))
    one.write(runs_of(records(range(40, 50))))
    one.close()
    assert list(read_tape(tmp_path)) == records(range(50)), "no damage, nothing twice"


class LyingDisk:
    """Drops what it took when it fails to confirm, and confirms the next time: as Linux does after an error (EIO)."""

    def __init__(self, fails: set[int]) -> None:
        self.fails, self.asked = fails, 0
        self.confirmed: dict[int, int] = {}
        self.fsync_of = os.fsync

    def fsync(self, handle: int) -> None:
        status = os.fstat(handle)
        if stat.S_ISREG(status.st_mode):
            self.asked += 1
            if self.asked in self.fails:
                os.ftruncate(handle, self.confirmed.get(status.st_ino, 0))
                os.ftruncate(handle, status.st_size)  # zeros where the lost pages were
                raise OSError(errno.EIO, "Input/output error")
            self.confirmed[status.st_ino] = status.st_size
        self.fsync_of(handle)


@pytest.mark.parametrize("fails", [{2}, {3}, {2, 3}, {2, 3, 4, 5}, {4}, {3, 5, 6}])
def test_what_the_disk_did_not_confirm_is_written_again_to_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: set[int]
) -> None:
    disk = LyingDisk(fails)
    monkeypatch.setattr(os, "fsync", disk.fsync)
    one, refused = writer(tmp_path, file_seconds=1e9), 0
    for number in range(8):
        one.write(runs_of(records(range(number * 5, number * 5 + 5))))
        for _ in range(9):
            try:
                one.sync()
            except TapeError:
                refused += 1
            else:
                break
        assert one.synced == one.records == number * 5 + 5
    one.close()
    assert 0 < refused <= len(fails)
    assert list(read_tape(tmp_path)) == records(range(40)), "nothing is lost, nothing is there twice"
    assert not any(report.damages for report in check_tape(tmp_path))
    assert len(tape_files(tmp_path)) > 1
    assert {damage.reason.partition(";")[0] for damage in one.mended} == {"the disk did not confirm it"}


def test_the_last_blocks_are_confirmed_by_the_end_or_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", LyingDisk({2}).fsync)
    one = writer(tmp_path)
    one.write(runs_of(records(range(5))))
    one.close()
    assert list(read_tape(tmp_path)) == records(range(5))
    assert one.synced == 5


def test_what_waits_to_be_confirmed_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tapewire.tape.writer.HELD_BYTES", 1_000)
    one = writer(tmp_path, compress=False, fsync_every=1e9)
    for number in range(20):
        one.write(runs_of([record(number, 600)]))
        assert one.records - one.synced <= 2
    one.close()


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("moment", range(9))
def test_killed_while_it_is_written_again_every_record_is_there_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """At each call of the system in turn: the next recorder finishes what was begun."""
    left, refuse = iter(range(moment)), os.fsync
    one = writer(tmp_path, file_seconds=1e9)
    one.write(runs_of(records(range(5))))
    one.sync()
    one.write(runs_of(records(range(5, 12))))

    def sick(_handle: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    def mortal(call: Any) -> Any:
        def made(*args: Any, **named: Any) -> Any:
            if next(left, None) is None:
                raise Killed
            return call(*args, **named)

        return made

    monkeypatch.setattr(os, "fsync", sick)
    with pytest.raises(TapeError):
        one.sync()
    monkeypatch.setattr(os, "fsync", refuse)
    with monkeypatch.context() as patch:
        for name in ("fsync", "ftruncate", "rename", "open", "pwritev", "write"):
            patch.setattr(os, name, mortal(getattr(os, name)))
        with pytest.raises(Killed):
            one.sync()
    for handle in (one._handle, one._anew and one._anew.handle, one._root):
        if handle is not None:
            os.close(handle)
    writer(tmp_path).close()
    assert list(read_tape(tmp_path)) == records(range(12))
    assert not list(tmp_path.glob("*.part"))
    assert not list(tmp_path.glob("*.after-*"))
