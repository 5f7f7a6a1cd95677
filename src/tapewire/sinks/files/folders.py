"""What files a recording's folder holds, whichever layout: found by their names, through no symbolic link."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tapewire.sinks.files.layout import COLUMNS, FRAMES, LINES, PART, SEGMENT, Found, Layout, Place, parse

_DEPTH = 4  # folders between the recording's and a file


def recording_files(folder: Path) -> Iterator[tuple[str, Found]]:
    """Every file of a recording: its path below the folder and what that says, in the order of names.

    Plain files only; whatever is called otherwise is somebody else's. Raises OSError.
    """
    for name in _names(str(folder), "", _DEPTH):
        found = parse(name)
        if found is not None:
            yield name, found


def newest_number(folder: Path, layout: Layout, place: Place, label: str, suffix: str) -> tuple[int, bool]:
    """The highest number that a file of this place and label has (0: there is none), and whether it is one with
    this suffix, alone. Raises OSError.
    """
    first = layout.path(place, label, 1, "")
    if not any(os.path.lexists(folder / f"{first}{other}") for other in (LINES, FRAMES, SEGMENT, COLUMNS)):
        return 0, False
    where = (folder / first).parent
    below = where.relative_to(folder).as_posix()
    numbers: dict[int, set[str]] = {}
    for name in os.listdir(where):  # noqa: PTH208 - names are all that is wanted
        found = parse(name if below == "." else f"{below}/{name}")
        if found is not None and found.place == place and found.label == label and found.suffix != PART:
            numbers.setdefault(found.number, set()).add(found.suffix)
    newest = max(numbers, default=0)
    return newest, numbers.get(newest) == {suffix}


def remove_file(folder: Path, name: str) -> Found:
    """Remove a file of a recording, and the folders that it leaves empty. Raises OSError; ValueError: it is none."""
    found = parse(name)
    if found is None:
        raise ValueError(f"{name} is no file of a recording")
    path = folder / name
    path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # one that is not empty stays
        for parent in path.parents:
            if parent == folder:
                break
            parent.rmdir()
    return found


def _names(folder: str, below: str, depth: int) -> Iterator[str]:
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        name = f"{below}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            if depth:
                yield from _names(entry.path, f"{name}/", depth - 1)
        elif entry.is_file(follow_symlinks=False):
            yield name
