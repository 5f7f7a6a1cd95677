"""The checksum of a book's best levels (spec/okx.md A6.4 "Checksum"; OKEX v3 has the same)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from zlib import crc32

from tapewire.model.book import Row


def signed_crc32(bids: Sequence[Row], asks: Sequence[Row]) -> int:
    """CRC-32 of ``bid:ask:bid:ask…`` as a signed 32-bit number, each level as ``price:size``, as it was written.

    When one side has fewer levels, the other goes on alone. An empty book is 0.
    """
    number = crc32(":".join(_levels(bids, asks)).encode())
    return number - (1 << 32) if number >> 31 else number


def _levels(bids: Sequence[Row], asks: Sequence[Row]) -> Iterator[str]:
    for pair in zip_longest(bids, asks):
        for row in pair:
            if row is not None:
                yield f"{row[0]}:{row[1]}"
