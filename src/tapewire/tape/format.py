"""What a tape file is made of: one header, then blocks of records, each with its checksum (pure).

All numbers are little-endian::

    header  "tapewire" · version u16 · length u32 · JSON · crc32 u32 of all before it
    block   "BLK1" · flags u8 · records u32 · length u32 (plain) · stored u32 · first u64 · last u64 · crc32 u32
            of these numbers and what is stored; then what is stored: runs, as they are or (flag 1) as one zstd frame
    run     kind u8 · connection u32 · time of receipt u64 (ns UTC) · records u32 · length u32 of each · their payloads

A run is what one read of a socket brought: one head for all of it. Version 1 had records in place of runs (a block
without flag 2): kind, connection, time, length u32, payload. Both are read.
"""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from itertools import groupby
from typing import NamedTuple

from msgspec import DecodeError, Struct, json

if sys.version_info >= (3, 14):  # pragma: no cover - the one or the other on each Python
    from compression import zstd
else:
    from backports import zstd

MAGIC = b"tapewire"
BLOCK_MAGIC = b"BLK1"
VERSION = 2
#: Versions that are read.
READABLE = (1, 2)
#: Bytes of a block's records at most: no file, however hostile, makes a reader take more memory at once.
BLOCK_MOST = 64 * 1024 * 1024

_HEADER = struct.Struct("<8sHI")
_BLOCK = struct.Struct("<4sBIIIQQ")
_CRC = struct.Struct("<I")
#: The head of a run; of a record in version 1.
_RUN = struct.Struct("<BIQI")
_ZSTD, _RUNS = 1, 2
#: The fastest level: a recording shrinks fifteen times, and writing what is left costs less than writing it all.
_LEVEL = 1
#: Bytes of a block that are inflated at once, and of the pieces of a larger one: none of ours is.
_AT_ONCE, _PIECE = 8 * 1024 * 1024, 1024 * 1024
#: A frame that asks for a larger window (64 MiB) is none of ours.
_WINDOW_LOG_MOST = 26


class Kind(IntEnum):
    """What a record tells. Payloads of ``OPENED`` to ``GAP`` are JSON."""

    RECEIVED_TEXT = 1
    RECEIVED_BINARY = 2
    SENT_TEXT = 3
    SENT_BINARY = 4
    PING = 5  # sent
    PONG = 6  # received
    DIALLED = 7  # a connection began: ``Dialled``
    OPENED = 8  # its handshake: ``model.line.Handshake``
    LOST = 9  # its end, or that it could not be had: ``model.line.Loss``
    ANSWERED = 10  # a REST call: ``RestAnswer``
    FEED = 11  # an event of the feed itself
    GAP = 12  # what this recorder did not write: ``Missing``


class Record(NamedTuple):
    """One thing that went over a line. ``connection`` counts the dials of a tape from 1; 0: no line's."""

    kind: int
    connection: int
    at_ns: int
    payload: bytes


class Run(NamedTuple):
    """Records that share all but their payloads (at least one)."""

    kind: int
    connection: int
    at_ns: int
    payloads: Sequence[bytes]


class Packed(NamedTuple):
    """A run as its bytes in a block: how many records it has, and when they came."""

    records: int
    at_ns: int
    data: bytes


class Dialled(Struct, frozen=True):
    """The connection that a record's number stands for. Dials of one connection have the same ``name``."""

    url: str
    name: str = ""


class RestAnswer(Struct, frozen=True):
    """What one REST call (path with query) was answered: ``status`` None: nothing. Headers are not kept."""

    path: str
    status: int | None
    body: bytes
    reason: str = ""
    retry_after: float | None = None


class Missing(Struct, frozen=True):
    """Records that were not written: how many, for which reason, and when the first and the last would have been.

    0 records: nobody knows how many, as nobody recorded.
    """

    records: int
    reason: str
    first_ns: int
    last_ns: int


class Header(Struct, frozen=True):
    """What a file says of itself: its number on this tape, when it was begun (ns UTC), for which venue."""

    venue: str
    number: int
    created_ns: int
    url: str = ""
    rest_url: str = ""
    product: str = "tapewire"


class BlockHead(NamedTuple):
    """What stands before a block's records."""

    flags: int
    records: int
    length: int
    stored: int
    first_ns: int
    last_ns: int
    crc: int

    @property
    def is_compressed(self) -> bool:
        """Whether its records are one zstd frame."""
        return bool(self.flags & _ZSTD)


class Damaged(ValueError):
    """Bytes that are no header, block or record, or not the ones that were written."""


BLOCK_HEAD = _BLOCK.size + _CRC.size


def encode_header(header: Header) -> bytes:
    """The beginning of a file."""
    body = json.encode(header)
    start = _HEADER.pack(MAGIC, VERSION, len(body)) + body
    return start + _CRC.pack(zlib.crc32(start))


def decode_header(data: bytes) -> tuple[Header, int]:
    """Header and its size in bytes. Raises Damaged."""
    if len(data) < _HEADER.size:
        raise Damaged("too short to be a tape")
    magic, version, length = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise Damaged("is no tape")
    if version not in READABLE:
        known = " and ".join(map(str, READABLE))
        raise Damaged(f"version {version} of the tape format; this program reads {known}")
    end = _HEADER.size + length
    if len(data) < end + _CRC.size:
        raise Damaged("ends within its header")
    if _CRC.unpack_from(data, end)[0] != zlib.crc32(data[:end]):
        raise Damaged("the header is not as it was written")
    try:
        return json.decode(data[_HEADER.size : end], type=Header), end + _CRC.size
    except DecodeError as error:
        raise Damaged(f"the header cannot be read: {error}") from None


