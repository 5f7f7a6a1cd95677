"""Lines into the files of a layout: rotation, frames, retention, and nothing lost or written twice by a full disk."""

from __future__ import annotations

import errno
import os
import tempfile
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tapewire.errors import SinkError
from tapewire.sinks.contract import Written
from tapewire.sinks.files.appending import AppendFile, Root
from tapewire.sinks.files.folders import newest_number
from tapewire.sinks.files.frames import pack
from tapewire.sinks.files.layout import FRAMES, LINES, MISC_KIND, SEGMENT, Layout, Place, Slot, fitting, parse
from tapewire.sinks.files.options import RecordOptions
from tapewire.sinks.files.streams import SingleLines, Stream, Texts, renewed, within
from tapewire.sinks.files.upkeep import (
    Notice,
    Refusal,
    doubted_notice,
    let_go,
    mend_folder,
    refused_notice,
    torn_notice,
)
from tapewire.tape.disk import lock, open_folder, reason_of, sync_file_system

#: Bytes of lines that wait for the flush that ends their frame: of one stream, of all together.
FRAME_BYTES, FRAMES_BYTES = 1024 * 1024, 16 * 1024 * 1024
#: Bytes of all files that are kept until the disk has confirmed them; beyond it is asked to at once.
HELD_BYTES = 32 * 1024 * 1024
#: Files that are put on the disk with their whole file system, in place of one by one.
MANY = 16
#: Streams that are known at a time; the one that came first is ended for another.
STREAMS_MOST = 10_000
#: Nanoseconds between two looks at what may go.
RETAIN_EVERY = 60 * 10**9
#: What the disk may refuse now and take later.
_PASSING = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE}
)


