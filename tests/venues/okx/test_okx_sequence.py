"""Which books of OKX are kept from changes, and by which rule."""

from __future__ import annotations

import pytest

from tapewire.book.keeper import Keeper
from tapewire.book.sequence import Chained
from tapewire.errors import DecodeError
from tapewire.model.book import BookChange
from tapewire.model.subscription import Subscription, as_detail
from tapewire.venues.okx.sequence import RULES, book, book_request, read_book


@pytest.mark.parametrize(
    ("depth", "channel", "levels"),
    [
        (None, "", 400),
        (10, "", 400),
        (50, "", 400),
        (None, "books-l2-tbt", 400),
        (None, "books50-l2-tbt", 50),
        (20, "books50-l2-tbt", 50),
        (None, "books-rpi", 400),
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


WHOLE = (
    b'{"code":"0","msg":"","data":[{"asks":[["101","2","0","1"]],"bids":[["100","1","0","3"]],'
    b'"ts":"1654328918680","seqId":3235851742}]}'
)


def test_a_whole_book_by_rest_is_joined_by_the_streams_changes() -> None:
    assert book_request(Subscription("orderbook", "BTC-USDT")) == "/api/v5/market/books?instId=BTC-USDT&sz=400"
    rpi = Subscription("orderbook", "BTC-USDT", detail=as_detail({"channel": "books-rpi"}))
    assert book_request(rpi) == "/api/v5/market/books-rpi?instId=BTC-USDT&sz=400"
    whole = read_book("okx", "BTC-USDT", WHOLE)
    assert whole == BookChange(
        venue="okx", symbol="BTC-USDT", action="snapshot", asks=[("101", "2", "0", "1")],
        bids=[("100", "1", "0", "3")], sequence=3235851742, timestamp=1654328918680,
    )  # fmt: skip
    keeper = Keeper(RULES["books"], "float")
    late = BookChange(
        venue="okx", symbol="BTC-USDT", bids=[("100", "0", "0", "0")], sequence=3235851750, previous_sequence=3235851700
    )
    assert [keeper.apply(one) for one in (late, whole)] == ["waiting", "applied"]
    assert keeper.event().bids == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"code":"51001","msg":"Instrument ID does not exist","data":[]}', "51001 Instrument ID does not exist"),
        (b'{"code":"0","msg":"","data":[]}', "not enough values"),
        (b'{"code":"0","msg":"","data":[{"asks":[],"bids":[],"ts":"1654328918680"}]}', "without seqId"),
        (b'{"code":"0","msg":"","data":[{"asks":[],"bids":[],"ts":"now","seqId":1}]}', "invalid literal"),
        (b'{"code":"0","msg":"","data":[{"asks":[["1"]],"bids":[],"ts":"1","seqId":1}]}', "length 4"),
        (b"<html>", "malformed"),
    ],
)
def test_what_is_no_book(body: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason) as error:
        read_book("okx", "BTC-USDT", body)
    assert error.value.payload == body
