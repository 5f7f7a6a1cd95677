"""A file of a tape that takes the place of another's end, which the disk took and did not confirm."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from tapewire.tape.disk import append_all, new_file, sync_folder
from tapewire.tape.files import number_of, tape_files

#: ``000002-20261121T134500Z.tape.after-4096``: whole and on the disk, but the file before it is to end at byte 4,096.
_WAITING = re.compile(r"(\d{6,}-\d{8}T\d{6}Z\.tape)\.after-(\d+)")
_UNFINISHED = ".part"


def write_anew(folder: Path, root: int | None, name: str, after: int, parts: Iterable[bytes]) -> int:
    """Have a new file on the disk which holds ``parts``, and waits for its name until the one before ends at ``after``.

    Returns:
        A handle of it.

    Raises:
        OSError: nothing has changed then.
    """
    part, waiting = f"{name}{_UNFINISHED}", f"{name}.after-{after}"
    (folder / part).unlink(missing_ok=True)
    handle = new_file(folder, part, root)
    try:
        for data in parts:
            append_all(handle, data)
        os.fsync(handle)
        (folder / part).rename(folder / waiting)
        sync_folder(root)
    except BaseException:
        os.close(handle)
        for left in (part, waiting):
            with contextlib.suppress(OSError):
                (folder / left).unlink(missing_ok=True)
        raise
    return handle


def put_in_place(folder: Path, name: str, after: int) -> None:
    """The file before it ends at ``after``, and this one has its name. May be done again. Raises OSError."""
    number = number_of(folder / name) or 0
    before = [path for path in tape_files(folder) if (number_of(path) or 0) < number]
    if before and before[-1].stat().st_size > after:
        _end_at(before[-1], after)
    (folder / f"{name}.after-{after}").rename(folder / name)


def adopt(folder: Path) -> None:
    """Finish what a crash left of a file that was to take the place of another's end. Raises OSError."""
    for path in sorted(folder.iterdir()):
        waiting = _WAITING.fullmatch(path.name)
        if waiting is not None:
            put_in_place(folder, waiting[1], int(waiting[2]))
        elif path.name.endswith(f".tape{_UNFINISHED}"):
            path.unlink()


def _end_at(path: Path, size: int) -> None:
    handle = os.open(path, os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0))
    try:
        os.ftruncate(handle, size)
        with contextlib.suppress(OSError):  # if it is not, a loss of power leaves some records twice; none is lost
            os.fsync(handle)
    finally:
        os.close(handle)
