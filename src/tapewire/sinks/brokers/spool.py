"""What waits for a broker that is away, on disk: a tape of letters, read in its order and removed when it was sent."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import msgpack

from tapewire.config import TapeOptions
from tapewire.errors import SinkError, TapeError
from tapewire.sinks.brokers.runs import Letter
from tapewire.tape.disk import FILE_MODE, lock, reason_of
from tapewire.tape.files import Block, Damage, TapeFile, is_unborn, tape_files
from tapewire.tape.format import Damaged, Header, Run
from tapewire.tape.writer import TapeWriter

#: Of the records in a spool's files: no line's.
LETTER = 64
#: Bytes of one file: what may be sent twice after a crash.
FILE_SIZE = 1024 * 1024
#: Letters of one block: what is read at once.
BLOCK = 2_000
_encode = msgpack.Encoder().encode
_decode = msgpack.Decoder(Letter).decode


class Spool:
    """One folder, owned by one process.

    Letters are read block by block; a file is removed when all of its blocks were sent. So a crash loses nothing that
    was ``sync``ed and may have some letters sent twice, with the same ids.

    Args:
        folder: made if it is not there.
        size: bytes on disk at most.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self._path, self._most = folder, size
        self._tapes = (_Tape(folder / "first"), _Tape(folder / "then"))
        self._owner: int | None = None
        self._given: _Tape | None = None
        self.damages: list[Damage] = []
        """What a crash or a sick disk left unreadable; nothing else is missing."""

    def open(self) -> None:
        """Take the folder, and find what an earlier process left in it. Raises SinkError."""
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
            self._owner = os.open(self._path / "owner", flags, FILE_MODE)
            lock(self._owner)
            for tape in self._tapes:
                tape.find()
        except (OSError, TapeError) as error:
            self.close()
            reason = reason_of(error) if isinstance(error, OSError) else str(error)
            raise SinkError(str(self._path), reason) from error

    @property
    def empty(self) -> bool:
        """Nothing is to be sent from here."""
        return all(tape.empty for tape in self._tapes)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(tape.size for tape in self._tapes)

    @property
    def full(self) -> bool:
        return self.size >= self._most

    @property
    def reading(self) -> bool:
        """A block was given and is not sent yet."""
        return self._given is not None

    def put(self, letters: Sequence[Letter]) -> None:
        """Append letters. Raises SinkError: the disk took none or not all of them (doubles are dropped by id)."""
        self._put(self._tapes[1], letters)

    def put_first(self, letters: Sequence[Letter]) -> None:
        """Letters that are older than all that waits here. Raises SinkError."""
        self._put(self._tapes[0] if not self.empty else self._tapes[1], letters)

    def next(self) -> list[Letter]:
        """The oldest block, still kept; nothing when all was sent. Raises SinkError."""
        for tape in self._tapes:
            letters = tape.next(self.damages)
            if letters:
                self._given = tape
                return letters
        return []

    def sent(self) -> None:
        """The block that ``next`` gave is at the broker."""
        if self._given is not None:
            self._given.sent()
            self._given = None

    def rewind(self) -> None:
        """The block that ``next`` gave is to be given again."""
        self._given = None

    def sync(self) -> None:
        """Have all of it on the disk itself. Raises SinkError."""
        for tape in self._tapes:
            tape.sync()

    def close(self) -> None:
        """Let go of the folder; what was not sent stays there. A second call does nothing."""
        try:
            for tape in self._tapes:
                tape.end()
        finally:
            owner, self._owner = self._owner, None
            if owner is not None:
                os.close(owner)

    def _put(self, tape: _Tape, letters: Sequence[Letter]) -> None:
        for start in range(0, len(letters), BLOCK):
            tape.put(letters[start : start + BLOCK])


class _Tape:
    """One queue of blocks in a folder of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: TapeWriter | None = None
        self._latest_ns = 0
        self._sizes: dict[Path, int] = {}
        self._blocks: Iterator[Block | Damage] | None = None
        self._file: Path | None = None
        self._current: list[Letter] = []
        self._damaged = False

    @property
    def empty(self) -> bool:
        return not self._sizes and not self._current

    @property
    def size(self) -> int:
        return sum(self._sizes.values())

    def find(self) -> None:
        if self._path.exists():
            for path in tape_files(self._path):
                self._sizes[path] = path.stat().st_size

    def put(self, letters: Sequence[Letter]) -> None:
        runs = [Run(LETTER, 0, letter.received_ns, (_encode(letter),)) for letter in letters]
        self._latest_ns = max(self._latest_ns, letters[-1].received_ns)
        try:
            if self._writer is None:
                self._writer = self._begin()
            self._writer.write(runs)
        except TapeError as error:
            raise SinkError(error.target, error.reason) from error
        self._measure()

    def _measure(self) -> None:
        """The writer may have begun another file, also when it had to give up one that the disk did not confirm."""
        for path in tape_files(self._path)[-2:]:
            self._sizes[path] = path.stat().st_size

    def next(self, damages: list[Damage]) -> list[Letter]:
        try:
            while not self._current and (part := self._part()) is not None:
                if isinstance(part, Damage):
                    self._note(damages, part)
                    continue
                try:
                    self._current = [_decode(record.payload) for record in part.records() if record.kind == LETTER]
                except (Damaged, ValueError) as error:
                    length = part.end - part.offset
                    self._note(damages, Damage(self._path, part.offset, length, str(error), is_tail=False))
        except OSError as error:
            raise SinkError(str(self._path), reason_of(error)) from error
        return self._current

    def _note(self, damages: list[Damage], damage: Damage) -> None:
        self._damaged = True
        damages.append(damage)

    def sent(self) -> None:
        self._current = []

    def sync(self) -> None:
        if self._writer is not None:
            try:
                self._writer.sync()
            except TapeError as error:
                raise SinkError(error.target, error.reason) from error
            self._measure()

    def end(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                writer.close()
            except TapeError as error:
                raise SinkError(error.target, error.reason) from error
            self._measure()

    def _begin(self) -> TapeWriter:
        options = TapeOptions(folder=str(self._path), file_size=FILE_SIZE, file_seconds=float("inf"), fsync="interval")
        writer = TapeWriter(options, Header("spool", 0, 0), lambda: self._latest_ns)
        writer.open()
        return writer

    def _part(self) -> Block | Damage | None:
        """The next block of the oldest file; one that has no more is removed, or set aside if some was unreadable."""
        while True:
            if self._blocks is None:
                if not self._sizes:
                    return None
                self._file = next(iter(self._sizes))
                if len(self._sizes) == 1:
                    self.end()  # what is read is written to no further
                self._blocks = self._parts(self._file)
            part = next(self._blocks, None)
            if part is not None:
                return part
            assert self._file is not None  # noqa: S101 - it was just read
            if self._damaged:
                self._file.rename(self._file.with_suffix(".damaged"))
            else:
                self._file.unlink(missing_ok=True)
            del self._sizes[self._file]
            self._blocks, self._file, self._damaged = None, None, False

    @staticmethod
    def _parts(path: Path) -> Iterator[Block | Damage]:
        try:
            if not is_unborn(path):
                file, damage = TapeFile.open(path)
                if damage is not None:
                    yield damage
                yield from file.parts()
        except TapeError as error:
            yield Damage(path, 0, path.stat().st_size, error.reason, is_tail=False)
