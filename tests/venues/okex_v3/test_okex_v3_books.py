"""Books of the recordings, replayed: every checksum is kept, and the specification's own ones too."""

from __future__ import annotations

from collections import Counter

import pytest

from tapewire.book.checksum import signed_crc32
from tapewire.book.keeper import Keeper
from tapewire.config import Numbers
from tapewire.model.book import BookChange
from tapewire.model.subscription import Subscription
from tapewire.venues.okex_v3.channels import TICK_BY_TICK
from tapewire.venues.okex_v3.codec import OkexCodec
from tapewire.venues.okex_v3.sequence import book
from tests.venues.okex_v3.wire import deflated, long_road, singles

STREAM = Subscription("orderbook", "BTC-USDT", detail=TICK_BY_TICK)


def changes(numbers: Numbers = "float") -> list[BookChange]:
    codec = OkexCodec("DEFAULT", numbers, False)
    events = [event for frame in deflated() for event in codec.read(frame).events]
    return [event for event in events if isinstance(event, BookChange)]


def keeper(numbers: Numbers = "float") -> Keeper:
    rule = book(STREAM)
    assert rule is not None
    return Keeper(rule, numbers)


@pytest.mark.parametrize("numbers", ["float", "decimal"])
def test_every_recorded_book_keeps_every_checksum(numbers: Numbers) -> None:
    books: dict[str, Keeper] = {}
    answers: Counter[str] = Counter()
    for change in changes(numbers):
        answers[books.setdefault(change.symbol, keeper(numbers)).apply(change)] += 1
    empty = sum(not change.asks and not change.bids for change in changes())
    assert answers == {"applied": 2398 - empty, "ignored": empty}
    assert (len(books), all(kept.good for kept in books.values())) == (10, True)


def test_a_change_that_is_missing_is_seen_by_the_checksum() -> None:
    [first, *rest] = [change for change in changes() if change.symbol == "UNI-USD-SWAP"]
    kept = keeper()
    assert kept.apply(first) == "applied"
    answers = [kept.apply(change) for change in rest[1:]]
    assert "checksum" in answers
    assert answers[answers.index("checksum") + 1] == "waiting"
    assert not kept.good
    assert kept.apply(first) in ("applied", "checksum")  # a snapshot begins anew, whatever was kept aside


def test_the_option_book_of_one_level() -> None:
    change = long_road(OkexCodec("DEFAULT", "float", False), singles()[13])
    assert isinstance(change, BookChange)
    assert (change.asks, change.bids, change.checksum) == ([("0.0015", "906", "0", "3")], [], -288111842)
    assert signed_crc32(change.bids, change.asks) == -288111842


def test_which_streams_are_kept() -> None:
    assert book(Subscription("orderbook", "BTC-USDT")) == book(STREAM)
    assert book(Subscription("orderbook", "BTC-USDT", depth=10)) == book(STREAM)
    assert book(Subscription("orderbook", "BTC-USDT", depth=5)) is None
    assert book(Subscription("trade", "BTC-USDT")) is None
