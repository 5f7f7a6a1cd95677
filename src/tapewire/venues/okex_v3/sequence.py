"""How OKEX v3's changes make a book: nothing is numbered, the checksum alone tells a loss (spec/okx.md B3, B4)."""

from __future__ import annotations

from tapewire.book.checksum import signed_crc32
from tapewire.book.sequence import BookRule, Unnumbered
from tapewire.model.subscription import Subscription
from tapewire.venues.okex_v3.channels import DEPTH, LEVELS

_RULE = BookRule(continuity=Unnumbered, levels=LEVELS, checksum=signed_crc32, checked=25)


def book(subscription: Subscription) -> BookRule | None:
    """The rule of a stream whose messages are changes of a book; None: it is none."""
    return _RULE if subscription.kind == "orderbook" and subscription.depth != DEPTH else None