def is_of_another_version(data: bytes) -> bool:
    """Whether this is a whole header of a version that cannot be read here: nothing of that file is to be judged."""
    if len(data) < _HEADER.size:
        return False
    magic, version, length = _HEADER.unpack_from(data)
    end = _HEADER.size + length
    if magic != MAGIC or version in READABLE or len(data) < end + _CRC.size:
        return False
    return bool(_CRC.unpack_from(data, end)[0] == zlib.crc32(data[:end]))


def pack(run: Run) -> Packed:
    """One run as it stands in a block."""
    kind, connection, at_ns, payloads = run
    count = len(payloads)
    head, lengths = _RUN.pack(kind, connection, at_ns, count), struct.pack(f"<{count}I", *map(len, payloads))
    return Packed(count, at_ns, b"".join((head, lengths, *payloads)))


def encode_block(runs: Sequence[Run], *, compress: bool) -> bytes:
    """Runs as one block (at least one)."""
    return seal([pack(run) for run in runs], compress=compress)


def seal(runs: Sequence[Packed], *, compress: bool) -> bytes:
    """Runs that are packed already as one block (at least one)."""
    plain = b"".join([run.data for run in runs])
    stored = zstd.compress(plain, _LEVEL) if compress else plain
    times = [run.at_ns for run in runs]
    records = sum(run.records for run in runs)
    flags = _RUNS | (_ZSTD if compress else 0)
    numbers = _BLOCK.pack(BLOCK_MAGIC, flags, records, len(plain), len(stored), min(times), max(times))
    return b"".join((numbers, _CRC.pack(zlib.crc32(stored, zlib.crc32(numbers))), stored))


def runs_of(records: Iterable[Record]) -> list[Run]:
    """Records in their order, with one head for those that stand side by side and differ in their payloads alone."""
    return [
        Run(*shared, [record.payload for record in own])
        for shared, own in groupby(records, key=lambda record: (record.kind, record.connection, record.at_ns))
    ]


def decode_block_head(data: bytes) -> BlockHead:
    """The first ``BLOCK_HEAD`` bytes of a block. Raises Damaged."""
    if len(data) < BLOCK_HEAD:
        raise Damaged("ends within the head of a block")
    magic, *numbers = _BLOCK.unpack_from(data)
    head = BlockHead(*numbers, *_CRC.unpack_from(data, _BLOCK.size))
    if magic != BLOCK_MAGIC:
        raise Damaged("no block begins here")
    if head.length > BLOCK_MOST or head.stored > BLOCK_MOST or head.flags > _ZSTD | _RUNS:
        raise Damaged("no block is like that")
    return head


def check_block(start: bytes, stored: bytes) -> BlockHead:
    """The head of a block that is as it was written (``start``: its first ``BLOCK_HEAD`` bytes). Raises Damaged."""
    head = decode_block_head(start)
    if len(stored) < head.stored:
        raise Damaged("ends within a block")
    if zlib.crc32(stored, zlib.crc32(start[: _BLOCK.size])) != head.crc:
        raise Damaged("a block is not as it was written")
    return head


def decode_block(head: BlockHead, stored: bytes, kinds: frozenset[int] | None = None) -> Iterator[Record]:
    """The records of a checked block; with ``kinds`` only those. Raises Damaged."""
    plain = _inflate(head, stored) if head.is_compressed else stored
    if len(plain) != head.length:
        raise Damaged("a block is not as long as it says")
    if head.flags & _RUNS:
        return _read_runs(head, plain, kinds)
    return (record for record in _read_records(head, plain) if kinds is None or record.kind in kinds)


def _read_runs(head: BlockHead, plain: bytes, kinds: frozenset[int] | None) -> Iterator[Record]:
    at, end, left = 0, len(plain), head.records
    while left > 0:
        if at + _RUN.size > end:
            raise Damaged("a block ends within a record")
        kind, connection, at_ns, count = _RUN.unpack_from(plain, at)
        begin = at + _RUN.size + 4 * count
        if not 0 < count <= left or begin > end:
            raise Damaged("a block ends within a record")
        lengths = array("I", plain[at + _RUN.size : begin])
        if sys.byteorder == "big":  # pragma: no cover - whichever it is here
            lengths.byteswap()
        at, left = begin + sum(lengths), left - count
        if at > end:
            raise Damaged("a block ends within a record")
        if kinds is not None and kind not in kinds:
            continue
        for length in lengths:
            yield Record(kind, connection, at_ns, plain[begin : begin + length])
            begin += length
    if at != end:
        raise Damaged("a block holds more than its records")


def _read_records(head: BlockHead, plain: bytes) -> Iterator[Record]:
    """As version 1 wrote them."""
    unpack, size, at, end = _RUN.unpack_from, _RUN.size, 0, len(plain)
    for _ in range(head.records):
        if at + size > end:
            raise Damaged("a block ends within a record")
        kind, connection, at_ns, length = unpack(plain, at)
        at += size
        if at + length > end:
            raise Damaged("a block ends within a record")
        yield Record(kind, connection, at_ns, plain[at : at + length])
        at += length
    if at != end:
        raise Damaged("a block holds more than its records")


def _inflate(head: BlockHead, stored: bytes) -> bytes:
    try:
        inflater = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG_MOST})
        if head.length <= _AT_ONCE:
            return inflater.decompress(stored, max_length=head.length + 1)
        plain, data = bytearray(), stored
        while not inflater.eof and len(plain) <= head.length:
            piece = inflater.decompress(data, max_length=_PIECE)
            if not piece and not inflater.eof:
                break
            plain += piece
            data = b""
        return bytes(plain)
    except zstd.ZstdError as error:
        raise Damaged(f"a block cannot be inflated: {error}") from None
