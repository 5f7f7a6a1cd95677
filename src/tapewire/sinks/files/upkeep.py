"""What a recording's folder needs beside writing: ends that a crash tore, what may go, what is to become Parquet."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from msgspec import json

from tapewire.sinks.files.appending import AppendFile, Root
from tapewire.sinks.files.folders import recording_files, remove_file
from tapewire.sinks.files.layout import COLUMNS, FRAMES, PART, SEGMENT, Found, Kept, Place, to_remove
from tapewire.sinks.files.lines import as_text
from tapewire.sinks.files.options import RecordOptions

#: Bytes of a torn end that are kept beside the notice of it.
_SHOWN = 64 * 1024


class Notice(NamedTuple):
    """A line of the recorder itself, for the others of a venue; ``at_ns`` 0: now."""

    place: Place
    line: bytes
    at_ns: int = 0


def torn_notice(place: Place, name: str, torn: bytes, at_ns: int = 0) -> Notice:
    """That an unfinished end was cut off a file, and what it was."""
    shown = as_text(torn) if len(torn) <= _SHOWN and not name.endswith(FRAMES) else {"bytes": len(torn)}
    return Notice(place, json.encode({"torn_from": name, **shown}), at_ns)


def doubted_notice(place: Place, file: AppendFile, anew: str) -> Notice:
    """That the end of a file, which the disk did not confirm, was written again to another, and cut off."""
    said = {"unconfirmed": file.name, "from_byte": file.confirmed, "bytes": file.held_bytes, "written_to": anew}
    return Notice(place, json.encode(said))


class Refusal(NamedTuple):
    """That the disk refused: at which file's place, why, and since when (ns UTC)."""

    place: Place
    reason: str
    since_ns: int


def refused_notice(refusal: Refusal, now_ns: int) -> Notice:
    """That the disk takes again what it had refused; nothing of it is lost, unless a ``lagged`` says so."""
    said = {"refused": refusal.reason, "from_ns": refusal.since_ns, "to_ns": now_ns}
    return Notice(refusal.place, json.encode(said))


class Leftovers(NamedTuple):
    """What an earlier recorder left: notices of torn ends, and files of lines that are to become Parquet."""

    notices: list[Notice]
    segments: list[str]


def mend_folder(root: Root, *, durable: bool) -> Leftovers:
    """Make the newest file of each stream end with a whole line or frame; nothing else is touched.

    A segment whose Parquet file is there became it whole, and goes; so does what never became whole. Raises OSError.
    """
    names = dict(recording_files(root.path))
    newest: dict[tuple[Place, str], str] = {}
    left = Leftovers([], [])
    for name, found in names.items():
        whole = f"{name.removesuffix(SEGMENT)}{COLUMNS}" if found.suffix == SEGMENT else ""
        if found.suffix == PART or whole in names:
            remove_file(root.path, name)
        elif found.suffix == SEGMENT:
            left.segments.append(name)
        elif found.suffix != COLUMNS:
            key = found.place, found.suffix
            newest[key] = max(newest.get(key, name), name, key=lambda one: _age(names[one]))
    for name in (*newest.values(), *left.segments):
        left.notices.extend(_mended(root, name, names[name], durable=durable))
    return left


def let_go(folder: Path, options: RecordOptions, now_ns: int, writing: frozenset[str]) -> Iterator[Notice]:
    """Remove what the options do not keep, never one of ``writing``; a notice of each. Raises OSError."""
    files = [
        Kept(name, (status := (folder / name).stat()).st_size, status.st_mtime_ns)
        for name, found in recording_files(folder)
        if found.suffix != PART
    ]
    for file, because in to_remove(files, options, now_ns, writing):
        found = remove_file(folder, file.path)
        yield Notice(found.place, json.encode({"removed": file.path, "bytes": file.size, "because": because}))


def _age(found: Found) -> tuple[str, int]:
    return found.label, found.number


def _mended(root: Root, name: str, found: Found, *, durable: bool) -> Iterator[Notice]:
    file = AppendFile(root, name, durable=durable)
    written_ns = (root.path / name).stat().st_mtime_ns
    try:
        torn = file.mend(frames=found.suffix == FRAMES)
        file.pause()
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return  # it is no file of lines: nothing is done to it, and writing to it will say so
    finally:
        file.drop()
    if torn:
        yield torn_notice(found.place, name, torn, written_ns)
