"""Recordings in every layout: rotation, frames, retention, ends that a crash tore, a disk that refuses (D12)."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tapewire.errors import ConfigError, SinkError
from tapewire.model.events import Event, MyAssetEvent, MyOrderEvent, TradeEvent
from tapewire.model.line import Loss
from tapewire.model.status import Disconnected
from tapewire.sinks.contract import Item, Sink, Written
from tapewire.sinks.files import segments
from tapewire.sinks.files.frames import end_of_frames, pack
from tapewire.sinks.files.options import RecordOptions
from tapewire.sinks.files.reading import is_misc, lines_of, recorded_lines
from tapewire.sinks.registry import get_sink
from tapewire.tape.disk import sync_file_system
from tests.sizes import size

SECOND = 10**9
#: 21 November 2026, 23:30 UTC: the 22nd in Korea.
START = 1_795_303_800 * SECOND


def sink_at(folder: Path, **options: Any) -> Sink:
    sink = get_sink("jsonl")(folder, options=RecordOptions(**{"fsync": "none", **options}))
    sink.open()
    return sink


def trade(number: int, seconds: float = 0, symbol: str = "KRW-BTC") -> TradeEvent:
    at_ns = START + int(seconds * SECOND)
    return TradeEvent(venue="upbit", symbol=symbol, sequential_id=number, received_ns=at_ns, raw=b'{"n":%d}' % number)


def lost(seconds: float = 0) -> Disconnected:
    at_ns = START + int(seconds * SECOND)
    return Disconnected(
        venue="upbit", connection="upbit-1", at_ns=at_ns, loss=Loss("reset"), attempt=1, retry_in=1.0
    )  # fmt: skip


def record(folder: Path, *batches: list[Item], **options: Any) -> dict[str, list[int]]:
    sink = sink_at(folder, **options)
    for batch in batches:
        sink.write(batch)
        sink.flush()
    sink.close()
    return numbers(folder)


def numbers(folder: Path) -> dict[str, list[int]]:
    """File → the numbers of its trades."""
    return {
        str(one.path.relative_to(folder)): [json.loads(line)["n"] for line in lines_of(one.path)]
        for one in recorded_lines(folder)
        if not is_misc(one)
    }


def notices(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for one in recorded_lines(folder) if is_misc(one) for line in lines_of(one.path)]


def test_hours_of_korea_each_in_its_folder_and_what_the_feed_says_beside(tmp_path: Path) -> None:
    batch: list[Item] = [
        trade(1),
        trade(2, 1799),
        lost(1799),
        trade(3, 1800),
        trade(4, 1800, "KRW-ETH"),
        trade(5, 9000),
    ]
    files = record(tmp_path, batch, layout="dated", zone="KST")
    assert files == {
        "upbit/trade/KRW-BTC/date=2026-11-22/08.jsonl": [1, 2],
        "upbit/trade/KRW-BTC/date=2026-11-22/09.jsonl": [3],
        "upbit/trade/KRW-BTC/date=2026-11-22/11.jsonl": [5],
        "upbit/trade/KRW-ETH/date=2026-11-22/09.jsonl": [4],
    }
    misc = tmp_path / "upbit/misc/all/date=2026-11-22/08.jsonl"
    assert [json.loads(line)["type"] for line in lines_of(misc)] == ["disconnected"]


def test_an_event_that_nobody_received_goes_by_the_exchanges_time(tmp_path: Path) -> None:
    event = TradeEvent(venue="upbit", symbol="KRW-BTC", timestamp=START // 1_000_000, raw=b'{"n":1}')
    far = TradeEvent(venue="upbit", symbol="KRW-BTC", timestamp=2**62, raw=b'{"n":2}')
    files = record(tmp_path, [event, far], layout="dated")
    assert [path.split("/")[3] for path in files] == ["date=2026-11-21", "date=9987-04-02"]


def test_files_end_by_count_exactly_also_in_the_middle_of_a_batch(tmp_path: Path) -> None:
    files = record(tmp_path, [trade(n) for n in range(5)], [trade(n) for n in range(5, 8)], rotate_count=3)
    assert files == {
        "KRW-BTC_trade.jsonl": [0, 1, 2], "KRW-BTC_trade-2.jsonl": [3, 4, 5], "KRW-BTC_trade-3.jsonl": [6, 7],
    }  # fmt: skip
    again = record(tmp_path, [trade(8)], rotate_count=3)
    assert again["KRW-BTC_trade-4.jsonl"] == [8], "how many lines another recorder wrote is not counted again"


def test_files_end_by_size_and_a_later_recorder_fills_the_last_one(tmp_path: Path) -> None:
    files = record(tmp_path, [trade(n) for n in range(5)], rotate_size=24)  # 8 bytes each
    assert files == {"KRW-BTC_trade.jsonl": [0, 1, 2], "KRW-BTC_trade-2.jsonl": [3, 4]}
    files = record(tmp_path, [trade(5), trade(6)], rotate_size=24)
    assert files["KRW-BTC_trade-2.jsonl"] == [3, 4, 5]
    assert files["KRW-BTC_trade-3.jsonl"] == [6]


def test_a_line_longer_than_a_file_may_be_has_one_of_its_own(tmp_path: Path) -> None:
    long = TradeEvent(venue="upbit", symbol="KRW-BTC", raw=b'{"n":7,"x":"' + b"x" * 90 + b'"}')
    assert list(record(tmp_path, [trade(1), long, trade(2)], rotate_size=30).values()) == [[1], [7], [2]]


def test_daily_files_of_korea_in_one_folder(tmp_path: Path) -> None:
    files = record(tmp_path, [trade(1), trade(2, 15.6 * 3600)], rotate_every=86_400, zone="KST")
    assert files == {"KRW-BTC_trade-2026-11-22.jsonl": [1], "KRW-BTC_trade-2026-11-23.jsonl": [2]}


def test_a_clock_that_jumps_back_appends_to_the_hour_before(tmp_path: Path) -> None:
    files = record(tmp_path, [trade(1), trade(2, 3600)], [trade(3, 1), trade(4, 3601)], layout="dated")
    assert list(files.values()) == [[1, 3], [2, 4]]


def test_frames_are_whole_after_each_flush_and_other_programs_read_them(tmp_path: Path) -> None:
    sink = sink_at(tmp_path, compress="zstd")
    path = tmp_path / "KRW-BTC_trade.jsonl.zst"
    sink.write([trade(1)])
    assert not path.exists(), "what comes until the flush shares a frame"
    sink.flush()
    sink.write([trade(2), trade(3)])
    sink.flush()
    assert list(lines_of(path)) == [b'{"n":1}\n', b'{"n":2}\n', b'{"n":3}\n']
    done = subprocess.run(["zstd", "-dc", str(path)], capture_output=True, check=False) if ZSTD else None
    assert done is None or done.stdout == b'{"n":1}\n{"n":2}\n{"n":3}\n'
    assert sink.written() == (Written("KRW-BTC_trade.jsonl", 3, path.stat().st_size),)
    sink.close()


ZSTD = any((Path(place) / "zstd").exists() for place in os.get_exec_path())


def test_many_lines_do_not_wait_for_the_flush(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "FRAME_BYTES", 100)
    monkeypatch.setattr(segments, "FRAMES_BYTES", 160)
    sink = sink_at(tmp_path, compress="zstd")
    sink.write([trade(n) for n in range(30)])
    assert len(numbers(tmp_path)["KRW-BTC_trade.jsonl.zst"]) == 30, "and none of the frames is larger than that"
    with (tmp_path / "KRW-BTC_trade.jsonl.zst").open("rb") as file:
        assert file.read().count(b"\x28\xb5\x2f\xfd") == 3
    sink.write([trade(n, symbol=f"KRW-A{n}") for n in range(10, 29)])
    assert len(numbers(tmp_path)) == 20, "all streams together are limited, too"
    sink.close()


def test_a_torn_frame_is_cut_off_with_a_notice_and_the_whole_ones_stay(tmp_path: Path) -> None:
    record(tmp_path, [trade(1)], [trade(2)], compress="zstd")
    path = tmp_path / "KRW-BTC_trade.jsonl.zst"
    path.write_bytes(path.read_bytes() + pack(b'{"n":3}\n' * 100)[:-5])
    assert record(tmp_path, [trade(4)], compress="zstd") == {"KRW-BTC_trade.jsonl.zst": [1, 2, 4]}
    assert notices(tmp_path) == [{"torn_from": "KRW-BTC_trade.jsonl.zst", "bytes": len(pack(b'{"n":3}\n' * 100)) - 5}]


def test_the_end_of_an_hour_that_is_long_over_is_mended_at_the_start(tmp_path: Path) -> None:
    record(tmp_path, [trade(1)], layout="dated")
    path = tmp_path / "upbit/trade/KRW-BTC/date=2026-11-21/23.jsonl"
    path.write_bytes(path.read_bytes() + b'{"n":')
    sink = sink_at(tmp_path, layout="dated")
    sink.close()
    assert numbers(tmp_path) == {"upbit/trade/KRW-BTC/date=2026-11-21/23.jsonl": [1]}
    (notice,) = notices(tmp_path)
    assert notice == {"torn_from": "upbit/trade/KRW-BTC/date=2026-11-21/23.jsonl", "raw": '{"n":'}


def test_a_damaged_frame_is_skipped_and_told_and_the_next_ones_are_read(tmp_path: Path) -> None:
    frames = [pack(b'{"n":%d}\n' % number) for number in range(5)]
    frames[1] = frames[1][:-2] + b"??"  # its checksum
    frames[3] = b"garbage" + frames[3][7:]
    path = tmp_path / "KRW-BTC_trade.jsonl.zst"
    path.write_bytes(b"".join(frames))
    told: list[str] = []
    assert [json.loads(line)["n"] for line in lines_of(path, told.append)] == [0, 2, 4]
    assert [reason.partition(":")[0] for reason in told] == [
        f"{len(frames[1])} bytes at {len(frames[0])}", f"{len(frames[3])} bytes at {len(b''.join(frames[:3]))}",
    ]  # fmt: skip
    with path.open("rb") as file:
        assert end_of_frames(file, path.stat().st_size) == path.stat().st_size


@pytest.mark.parametrize("content", [b"\x28\xb5\x2f\xfd" * 2000, pack(b"\0" * (65 * 1024 * 1024)), b"\0" * 5000])
def test_a_hostile_file_costs_little_and_is_no_error(tmp_path: Path, content: bytes) -> None:
    """S14: beginnings that are none, a frame that inflates to more than any of ours."""
    path = tmp_path / "KRW-BTC_trade.jsonl.zst"
    path.write_bytes(content)
    assert list(lines_of(path)) == []


def test_a_frame_larger_than_a_look_is_read_whole(tmp_path: Path) -> None:
    line = b'{"n":1,"x":"%s"}\n' % random.Random(1).randbytes(1_200_000).hex().encode()
    path = tmp_path / "KRW-BTC_trade.jsonl.zst"
    path.write_bytes(pack(line) + pack(b'{"n":2}\n'))
    assert path.stat().st_size > 1024 * 1024
    assert list(lines_of(path)) == [line, b'{"n":2}\n']


def test_a_file_that_is_none_of_frames_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "KRW-BTC_trade.jsonl.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd" * 2000)
    sink = sink_at(tmp_path, compress="zstd")
    sink.write([trade(1)])
    with pytest.raises(SinkError, match=r"KRW-BTC_trade\.jsonl\.zst: is no file of frames") as caught:
        sink.flush()
    assert not caught.value.retryable
    sink.close()
    assert path.stat().st_size == 8000


def test_retention_by_size_keeps_the_newest_and_says_what_went(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "KRW-BTC_trade-x.jsonl").write_text("mine, too")
    (tmp_path / "outside.jsonl").symlink_to(tmp_path / "notes.txt")
    files = record(tmp_path, [trade(n) for n in range(9)], rotate_count=3)
    for age, name in enumerate(files):
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    sink = sink_at(tmp_path, rotate_count=3, keep_bytes=40)
    sink.write([trade(9)])
    sink.close()
    assert numbers(tmp_path) == {"KRW-BTC_trade.jsonl": [0, 1, 2], "KRW-BTC_trade-4.jsonl": [9]}
    assert [notice["removed"] for notice in notices(tmp_path)] == ["KRW-BTC_trade-3.jsonl", "KRW-BTC_trade-2.jsonl"]
    assert notices(tmp_path)[0] == {"removed": "KRW-BTC_trade-3.jsonl", "bytes": 24, "because": "keep_bytes"}
    assert {path.name for path in tmp_path.iterdir()} >= {"notes.txt", "KRW-BTC_trade-x.jsonl", "outside.jsonl"}


def test_retention_by_age_takes_empty_folders_along(tmp_path: Path) -> None:
    record(tmp_path, [trade(1), trade(2, 3600)], layout="dated")
    old = tmp_path / "upbit/trade/KRW-BTC/date=2026-11-21/23.jsonl"
    os.utime(old, (START / SECOND - 3 * 86_400,) * 2)
    record(tmp_path, [trade(3, 3600)], layout="dated", keep_days=2)
    assert list(numbers(tmp_path)) == ["upbit/trade/KRW-BTC/date=2026-11-22/00.jsonl"]
    assert not old.parent.exists()


def test_a_file_that_is_being_written_never_goes(tmp_path: Path) -> None:
    sink = sink_at(tmp_path, keep_bytes=1)
    for number in range(5):
        sink.write([trade(number, 100 * number)])
        sink.flush()
    assert numbers(tmp_path) == {"KRW-BTC_trade.jsonl": [0, 1, 2, 3, 4]}
    sink.close()


def test_streams_that_are_too_many_are_ended_and_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "STREAMS_MOST", 3)
    batches: list[list[Item]] = [[trade(n, symbol=f"KRW-A{k}") for k in range(9)] for n in range(3)]
    files = record(tmp_path, *batches)
    assert list(files.values()) == [[0, 1, 2]] * 9
    sink = sink_at(tmp_path / "again")
    for batch in batches:
        sink.write(batch)
        sink.flush()
    sink.close()
    assert sum(row.events for row in sink.written()) == 27


@pytest.mark.parametrize("layout", ["flat", "dated"])
def test_a_symbolic_link_is_followed_nowhere(tmp_path: Path, layout: str) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    (root / ("upbit" if layout == "dated" else "KRW-BTC_trade.jsonl")).symlink_to(outside)
    sink = sink_at(root, layout=layout)
    with pytest.raises(SinkError, match=r"symbolic link|not a directory") as caught:
        sink.write([trade(1)])
    assert not caught.value.retryable
    sink.close()
    assert list(outside.iterdir()) == []


def test_files_in_every_layout_are_not_readable_by_everybody(tmp_path: Path) -> None:
    """S16."""
    before = os.umask(0)
    try:
        for number, options in enumerate(OPTIONS):
            record(tmp_path / str(number), [trade(1), trade(2)], **options)
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*") if path.is_file()}
    assert modes == {0o640}


def test_columns_know_events_only(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="form is 'raw'; it must be \"event\", for Parquet"):
        get_sink("jsonl")(tmp_path, form="raw", options=RecordOptions(files="parquet"))


class Disk:
    """The operating system's file calls, with a will of their own. What it fails to confirm, it may have dropped."""

    CALLS = ("write", "fsync", "ftruncate", "open", "mkdir")

    def __init__(self, seed: int) -> None:
        self.chance, self.sick, self.synced = random.Random(seed), True, 0
        self.confirmed: dict[int, int] = {}
        self.real: dict[str, Callable[..., Any]] = {name: getattr(os, name) for name in self.CALLS}

    @contextmanager
    def instead(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        with monkeypatch.context() as patch:
            for name in self.CALLS:
                patch.setattr(os, name, self._call(name))
            yield

    def _call(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            self.synced += name == "fsync"
            if self.sick and self.chance.random() < 0.2:
                if name == "fsync":
                    self._drop(*args)
                raise OSError(self.chance.choice((errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS)), "the disk")
            if self.sick and name == "write":
                args = (args[0], args[1][: self.chance.randint(1, len(args[1]))])
            if name == "fsync":
                self.confirmed[os.fstat(args[0]).st_ino] = os.fstat(args[0]).st_size
            return self.real[name](*args, **named)

        return call

    def _drop(self, handle: int) -> None:
        """Zeros where the pages were that the disk did not take: as Linux may after an error, and confirm then."""
        status = os.fstat(handle)
        if stat.S_ISREG(status.st_mode):
            self.real["ftruncate"](handle, self.confirmed.get(status.st_ino, 0))
            self.real["ftruncate"](handle, status.st_size)


OPTIONS: list[dict[str, Any]] = [
    {}, {"layout": "dated", "rotate_count": 3}, {"compress": "zstd"}, {"rotate_size": 30, "fsync": "interval"},
    {"layout": "dated", "compress": "zstd", "rotate_every": 7, "fsync": "each"}, {"rotate_every": 5, "zone": "KST"},
]  # fmt: skip


@pytest.mark.parametrize("seed", range(size(48, 1_000)))
def test_a_sick_disk_loses_and_doubles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """D12: errors and short writes at any call. What was refused is written once the disk takes it again."""
    options = OPTIONS[seed % len(OPTIONS)]
    disk, numbered = Disk(seed), count()
    sink = sink_at(tmp_path, **options)
    refused = 0
    with disk.instead(monkeypatch):
        for batch in range(12):
            items: list[Item] = [trade(next(numbered), batch, f"KRW-A{n % 3}") for n in range(6)]
            if _trouble(partial(sink.write, items)) or _trouble(sink.flush):
                refused += 1
                _until_taken(sink, disk)
        disk.sick = False
        sink.close()
    files = numbers(tmp_path)
    for symbol in range(3):
        own = [number for name, held in files.items() if f"KRW-A{symbol}" in name for number in held]
        assert own == [number for number in range(72) if number % 3 == symbol], "in order, each once"
    told = [notice for notice in notices(tmp_path) if "refused" in notice]
    assert len(told) == refused
    assert all(notice["from_ns"] <= notice["to_ns"] for notice in told)
    assert options.get("fsync") is None or disk.synced > 0


@pytest.mark.parametrize("many", [3, 40])
def test_what_one_file_cannot_do_keeps_no_other_from_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    write, fsync, sync_all = os.write, os.fsync, sync_file_system
    sink, synced = sink_at(tmp_path, fsync="interval"), set[int]()

    def picky(handle: int, data: bytes) -> int:
        if b'"n":1}' in data:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, data)

    def sync(handle: int) -> None:
        synced.add(os.fstat(handle).st_ino)
        fsync(handle)

    def sync_folder(handle: int | None) -> bool:
        synced.update(path.stat().st_ino for path in tmp_path.iterdir())
        return sync_all(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", picky)
        with pytest.raises(SinkError, match="no space left"):
            sink.write([trade(number, symbol=f"KRW-A{number}") for number in range(many)])
        patch.setattr(os, "fsync", sync)
        patch.setattr(segments, "sync_file_system", sync_folder)
        with pytest.raises(SinkError, match="no space left"):
            sink.flush()
    assert {path.stat().st_ino for path in tmp_path.iterdir() if path.stat().st_size} <= synced, "the others are there"
    sink.close()
    assert sorted(number for held in numbers(tmp_path).values() for number in held) == list(range(many))


def test_a_failure_that_will_not_pass_is_told_before_one_that_will(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    reasons = {b"0": errno.ENOSPC, b"1": errno.EFBIG}

    def picky(handle: int, data: bytes) -> int:
        found = [number for mark, number in reasons.items() if b'"n":%b}' % mark in data]
        if found:
            raise OSError(found[0], os.strerror(found[0]))
        return write(handle, data)

    sink = sink_at(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", picky)
        with pytest.raises(SinkError, match=r"file too large; .* 1 line in 1 file, .*2 lines are not there") as caught:
            sink.write([trade(number, symbol=f"KRW-A{number}") for number in range(3)])
    assert not caught.value.retryable
    sink.close()


@pytest.mark.parametrize("many", [1, 40])
def test_what_the_disk_did_not_confirm_goes_to_another_file_and_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    def refuse(_handle: int) -> bool:
        raise OSError(errno.EIO, "Input/output error")

    sink, codes = sink_at(tmp_path, fsync="interval"), [f"KRW-A{number}" for number in range(many)]
    sink.write([trade(1, symbol=code) for code in codes])
    sink.flush()
    sink.write([trade(2, symbol=code) for code in codes])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        patch.setattr(segments, "sync_file_system", refuse)
        with pytest.raises(SinkError, match="input/output error"):
            sink.flush()
    sink.flush()
    sink.write([trade(3, symbol=code) for code in codes])
    sink.close()
    names = (("trade.jsonl", [1]), ("trade-2.jsonl", [2, 3]))
    assert numbers(tmp_path) == {f"{code}_{name}": held for code in codes for name, held in names}
    told = [notice for notice in notices(tmp_path) if "unconfirmed" in notice]
    assert told == [
        {"unconfirmed": f"{code}_trade.jsonl", "from_byte": 8, "bytes": 8, "written_to": f"{code}_trade-2.jsonl"}
        for code in codes
    ]


def test_what_waits_to_be_confirmed_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "HELD_BYTES", 100)
    sink, disk = sink_at(tmp_path, fsync="interval"), Disk(0)
    disk.sick = False
    with disk.instead(monkeypatch):
        for number in range(60):
            sink.write([trade(number)])
    assert 3 <= disk.synced <= 6, "without a flush"
    sink.close()


def _until_taken(sink: Sink, disk: Disk) -> None:
    """As the runner does: again and again, and in the end there is space."""
    for attempt in range(50):
        disk.sick = attempt < 49
        if _trouble(sink.flush) is None:
            break
    disk.sick = True


def _trouble(step: Callable[[], object]) -> SinkError | None:
    """What went wrong, which must be something that passes."""
    try:
        step()
    except SinkError as error:
        return error if error.retryable else pytest.fail(f"given up: {error}")
    return None


@pytest.mark.parametrize("seed", range(size(24, 1_000)))
def test_after_a_crash_what_was_flushed_is_there_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """The process dies anywhere, its last write is torn; the next recorder goes on."""
    options = OPTIONS[seed % len(OPTIONS)]
    chance, numbered, flushed = random.Random(seed), count(), 0
    for _life in range(3):
        sink = sink_at(tmp_path, **options)
        for batch in range(chance.randint(1, 4)):
            begin = next(numbered)
            sink.write([trade(number, batch) for number in range(begin, begin + 5)])
            numbered = count(begin + 5)
            if chance.random() < 0.8:
                sink.flush()
                flushed = begin + 5
        _kill(sink)
        _tear(tmp_path, chance)
    sink_at(tmp_path, **options).close()
    there = [number for held in numbers(tmp_path).values() for number in held]
    plain = options.get("compress") is None
    assert there == sorted(set(there)), "in order, none twice"
    assert plain <= (len(there) == next(numbered)), "plain lines are there as soon as they were written"
    assert set(range(flushed)) - set(there) <= _never_flushed(there, flushed, plain=plain)


def _never_flushed(there: list[int], flushed: int, *, plain: bool) -> set[int]:
    """Without a flush, frames that waited died with their process: whole batches, never a part of one."""
    if plain:
        return set()
    gone = set(range(flushed)) - set(there)
    return {number for number in gone if {number // 5 * 5 + k for k in range(5)} <= gone}


def _kill(sink: Any) -> None:
    """As SIGKILL does: handles and locks go, nothing else is done."""
    held = sink._segments
    for file in held._opened.values():
        file.drop()
    held.release()


def _tear(folder: Path, chance: random.Random) -> None:
    newest = max(
        (one.path for one in recorded_lines(folder) if not is_misc(one)), key=lambda path: path.stat().st_mtime_ns
    )
    torn = pack(b'{"n":9}\n' * 9) if newest.name.endswith(".zst") else b'{"n":999'
    with newest.open("ab") as file:
        file.write(torn[: chance.randint(1, len(torn) - 1)])


def test_what_was_flushed_survives_kill_9_in_frames(tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from tests.sinks.files.test_segments import sink_at, trade
sink = sink_at(Path({str(tmp_path)!r}), compress="zstd", layout="dated")
sink.write([trade(number) for number in range(1000)])
sink.flush()
sink.write([trade(number) for number in range(1000, 1100)])
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, cwd=Path(__file__).parents[3])
    assert done.returncode == -signal.SIGKILL
    assert list(numbers(tmp_path).values()) == [list(range(1000))]


def test_a_second_recorder_is_refused_in_every_layout(tmp_path: Path) -> None:
    """C10."""
    first = sink_at(tmp_path, layout="dated")
    with pytest.raises(SinkError, match="another recorder is writing here"):
        sink_at(tmp_path, compress="zstd")
    first.close()


def test_everything_that_is_made_durable_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Power cannot be cut here; that ``fsync`` is called when it was promised can be seen."""
    synced: dict[str, int] = {}
    for policy in ("each", "interval", "none"):
        disk = Disk(0)
        disk.sick = False
        with disk.instead(monkeypatch):
            sink = sink_at(tmp_path / policy, fsync=policy)
            sink.write([trade(1)])
            synced[f"{policy}: written"] = disk.synced
            sink.flush()
            synced[f"{policy}: flushed"] = disk.synced
            sink.close()
    # the file's name in its folder, then its content
    assert synced == {
        "each: written": 2, "each: flushed": 2, "interval: written": 1, "interval: flushed": 2,
        "none: written": 0, "none: flushed": 0,
    }  # fmt: skip


@pytest.mark.parametrize("layout", ["flat", "dated"])
def test_events_that_need_more_than_a_market_have_a_place_too(tmp_path: Path, layout: str) -> None:
    order = MyOrderEvent(venue="upbit", symbol="KRW-BTC", uuid="x", state="wait", raw=b'{"n":1}')
    assets = MyAssetEvent(venue="upbit", symbol="", assets=[], raw=b'{"n":2}')
    files = record(tmp_path, [order, assets], layout=layout)
    assert [path.partition("/date=")[0] for path in files] == (
        ["KRW-BTC_myOrder.jsonl"] if layout == "flat" else ["upbit/myAsset/all", "upbit/myOrder/KRW-BTC"]
    )
    assert len(notices(tmp_path)) == (layout == "flat"), "what has no market is among the others"


def test_events_of_any_kind_have_a_place(tmp_path: Path) -> None:
    events: list[Event] = [TradeEvent(venue="okx", symbol="BTC-USDT", raw=b'{"n":1}'),
                           TradeEvent(venue="upbit", symbol="BTC-USDT", raw=b'{"n":2}')]  # fmt: skip
    files = record(tmp_path, [*events], layout="dated")
    assert [path.split("/")[0] for path in files] == ["okx", "upbit"]
