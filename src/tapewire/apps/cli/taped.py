"""A sink that writes nothing: all that came is on the tape already, and its files are what there is to show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tapewire.sinks.contract import Item, Promise, Written
from tapewire.tape.files import tape_files


class TapeOnly:
    """A ``Sink`` for a recording that is a tape alone."""

    def __init__(self, folder: Path) -> None:
        self.promise = Promise("at_most_once", "power")
        self._folder = folder
        self._before: frozenset[Path] = frozenset()

    def open(self) -> None:
        """See ``Sink.open``."""
        self._before = frozenset(tape_files(self._folder))

    def write(self, batch: Sequence[Item]) -> None:
        """See ``Sink.write``: nothing is left to do."""

    def flush(self) -> None:
        """See ``Sink.flush``: the tape does so by itself."""

    def close(self) -> None:
        """See ``Sink.close``."""

    def written(self) -> tuple[Written, ...]:
        """The tape's new files; events are counted by ``tapewire tape info``."""
        new = [path for path in tape_files(self._folder) if path not in self._before]
        return tuple(Written(path.name, 0, path.stat().st_size) for path in new)
