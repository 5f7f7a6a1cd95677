"""Reads the files of a recording, whichever layout and compression: whole lines, and what of it is damaged."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tapewire.sinks.files.folders import recording_files
from tapewire.sinks.files.frames import BadFrame, following, lines_in, next_frame
from tapewire.sinks.files.layout import COLUMNS, FRAMES, LINES, MISC_KIND, SEGMENT, Found

#: Bytes of one line at most: no file, however hostile, makes a reader take more at once.
LINE_MOST = 64 * 1024 * 1024


class Recorded(NamedTuple):
    """A file of lines: where it is, and what its name says."""

    path: Path
    found: Found


def recorded_lines(folder: Path) -> list[Recorded]:
    """The files of lines in a recording, of each stream in the order of time; a segment that became Parquet is none.

    Raises:
        OSError: the folder cannot be read.
    """
    names = dict(recording_files(folder))
    lines = [
        Recorded(folder / name, found)
        for name, found in names.items()
        if found.suffix in (LINES, FRAMES)
        or (found.suffix == SEGMENT and f"{name.removesuffix(SEGMENT)}{COLUMNS}" not in names)
    ]
    return sorted(lines, key=lambda one: one.found)


def is_misc(recorded: Recorded) -> bool:
    """Whether it has the feed's own events, and what belongs to no market."""
    return recorded.found.place.kind == MISC_KIND


def lines_of(path: Path, damaged: Callable[[str], None] = lambda _reason: None) -> Iterator[bytes]:
    """The whole lines of a file, plain or in frames, with their ends; an unfinished last one may be being written.

    Args:
        path: of the file.
        damaged: told of each part that is skipped, because it is not as it was written. Not of an unfinished end.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        if path.name.endswith(FRAMES):
            yield from _framed(file, damaged)
            return
        while line := file.readline(LINE_MOST):
            if line.endswith(b"\n"):
                yield line
            elif len(line) == LINE_MOST:
                damaged(f"a line of more than {LINE_MOST:,} bytes")


def _framed(file: BinaryIO, damaged: Callable[[str], None]) -> Iterator[bytes]:
    size, at = os.fstat(file.fileno()).st_size, 0
    while at < size:
        try:
            frame = next_frame(file, at, size)
        except BadFrame as error:
            later = _later(file, at + 1, size)
            if later is None:
                return
            damaged(f"{later - at:,} bytes at {at:,}: {error}")
            at = later
            continue
        at = frame.end
        try:
            yield from lines_in(frame.stored)
        except BadFrame as error:
            damaged(f"{frame.end - frame.begin:,} bytes at {frame.begin:,}: {error}")


def _later(file: BinaryIO, at: int, size: int) -> int | None:
    try:
        return following(file, at, size)
    except BadFrame:
        return None
