"""The checksum against the vectors of spec/okx.md A6.4 and B4."""

from __future__ import annotations

import pytest

from tapewire.book.checksum import signed_crc32
from tests.book.made_up import rows


@pytest.mark.parametrize(
    ("bids", "asks", "checksum"),
    [
        ("3366.1:7 3366:6", "3366.8:9 3368:8", -1881014294),
        ("3366.1:7", "3366.8:9 3368:8 3372:8", 831078360),
        ("", "0.0015:906", -288111842),
        ("", "", 0),
    ],
)
def test_vectors(bids: str, asks: str, checksum: int) -> None:
    assert signed_crc32(rows(bids), rows(asks)) == checksum
