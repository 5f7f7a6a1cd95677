"""Appends blocks of records to the files of one tape: rotation, retention, fsync, nothing torn left behind."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec.structs import replace

from tapewire.config import TapeOptions
from tapewire.errors import TapeError
from tapewire.tape.disk import append_all, lock, new_file, open_folder, reason_of, sync_folder
from tapewire.tape.files import Block, Damage, TapeFile, file_name, is_unborn, number_of, tape_files
from tapewire.tape.format import Header, Run, encode_block, encode_header


class TapeWriter:
    """One folder's tape. Every method blocks, and raises ``TapeError``; one thread calls them.

    Each opening begins a new file: no file of an earlier recorder is written to. An unfinished end that a crash left
    in the last one is cut off, and stands in ``mended``.

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
        self._created_ns = 0
        self._dirty = self._is_torn = False
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
        block = encode_block(runs, compress=self._options.compress)
        try:
            if self._handle is None or self._full(len(block)):
                self._begin()
            self._append(block)
        except OSError as error:
            raise TapeError(str(self._path / self._name), reason_of(error)) from error
        self.records += sum(len(run.payloads) for run in runs)
        self.until_ns = runs[-1].at_ns

    def sync(self) -> None:
        """Have everything written so far on the disk itself."""
        if self._dirty and self._handle is not None:
            try:
                os.fsync(self._handle)
            except OSError as error:
                raise TapeError(str(self._path / self._name), reason_of(error)) from error
            self._dirty = False
            self.synced = self.records

    def close(self) -> None:
        """End the file and let the next recorder in; a second call does nothing."""
        try:
            self._end()
        finally:
            root, self._root = self._root, None
            if root is not None:
                os.close(root)

    def _full(self, more: int) -> bool:
        age = (self._wall_ns() - self._created_ns) / 1e9
        return self._size + more > self._options.file_size or age >= self._options.file_seconds

    def _begin(self) -> None:
        self._end()
        created = self._wall_ns()
        name = file_name(self._number + 1, created)
        handle = new_file(self._path, name, self._root)
        self._number, self._name, self._created_ns = self._number + 1, name, created
        self._handle, self._size, self._dirty, self._is_torn = handle, 0, True, False
        self.files += 1
        try:
            self._append(encode_header(replace(self._header, number=self._number, created_ns=created)))
            sync_folder(self._root if self._options.fsync != "none" else None)
        except OSError:  # a file without a header is none
            self._handle = None
            os.close(handle)
            (self._path / name).unlink(missing_ok=True)
            raise
        self._retain()

    def _end(self) -> None:
        handle = self._handle
        if handle is None:
            return
        try:
            with contextlib.suppress(OSError):
                self._cut()
            self._handle, self._is_torn = None, False
            if self._dirty and self._options.fsync != "none":
                os.fsync(handle)
                self.synced = self.records
        except OSError as error:
            raise TapeError(str(self._path / self._name), reason_of(error)) from error
        finally:
            os.close(handle)

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
        for part in TapeFile(path).parts():
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
        times = [part.head.last_ns for part in TapeFile(path).parts() if isinstance(part, Block)]
        if times:
            return max(times)
    return None
