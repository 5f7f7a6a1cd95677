"""One file that only grows, by whole pieces: below one folder, through no symbolic link, cut back after a failure."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from tapewire.sinks.files.frames import BadFrame, end_of_frames
from tapewire.sinks.files.lines import is_json
from tapewire.tape.disk import FILE_MODE, sync_folder

#: Bytes looked back for a line's end; no line is longer than a message, and that is 1 MiB at most.
LOOK_BACK = 4 * 1024 * 1024
_CLOSED = -1
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_FLAGS = os.O_RDWR | os.O_APPEND | _NO_LINKS | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Root:
    """The folder of a recording, open. Every method raises OSError.

    Args:
        path: the folder; handle: of it, None where the system has none.
    """

    def __init__(self, path: Path, handle: int | None) -> None:
        self.path, self._handle = path, handle

    def open_file(self, name: str, *, new: bool, durable: bool) -> int:
        """A handle of the file ``name`` (with ``/``) for reading and appending.

        Args:
            name: of the file.
            new: it must not be there; it is made, and so are its folders.
            durable: a new name is on the disk when this returns.
        """
        flags = _FLAGS | (os.O_CREAT | os.O_EXCL if new else 0)
        *folders, last = name.split("/")
        if self._handle is None:
            where = self.path.joinpath(*folders)
            where.mkdir(parents=True, exist_ok=True)
            return os.open(where / last, flags, FILE_MODE)
        with contextlib.ExitStack() as stack:
            at = self._handle
            for folder in folders:
                at = _enter(at, folder, make=new, durable=durable)
                stack.callback(os.close, at)
            handle = os.open(last, flags, FILE_MODE, dir_fd=at)
            if new and durable:
                _made_durable(at, lambda: _give_up(at, last, handle))
        return handle


class AppendFile:
    """One file of whole lines or whole frames.

    Args:
        root: the folder.
        name: of the file, below the folder.
        durable: what is ended has been put on the disk itself.
    """

    def __init__(self, root: Root, name: str, *, durable: bool) -> None:
        self.name, self.size = name, 0
        self.dirty = False
        #: A confirmation failed: the disk may have dropped what it took, and confirm the next time all the same.
        self.is_doubtful = False
        #: If it is ``durable``: what the disk has not confirmed yet, its bytes, and where it begins.
        self.held: list[bytes] = []
        self.held_bytes = self.confirmed = 0
        self._root, self._durable = root, durable
        self._handle = _CLOSED
        self._is_torn = False

    @property
    def is_open(self) -> bool:
        """Whether it holds a handle now."""
        return self._handle != _CLOSED

    def begin(self) -> None:
        """Make it: it is not there yet, unless an earlier try left it empty."""
        with _named(self.name):
            try:
                self._handle = self._root.open_file(self.name, new=True, durable=self._durable)
            except FileExistsError:
                self._handle = self._root.open_file(self.name, new=False, durable=False)
                if _plain_size(self._handle):
                    self.drop()
                    raise

    def resume(self) -> None:
        """Open it again after ``pause``."""
        if not self.is_open:
            with _named(self.name):
                self._handle = self._root.open_file(self.name, new=False, durable=False)

    def mend(self, *, frames: bool) -> bytes:
        """Open one that an earlier recorder left, and make it end with a whole line or frame.

        Returns:
            What was cut off, b"" if it was whole.

        Raises:
            OSError: also when it is no such file at all; nothing is touched then.
        """
        self.resume()
        try:
            with _named(self.name):
                self.size = self.confirmed = _plain_size(self._handle)
                return self._torn_frame() if frames else self._torn_line()
        except BaseException:
            self.drop()
            raise

    def append(self, data: bytes, *, by_line: bool) -> None:
        """Write it. When that fails, ``size`` tells what of it is there: whole lines (``by_line``), or nothing."""
        with _named(self.name):
            self._cut()
            done = 0
            try:
                while done < len(data):
                    done += os.write(self._handle, data[done:] if done else data)
            except OSError:
                done = self._keep_whole(data, done, by_line=by_line)
                raise
            finally:
                self.size += done
                self.dirty = True
                if self._durable and done:
                    self.held.append(data[:done])
                    self.held_bytes += done

    def sync(self) -> None:
        """Have all of it on the disk itself. Once that has failed, what is ``held`` has to go to another file."""
        if self.dirty and self.is_open:
            with _named(self.name):
                try:
                    os.fsync(self._handle)
                except OSError:
                    self.is_doubtful = True
                    raise
            self.confirm()

    def confirm(self) -> None:
        """The disk has all of it."""
        self.dirty = self.is_doubtful = False
        self.held, self.held_bytes, self.confirmed = [], 0, self.size

    def write_anew(self, parts: list[bytes]) -> None:
        """Have these, and nothing else, in a file that was begun, on the disk itself."""
        with _named(self.name):
            os.ftruncate(self._handle, 0)
            self.size, self._is_torn = 0, False
            self.held, self.held_bytes, self.confirmed = [], 0, 0
            self.append(b"".join(parts), by_line=False)
            os.fsync(self._handle)
        self.confirm()

    def end_confirmed(self) -> None:
        """Cut off all that the disk did not confirm, and give the handle back."""
        with _named(self.name):
            os.ftruncate(self._handle, self.confirmed)
            with contextlib.suppress(OSError):  # if it is not, a loss of power leaves some twice; nothing is lost
                os.fsync(self._handle)
        self.drop()

    def pause(self) -> None:
        """Give the handle back; what was written is safe first."""
        if not self.is_open:
            return
        with _named(self.name):
            self._cut()
        if self._durable:
            self.sync()
        self.drop()

    def drop(self) -> None:
        """Give the handle back, whatever state the file is in; a second call does nothing."""
        handle, self._handle = self._handle, _CLOSED
        if handle != _CLOSED:
            os.close(handle)

    def _keep_whole(self, data: bytes, done: int, *, by_line: bool) -> int:
        """Cut off what is half of something; the next append tries again if that fails, before it writes."""
        whole = data.rfind(b"\n", 0, done) + 1 if by_line else 0
        if done > whole:
            try:
                os.ftruncate(self._handle, self.size + whole)
            except OSError:
                self._is_torn = True
        return whole

    def _cut(self) -> None:
        if self._is_torn:
            os.ftruncate(self._handle, self.size)
            self._is_torn = False

    def _torn_line(self) -> bytes:
        tail = self._tail()
        torn = tail[tail.rfind(b"\n") + 1 :]
        if len(torn) == len(tail) < self.size:
            raise OSError(errno.EINVAL, f"is no file of lines: its last {LOOK_BACK:,} bytes have no line end")
        if torn and is_json(torn):
            self.append(b"\n", by_line=True)
            return b""
        return self._cut_to(self.size - len(torn), torn)

    def _torn_frame(self) -> bytes:
        with os.fdopen(os.dup(self._handle), "rb") as file:
            try:
                end = end_of_frames(file, self.size)
            except BadFrame as error:
                raise OSError(errno.EINVAL, str(error)) from None
            file.seek(end)
            torn = file.read(LOOK_BACK)
        return self._cut_to(end, torn)

    def _cut_to(self, end: int, torn: bytes) -> bytes:
        if torn:
            os.ftruncate(self._handle, end)
            self.size, self.confirmed, self.dirty = end, end, True
        return torn

    def _tail(self) -> bytes:
        """The last bytes; one is enough when it is a line's end."""
        tail = b""
        for length in (1, LOOK_BACK):
            os.lseek(self._handle, self.size - min(length, self.size), os.SEEK_SET)
            tail = os.read(self._handle, length)
            if not tail or tail.endswith(b"\n"):
                break
        return tail


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """Errors say which file it was."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, name) from error


def _plain_size(handle: int) -> int:
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "is not a plain file")
    return status.st_size


def _made_durable(folder: int, undo: Callable[[], None]) -> None:
    """Have a new name on the disk itself; where that fails it goes again, so that the next try makes it anew."""
    try:
        sync_folder(folder)
    except OSError:
        with contextlib.suppress(OSError):
            undo()
        raise


def _give_up(folder: int, name: str, handle: int) -> None:
    os.close(handle)
    os.unlink(name, dir_fd=folder)


def _enter(at: int, folder: str, *, make: bool, durable: bool) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | _NO_LINKS
    try:
        return os.open(folder, flags, dir_fd=at)
    except FileNotFoundError:
        if not make:
            raise
    os.mkdir(folder, dir_fd=at)
    if durable:
        _made_durable(at, lambda: os.rmdir(folder, dir_fd=at))
    return os.open(folder, flags, dir_fd=at)
