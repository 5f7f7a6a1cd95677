"""The records of one tape in the order in which they are played, those that were played going to a copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from tapewire.tape.copying import TapeCopy
from tapewire.tape.files import Block, Damage, TapeFile
from tapewire.tape.format import Damaged, Kind, Record
from tapewire.tape.reader import open_tape

#: Time, number of the tape, place on it, what it is.
Played = tuple[int, int, int, Record | Damage]


def play_order(
    source: int,
    folder: Path,
    since_ns: int,
    until_ns: int,
    copy: TapeCopy | None,
    *,
    passed: Callable[[Path, int], None] = lambda _file, _bytes: None,
) -> Iterator[Played]:
    """Each record with its time and place, so that tapes can be merged. A damage stands at the time before it.

    Of what was before ``since_ns`` only the connections that were open then, and the answers, are told.

    Args:
        source: the number of the tape.
        folder: where it is.
        since_ns: where it begins, ns UTC.
        until_ns: where it ends; excluded.
        copy: gets each block when the first record after it is asked for; closed at the end.
        passed: told the file and the bytes of each block or damage at its end.
    """
    files = open_tape(folder)
    at_ns, place = max(since_ns, files[0].header.created_ns), 0
    before = _Before()
    for file, part in _parts(files, until_ns):
        if isinstance(part, Damage):
            yield at_ns, source, place, part
            passed(file.path, part.length)
            continue
        played: list[Record] = []
        try:
            for record in part.records():
                if record.at_ns < since_ns:
                    before.hear(record)
                elif record.at_ns < until_ns:
                    if before.records:
                        for earlier in before.open():
                            played.append(earlier)
                            yield at_ns, source, -1, earlier
                    if copy is not None:
                        played.append(record)
                    at_ns, place = max(at_ns, record.at_ns), place + 1
                    yield at_ns, source, place, record
        except Damaged as error:
            yield (
                at_ns,
                source,
                place,
                Damage(file.path, part.offset, part.end - part.offset, str(error), is_tail=False),
            )
        if copy is not None and played:
            copy.begin(file.header)
            copy.add(part, played)
        passed(file.path, part.end - part.offset)
    if copy is not None:
        copy.close()


def _parts(files: list[TapeFile], until_ns: int) -> Iterator[tuple[TapeFile, Block | Damage]]:
    for file in files:
        for part in file.parts():
            if isinstance(part, Damage) or part.head.first_ns < until_ns:
                yield file, part


class _Before:
    """What is still true of the time before the beginning."""

    def __init__(self) -> None:
        self.records: dict[int, list[Record]] = {}

    def hear(self, record: Record) -> None:
        if record.kind == Kind.LOST:
            self.records.pop(record.connection, None)
        elif record.kind in (Kind.DIALLED, Kind.OPENED, Kind.ANSWERED):
            self.records.setdefault(record.connection, []).append(record)

    def open(self) -> list[Record]:
        """All of it, once."""
        found = [record for records in self.records.values() for record in records]
        self.records.clear()
        return found
