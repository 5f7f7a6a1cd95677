"""The recorder: nothing that came is lost while the disk works; what is, is told, counted and noted on the tape."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from tapewire.config import TapeOptions
from tapewire.errors import TapeError
from tapewire.tape.checking import check_tape
from tapewire.tape.files import Damage
from tapewire.tape.format import BLOCK_MAGIC, Header, Kind, Missing, Record
from tapewire.tape.reader import read_tape
from tapewire.tape.recorder import Recorder, Trouble
from tests.sizes import NIGHTLY
from tests.tape import killed_recorder

#: Kills in a row; the plan's own number at night.
KILLS = 200 if NIGHTLY else 20
#: Seconds within which a recorder comes to see that its disk works again.
PATIENCE = 10


class Story:
    """A recorder whose clock counts, and what it told."""

    def __init__(self, folder: Path, **options: object) -> None:
        self.now = 1_786_611_600 * 10**9
        self.told: list[Trouble] = []
        self.heard = threading.Condition()
        chosen = TapeOptions(**({"folder": str(folder), "write_every": 0.01} | options))  # type: ignore[arg-type]
        self.recorder = Recorder(chosen, Header("upbit", 0, 0), self.clock, self.hear)

    def clock(self) -> int:
        self.now += 1
        return self.now

    def hear(self, trouble: Trouble) -> None:
        with self.heard:
            self.told.append(trouble)
            self.heard.notify_all()

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until it holds, which is when the recorder tells something."""
        with self.heard:
            assert self.heard.wait_for(condition, PATIENCE)

    def put(self, payload: bytes) -> None:
        self.recorder.put(Kind.RECEIVED_TEXT, 1, self.clock(), payload)


def payloads(folder: Path) -> list[bytes]:
    return [one.payload for one in read_tape(folder) if isinstance(one, Record) and one.kind == Kind.RECEIVED_TEXT]


@pytest.mark.parametrize("fsync", ["interval", "each", "none"])
def test_everything_that_came_is_on_the_tape_in_order(tmp_path: Path, fsync: str) -> None:
    story = Story(tmp_path, fsync=fsync, fsync_every=0.01)
    story.recorder.open()
    came = [b"%d" % number for number in range(10_000)]
    for payload in came:
        story.put(payload)
    story.recorder.close()
    assert payloads(tmp_path) == came
    assert (story.recorder.records, story.recorder.missed, story.told) == (10_000, 0, [])
    story.recorder.close()


def test_a_tape_that_was_ended_goes_on_in_another_file(tmp_path: Path) -> None:
    story = Story(tmp_path)
    for number in range(3):
        states = [story.recorder.state]
        story.recorder.open()
        states.append(story.recorder.state)
        assert states == ["idle", "recording"]
        story.put(b"%d" % number)
        story.recorder.close()
    assert payloads(tmp_path) == [b"0", b"1", b"2"]
    assert len(check_tape(tmp_path)) == 3


def test_what_finds_no_room_is_counted_told_and_noted(tmp_path: Path) -> None:
    story = Story(tmp_path, pending=100)
    for number in range(8):  # nobody writes yet
        story.put(b"%020d" % number)
    assert (story.recorder.missed, [one.missed for one in story.told]) == (2, [1])
    assert "100 bytes wait already" in story.told[0].reason
    story.recorder.open()
    story.recorder.close()
    assert payloads(tmp_path) == [b"%020d" % number for number in range(6)]
    [gap] = [one for one in read_tape(tmp_path) if isinstance(one, Record) and one.kind == Kind.GAP]
    missing = msgspec.json.decode(gap.payload, type=Missing)
    assert (missing.records, missing.last_ns - missing.first_ns) == (2, 1)
    assert story.told[-1] == Trouble("", 2)


def test_a_disk_that_was_too_slow_is_trusted_again_when_half_of_what_waits_is_written(tmp_path: Path) -> None:
    """Else a disk at its limit would be told of, and noted, thousands of times a second."""
    story = Story(tmp_path, pending=1000)
    for number in range(70):  # nobody writes yet
        story.put(b"%020d" % number)
    story.recorder.open()
    story.recorder.close()
    story.recorder.open()
    story.put(b"more")
    story.recorder.close()
    assert story.recorder.missed == 19
    assert [one.missed for one in story.told] == [1, 19]
    assert payloads(tmp_path) == [*(b"%020d" % number for number in range(51)), b"more"]


