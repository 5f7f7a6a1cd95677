"""Reads a tape from its first file to its last: the records in their order, and what of it is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tapewire.errors import TapeError
from tapewire.tape.files import Damage, TapeFile, is_unborn, tape_files
from tapewire.tape.format import Damaged, Header, Record


def read_tape(
    folder: Path, *, since_ns: int = 0, until_ns: int = 2**64, kinds: frozenset[int] | None = None
) -> Iterator[Record | Damage]:
    """Every record of a tape (of these kinds; None: of all), and every damage where it stands.

    Blocks that lie outside the times (ns UTC, until excluded) are not even inflated; single records of one that
    reaches across are left out.

    Raises:
        TapeError: there is no tape, or a file cannot be read at all.
    """
    for file in open_tape(folder):
        for part in file.parts():
            if isinstance(part, Damage):
                yield part
                continue
            if part.head.last_ns < since_ns or part.head.first_ns >= until_ns:
                continue
            try:
                yield from (record for record in part.records(kinds) if since_ns <= record.at_ns < until_ns)
            except Damaged as error:
                yield Damage(file.path, part.offset, part.end - part.offset, str(error), is_tail=False)


def open_tape(folder: Path) -> list[TapeFile]:
    """The files of a tape, but for what a crash left of one that was just being begun.

    Raises:
        TapeError: there is none, or a file is no tape, or its header is damaged.
    """
    paths = tape_files(folder)
    files: list[TapeFile] = []
    for path in paths:
        if path == paths[-1] and is_unborn(path):
            break
        file, damage = TapeFile.open(path)
        if damage is not None:
            raise TapeError(str(path), f"{damage.reason}; `tapewire tape repair` mends that")
        files.append(file)
    if not files:
        raise TapeError(str(folder), "no tape is here (a tape's files are called 000001-….tape)")
    return files


def header_of(folder: Path) -> Header:
    """What the tape says of itself: venue and addresses. Raises TapeError."""
    return open_tape(folder)[0].header
