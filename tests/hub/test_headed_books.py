"""Kept books of a venue whose frames name their stream, with OKX's codec: both roads, and books of one market apart."""

from __future__ import annotations

import pytest

from tapewire.book.keeper import Answer
from tapewire.hub.books import Books
from tapewire.hub.calls import Callback
from tapewire.hub.listening import Listener, Stream
from tapewire.hub.router import Router
from tapewire.model.book import BookChange, DepthOrderbookEvent
from tapewire.model.subscription import Subscription, as_detail
from tapewire.transport.dispatch import HeadDispatch
from tapewire.venues.okx.channels import wire_name
from tapewire.venues.okx.codec import OkxCodec
from tapewire.venues.okx.sequence import book
from tests.book.made_up import short
from tests.hub.made_up import no_failure, no_raise

ALL = Subscription("orderbook", "BTC-USDT")
ONE = Subscription("orderbook", "BTC-USDT", depth=10)
FAST = Subscription("orderbook", "BTC-USDT", detail=as_detail({"channel": "books50-l2-tbt"}))


def frame(price: str, previous: int, number: int, channel: str = "books") -> bytes:
    action = "snapshot" if previous < 0 else "update"
    return (
        f'{{"arg":{{"channel":"{channel}","instId":"BTC-USDT"}},"action":"{action}","data":[{{"asks":[["{price}","1","0",'
        f'"1"]],"bids":[],"ts":"{number}","checksum":0,"prevSeqId":{previous},"seqId":{number}}}]}}'
    ).encode()


class Desk:
    """A connection's router and books, joined as a driver does it."""

    def __init__(self, *subscriptions: Subscription) -> None:
        self.codec = OkxCodec("okx", "DEFAULT", "float", False)
        self.router = Router(
            self.codec.classes, no_raise, wire_name=wire_name, is_kept=lambda one: book(one) is not None
        )
        self.books = Books(self.router, book, "float", self)
        self.heard: list[tuple[Subscription, str]] = []
        self.careful = 0
        self.troubles: list[Answer] = []
        for subscription in subscriptions:
            self.join(subscription)
        self.hear = HeadDispatch(self.router.heads.table, self._read, no_raise).on_message()

    def join(self, subscription: Subscription) -> Listener:
        ear = Listener("ear", lambda event: self.heard.append((subscription, short(event.asks))), "both")
        self.router.add(subscription, ear)
        return ear

    def come(self, payload: bytes) -> str:
        before = self.careful
        self.hear(payload, True, 7)
        return "short" if self.careful == before else "careful"

    def _read(self, payload: bytes, received_ns: int) -> None:
        self.careful += 1
        reading = self.codec.read(payload, received_ns)
        for event in reading.events:
            assert isinstance(event, BookChange)
            self.books.take(event, reading.stream, reading.head)

    def cold(self, stream: Stream, event: DepthOrderbookEvent) -> None:
        self.router.deliver_to(stream, event, no_failure)

    def spoilt(self, streams: tuple[Stream, ...], answer: Answer) -> None:
        assert streams
        self.troubles.append(answer)

    def waits(self, streams: tuple[Stream, ...]) -> None:
        assert streams
        self.troubles.append("waiting")

    def callback_failed(self, callback: Callback, error: BaseException) -> None:
        raise AssertionError(callback) from error


def test_changes_take_the_short_road_to_every_depth() -> None:
    desk = Desk(ALL, ONE)
    said = [desk.come(one) for one in (frame("9", -1, 10), frame("8", 10, 11), frame("7", 11, 12))]
    assert said == ["careful", "careful", "short"]  # the second shows how all that follow begin
    assert [heard for stream, heard in desk.heard if stream == ONE] == ["9:1", "8:1 9:1", "7:1 8:1 9:1"]
    assert len(desk.heard) == 6
    assert desk.router.streams[ALL].last == 12


def test_a_hole_is_found_on_the_short_road() -> None:
    desk = Desk(ALL)
    for payload in (frame("9", -1, 10), frame("8", 10, 11), frame("7", 12, 13), frame("6", 13, 14)):
        desk.come(payload)
    assert desk.troubles == ["sequence", "waiting"]
    assert len(desk.heard) == 2
    desk.books.line_lost()
    assert desk.come(frame("5", 14, 15)) == "careful"  # no book outlives its line


def test_two_books_of_one_market_are_told_apart() -> None:
    desk = Desk(ALL, FAST)
    desk.come(frame("9", -1, 10))
    desk.come(frame("5", -1, 20, "books50-l2-tbt"))
    desk.come(frame("8", 10, 11))
    desk.come(frame("4", 20, 21, "books50-l2-tbt"))
    assert [heard for stream, heard in desk.heard if stream == FAST] == ["5:1", "4:1 5:1"]
    assert [heard for stream, heard in desk.heard if stream == ALL] == ["9:1", "8:1 9:1"]


def test_a_depth_that_leaves_takes_nothing_from_the_others() -> None:
    desk = Desk(ALL)
    ear = desk.join(ONE)
    for payload in (frame("9", -1, 10), frame("8", 10, 11)):
        desk.come(payload)
    desk.router.remove(ONE, ear)
    desk.books.forget()
    assert desk.come(frame("7", 11, 12)) == "short"
    assert [stream for stream, _ in desk.heard[-2:]] == [ONE, ALL]


def test_what_is_kept_has_a_rule() -> None:
    desk = Desk()
    books = Books(desk.router, lambda _one: None, "float", desk)
    desk.join(ALL)
    with pytest.raises(AssertionError, match="is kept, and yet has no rule"):
        books.take(BookChange(venue="okx", symbol="BTC-USDT"), wire_name(ALL))
