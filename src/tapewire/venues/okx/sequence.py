"""Which of OKX's order books come as changes, the rule that each is kept by, and where to have one whole (A6.4, A8)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from tapewire.book.checksum import signed_crc32
from tapewire.book.ladder import Ladder, RpiLadder
from tapewire.book.sequence import BookRule, Chained
from tapewire.errors import DecodeError
from tapewire.model.book import BookChange
from tapewire.model.subscription import Subscription
from tapewire.venues.okx.channels import DELTA_BOOKS, RPI, channel_of

#: Channel → its rule. The checksum is 0 since June 2026, which says nothing; older recordings have it.
RULES = {
    channel: BookRule(
        continuity=Chained,
        levels=levels,
        checksum=None if channel == RPI else signed_crc32,
        ladder=RpiLadder if channel == RPI else Ladder,
    )
    for channel, levels in DELTA_BOOKS.items()
}
_Row = tuple[str, str, str, str]


class _Whole(Struct, rename="camel"):
    """The one element of ``/api/v5/market/books``; ``seqId`` is missing in answers of 2022."""

    asks: list[_Row]
    bids: list[_Row]
    ts: str
    seq_id: int | None = None


class _Answer(Struct):
    code: str
    data: list[Any]
    msg: str = ""


def book(subscription: Subscription) -> BookRule | None:
    """The rule of an order book that comes as changes; None: what comes is whole, or no book."""
    return RULES.get(channel_of(subscription)) if subscription.kind == "orderbook" else None


def book_request(stream: Subscription) -> str:
    """REST path of the whole book, 400 levels a side."""
    return book_path(stream, 400)


def book_path(stream: Subscription, levels: int) -> str:
    """REST path of so many levels a side; the book with RPI orders has a call of its own."""
    call = "books-rpi" if channel_of(stream) == RPI else "books"
    return f"/api/v5/market/{call}?instId={quote(stream.symbol, safe='')}&sz={levels}"


def read_book(venue: str, symbol: str, body: bytes) -> BookChange:
    """The answer as a book that names no predecessor: its number is of the same row as the stream's.

    Raises:
        DecodeError: it is something else, or an error of the exchange, or has no number.
    """
    try:
        answer = msgspec.json.decode(body, type=_Answer)
        if answer.code != "0":
            raise DecodeError(venue, f"no order book of {symbol}: {answer.code} {answer.msg}", body)
        [whole] = msgspec.convert(answer.data, list[_Whole])
        timestamp = int(whole.ts)
    except (msgspec.MsgspecError, ValueError) as error:
        if isinstance(error, DecodeError):
            raise
        raise DecodeError(venue, f"no order book of {symbol}: {error}", body) from error
    if whole.seq_id is None:
        raise DecodeError(venue, f"an order book of {symbol} without seqId, which no change can be joined to", body)
    return BookChange(
        venue=venue,
        symbol=symbol,
        action="snapshot",
        asks=list(whole.asks),
        bids=list(whole.bids),
        sequence=whole.seq_id,
        timestamp=timestamp,
    )
