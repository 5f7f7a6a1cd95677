"""The judge of kept books finds one that is not the exchange's own, one that is crossed, and one that is behind."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tapewire.book.keeper import Keeper
from tapewire.model.book import BookChange, BookLevel, DepthOrderbookEvent
from tapewire.model.subscription import Subscription
from tapewire.sim.peer import Exchange
from tapewire.sim.scenario import Scenario, build
from tapewire.testing.book_truth import BookTruth
from tapewire.venues.contract import Venue
from tapewire.venues.exchange import Caller, HttpAnswer, HttpCall
from tapewire.venues.registry import get_venue

MARKET = "BTC-USDT"
STREAM = Subscription("orderbook", MARKET)


class Stage:
    """An exchange, its judge, and a client that keeps its book as the product does."""

    def __init__(self, name: str) -> None:
        self.venue: Venue = get_venue(name)
        scenario = Scenario(venue=name, markets=(MARKET, "ETH-USDT"), depth=40)
        self.exchange: Exchange = build(scenario, 1_786_611_600_000)
        self.truth = BookTruth(self.exchange, self.venue, [STREAM])
        rule = self.venue.rule(STREAM)
        assert rule is not None
        self.keeper = Keeper(rule, "float")
        self.talk = self.exchange.venue.conversation(self.exchange.market, Caller(), self.exchange.desk)
        assert self.venue.changes is not None
        asked = self.venue.changes.encode("subscribe", [self.venue.changes.name(STREAM)], "me")
        answer = self.talk.receive(0.0, asked, is_text=True)
        self.events: list[DepthOrderbookEvent] = []
        self._hear([*answer.payloads, *answer.books])
        self.exchange.audience.append(lambda due: self._hear(self.talk.realtime(due, {})))

    def _hear(self, frames: list[bytes]) -> None:
        codec = self.venue.codec("DEFAULT", "float", False)
        for event in (event for frame in frames for event in codec.read(frame).events):
            if isinstance(event, BookChange):
                self.keeper.apply(event)
                self.events.append(self.keeper.event())

    def play(self, seconds: float) -> None:
        """Publication by publication, as a clock would."""
        end = self.exchange.moment + seconds
        while self.exchange.moment < end:
            self.exchange.advance(min(end, max(self.exchange.deadline, self.exchange.moment)))


@pytest.mark.parametrize("name", ["okx", "okex3"])
def test_books_that_are_kept_well_are_right_whenever_they_come(name: str) -> None:
    stage = Stage(name)
    stage.play(20)
    for event in stage.events:
        stage.truth.judge(event)
    assert (stage.truth.wrong, stage.truth.behind) == (0, [])
    assert stage.truth.judged == len(stage.events) > 50


@pytest.mark.parametrize("name", ["okx", "okex3"])
def test_a_size_that_is_another_a_crossed_book_and_one_that_never_was_are_wrong(name: str) -> None:
    stage = Stage(name)
    stage.play(5)
    book = stage.events[-1]
    best = book.bids[0]
    other = replace(book, bids=[BookLevel(best.price, best.size * 2), *book.bids[1:]])
    crossed = replace(book, bids=[BookLevel(book.asks[0].price, 1.0), *book.bids])
    for wrong in (other, crossed, replace(book, timestamp=5)):
        before = stage.truth.wrong
        stage.truth.judge(wrong)
        assert stage.truth.wrong == before + 1


def test_a_number_that_the_exchange_never_gave_and_where_there_are_none_an_old_book_is_wrong() -> None:
    numbered, unnumbered = Stage("okx"), Stage("okex3")
    for stage in (numbered, unnumbered):
        stage.play(2)
    numbered.truth.judge(replace(numbered.events[-1], sequence=7))
    unnumbered.truth.judge(replace(unnumbered.events[0], timestamp=unnumbered.events[-1].timestamp))
    assert (numbered.truth.wrong, unnumbered.truth.wrong) == (1, 1)


@pytest.mark.parametrize("name", ["okx", "okex3"])
def test_a_book_that_stands_still_is_behind_and_so_is_none(name: str) -> None:
    stage = Stage(name)
    assert stage.truth.behind == [MARKET]
    stage.truth.judge(stage.events[0])
    assert stage.truth.behind == []
    stage.play(10)
    assert stage.truth.behind == [MARKET]


def test_what_rest_told_is_held_against_the_book_of_this_moment() -> None:
    stage = Stage("okx")
    stage.play(3)
    poll = stage.venue.polls["orderbook"]
    path, _, query = poll.request([STREAM]).partition("?")
    answer = stage.exchange.http(stage.exchange.moment, HttpCall(path, query))
    assert isinstance(answer, HttpAnswer)
    [told] = poll.read([STREAM], answer.body, "float")
    book = replace(told, polled=True)
    assert isinstance(book, DepthOrderbookEvent)
    stage.truth.judge(book)
    assert (stage.truth.wrong, stage.truth.behind) == (0, [])
    stage.play(10)
    stage.truth.judge(book)
    assert (stage.truth.wrong, stage.truth.behind) == (1, [MARKET])


def test_without_kept_books_there_is_nothing_to_judge() -> None:
    exchange = build(Scenario(), 1_786_611_600_000)
    truth = BookTruth(exchange, get_venue("upbit"), [])
    assert (truth.judged, truth.wrong, truth.behind, exchange.audience) == (0, 0, [], [])
