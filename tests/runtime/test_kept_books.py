"""A book that is had by REST: what comes of it, and of a fault in reading it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from tapewire.errors import HttpFailed
from tapewire.hub.calls import Callback
from tapewire.hub.listening import Listener, Stream
from tapewire.hub.router import Router
from tapewire.model.book import BookChange, DepthOrderbookEvent
from tapewire.model.status import FeedEvent
from tapewire.model.subscription import Subscription
from tapewire.runtime.clock import LoopClock
from tapewire.runtime.kept_books import KeptBooks
from tapewire.session.actions import Action
from tapewire.session.mending import PATIENCE
from tapewire.testing.clock import elapse, run_virtual
from tests.book.made_up import RULE, change, short
from tests.hub.made_up import no_failure, no_raise
from tests.session.made_up import VENUE

BOOK = Subscription("orderbook", "BTC-USDT")


class Driver:
    """A connection whose changes come without a snapshot; ``read``: what its REST is read by."""

    machine: Any = None

    def __init__(self, read: Callable[[str, bytes], BookChange], answers: list[bytes | Exception]) -> None:
        venue = replace(VENUE, book=lambda _one: RULE, book_request=lambda one: f"/books/{one.symbol}", read_book=read)
        self.router = Router({}, no_raise, is_kept=venue.keeps)
        self.answers, self.asked = answers, 0
        self.heard: list[str] = []
        self.faults: list[Exception] = []
        self.kept = KeptBooks(venue, "made-up-1", self.router, "float", LoopClock(lambda: 5), self._fetch, self)
        self.router.add(BOOK, Listener("ear", lambda event: self.heard.append(short(event.asks)), "both"))
        self.kept.take(change("8:1", link=(12, 14)))

    async def _fetch(self, path: str) -> bytes:
        assert path == "/books/BTC-USDT"
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        await asyncio.sleep(0)
        return answer

    def cold(self, stream: Stream, event: DepthOrderbookEvent) -> None:
        self.kept.came(stream.subscription)
        self.router.deliver_to(stream, event, no_failure)

    def callback_failed(self, callback: Callback, error: BaseException) -> None:
        raise AssertionError(callback) from error

    def tell(self, fact: Callable[..., list[Action]], *details: Any) -> None:
        raise AssertionError(details)

    def publish(self, event: FeedEvent) -> None:
        raise AssertionError(event)  # nobody was told of a book that never was

    def line_at_fault(self, error: Exception) -> None:
        self.faults.append(error)


def whole(symbol: str, body: bytes) -> BookChange:
    assert (symbol, body) == ("BTC-USDT", b"{}")
    return change("7:1", link=(None, 13), action="snapshot")


def test_what_rest_tells_is_joined_by_what_came_meanwhile() -> None:
    async def story() -> Driver:
        driver = Driver(whole, [b"{}"])
        await elapse(PATIENCE - 0.1)
        assert driver.asked == 0
        await elapse(0.2)
        driver.kept.take(change("9:1", link=(14, 15)))
        await elapse(60)
        return driver

    driver = run_virtual(story())
    assert (driver.heard, driver.asked, driver.faults) == (["7:1 8:1", "7:1 8:1 9:1"], 1, [])


def test_a_fault_of_ours_in_reading_it_ends_the_connection_loudly() -> None:
    def broken(_symbol: str, _body: bytes) -> BookChange:
        raise ZeroDivisionError

    async def story() -> Driver:
        driver = Driver(broken, [b"{}"])
        await elapse(PATIENCE + 0.1)
        driver.kept.stop()
        return driver

    [fault] = run_virtual(story()).faults
    assert isinstance(fault, ZeroDivisionError)


def test_after_the_end_nothing_is_asked() -> None:
    async def story() -> Driver:
        driver = Driver(whole, [HttpFailed("/books/BTC-USDT", 500, "HTTP 500")])
        await elapse(PATIENCE + 0.1)
        driver.kept.line_lost()
        await elapse(60)
        return driver

    driver = run_virtual(story())
    assert (driver.asked, driver.heard, driver.faults) == (1, [], [])
