"""What every writer of a folder needs from the operating system: its reasons in words, and a lock."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

#: Orders and balances may stand in a recording: nobody outside the group reads it.
FILE_MODE = 0o640
#: Bytes from which it pays to write past the system's cache.
_LARGE = 256 * 1024
#: Linux's ``RWF_DONTCACHE``, and what a system or file system says that does not know it.
_DONTCACHE = 0x80
_HAS_FLAGS = sys.platform == "linux" and hasattr(os, "pwritev")
_UNKNOWN = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})


_NEW_FILE = (
    os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
)  # fmt: skip


def reason_of(error: OSError) -> str:
    """The operating system's reason for people: ``no space left on device``."""
    if error.errno == errno.ELOOP:
        return "is a symbolic link, and those are not followed"
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]


def open_folder(path: Path) -> int | None:
    """A handle of the folder, for files to be opened in it; None where the system has none. Raises OSError."""
    if not hasattr(os, "O_DIRECTORY"):
        return None
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def new_file(folder: Path, name: str, root: int | None) -> int:
    """A handle of a file that was not there before (``root``: as of ``open_folder``). Raises OSError."""
    if root is None:
        return os.open(folder / name, _NEW_FILE, FILE_MODE)
    return os.open(name, _NEW_FILE, FILE_MODE, dir_fd=root)


def lock(handle: int) -> None:
    """Keep other recorders out until the handle is closed. Raises OSError: another is writing here."""
    with contextlib.suppress(ImportError):
        import fcntl  # noqa: PLC0415 - not on Windows

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OSError(errno.EBUSY, "another recorder is writing here") from error


def write_all(handle: int, data: bytes) -> None:
    """Write all of it, however often the system takes a part only. Raises OSError."""
    done = 0
    while done < len(data):
        done += os.write(handle, data[done:] if done else data)


def append_all(handle: int, data: bytes) -> None:
    """As ``write_all``, at the end of a file open with ``O_APPEND``.

    Much at once goes past the system's cache where it can (Linux 6.14, most file systems): it is on its way to the
    disk at once, no other program's files are pushed out of memory, and no new memory has to be found for each page,
    which costs as much as all the rest of recording. Raises OSError.
    """
    done = 0
    while _HAS_FLAGS and len(data) - done >= _LARGE:
        try:
            done += os.pwritev(handle, [memoryview(data)[done:]], 0, _DONTCACHE)
        except OSError as error:
            if error.errno not in _UNKNOWN:
                raise
            break
    write_all(handle, data[done:] if done else data)


def sync_folder(handle: int | None) -> None:
    """Have the names of new files on the disk itself, too. Raises OSError."""
    if handle is not None:
        os.fsync(handle)


def sync_file_system(handle: int | None) -> bool:
    """Have all that was written to the file system of an open file or folder on the disk itself: one commit of its
    journal, where each file would have had its own. Raises OSError.

    Returns:
        Whether the system can do that (Linux); if not, nothing was done.
    """
    syncfs = _syncfs()
    if handle is None or syncfs is None:
        return False
    if syncfs(handle) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return True


@cache
def _syncfs() -> Callable[[int], int] | None:
    """Of the C library, which Python does not pass on."""
    if sys.platform != "linux":
        return None
    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    return found
