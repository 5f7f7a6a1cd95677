"""Events whose bulk stays unread: only where all who hear a kind take frames, and to nobody else."""

from __future__ import annotations

from typing import Any

from tapewire.hub.listening import Listener
from tapewire.hub.router import Router
from tapewire.model.events import Event, OrderbookEvent
from tapewire.model.subscription import Subscription
from tapewire.venues.contract import Skim
from tests.hub.made_up import CLASSES, TICKER, facts, hand_over, no_raise, wire_class

BOOK, OTHER = Subscription("orderbook", "KRW-BTC"), Subscription("orderbook", "KRW-ETH")
SKIMMED = wire_class(OrderbookEvent, "skimmed")


class Desk:
    """A router, and whether its codec skims."""

    def __init__(self) -> None:
        self.turned: list[bool] = []
        self.heard: list[Event] = []
        self.router = Router(CLASSES, no_raise, skim=Skim({SKIMMED: (OrderbookEvent, "orderbook", None)}, self._turn))

    def _turn(self, on: bool) -> None:
        self.turned.append(on)

    def skims(self) -> bool:
        return self.turned[-1]

    def listen(self, subscription: Subscription, *, takes_frames: bool) -> Listener:
        listener = Listener("one", self.heard.append, "realtime_only", takes_frames=takes_frames)
        self.router.add(subscription, listener)
        return listener

    def settle(self, subscription: Subscription) -> None:
        """Its next message takes the careful road."""
        assert hand_over(self.router, subscription, 1) == "careful"

    def reaches(self, subscription: Subscription) -> bool:
        """Whether a skimmed event of the stream goes the short road."""
        event: Any = SKIMMED(**facts(subscription, 2, "REALTIME"))
        public, streams = self.router.tables[type(event)]
        return public is OrderbookEvent and event.symbol in streams


def test_books_are_skimmed_while_all_who_hear_them_take_frames() -> None:
    desk = Desk()
    desk.listen(BOOK, takes_frames=True)
    assert desk.skims()
    assert not desk.reaches(BOOK)  # cold
    desk.settle(BOOK)
    assert desk.reaches(BOOK)
    assert hand_over(desk.router, BOOK, 2) == "short"  # whole ones reach it, too


def test_who_wants_one_stream_whole_gets_it_whole_and_ends_the_skimming_of_its_kind() -> None:
    desk = Desk()
    desk.listen(BOOK, takes_frames=True)
    desk.listen(OTHER, takes_frames=True)
    reader = desk.listen(OTHER, takes_frames=False)
    assert not desk.skims()
    for stream in (BOOK, OTHER):
        desk.settle(stream)
    assert (desk.reaches(BOOK), desk.reaches(OTHER)) == (True, False)
    desk.router.remove(OTHER, reader)
    assert desk.skims()
    assert not desk.reaches(OTHER)  # cold, since somebody left
    desk.settle(OTHER)
    assert desk.reaches(OTHER)


def test_who_comes_to_a_skimmed_stream_hears_nothing_skimmed() -> None:
    desk = Desk()
    desk.listen(BOOK, takes_frames=True)
    desk.settle(BOOK)
    desk.listen(BOOK, takes_frames=False)
    assert not desk.reaches(BOOK)
    desk.settle(BOOK)
    assert not desk.reaches(BOOK)


def test_a_stream_that_nobody_hears_any_more_wants_nothing_whole() -> None:
    desk = Desk()
    desk.listen(BOOK, takes_frames=True)
    reader = desk.listen(OTHER, takes_frames=False)
    assert not desk.skims()
    assert desk.router.remove(OTHER, reader)
    assert desk.skims()


def test_other_kinds_do_not_matter() -> None:
    desk = Desk()
    desk.listen(BOOK, takes_frames=True)
    desk.listen(TICKER, takes_frames=False)
    assert desk.skims()
    desk.settle(BOOK)
    desk.router.line_lost()
    assert not desk.reaches(BOOK)
