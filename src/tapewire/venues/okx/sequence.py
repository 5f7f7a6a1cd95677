"""Which of OKX's order books come as changes, and the rule that each is kept by (spec/okx.md A6.4)."""

from __future__ import annotations

from tapewire.book.checksum import signed_crc32
from tapewire.book.sequence import BookRule, Chained
from tapewire.model.subscription import Subscription
from tapewire.venues.okx.channels import DELTA_BOOKS, channel_of

#: Channel → its rule. The checksum is 0 since June 2026, which says nothing; older recordings have it.
RULES = {
    channel: BookRule(continuity=Chained, levels=levels, checksum=signed_crc32)
    for channel, levels in DELTA_BOOKS.items()
}


def book(subscription: Subscription) -> BookRule | None:
    """The rule of an order book that comes as changes; None: what comes is whole, or no book."""
    return RULES.get(channel_of(subscription)) if subscription.kind == "orderbook" else None