class Segments:
    """The files of one recording, for one writer. ``take`` never fails; the others raise ``SinkError``: if that is
    ``retryable``, what was not written stays, and is written by the next ``commit`` or ``flush``, once and whole.

    Args:
        folder: made if it is not there.
        options: how it lies there.
        finish: told of each file of lines that is over and is to become Parquet.
        unfinished: which of those files are still needed.
        max_open: handles at most.
    """

    def __init__(
        self,
        folder: Path,
        options: RecordOptions,
        *,
        finish: Callable[[str], None] = lambda _name: None,
        unfinished: Callable[[], frozenset[str]] = frozenset,
        max_open: int = 256,
    ) -> None:
        self._path, self._options, self._layout = folder, options, Layout(options)
        self._finish, self._unfinished, self._max_open = finish, unfinished, max_open
        self._durable = options.fsync != "none"
        self._root: Root | None = None
        self._handle: int | None = None
        self._streams: dict[Place, Stream] = {}
        self._touched: dict[Place, Stream] = {}
        self._opened: OrderedDict[Place, AppendFile] = OrderedDict()
        self._waiting_bytes = 0
        self._slot = self._layout.slot(0)
        self._now_ns = self._retained_ns = 0
        self._is_broken = False
        self._refusal: Refusal | None = None
        self._ended: dict[str, Written] = {}

    def open(self) -> None:
        """Make the folder, keep others out, and mend what a crash left."""
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._path):
                pass
            self._handle = open_folder(self._path)
            if self._handle is not None:
                lock(self._handle)
            self._root = Root(self._path, self._handle)
            left = mend_folder(self._root, durable=self._durable)
        except OSError as error:
            self.release()
            raise self._failed(error, "") from error
        for name in left.segments:
            self._finish(name)
        for notice in left.notices:
            self.note(notice)
        self.flush()

    def place(self, venue: str, kind: str, symbol: str, unit: str | None) -> Place:
        """Where events belong."""
        return self._layout.place(venue, kind, symbol, unit)

    def misc(self, venue: str) -> Place:
        """Where everything else of a venue belongs."""
        return self._layout.misc(venue)

    def slot(self, at_ns: int) -> Slot:
        """The span of time whose lines share files."""
        self._now_ns = max(self._now_ns, at_ns)
        if not self._slot.begin_ns <= at_ns < self._slot.end_ns:
            self._slot = self._layout.slot(at_ns)
        return self._slot

    def take(self, place: Place, texts: list[bytes], count: int, slot: Slot) -> None:
        """Keep ``count`` lines of one span, each with its end, until they are written."""
        stream = self._streams.get(place)
        if stream is None:
            suffix = self._suffix(place)
            single = suffix == FRAMES or self._options.rotate_count is not None or self._options.rotate_size is not None
            stream = self._streams[place] = Stream(place, suffix, slot, single=single)
        self._waiting_bytes += stream.take(texts, count, slot)
        self._touched[place] = stream

    def commit(self) -> None:
        """Write what waits; lines that are to share a frame only when they are many."""
        if sum(file.held_bytes for file in self._opened.values()) > HELD_BYTES:
            self._sync()
        everything = self._waiting_bytes >= FRAMES_BYTES or self._options.fsync == "each"
        ripe = [
            stream
            for stream in self._touched.values()
            if everything or stream.suffix != FRAMES or stream.waiting_bytes >= FRAME_BYTES
        ]
        self._all(self._write, ripe)
        if self._options.fsync == "each":
            self._all(self._confirm, list(self._opened))

    def flush(self) -> None:
        """Write all that waits, end the frames, and have the disk confirm it, if the options say so.

        What one file cannot do keeps no other from being written, ended and confirmed.
        """
        self._each(self._write_all, self._end_over, self._forget, *([self._sync] if self._durable else []))
        if self._now_ns - self._retained_ns >= RETAIN_EVERY:
            self._retained_ns = self._now_ns
            self._retain()
        if self._refusal is not None:
            self.note(refused_notice(self._refusal, self._now_ns))
            self._refusal = None

    def _write_all(self) -> None:
        self._all(self._write, list(self._touched.values()))

    def _end_over(self) -> None:
        over = [one for one in self._streams.values() if one.file is not None and self._now_ns >= one.file_slot.end_ns]
        self._all(self._end, over)

    def _sync(self) -> None:
        """Have all open files on the disk itself: one by one, or many at once."""
        dirty = [place for place, file in self._opened.items() if file.dirty]
        files = [self._opened[place] for place in dirty]
        try:
            together = (
                len(files) >= MANY and not any(file.is_doubtful for file in files) and sync_file_system(self._handle)
            )
        except OSError as error:
            for file in files:
                file.is_doubtful = True
            raise self._failed(error, "") from error
        if together:
            for file in files:
                file.confirm()
        else:
            self._all(self._confirm, dirty)

    def _confirm(self, place: Place) -> None:
        """Have one file on the disk; what it failed to confirm is written again to another."""
        stream = self._streams[place]
        if not self._renew(stream) and stream.file is not None:
            stream.file.sync()

    def _renew(self, stream: Stream) -> bool:
        doubtful, number = stream.file, stream.number + 1
        if not renewed(stream, lambda: self._new(stream, stream.file_slot, number)):
            return False
        assert doubtful is not None  # noqa: S101 - it was given up
        assert stream.file is not None  # noqa: S101 - another takes its place
        self._opened[stream.place] = stream.file
        self.note(doubted_notice(stream.place, doubtful, stream.file.name))
        if stream.suffix == SEGMENT:
            self._finish(doubtful.name)
        return True

    def end(self) -> None:
        """Write all that waits and end every file; a second call does nothing."""
        try:
            if self._root is not None and not self._is_broken:
                self._flush_twice()
                self._retain()
                self._all(self._write, list(self._touched.values()))
                self._all(self._end, list(self._streams.values()))
        finally:
            for file in (*self._opened.values(), *(one.anew for one in self._streams.values() if one.anew is not None)):
                file.drop()
            self._opened.clear()
            self._root = None

    def _flush_twice(self) -> None:
        """What the disk does not confirm is written again by the second."""
        try:
            self.flush()
        except SinkError as error:
            if not error.retryable:
                raise
            self.flush()

    def release(self) -> None:
        """Let the next recorder in; a second call does nothing."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def written(self) -> tuple[Written, ...]:
        """Lines and bytes that went to each stream since ``open``, by its name."""
        rows = dict(self._ended)
        for stream in tuple(self._streams.values()):
            self._add(rows, stream)
        return tuple(rows[name] for name in sorted(rows))

    @property
    def waiting(self) -> int:
        """Lines that are not written yet."""
        return sum(lines.count for stream in tuple(self._touched.values()) for lines in tuple(stream.waiting))

    def _write(self, stream: Stream) -> None:
        while stream.waiting:
            waiting = stream.waiting[0]
            while waiting.count:
                self._write_some(stream, waiting)
            stream.waiting.popleft()
        self._touched.pop(stream.place, None)

    def _write_some(self, stream: Stream, waiting: Texts | SingleLines) -> None:
        file, end = self._file(stream, waiting.slot), waiting.count
        frames = stream.suffix == FRAMES
        if isinstance(waiting, SingleLines):
            end = fitting(self._options, waiting.lines, stream.count, file.size)
            if end == 0:
                self._end(stream)
                return
            if frames:  # a frame is read as one piece
                end = within(waiting.lines, end, FRAME_BYTES)
        text = waiting.text(end)
        before = file.size
        try:
            file.append(pack(text) if frames else text, by_line=not frames)
        except OSError:
            end = text.count(b"\n", 0, file.size - before)
            raise
        finally:
            self._waiting_bytes -= stream.wrote(waiting, end, file.size - before)

    def _file(self, stream: Stream, slot: Slot) -> AppendFile:
        """The file that takes the stream's next line, open."""
        self._renew(stream)
        if stream.file is not None and stream.file_slot != slot:
            self._end(stream)
        file = stream.file or self._begin(stream, slot)
        if not file.is_open:
            self._make_room()
            file.resume()
        self._opened[stream.place] = file
        self._opened.move_to_end(stream.place)
        return file

    def _begin(self, stream: Stream, slot: Slot) -> AppendFile:
        self._make_room()
        number = stream.number if stream.number and stream.file_slot.label == slot.label else 0
        if number == 0:  # the first of this label: others may have been here before
            number, is_ours = newest_number(self._path, self._layout, stream.place, slot.label, stream.suffix)
            file = self._continued(stream, slot, number) if is_ours else None
            if file is not None:
                stream.file, stream.file_slot, stream.number, stream.count = file, slot, number, 0
                return file
        file = self._new(stream, slot, number + 1)
        file.begin()
        stream.file, stream.file_slot, stream.number, stream.count = file, slot, number + 1, 0
        return file

    def _continued(self, stream: Stream, slot: Slot, number: int) -> AppendFile | None:
        """The file of an earlier recorder, if it is not over."""
        options = self._options
        if stream.suffix == SEGMENT or options.rotate_count is not None:  # how many lines it has, nobody wrote down
            return None
        file = self._new(stream, slot, number)
        torn = file.mend(frames=stream.suffix == FRAMES)
        if torn:
            self.note(torn_notice(stream.place, file.name, torn))
        if options.rotate_size is not None and file.size >= options.rotate_size:
            file.pause()
            return None
        stream.stored += file.size
        return file

    def _new(self, stream: Stream, slot: Slot, number: int) -> AppendFile:
        assert self._root is not None  # noqa: S101 - opened
        name = self._layout.path(stream.place, slot.label, number, stream.suffix)
        return AppendFile(self._root, name, durable=self._durable)

    def _end(self, stream: Stream) -> None:
        self._renew(stream)
        file = stream.file
        if file is None:
            return
        file.pause()
        self._opened.pop(stream.place, None)
        stream.file = None
        if stream.suffix == SEGMENT:
            self._finish(file.name)

    def _make_room(self) -> None:
        while len(self._opened) >= self._max_open:
            place = next(iter(self._opened))
            self._renew(self._streams[place])
            self._opened[place].pause()
            del self._opened[place]

    def _forget(self) -> None:
        while len(self._streams) > STREAMS_MOST:
            stream = next(iter(self._streams.values()))
            self._all(self._end, [stream])
            self._add(self._ended, stream)
            del self._streams[stream.place]

    def _add(self, rows: dict[str, Written], stream: Stream) -> None:
        name = self._layout.name(stream.place)
        before = rows.get(name, Written(name, 0, 0))
        if stream.lines or before.events:
            rows[name] = Written(name, before.events + stream.lines, before.size + stream.stored)

    def _suffix(self, place: Place) -> str:
        if self._options.files == "parquet" and place.kind != MISC_KIND:
            return SEGMENT
        return FRAMES if self._options.compress == "zstd" else LINES

    def _retain(self) -> None:
        if self._options.keep_bytes is None and self._options.keep_days is None:
            return
        writing = {stream.file.name for stream in self._streams.values() if stream.file}
        try:
            writing |= self._unfinished()
            for notice in let_go(self._path, self._options, self._now_ns, frozenset(writing)):
                self.note(notice)
        except OSError as error:
            raise self._failed(error, "") from error

    def note(self, notice: Notice) -> None:
        """Keep a line of the recorder itself."""
        slot = self._layout.slot(notice.at_ns or self._now_ns)
        self.take(self.misc(notice.place.venue), [notice.line + b"\n"], 1, slot)

    def _all(self, step: Callable[[Any], None], targets: list[Any]) -> None:
        """Each of them, also when one fails; then the first failure is raised, or the first that will not pass."""

        def named(target: Any) -> None:
            try:
                step(target)
            except OSError as error:
                raise self._failed(error, error.filename) from error

        self._each(*(partial(named, target) for target in targets))

    def _each(self, *steps: Callable[[], None]) -> None:
        failures: list[SinkError] = []
        for step in steps:
            try:
                step()
            except SinkError as error:
                failures.append(error)
        if failures:
            raise next((error for error in failures if not error.retryable), failures[0])

    def _failed(self, error: OSError, name: object) -> SinkError:
        target = self._path / name if isinstance(name, str) else self._path
        passing = error.errno in _PASSING
        self._is_broken = self._is_broken or not passing
        if passing and self._refusal is None:
            found = parse(name) if isinstance(name, str) else None
            place = Place("", MISC_KIND, "") if found is None else found.place
            self._refusal = Refusal(place, reason_of(error), self._now_ns)
        return SinkError(str(target), reason_of(error), retryable=passing)
