"""Changes of made-up books, written short."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from tapewire.book.checksum import signed_crc32
from tapewire.book.sequence import BookRule, Chained
from tapewire.model.book import BookChange, BookLevel, Row

RULE = BookRule(continuity=Chained, levels=400, checksum=signed_crc32)


def rows(text: str) -> list[Row]:
    """``"100:2 101:0"`` → rows of price, size, liquidated, orders."""
    pairs = (level.split(":") for level in text.split())
    return [(price, size, "0", "0" if float(size) == 0 else "1") for price, size in pairs]


def change(
    asks: str = "",
    bids: str = "",
    *,
    link: tuple[int | None, int | None] = (None, None),
    checksum: int | None = None,
    action: Literal["snapshot", "update"] = "update",
) -> BookChange:
    """One message; ``link``: (previous number, number)."""
    previous, number = link
    return BookChange(
        venue="made-up",
        symbol="BTC-USDT",
        channel="books",
        action=action,
        asks=rows(asks),
        bids=rows(bids),
        previous_sequence=previous,
        sequence=number,
        checksum=checksum,
        timestamp=number,
    )


def snapshot(
    number: int | None, asks: str = "101:1 102:2", bids: str = "100:1 99:2", *, checksum: int | None = None
) -> BookChange:
    """A whole book as it comes by WebSocket."""
    return change(asks, bids, link=(-1, number), checksum=checksum, action="snapshot")


def short(levels: Iterable[BookLevel]) -> str:
    """Levels as ``rows`` has them."""
    return " ".join(f"{level.price:g}:{level.size:g}" for level in levels)
