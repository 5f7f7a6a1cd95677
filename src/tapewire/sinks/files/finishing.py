"""Turns finished files of lines into Parquet, on a thread of its own; at any moment one of the two is whole."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from msgspec import DecodeError, json

from tapewire.errors import SinkError
from tapewire.model.event import Event
from tapewire.sinks.files.columns import schema_of, table_of
from tapewire.sinks.files.dataset import WholeFile
from tapewire.sinks.files.event_lines import event_reader
from tapewire.sinks.files.folders import recording_files
from tapewire.sinks.files.layout import COLUMNS, SEGMENT, Place, parse
from tapewire.sinks.files.options import RecordOptions
from tapewire.sinks.files.upkeep import Notice
from tapewire.tape.disk import lock, open_folder, reason_of

#: Bytes of lines of one row group: what is in memory at a time is some ten times as much.
GROUP_BYTES = 8 * 1024 * 1024
#: Files that wait in memory; those beyond are found by the next start.
WAITING_MOST = 100_000
#: Seconds until a disk that refused is tried again.
RETRY = 5.0
#: Seconds that a stop goes on with what is left, and waits for the end of that; the rest is for the next start.
GO_ON, STOP_TIMEOUT = 0.6, 0.4
_PAUSE = 0.1  # seconds between two tries to have the folder


class Stopped(Exception):
    """The end was asked for in the middle of a file."""


class Finisher:
    """Takes names of files of lines in one folder and leaves Parquet files in their places."""

    def __init__(self, folder: Path, options: RecordOptions) -> None:
        self._folder, self._options = folder, options
        self._names: queue.Queue[str] = queue.Queue(WAITING_MOST)
        self._pending: dict[str, None] = {}
        self._is_beyond = False
        self._stop, self._drain = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._released: Callable[[], None] = lambda: None
        self.notices: deque[Notice] = deque(maxlen=1_000)
        """What could not become Parquet, and why; for the recording."""

    def open(self) -> None:
        """Begin to work."""
        self._thread = threading.Thread(target=self._run, name="parquet", daemon=True)
        self._thread.start()

    def add(self, name: str) -> None:
        """This file is over. Never blocks."""
        self._pending[name] = None
        try:
            self._names.put_nowait(name)
        except queue.Full:
            self._is_beyond = True
            del self._pending[name]

    def unfinished(self) -> frozenset[str]:
        """Files that are still needed; once there were more than are kept in mind, all that are lines yet. Raises
        OSError: the folder cannot be read.
        """
        needed = frozenset(tuple(self._pending))
        if self._is_beyond:
            needed |= {name for name, found in recording_files(self._folder) if found.suffix == SEGMENT}
        return needed

    def close(self, released: Callable[[], None]) -> None:
        """Finish what can be finished in a second; ``released`` is called when nothing is done in the folder any more,
        which may be later. A second call does nothing.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            released()
            return
        self._released = released
        self._drain.set()
        thread.join(GO_ON)
        self._stop.set()
        thread.join(STOP_TIMEOUT)

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self._released()

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                name = self._names.get(timeout=0.1)
            except queue.Empty:
                if self._drain.is_set():
                    return
                continue
            self._finish(name)

    def _finish(self, name: str) -> None:
        told = False
        while not self._stop.is_set():
            try:
                to_parquet(self._folder, name, self._options, self._stop)
            except SinkError as error:
                if not told:
                    self._tell(name, error)
                    told = True
                if not error.retryable:
                    break
                self._stop.wait(RETRY)
            except Stopped:
                return
            else:
                break
        self._pending.pop(name, None)

    def _tell(self, name: str, error: SinkError) -> None:
        found = parse(name)
        place = found.place if found is not None else Place("", "", "")
        self.notices.append(Notice(place, json.encode({"not_converted": name, "because": error.reason})))


class Finished(NamedTuple):
    """Segments that became Parquet, why others could not, and those that are left because the end was asked for."""

    done: int
    failed: tuple[SinkError, ...]
    left: int


def finish_folder(
    folder: Path, options: RecordOptions, stop: threading.Event | None = None, *, patience: float = 0.0
) -> Finished:
    """Turn every segment that a recorder left over into Parquet, until ``stop``.

    Args:
        folder: of the recording.
        options: as it was made with.
        stop: ends it, also in the middle of a file.
        patience: seconds that a recorder who ends just now is waited for.

    Raises:
        SinkError: the folder cannot be read, or somebody records into it.
    """
    failed: list[SinkError] = []
    stop = stop or threading.Event()
    with _held(folder, stop, patience):
        names = [name for name, found in recording_files(folder) if found.suffix == SEGMENT]
        for done, name in enumerate(names):
            try:
                to_parquet(folder, name, options, stop)
            except SinkError as error:
                failed.append(error)
            except Stopped:
                return Finished(done - len(failed), tuple(failed), len(names) - done)
    return Finished(len(names) - len(failed), tuple(failed), 0)


@contextlib.contextmanager
def _held(folder: Path, stop: threading.Event, patience: float) -> Iterator[None]:
    """No recorder writes here meanwhile."""
    try:
        handle = open_folder(folder)
        with contextlib.ExitStack() as stack:
            if handle is not None:
                stack.callback(os.close, handle)
                for _ in range(int(patience / _PAUSE)):
                    with contextlib.suppress(OSError):
                        lock(handle)
                        break
                    stop.wait(_PAUSE)
                lock(handle)
            yield
    except OSError as error:
        raise SinkError(str(folder), reason_of(error)) from error


def to_parquet(folder: Path, name: str, options: RecordOptions, stop: threading.Event) -> None:
    """One file of lines → the Parquet file in its place; the lines go when that is whole and on the disk.

    Raises:
        SinkError: a line is no event, a number is too long, or the disk refuses (``retryable``): the lines stay.
        Stopped: ``stop`` was set.
    """
    found = parse(name)
    if found is None or found.suffix != SEGMENT:
        raise SinkError(name, "is no segment of a recording")
    source, target = folder / name, folder / f"{name.removesuffix(SEGMENT)}{COLUMNS}"
    try:
        if not target.exists() and source.stat().st_size:
            _convert(source, target, found.place.kind.partition(".")[0], options, stop)
        source.unlink()
    except (DecodeError, pa.ArrowException, KeyError) as error:
        raise SinkError(str(source), f"{error}") from error
    except OSError as error:
        raise SinkError(str(source), reason_of(error), retryable=True) from error


def _convert(source: Path, target: Path, kind: str, options: RecordOptions, stop: threading.Event) -> None:
    read, file = event_reader(kind, options.numbers), WholeFile(target, schema_of(kind, options.numbers))
    try:
        with source.open("rb") as lines:
            while group := lines.readlines(GROUP_BYTES):
                events: list[Event] = []
                for line in group:
                    events.append(read(line))
                    if len(events) % 1_000 == 0:
                        _breathe(stop)  # the feed's thread has something to do at every moment
                file.write(table_of(kind, events, options.numbers))
        file.end()
    except BaseException:
        file.give_up()
        raise


def _breathe(stop: threading.Event) -> None:
    if stop.wait(0.0005):
        raise Stopped