def test_records_of_one_socket_read_come_as_a_run(tmp_path: Path) -> None:
    story = Story(tmp_path)
    recorder = story.recorder
    recorder.open()
    first = recorder.begin(Kind.RECEIVED_TEXT, 1, 5)
    first += [b"a", b"b"]
    story.put(b"between")
    assert recorder.growing is not first
    recorder.begin(Kind.RECEIVED_TEXT, 2, 6).append(b"c")
    recorder.begin(Kind.RECEIVED_TEXT, 3, 7).append(b"d")
    recorder.close()
    found = [(one.connection, one.payload) for one in read_tape(tmp_path) if isinstance(one, Record)]
    assert found == [(1, b"a"), (1, b"b"), (1, b"between"), (2, b"c"), (3, b"d")]


def test_a_run_that_finds_no_room_is_left_out_whole_and_counted(tmp_path: Path) -> None:
    story = Story(tmp_path, pending=10)
    for _ in range(3):
        story.recorder.begin(Kind.RECEIVED_TEXT, 1, 5).extend([b"12345678"] * 4)
    story.recorder.open()
    story.recorder.close()
    assert (story.recorder.records, story.recorder.missed) == (4 + 1, 8)


def test_a_run_of_large_records_is_no_block_that_nobody_reads(tmp_path: Path) -> None:
    story = Story(tmp_path, pending=200_000_000)
    large = [b"%d" % number + bytes(2_000_000) for number in range(40)]  # more than a block may hold
    story.recorder.open()
    story.recorder.begin(Kind.RECEIVED_TEXT, 1, 5).extend(large)
    story.recorder.close()
    assert payloads(tmp_path) == large


