"""What a conversion works through, what it did, and what its target holds already."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from msgspec import DecodeError as Unreadable
from msgspec import Struct, json

#: Where a folder keeps which sources are in it.
LEDGER = "converted.json"


class Source(Struct, frozen=True):
    """One piece of work: a file of JSON lines, or one of a tape; and what it looked like."""

    path: Path
    size: int
    modified_ns: int

    @property
    def key(self) -> str:
        return f"{self.stem} {self.size} {self.modified_ns}"

    @property
    def stem(self) -> str:
        """The same for the same source: its files are written over when it is converted again."""
        return hashlib.sha256(str(self.path.absolute()).encode()).hexdigest()[:10]


class Conversion(Struct):
    """What was done: sources converted and skipped (they had not changed), events, lines that could not be read."""

    converted: int = 0
    skipped: int = 0
    events: int = 0
    unreadable: int = 0
    files: int = 0


class Ledger:
    """Which sources a target holds whole; written anew after each, all at once."""

    def __init__(self, target: Path) -> None:
        self._path = target / LEDGER
        self._keys: list[str] = []
        with contextlib.suppress(FileNotFoundError, Unreadable):
            self._keys = json.decode(self._path.read_bytes(), type=list[str])

    def __contains__(self, key: str) -> bool:
        return any(one == key or one.startswith(f"{key} ") for one in self._keys)

    def has_begun(self, source: Source) -> bool:
        """Whether the target has anything of it, of whichever time."""
        return any(key.partition(" ")[0] == source.stem for key in self._keys)

    def begin(self, source: Source) -> None:
        """Files of it are put into the target from now on."""
        self.add(f"{source.stem} begun")

    def content_of(self, key: str) -> str | None:
        """What was said of it; None: the target does not hold it as it is now."""
        return next((one.removeprefix(key).strip() for one in self._keys if f"{one} ".startswith(f"{key} ")), None)

    def add(self, key: str, content: str = "") -> None:
        """The target holds it; ``content``: what of it, to be asked for."""
        self._keys = [*self._others(key), f"{key} {content}" if content else key]
        self._save()

    def forget(self, key: str) -> None:
        """The target does not hold it as it is."""
        self._keys = self._others(key)
        self._save()

    def _others(self, key: str) -> list[str]:
        name, _, _ = key.partition(" ")
        return [one for one in self._keys if one.partition(" ")[0] != name]

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(".part")
        part.write_bytes(json.encode(self._keys))
        part.replace(self._path)
