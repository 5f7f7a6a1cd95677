"""Appends blocks of records to the files of one tape: rotation, retention, fsync, nothing torn left behind."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from tapewire.config import TapeOptions
from tapewire.errors import TapeError
from tapewire.tape.disk import append_all, lock, new_file, open_folder, reason_of, sync_folder
from tapewire.tape.files import Block, Damage, TapeFile, file_name, is_unborn, number_of, tape_files
from tapewire.tape.format import Header, Packed, Run, encode_header, pack, seal
from tapewire.tape.renewing import adopt, put_in_place, write_anew

#: Bytes that are kept in memory until the disk has confirmed them; beyond it is asked to at once.
HELD_BYTES = 32 * 1024 * 1024


class _Anew(NamedTuple):
    """A file that is on the disk and waits to take the place of another's end."""

    handle: int
    name: str
    created_ns: int
    size: int


class TapeWriter:
    """One folder's tape. Every method blocks, and raises ``TapeError``; one thread calls them.

    Each opening begins a new file: no file of an earlier recorder is written to. An unfinished end that a crash left
    in the last one is cut off, and stands in ``mended``.

    A disk that fails to confirm may have dropped what it took, and confirm the next time all the same. So the blocks
    that no ``sync`` has confirmed are kept (unless ``fsync`` is "none"); after a failure they are written again, to
    another file, and the old one ends where it was confirmed. No record is in both, whenever the process ends.

    Args:
        options: where and how.
        header: what each file says of itself; number and time are filled in.
        wall_ns: clock for the files' names, ns UTC.
    """

    def __init__(self, options: TapeOptions, header: Header, wall_ns: Callable[[], int]) -> None:
        self._options, self._header, self._wall_ns = options, header, wall_ns
        self._path = Path(options.folder)
        self._root: int | None = None
        self._handle: int | None = None
        self._name = ""
        self._number = self._size = 0
        self._created_ns = self._before = 0
        self._dirty = self._is_torn = self._is_doubtful = False
        #: Blocks of the present file that the disk has not confirmed, their bytes, and where they begin.
        self._held: list[bytes] = []
        self._held_bytes = self._confirmed = 0
        self._anew: _Anew | None = None
        self.mended: list[Damage] = []
        #: When the newest record of an earlier recorder came (ns UTC), None: there was none.
        self.earlier_ns: int | None = None
        self.records = self.bytes = self.files = 0
        #: Records that the disk itself has; when the newest record of all was put (ns UTC).
        self.synced = self.until_ns = 0

    @property
    def path(self) -> Path:
        """The folder."""
        return self._path

    def open(self) -> None:
        """Make the folder, keep others out, cut off what a crash left, and begin a file."""
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            self._root = open_folder(self._path)
            if self._root is not None:
                lock(self._root)
            adopt(self._path)
            earlier = tape_files(self._path)
            if earlier:
                self._number = number_of(earlier[-1]) or 0
                newest_ns = self._mend(earlier[-1])
                self.earlier_ns = _newest_ns(earlier[:-1]) if newest_ns is None else newest_ns
            self._begin()
        except OSError as error:
            self.close()
            raise TapeError(str(self._path), reason_of(error)) from error
        except TapeError:
            self.close()
            raise

    def write(self, runs: Sequence[Run]) -> None:
        """Append one block. When that fails, the file is cut back to its last whole one, and nothing of it counts."""
        self.append([pack(run) for run in runs])

    def append(self, runs: Sequence[Packed]) -> None:
        """As ``write``, of runs that are packed already."""
        block = seal(runs, compress=self._options.compress)
        try:
            if self._is_doubtful or self._held_bytes > HELD_BYTES:
                self._confirm()
            if self._handle is None or self._full(len(block)):
                self._begin()
            self._append(block)
        except OSError as error:
            raise self._failed(error) from error
        if self._options.fsync != "none":
            self._held.append(block)
            self._held_bytes += len(block)
        self.records += sum(run.records for run in runs)
        self.until_ns = runs[-1].at_ns

    def sync(self) -> None:
        """Have everything written so far on the disk itself."""
        try:
            self._confirm()
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """End the file and let the next recorder in; a second call does nothing."""
        try:
            try:
                self._end()
            except OSError:
                self._end()  # what was not confirmed is written again
        except OSError as error:
            raise self._failed(error) from error
        finally:
            handles = (self._handle, self._anew and self._anew.handle, self._root)
            self._handle = self._anew = self._root = None
            for handle in handles:
                if handle is not None:
                    os.close(handle)

    def _full(self, more: int) -> bool:
        options, age = self._options, (self._wall_ns() - self._created_ns) / 1e9
        is_counted = options.file_records is not None and self.records - self._before >= options.file_records
        return is_counted or self._size + more > options.file_size or age >= options.file_seconds

    def _begin(self) -> None:
        self._end()
        created = self._wall_ns()
        name = file_name(self._number + 1, created)
        handle = new_file(self._path, name, self._root)
        self._number, self._name, self._created_ns, self._before = self._number + 1, name, created, self.records
        self._handle, self._size, self._dirty, self._is_torn = handle, 0, True, False
        self._held, self._held_bytes, self._confirmed = [], 0, 0
        self.files += 1
        try:
            self._append(self._start_of(self._number, created))
            if self._options.fsync != "none":
                os.fsync(handle)
                sync_folder(self._root)
                self._confirmed, self._dirty = self._size, False
        except OSError:  # a file without a header is none
            self._handle = None
            os.close(handle)
            (self._path / name).unlink(missing_ok=True)
            raise
        self._retain()

    def _end(self) -> None:
        if self._handle is None:
            return
        with contextlib.suppress(OSError):
            self._cut()
        if self._options.fsync != "none":
            self._confirm()
        os.close(self._handle)
        self._handle, self._is_torn = None, False

    def _start_of(self, number: int, created_ns: int) -> bytes:
        return encode_header(replace(self._header, number=number, created_ns=created_ns))

    def _confirm(self) -> None:
        """Have the disk confirm this file; one that failed to once is given up for another."""
        if not self._dirty or self._handle is None:
            return
        if self._is_doubtful:
            self._renew()
        else:
            try:
                os.fsync(self._handle)
            except OSError:
                self._is_doubtful = True
                raise
        self._dirty, self.synced = False, self.records
        self._held, self._held_bytes, self._confirmed = [], 0, self._size

    def _renew(self) -> None:
        """Write what was not confirmed to another file, have that confirmed, and end this one before it."""
        assert self._handle is not None  # noqa: S101 - there is something to confirm
        if self._anew is None:
            created = self._wall_ns()
            name, start = file_name(self._number + 1, created), self._start_of(self._number + 1, created)
            handle = write_anew(self._path, self._root, name, self._confirmed, (start, *self._held))
            self._anew = _Anew(handle, name, created, len(start) + self._held_bytes)
        put_in_place(self._path, self._anew.name, self._confirmed)
        given_up, more = self._path / self._name, self._size - self._confirmed
        reason = f"the disk did not confirm it; it was written again to {self._anew.name}"
        self.mended.append(Damage(given_up, self._confirmed, more, reason, is_tail=True))
        os.close(self._handle)
        self._handle, self._name, self._created_ns, self._size = self._anew
        self._before = self.synced
        self._anew, self._is_doubtful, self._is_torn = None, False, False
        self._number += 1
        self.files += 1
        with contextlib.suppress(OSError):  # by either name the next start finds it
            sync_folder(self._root)

    def _failed(self, error: OSError) -> TapeError:
        return TapeError(str(self._path / self._name), reason_of(error))

    def _append(self, data: bytes) -> None:
        assert self._handle is not None  # noqa: S101 - begun by the caller
        self._cut()
        try:
            append_all(self._handle, data)
        except OSError:
            self._is_torn = True
            with contextlib.suppress(OSError):  # the next block tries again before it is written
                self._cut()
            raise
        self._size += len(data)
        self.bytes += len(data)
        self._dirty = True

    def _cut(self) -> None:
        """Take off what a block that failed left behind."""
        if self._is_torn and self._handle is not None:
            os.ftruncate(self._handle, self._size)
            self._is_torn = False

    def _mend(self, path: Path) -> int | None:
        """Cut off what a crash left unfinished; nothing else is touched. When its newest record came (ns UTC)."""
        if is_unborn(path):
            self.mended.append(Damage(path, 0, path.stat().st_size, "not even its header was finished", is_tail=True))
            path.unlink()
            return None
        newest_ns: int | None = None
        file, damage = TapeFile.open(path)
        self.mended += [] if damage is None else [replace(damage, reason=f"{damage.reason} (left as it is)")]
        for part in file.parts():
            if isinstance(part, Block):
                newest_ns = max(newest_ns or 0, part.head.last_ns)
            elif part.is_tail:
                os.truncate(path, part.offset)
                self.mended.append(part)
        return newest_ns

    def _retain(self) -> None:
        """Remove the oldest files beyond what is to be kept; the present one always stays."""
        options = self._options
        if options.keep_bytes is None and options.keep_seconds is None:
            return
        earlier = [path for path in tape_files(self._path) if path.name != self._name]
        kept = self._size
        oldest_ns = None if options.keep_seconds is None else self._wall_ns() - int(options.keep_seconds * 1e9)
        for path in reversed(earlier):
            status = path.stat()
            kept += status.st_size
            too_many = options.keep_bytes is not None and kept > options.keep_bytes
            too_old = oldest_ns is not None and status.st_mtime_ns < oldest_ns
            if too_many or too_old:
                path.unlink()


def _newest_ns(paths: Sequence[Path]) -> int | None:
    """When the newest record of these files came, from the heads of their blocks; of the last that has any."""
    for path in reversed(paths):
        times = [part.head.last_ns for part in TapeFile.open(path)[0].parts() if isinstance(part, Block)]
        if times:
            return max(times)
    return None
