"""One folder of append-only files: bounded handles, no symbolic links, whole lines only, one owner at a time."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections import OrderedDict
from pathlib import Path

from tapewire.errors import SinkError
from tapewire.sinks.lines import is_json
from tapewire.tape.disk import FILE_MODE, lock, open_folder, reason_of

_FLAGS = (
    os.O_RDWR | os.O_APPEND | os.O_CREAT
    | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)  # fmt: skip
_LOOK_BACK = 4 * 1024 * 1024  # bytes; no line is longer than a message, and that is 1 MiB at most


class LineFile:
    """One file of whole lines, open for appending."""

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = size
        self.lines = 0
        self.dirty = False


class Folder:
    """The files of one recording folder. All methods raise ``SinkError`` naming the file and the reason."""

    def __init__(self, path: Path, max_open: int) -> None:
        self._path = path
        self._max_open = max_open
        self._root: int | None = None
        self._handles: OrderedDict[str, int] = OrderedDict()
        self.files: dict[str, LineFile] = {}
        """Every file written to since the folder was opened."""
        self.torn: list[tuple[str, bytes]] = []
        """Name and bytes of unfinished last lines that were cut off when their file was opened."""

    def open(self) -> None:
        """Make the folder, see that it can be written to, and lock it against a second recorder."""
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._path):
                pass
            self._root = open_folder(self._path)
            if self._root is not None:
                lock(self._root)
        except OSError as error:
            self.close()
            raise SinkError(str(self._path), reason_of(error)) from error

    def append(self, name: str, lines: bytes) -> LineFile:
        """Write whole lines (each ends with a newline). When that fails, the file is cut back to the last line
        that is whole, and counts in ``files`` say what is there.
        """
        try:
            handle = self._handle(name)
            file = self.files[name]
            self._write(handle, file, lines)
        except OSError as error:
            raise SinkError(str(self._path / name), reason_of(error)) from error
        return file

    def sync(self) -> None:
        """Have every file written to since the last call put on the disk itself (``fsync``)."""
        for name, file in self.files.items():
            if file.dirty and name in self._handles:
                self._fsync(self._handles[name], file)

    def close(self) -> None:
        """Close every handle and give up the lock; a second call does nothing."""
        while self._handles:
            os.close(self._handles.popitem()[1])
        if self._root is not None:
            os.close(self._root)
            self._root = None

    def _write(self, handle: int, file: LineFile, lines: bytes) -> None:
        done = 0
        try:
            while done < len(lines):
                done += os.write(handle, lines[done:] if done else lines)
        except OSError:
            done = lines.rfind(b"\n", 0, done) + 1
            os.ftruncate(handle, file.size + done)
            raise
        finally:
            file.size += done
            file.lines += lines.count(b"\n", 0, done)
            file.dirty = True

    def _handle(self, name: str) -> int:
        handle = self._handles.get(name)
        if handle is not None:
            self._handles.move_to_end(name)
            return handle
        while len(self._handles) >= self._max_open:
            oldest, old = self._handles.popitem(last=False)
            if self.files[oldest].dirty:
                self._fsync(old, self.files[oldest])
            os.close(old)
        handle = self._open(name)
        self._handles[name] = handle
        return handle

    def _open(self, name: str) -> int:
        if self._root is None:
            handle = os.open(self._path / name, _FLAGS, FILE_MODE)
        else:
            handle = os.open(name, _FLAGS, FILE_MODE, dir_fd=self._root)
        try:
            size = _plain_size(handle)
            known = self.files.setdefault(name, LineFile(name, size))
            known.size = self._mend(handle, name, size)
        except BaseException:
            os.close(handle)
            raise
        return handle

    def _mend(self, handle: int, name: str, size: int) -> int:
        """Make the file end with a whole line: an earlier recorder may have died while writing."""
        tail = _read_tail(handle, size)
        torn = tail[tail.rfind(b"\n") + 1 :]
        if not torn:
            return size
        if len(torn) == len(tail) < size:
            raise OSError(errno.EINVAL, f"is no file of lines: its last {_LOOK_BACK:,} bytes have no line end")
        if is_json(torn):
            os.write(handle, b"\n")
            return size + 1
        os.ftruncate(handle, size - len(torn))
        self.torn.append((name, torn))
        return size - len(torn)

    def _fsync(self, handle: int, file: LineFile) -> None:
        try:
            os.fsync(handle)
        except OSError as error:
            raise SinkError(str(self._path / file.name), reason_of(error)) from error
        file.dirty = False


def _plain_size(handle: int) -> int:
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "is not a plain file")
    return status.st_size


def _read_tail(handle: int, size: int) -> bytes:
    """The last bytes of the file; one byte is enough when it is a line end."""
    for length in (1, _LOOK_BACK):
        os.lseek(handle, -min(length, size), os.SEEK_END) if size else None
        tail = os.read(handle, length)
        if not tail or tail.endswith(b"\n"):
            return tail
    return tail