class Gate:
    """A disk that takes nothing until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.came, self.open, self._write = threading.Event(), threading.Event(), os.write
        monkeypatch.setattr(os, "write", self.write)

    def write(self, handle: int, data: bytes) -> int:
        if BLOCK_MAGIC in data:
            self.came.set()
            assert self.open.wait(6 * PATIENCE)
        return self._write(handle, data)


def test_a_feed_that_is_faster_than_the_writing_stands_still_until_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tapewire.tape.right_of_way.GIVE_WAY", 6 * PATIENCE)
    story, gate = Story(tmp_path, pending=1000), Gate(monkeypatch)
    story.recorder.open()
    story.put(bytes(600))
    assert gate.came.wait(PATIENCE)
    threading.Timer(0.2, gate.open.set).start()
    story.put(b"more")
    assert story.recorder.position.written == 1
    story.recorder.close()
    assert (len(payloads(tmp_path)), story.recorder.missed) == (2, 0)


def test_a_disk_that_hangs_does_not_hold_up_the_feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    story, gate = Story(tmp_path, pending=1000), Gate(monkeypatch)
    story.recorder.open()
    story.put(bytes(600))
    assert gate.came.wait(PATIENCE)
    for _ in range(10_000):  # to stand still at each would take minutes
        story.put(bytes(100))
    assert (story.recorder.position.written, story.recorder.missed) == (0, 10_000 - 5)
    gate.open.set()
    story.recorder.close()
    assert len(payloads(tmp_path)) == 6


def test_a_folder_that_can_never_work_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TapeError, match="file"):
        Story(tmp_path / "file").recorder.open()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tapewire-test", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk can be mounted by root only")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_told_and_nothing_is_lost_when_there_is_space_again(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(150_000))
    folder = small_disk / "tape"
    story = Story(folder, compress=False)
    story.recorder.open()
    came = [b"%06d" % number + bytes(194) for number in range(800)]
    for payload in came:
        story.put(payload)
    story.until(lambda: bool(story.told))
    assert story.told == [Trouble("no space left on device", 0)]
    assert story.recorder.state == "degraded"
    assert not any(report.damages for report in check_tape(folder)), "no torn block stays behind"
    ballast.unlink()
    story.until(lambda: len(story.told) == 2)
    story.recorder.close()
    assert story.told[1:] == [Trouble("", 0)]
    assert payloads(folder) == came


def test_a_disk_that_stays_full_makes_the_end_an_error(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(bytes(200_000))
    story = Story(small_disk / "tape", compress=False, pending=100_000)
    story.recorder.open()
    for number in range(800):
        story.put(b"%06d" % number + bytes(194))
    missed = story.recorder.missed
    assert missed > 0
    with pytest.raises(TapeError, match=r"no space left on device; \d+ records could not be written"):
        story.recorder.close()


def killed(folder: Path, begin: int, after: float) -> int:
    """Record from ``begin`` on, and be killed; the last number that the recorder had called safe."""
    program = [sys.executable, killed_recorder.__file__, str(folder), str(begin)]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as recorder:
        assert recorder.stdout is not None
        first = recorder.stdout.readline()
        timer = threading.Timer(after, recorder.send_signal, [signal.SIGKILL])
        timer.start()
        said = first + recorder.stdout.read()
        assert recorder.wait() == -signal.SIGKILL
    whole = said[: said.rfind(b"\n")]
    return int(whole.rpartition(b"\n")[2])


@pytest.mark.timeout(900)
def test_what_was_called_safe_survives_kill_9_at_any_moment(tmp_path: Path) -> None:
    draw = random.Random(9)
    begin = 0
    for _ in range(KILLS):
        safe = killed(tmp_path, begin, draw.random() * 0.1)
        found = list(read_tape(tmp_path))
        assert not [one for one in found if isinstance(one, Damage) and not one.is_tail], "no damage but at the end"
        records = [one for one in found if isinstance(one, Record)]
        numbers = [int(one.payload[:9]) for one in records if one.kind == Kind.RECEIVED_TEXT]
        ours = [number for number in numbers if number >= begin]
        assert ours == list(range(begin, begin + len(ours))), "in order, none left out"
        assert begin + len(ours) >= safe, "nothing is lost that was called safe"
        begin += 1_000_000


@pytest.mark.parametrize("fsync", ["each", "interval", "none"])
def test_a_mark_is_safe_when_the_disk_has_what_came_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fsync: str
) -> None:
    story, asked, go_on = Story(tmp_path, fsync=fsync, fsync_every=3600), threading.Event(), threading.Event()
    story.recorder.open()
    assert story.recorder.is_safe(story.recorder.mark())
    confirm = os.fsync

    def slow(handle: int) -> None:
        asked.set()
        assert go_on.wait(20)
        confirm(handle)

    monkeypatch.setattr(os, "fsync", slow)
    story.put(b"one")
    mark = story.recorder.mark()
    story.recorder.hurry()
    if fsync != "none":
        assert asked.wait(20)
        assert not story.recorder.is_safe(mark)
    go_on.set()
    story.put(b"two")
    story.recorder.close()
    assert story.recorder.is_safe(story.recorder.mark())
    assert story.recorder.mark() > mark


@pytest.mark.parametrize("fsync", ["each", "interval"])
def test_a_disk_that_takes_but_does_not_confirm_gets_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fsync: str
) -> None:
    story = Story(tmp_path, fsync=fsync, fsync_every=0.000_000_001)
    story.recorder.open()
    fsync_of, refusals = os.fsync, iter(range(3))

    def sick(handle: int) -> None:
        if next(refusals, None) is not None:
            raise OSError(errno.EIO, "Input/output error")
        fsync_of(handle)

    monkeypatch.setattr(os, "fsync", sick)
    monkeypatch.setattr("tapewire.tape.recorder.RETRY", 0.01)
    story.put(b"one")
    story.until(lambda: len(story.told) == 2)
    story.put(b"two")
    story.recorder.close()
    assert story.told == [Trouble("input/output error", 0), Trouble("", 0)], "told once, until it confirms"
    assert payloads(tmp_path) == [b"one", b"two"]
    assert story.recorder.position.synced == 2
