"""RELIABILITY D6: the same id with another body is counted and told, and delivered once; late ones lose nothing."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tapewire.hub.bodies import KEPT, Bodies
from tapewire.hub.listening import Listener, Stream
from tapewire.hub.router import Router
from tapewire.model.events import TradeEvent
from tapewire.model.status import TradeBody
from tests.hub.made_up import CLASSES, TRADE, WIRE, no_failure, no_raise
from tests.sizes import size


def trade(number: int | None, price: float = 1.0, **facts: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {"venue": "upbit", "symbol": "KRW-BTC", "sequential_id": number, "timestamp": 1}
    return whole | {"trade_price": price, "trade_volume": 2.0, "ask_bid": "BID", "stream_type": "REALTIME"} | facts


class Feed:
    """A router with one listener, and what became of each trade."""

    def __init__(self, *, drops: bool = True) -> None:
        self.router = Router(CLASSES, no_raise, drop_doubles=drops)
        self.told: list[tuple[int | None, TradeBody]] = []
        self.router.conflicted = self._conflicted
        self.heard: list[TradeEvent] = []
        self.stream = self.router.add(TRADE, Listener("me", self.heard.append, "realtime_only"))

    def _conflicted(self, stream: Stream, refused: TradeEvent, delivered: TradeBody) -> None:
        assert stream is self.stream
        self.told.append((refused.sequential_id, delivered))

    def bring(self, facts: dict[str, Any]) -> None:
        """As a driver does."""
        stream = self.router.tables[WIRE["trade", None]][1].get("KRW-BTC")
        if stream is None:
            self.router.deliver(TradeEvent(**facts), no_failure)
        else:
            stream.count += 1
            stream.deliver(TradeEvent(**facts))


@pytest.mark.parametrize("other", [{"trade_price": 1.5}, {"trade_volume": 3.0}, {"ask_bid": "ASK"}])
@pytest.mark.parametrize("road", ["short", "careful", "while a hole is filled"])
def test_another_price_volume_or_side_under_a_known_id_is_told_and_not_delivered(
    other: dict[str, Any], road: str
) -> None:
    feed = Feed()
    feed.bring(trade(1))
    feed.bring(trade(2))
    if road == "careful":
        feed.router.chill(feed.stream)
    elif road != "short":
        feed.router.hole(feed.stream)
    feed.bring(trade(2))
    feed.bring(trade(2) | other)
    assert [event.sequential_id for event in feed.heard] == [1, 2]
    assert feed.told == [(2, TradeBody(1.0, 2.0, "BID"))]
    assert (feed.stream.conflicts, feed.router.conflicts, feed.router.doubled) == (1, 1, 2)
    feed.router.remove(TRADE, next(iter(feed.stream.listeners)))
    assert feed.router.conflicts == 1


def test_what_rest_tells_is_not_held_against_the_stream() -> None:
    feed = Feed()
    feed.bring(trade(1))
    feed.router.hole(feed.stream)
    assert feed.router.fill(feed.stream, [TradeEvent(**trade(1, 9.0, recovered=True))], no_failure) == 0
    assert (feed.told, feed.stream.doubled) == ([], 1)


def test_without_a_word_about_it_nothing_is_held_against_anything() -> None:
    feed = Feed()
    feed.stream.resume([7])
    feed.bring(trade(7, 5.0))
    for number in range(10, 10 + KEPT + 1):
        feed.bring(trade(number))
    feed.bring(trade(10, 5.0))
    assert (feed.told, feed.router.doubled) == ([], 2), "another process had it; the last 128 are known"
    feed.bring(trade(11, 5.0))
    assert [number for number, _ in feed.told] == [11]


def test_who_wants_doubles_is_told_of_no_conflict() -> None:
    feed = Feed(drops=False)
    feed.bring(trade(1))
    feed.bring(trade(1, 5.0))
    assert (len(feed.heard), feed.told, feed.stream.bodies) == (2, [], None)
    feed.stream.resume([7])
    assert 7 in (feed.stream.recent_ids or ())


def test_conflicts_are_counted_though_nobody_listens() -> None:
    stream = Stream(TRADE)
    stream.remember(TradeEvent(**trade(1)))
    assert stream.doubles(TradeEvent(**trade(1, 5.0)))
    assert stream.conflicts == 1


def test_a_body_that_is_not_among_the_ids_is_not_known() -> None:
    bodies = Bodies()
    for number in (1, 2):
        bodies.keep(TradeEvent(**trade(number)))
    assert bodies.other_than(TradeEvent(**trade(3)), [1, 2]) is None
    assert Bodies().other_than(TradeEvent(**trade(3)), []) is None


@pytest.mark.parametrize("first", range(0, size(30, 1_000), 10))
def test_d6_late_doubled_and_forged_trades(first: int) -> None:
    for seed in range(first, first + 10):
        draw = random.Random(seed)
        made = [
            trade(number, draw.randrange(100) / 4, trade_volume=draw.random(), ask_bid=draw.choice(["ASK", "BID"]))
            for number in range(1, 400)
        ]
        arrivals: list[tuple[float, int, dict[str, Any]]] = []
        forged = 0
        for at, facts in enumerate(made):
            came = at * 0.1 + (draw.random() * 2 if draw.random() < 0.05 else 0.0)
            arrivals.append((came, 0, facts))
            if draw.random() < 0.05:
                other = draw.random() < 0.3
                forged += other
                body = {"trade_price": facts["trade_price"] + 0.25} if other else {}
                arrivals.append((came + draw.random() * 2, 1, facts | body))
        feed = Feed()
        ordered = [facts for _, _, facts in sorted(arrivals, key=lambda one: one[:2])]
        for facts in ordered:
            if draw.random() < 0.02:
                feed.router.chill(feed.stream)
            feed.bring(facts)
        heard = {event.sequential_id: event for event in feed.heard}
        assert len(heard) == len(feed.heard) == len(made)
        assert all(heard[facts["sequential_id"]].trade_price == facts["trade_price"] for facts in made)
        assert feed.router.doubled == len(arrivals) - len(made)
        assert feed.router.conflicts == len(feed.told) == forged
