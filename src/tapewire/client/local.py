"""What this machine itself can do for a feed: write, hold files open, keep space."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil
from msgspec import Struct


class FileLimit(Struct, frozen=True):
    """Files and sockets this process may open (None: no limit that is known here), and those it has open."""

    allowed: int | None
    used: int


def writable(folder: Path) -> Path:
    """The folder in which a file can be made: ``folder``, or the nearest one above it that exists.

    Makes and removes an empty file there; makes no folder.

    Raises:
        OSError: nothing can be written there, with the reason.
    """
    place = nearest(folder)
    with tempfile.TemporaryFile(dir=place):
        return place


def free_bytes(folder: Path) -> int:
    """Free space on the disk of the folder. Raises OSError."""
    return shutil.disk_usage(nearest(folder)).free


def nearest(folder: Path) -> Path:
    """``folder`` if it exists, else the nearest one above it that does."""
    absolute = folder.absolute()
    return next((one for one in (absolute, *absolute.parents) if one.exists()), absolute)


def file_limit() -> FileLimit:
    """How many files and sockets this process may open. Windows states no limit."""
    process = psutil.Process()
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return FileLimit(None, 0)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return FileLimit(None if soft == resource.RLIM_INFINITY else soft, process.num_fds())


def allow_files(count: int) -> None:
    """Let this process open ``count`` files and sockets, as far as the system lets it: some start it with 256."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= count:
        return
    most = count if hard == resource.RLIM_INFINITY else min(count, hard)
    with suppress(OSError, ValueError):  # a system may allow less than it says: then it stays as it was
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
