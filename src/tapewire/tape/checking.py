"""What a tape holds and whether it is whole; mends one that is not."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from msgspec import DecodeError, Struct, json
from msgspec.structs import replace

from tapewire.errors import TapeError
from tapewire.model.status import Gap
from tapewire.model.subscription import Subscription
from tapewire.tape.disk import FILE_MODE, lock, open_folder, reason_of, write_all
from tapewire.tape.files import Block, Damage, TapeFile, is_unborn, tape_files
from tapewire.tape.format import Damaged, Header, Kind, Missing, Record, encode_header
from tapewire.tape.renewing import adopt

#: Kinds whose payloads are looked at.
_TELLING = frozenset({int(Kind.GAP), int(Kind.FEED)})
_NAMES = {int(kind): kind.name.lower() for kind in Kind}


class FileReport(Struct, frozen=True):
    """One file: its size, what is whole in it, and what is not.

    Attributes:
        records, blocks: whole ones. plain: bytes of the records before they were compressed.
        first_ns, last_ns: times of the first and last record (ns UTC), 0 without any.
        kinds: records by the name of their kind (``tape.format.Kind`` in lower case).
        missing: what the recorder could not write, and noted.
        damages: what cannot be read.
        gaps: what the feed itself missed, each as it was told last.
    """

    path: Path
    size: int
    records: int
    blocks: int
    plain: int
    first_ns: int
    last_ns: int
    kinds: dict[str, int]
    missing: tuple[Missing, ...]
    damages: tuple[Damage, ...]
    gaps: tuple[Gap, ...]


def check_file(path: Path) -> FileReport:
    """Read a file from end to end, each checksum and each record. Raises TapeError: it cannot be read at all."""
    kinds: Counter[str] = Counter()
    missing: list[Missing] = []
    damages: list[Damage] = []
    gaps: dict[tuple[Subscription, int], Gap] = {}
    blocks = plain = 0
    first: int | None = None
    last = 0
    file, headless = TapeFile.open(path)
    damages += [] if headless is None else [headless]
    for part in file.parts():
        if isinstance(part, Damage):
            damages.append(part)
            continue
        try:
            counted = Counter(record.kind for record in part.records())
            told = [record for record in part.records() if record.kind in _TELLING] if _TELLING & counted.keys() else []
            missing += [json.decode(record.payload, type=Missing) for record in told if record.kind == Kind.GAP]
        except (Damaged, DecodeError) as error:
            damages.append(Damage(path, part.offset, part.end - part.offset, str(error), is_tail=False))
            continue
        gaps.update(((gap.subscription, gap.from_ns), gap) for gap in _gaps_of(told))  # told anew with each change
        kinds.update({_NAMES.get(kind, str(kind)): count for kind, count in counted.items()})
        blocks, plain = blocks + 1, plain + part.head.length
        first = part.head.first_ns if first is None else min(first, part.head.first_ns)
        last = max(last, part.head.last_ns)
    return FileReport(
        path, file.size, kinds.total(), blocks, plain, first or 0, last, dict(kinds), tuple(missing), tuple(damages),
        tuple(gaps.values()),
    )  # fmt: skip


def _gaps_of(records: list[Record]) -> Iterator[Gap]:
    for record in records:
        if record.kind == Kind.FEED and record.payload.startswith(b'{"type":"gap"'):
            with contextlib.suppress(DecodeError):  # of a later version: whole, but not to be told here
                yield json.decode(record.payload, type=Gap)


def check_tape(folder: Path) -> list[FileReport]:
    """Each file of a tape in its order. Raises TapeError: there is none, or a file cannot be read at all."""
    reports = [check_file(path) for path in tape_files(folder) if not is_unborn(path)]
    if not reports:
        raise TapeError(str(folder), "no tape is here")
    return reports


def repair_tape(folder: Path, header: Header | None = None) -> list[Damage]:
    """Take everything out that cannot be read; what was taken out stands beside the file in ``NAME.damaged``.

    A file is replaced by its mended copy only when that is complete on the disk. A header that is damaged is made anew
    of what another file of the tape says of itself. What a crash left of a file that was to take another's place is
    put there.

    Args:
        folder: of the tape.
        header: for a damaged one, where no other file has a whole one.

    Returns:
        What was taken out.

    Raises:
        TapeError: a recorder is writing there, there is no tape, no header is known, or the disk refused (then nothing
            has changed).
    """
    handle = None
    try:
        handle = open_folder(folder)
        if handle is not None:
            lock(handle)
        adopt(folder)
        reports = check_tape(folder)
        headers = _headers([report.path for report in reports], header)
        taken = [damage for report in reports if report.damages for damage in _repair(report, headers[report.path])]
        if handle is not None and taken:
            os.fsync(handle)
    except OSError as error:
        raise TapeError(str(folder), reason_of(error)) from error
    finally:
        if handle is not None:
            os.close(handle)
    return taken


def _headers(paths: list[Path], given: Header | None) -> dict[Path, Header]:
    """What each file is to say of itself."""
    found = {path: TapeFile.open(path) for path in paths}
    known = [file.header for file, damage in found.values() if damage is None] + ([] if given is None else [given])
    headless = [path for path, (_, damage) in found.items() if damage is not None]
    if headless and not known:
        raise TapeError(str(headless[0]), "its header is damaged, and no other file tells the exchange: give --venue")
    return {
        path: file.header
        if damage is None
        else replace(known[0], number=file.header.number, created_ns=file.header.created_ns)
        for path, (file, damage) in found.items()
    }


def _repair(report: FileReport, header: Header) -> tuple[Damage, ...]:
    path, bad = report.path, {damage.offset for damage in report.damages}
    mended, aside = path.with_suffix(".mending"), path.with_suffix(".damaged")
    source = path.read_bytes()
    file, headless = TapeFile.open(path)
    whole = [source[: file.begin] if headless is None else encode_header(header)]
    whole += [
        source[part.offset : part.end] for part in file.parts() if isinstance(part, Block) and part.offset not in bad
    ]
    _write(aside, b"".join(source[one.offset : one.offset + one.length] for one in report.damages))
    _write(mended, b"".join(whole))
    mended.replace(path)
    return report.damages


def _write(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), FILE_MODE)
    try:
        write_all(handle, data)
        os.fsync(handle)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
