"""Which connection of a client stands for which of a tape: its first for the tape's first, and so on."""

from __future__ import annotations

from pathlib import Path

from msgspec import json

from tapewire.tape.files import Damage
from tapewire.tape.format import Damaged, Dialled, Kind
from tapewire.tape.reader import open_tape

#: Seconds at the beginning of a tape in which its connections are dialled, in whatever order.
_BEGINNING = 10
_DIALS = frozenset({Kind.DIALLED})


def number_in(name: str) -> int | None:
    """``upbit-2`` is 2: the second connection that was made; None: the name has no number."""
    digits = name.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else None


class Ranks:
    """The numbers of one tape's connections. Lines are numbered from 1 in each replay; on a tape there may be holes."""

    def __init__(self, folder: Path) -> None:
        self._numbers = sorted({number for name in _first_names(folder) if (number := number_in(name)) is not None})

    def of(self, name: str) -> int | None:
        """Which of the tape's connections has this name, from 0; None: it has none that tells."""
        number = number_in(name)
        if number is None:
            return None
        if number not in self._numbers:
            self._numbers.append(number)
        return self._numbers.index(number)


def _first_names(folder: Path) -> set[str]:
    names: set[str] = set()
    for file in open_tape(folder):
        for part in file.parts():
            if isinstance(part, Damage):
                continue
            if part.head.first_ns > file.header.created_ns + _BEGINNING * 10**9:
                return names
            try:
                dials = [record.payload for record in part.records(_DIALS)]
            except Damaged:
                continue
            names |= {json.decode(dial, type=Dialled).name for dial in dials}
        return names
    return names
