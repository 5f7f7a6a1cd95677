"""What a tape file is made of: one header, then blocks of records, each with its checksum (pure).

All numbers are little-endian::

    header  "tapewire" · version u16 · length u32 · JSON · crc32 u32 of all before it
    block   "BLK1" · flags u8 · records u32 · length u32 (plain) · stored u32 · first u64 · last u64 · crc32 u32
            of these numbers and what is stored; then what is stored: the records, as they are or as one zstd frame
    record  kind u8 · connection u32 · time of receipt u64 (ns UTC) · length u32 · payload
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from msgspec import DecodeError, Struct, json

if sys.version_info >= (3, 14):  # pragma: no cover - the one or the other on each Python
    from compression import zstd
else:
    from backports import zstd

MAGIC = b"tapewire"
BLOCK_MAGIC = b"BLK1"
VERSION = 1
#: Bytes of a block's records at most: no file, however hostile, makes a reader take more memory at once.
BLOCK_MOST = 64 * 1024 * 1024

_HEADER = struct.Struct("<8sHI")
_BLOCK = struct.Struct("<4sBIIIQQ")
_CRC = struct.Struct("<I")
_RECORD = struct.Struct("<BIQI")
_ZSTD = 1
#: The fastest level: a recording shrinks fifteen times, and writing what is left costs less than writing it all.
_LEVEL = 1
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
    if version != VERSION:
        raise Damaged(f"version {version} of the tape format; this program reads {VERSION}")
    end = _HEADER.size + length
    if len(data) < end + _CRC.size:
        raise Damaged("ends within its header")
    if _CRC.unpack_from(data, end)[0] != zlib.crc32(data[:end]):
        raise Damaged("the header is not as it was written")
    try:
        return json.decode(data[_HEADER.size : end], type=Header), end + _CRC.size
    except DecodeError as error:
        raise Damaged(f"the header cannot be read: {error}") from None


def encode_block(records: Sequence[Record], *, compress: bool) -> bytes:
    """Records as one block (at least one)."""
    pack = _RECORD.pack
    parts: list[bytes] = []
    for kind, connection, at_ns, payload in records:
        parts += pack(kind, connection, at_ns, len(payload)), payload
    plain = b"".join(parts)
    stored = zstd.compress(plain, _LEVEL) if compress else plain
    times = [record.at_ns for record in records]
    numbers = _BLOCK.pack(
        BLOCK_MAGIC, _ZSTD if compress else 0, len(records), len(plain), len(stored), min(times), max(times)
    )
    return b"".join((numbers, _CRC.pack(zlib.crc32(stored, zlib.crc32(numbers))), stored))


def decode_block_head(data: bytes) -> BlockHead:
    """The first ``BLOCK_HEAD`` bytes of a block. Raises Damaged."""
    if len(data) < BLOCK_HEAD:
        raise Damaged("ends within the head of a block")
    magic, *numbers = _BLOCK.unpack_from(data)
    head = BlockHead(*numbers, *_CRC.unpack_from(data, _BLOCK.size))
    if magic != BLOCK_MAGIC:
        raise Damaged("no block begins here")
    if head.length > BLOCK_MOST or head.stored > BLOCK_MOST or head.flags > _ZSTD:
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


def decode_block(head: BlockHead, stored: bytes) -> Iterator[Record]:
    """The records of a checked block. Raises Damaged."""
    plain = _inflate(head, stored) if head.flags & _ZSTD else stored
    if len(plain) != head.length:
        raise Damaged("a block is not as long as it says")
    unpack, size, at, end = _RECORD.unpack_from, _RECORD.size, 0, len(plain)
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
        return inflater.decompress(stored, max_length=head.length + 1)
    except zstd.ZstdError as error:
        raise Damaged(f"a block cannot be inflated: {error}") from None
