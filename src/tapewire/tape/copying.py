"""A tape made of what another one plays: the same files, blocks and records."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tapewire.errors import TapeError
from tapewire.tape.disk import lock, new_file, open_folder, reason_of, sync_folder, write_all
from tapewire.tape.files import Block, file_name, tape_files
from tapewire.tape.format import Header, Record, encode_block, encode_header, runs_of


class TapeCopy:
    """One copy. Every method blocks, and raises ``TapeError``.

    A block that was played whole is written as it was read; of one that was played in part, the records are packed
    anew. So a tape that was played from end to end is the same, byte for byte, but for what of it was damaged.

    Args:
        folder: of the copy; made if it is not there. It must hold no tape yet.

    Raises:
        TapeError: there is one, or it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder
        self._header: Header | None = None
        self._root: int | None = None
        self._file: int | None = None
        if tape_files(folder):
            raise TapeError(str(folder), "a tape is here already; a copy needs a folder of its own")
        with self._told():
            folder.mkdir(parents=True, exist_ok=True)
            self._root = open_folder(folder)
            if self._root is not None:
                lock(self._root)

    def begin(self, header: Header) -> None:
        """The file that says this of itself is played from here on; a second call with the same does nothing."""
        if header == self._header:
            return
        with self._told():
            self._end()
            self._file = new_file(self._path, file_name(header.number, header.created_ns), self._root)
            self._header = header
            write_all(self._file, encode_header(header))

    def add(self, block: Block, played: Sequence[Record]) -> None:
        """Write what was played of a block of this file."""
        assert self._file is not None  # noqa: S101 - begun by the caller
        whole = len(played) == block.head.records
        with self._told():
            write_all(
                self._file,
                block.whole if whole else encode_block(runs_of(played), compress=block.head.is_compressed),
            )

    def close(self) -> None:
        """Have all of it on the disk, and let go of it; a second call does nothing."""
        root, self._root = self._root, None
        with self._told():
            try:
                self._end()
                sync_folder(root)
            finally:
                if root is not None:
                    os.close(root)

    def _end(self) -> None:
        handle, self._file = self._file, None
        if handle is not None:
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise TapeError(str(self._path), reason_of(error)) from error
