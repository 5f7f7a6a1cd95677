"""Lines as zstd frames, one a flush, each with its checksum; read again frame by frame, within bounds (pure)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import NamedTuple, Protocol

if sys.version_info >= (3, 14):  # pragma: no cover - the one or the other on each Python
    from compression import zstd
else:
    from backports import zstd

#: Bytes of lines in one frame at most, when read: no file, however hostile, makes a reader take more at once.
FRAME_MOST = 64 * 1024 * 1024
#: Bytes of one frame on the disk at most.
_STORED_MOST = 8 * 1024 * 1024
#: Bytes of a frame that are held, to be inflated once; of the pieces in which it is.
_AT_ONCE, _PIECE = 4 * 1024 * 1024, 1024 * 1024
_TRIES = 1_000  # beginnings that are none, until a file is given up
#: The fastest level: what is left costs less to write than all of it.
_LEVEL = 1
_OPTIONS: dict[int, int] = {
    zstd.CompressionParameter.compression_level: _LEVEL,
    zstd.CompressionParameter.checksum_flag: 1,
}
#: A frame that asks for a larger window (64 MiB) is none of ours.
_READING: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 26}
_MAGIC = b"\x28\xb5\x2f\xfd"
_WINDOW = 1024 * 1024  # bytes read at first to see where a frame ends


class Readable(Protocol):
    """As much of a file as is needed here."""

    def seek(self, offset: int, /) -> object: ...

    def read(self, size: int, /) -> bytes: ...


class BadFrame(ValueError):
    """Bytes that are no whole frame, or not the ones that were written."""


class Frame(NamedTuple):
    """One frame and where it stands."""

    begin: int
    end: int
    stored: bytes


def pack(lines: bytes) -> bytes:
    """Whole lines (at least one) as a frame."""
    return zstd.compress(lines, options=_OPTIONS)


def lines_in(stored: bytes) -> Iterator[bytes]:
    """The whole lines of a frame with their ends, none before all of it was seen to be as it was written.

    A large one is inflated twice, a piece at a time. Raises BadFrame.
    """
    size, held = 0, list[bytes]()
    for piece in _pieces(stored):
        size += len(piece)
        held.append(piece) if size <= _AT_ONCE else held.clear()
    if size > FRAME_MOST:
        raise BadFrame(f"a frame holds more than {FRAME_MOST:,} bytes, or not all of them")
    rest = bytearray()
    for piece in held or _pieces(stored):
        begin, end = 0, piece.find(b"\n") + 1
        while end:
            if rest:
                rest += piece[begin:end]
                yield bytes(rest)
                rest.clear()
            else:
                yield piece[begin:end]
            begin, end = end, piece.find(b"\n", end) + 1
        rest += piece[begin:]


def _pieces(stored: bytes) -> Iterator[bytes]:
    """What a frame holds, a piece at a time; a little more than ``FRAME_MOST`` at most. Raises BadFrame."""
    inflater, size, data = zstd.ZstdDecompressor(options=_READING), 0, stored
    while not inflater.eof and size <= FRAME_MOST:
        try:
            piece = inflater.decompress(data, max_length=_PIECE)
        except zstd.ZstdError as error:
            raise BadFrame(f"a frame cannot be inflated: {error}") from None
        if not piece and not inflater.eof:
            raise BadFrame(f"a frame holds more than {FRAME_MOST:,} bytes, or not all of them")
        size, data = size + len(piece), b""
        yield piece


def next_frame(file: Readable, begin: int, size: int) -> Frame:
    """The frame that begins at ``begin`` of a file of ``size`` bytes; its content is not looked at. Raises BadFrame."""
    length = min(_WINDOW, size - begin)
    while True:
        file.seek(begin)
        window = file.read(length)
        if not _MAGIC.startswith(window[:4]):
            raise BadFrame("no frame begins here")
        try:
            end = zstd.get_frame_size(window)
        except zstd.ZstdError as error:
            if length >= min(_STORED_MOST, size - begin):
                raise BadFrame(f"ends within a frame, or is none: {error}") from None
            length = min(length * 8, _STORED_MOST, size - begin)
        else:
            return Frame(begin, begin + end, window[:end])


def following(file: Readable, begin: int, size: int) -> int | None:
    """Where the next whole frame begins, from ``begin`` on; None: nowhere.

    Raises:
        BadFrame: so much looks like one and is none that this is no file of frames.
    """
    for _ in range(_TRIES):
        found = _find_magic(file, begin, size)
        if found is None:
            return None
        try:
            return next_frame(file, found, size).begin
        except BadFrame:
            begin = found + 1
    raise BadFrame("is no file of frames")


def end_of_frames(file: Readable, size: int) -> int:
    """Where the last whole frame of a file ends; 0 for a file without any. Damage in the middle is no torn end.

    Raises:
        BadFrame: as ``following``.
    """
    at = end = 0
    while at < size:
        try:
            at = end = next_frame(file, at, size).end
        except BadFrame:
            later = following(file, at + 1, size)
            if later is None:
                break
            at = later
    return end


def _find_magic(file: Readable, begin: int, size: int) -> int | None:
    while begin < size:
        file.seek(begin)
        window = file.read(_WINDOW)
        found = window.find(_MAGIC)
        if found >= 0:
            return begin + found
        begin += max(len(window) - len(_MAGIC) + 1, 1)
    return None
