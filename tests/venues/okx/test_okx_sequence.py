"""Which books of OKX are kept from changes, and by which rule."""

from __future__ import annotations

import pytest

from tapewire.book.sequence import Chained
from tapewire.model.subscription import Subscription, as_detail
from tapewire.venues.okx.sequence import book


@pytest.mark.parametrize(
    ("depth", "channel", "levels"),
    [
        (None, "", 400),
        (10, "", 400),
        (50, "", 400),
        (None, "books-l2-tbt", 400),
        (None, "books50-l2-tbt", 50),
        (20, "books50-l2-tbt", 50),
    ],
)
def test_books_of_changes(depth: int | None, channel: str, levels: int) -> None:
    detail = as_detail({"channel": channel}) if channel else ""
    rule = book(Subscription("orderbook", "BTC-USDT", depth=depth, detail=detail))
    assert rule is not None
    assert (rule.continuity, rule.levels, rule.checked) == (Chained, levels, 25)


@pytest.mark.parametrize(
    "stream",
    [
        Subscription("orderbook", "A-B", depth=1),
        Subscription("orderbook", "A-B", depth=5),
        Subscription("trade", "A-B"),
    ],
)
def test_what_comes_whole(stream: Subscription) -> None:
    assert book(stream) is None
