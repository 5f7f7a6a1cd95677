"""The files of a tape's folder: their names, their order, the blocks in each, and what of it is damaged."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

from msgspec import Struct

from tapewire.errors import TapeError
from tapewire.tape.disk import reason_of
from tapewire.tape.format import (
    BLOCK_HEAD,
    BLOCK_MAGIC,
    MAGIC,
    BlockHead,
    Damaged,
    Header,
    Record,
    check_block,
    decode_block,
    decode_block_head,
    decode_header,
    is_of_another_version,
)

_NAME = re.compile(r"(\d{6,})-(\d{8}T\d{6}Z)\.tape")
_SCAN = 1024 * 1024  # bytes looked through at once for the next block
_HEADER_MOST = 64 * 1024


class Damage(Struct, frozen=True):
    """Bytes of a file that are no whole block. ``is_tail``: nothing readable follows, as after a crash."""

    file: Path
    offset: int
    length: int
    reason: str
    is_tail: bool

    def __str__(self) -> str:
        """One line for people."""
        what = "unfinished end" if self.is_tail else "damage"
        return f"{self.file.name}: {what} of {self.length:,} bytes at {self.offset:,}: {self.reason}"


class Block(NamedTuple):
    """One whole block and where it stands."""

    offset: int
    end: int
    head: BlockHead
    stored: bytes
    start: bytes

    @property
    def whole(self) -> bytes:
        """All of it, as it stands in the file."""
        return self.start + self.stored

    def records(self, kinds: frozenset[int] | None = None) -> Iterator[Record]:
        """What it holds (of these kinds; None: of all), in the order in which it came. Raises Damaged (a block that was
        written so).
        """
        return decode_block(self.head, self.stored, kinds)


def file_name(number: int, created_ns: int) -> str:
    """``000001-20261121T134500Z.tape``."""
    return f"{number:06d}-{datetime.fromtimestamp(created_ns / 1e9, UTC):%Y%m%dT%H%M%SZ}.tape"


def number_of(path: Path) -> int | None:
    """Which file of its tape this is, None for one that is none."""
    match = _NAME.fullmatch(path.name)
    return int(match[1]) if match else None


def tape_files(folder: Path) -> list[Path]:
    """The files of a tape in their order; none where there is no such folder. Raises TapeError: it cannot be read."""
    try:
        found = [(number, path) for path in folder.iterdir() if (number := number_of(path)) is not None]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise TapeError(str(folder), reason_of(error)) from error
    return [path for _, path in sorted(found)]


def is_unborn(path: Path) -> bool:
    """Whether this is what a crash left of a file whose header was being written, or of which the disk got nothing but
    the size (zeros, after a power loss). Raises OSError.
    """
    with path.open("rb") as file:
        start = file.read(_HEADER_MOST)
        try:
            decode_header(start)
        except Damaged:
            if MAGIC.startswith(start[: len(MAGIC)]) and BLOCK_MAGIC not in start:
                return True
            return not start.strip(b"\0") and not any(
                part.strip(b"\0") for part in iter(partial(file.read, 1 << 20), b"")
            )
    return False


class TapeFile:
    """One file, read from its beginning, as far as it is whole.

    Raises:
        TapeError: it cannot be opened, or is no tape at all.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header: Header
        try:
            self.size = path.stat().st_size
            with path.open("rb") as file:
                self.header, self.begin = decode_header(file.read(_HEADER_MOST))
        except OSError as error:
            raise TapeError(str(path), reason_of(error)) from error
        except Damaged as error:
            raise TapeError(str(path), str(error)) from None

    @classmethod
    def open(cls, path: Path) -> tuple[TapeFile, Damage | None]:
        """A file, also one whose header is damaged but not its blocks; then what stands before the first of them.

        The header of such a file knows no venue: number and time are those of its name.

        Raises:
            TapeError: it cannot be read, is no tape, or one of another version.
        """
        try:
            return cls(path), None
        except TapeError as error:
            file = cls._headless(path)
            if file is None:
                raise
            return file, Damage(path, 0, file.begin, error.reason, is_tail=False)

    @classmethod
    def _headless(cls, path: Path) -> TapeFile | None:
        file, name = cls.__new__(cls), _NAME.fullmatch(path.name)
        try:
            file.path, file.size = path, path.stat().st_size
            with path.open("rb") as bytes_:
                is_other = is_of_another_version(bytes_.read(_HEADER_MOST))
                begin = None if is_other or name is None else file._next_block(bytes_, 0)  # noqa: SLF001 - of this class
        except OSError as error:
            raise TapeError(str(path), reason_of(error)) from error
        if begin is None or name is None:
            return None
        created = datetime.strptime(name[2], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        file.header, file.begin = Header("", int(name[1]), int(created.timestamp()) * 10**9), begin
        return file

    def parts(self) -> Iterator[Block | Damage]:
        """Blocks and damages in the order of the file. Raises TapeError: it cannot be read."""
        try:
            with self.path.open("rb") as file:
                yield from self._parts(file)
        except OSError as error:
            raise TapeError(str(self.path), reason_of(error)) from error

    def _parts(self, file: BinaryIO) -> Iterator[Block | Damage]:
        at = self.begin
        while at < self.size:
            try:
                block = _read_block(file, at)
            except Damaged as error:
                following = self._next_block(file, at + 1)
                end = self.size if following is None else following
                yield Damage(self.path, at, end - at, str(error), is_tail=following is None)
                at = end
            else:
                yield block
                at = block.end

    def _next_block(self, file: BinaryIO, at: int) -> int | None:
        """Where the next whole block begins."""
        while at < self.size:
            file.seek(at)
            window = file.read(_SCAN)
            found = window.find(BLOCK_MAGIC)
            if found < 0:
                at += max(len(window) - len(BLOCK_MAGIC) + 1, 1)
                continue
            at += found
            try:
                _read_block(file, at)
            except Damaged:
                at += 1
            else:
                return at
        return None


def _read_block(file: BinaryIO, at: int) -> Block:
    file.seek(at)
    start = file.read(BLOCK_HEAD)
    stored = file.read(decode_block_head(start).stored)
    head = check_block(start, stored)
    return Block(at, at + BLOCK_HEAD + head.stored, head, stored, start)
