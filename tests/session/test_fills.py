"""What REST knows of fills held against what their stream told: whole events in, whole events out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tapewire.model.positions import FillEvent
from tapewire.session.fills import HANDED_ON, REMEMBERED, Fills
from tapewire.session.reconcile import CLOCKS_DIFFER_MS


def fill(trade: int | None, *, at: int = 1_000, uuid: str = "o1", symbol: str = "BTC-USDT", **facts: Any) -> FillEvent:
    return FillEvent(
        venue="okx", symbol=symbol, uuid=uuid, sequential_id=trade, timestamp=at, volume=Decimal(1), **facts
    )


def begun(*before: FillEvent, at_ms: int = 500) -> Fills:
    known = Fills()
    known.begun_ms = at_ms
    known.learn(before)
    known.complete = True
    return known


def test_what_was_not_told_is_told_once_in_the_order_of_execution() -> None:
    known = begun(fill(1, at=400))
    assert not known.told(fill(2))
    known.ask()
    answer = [fill(4, at=2_000), fill(5, at=1_500, uuid="o2"), fill(3, at=1_500), fill(2), fill(1, at=400)]
    assert known.missed(answer) == [answer[2], answer[1], answer[0]]
    assert known.missed(answer) == []


def test_what_the_stream_brings_after_rest_told_it_or_brings_twice_is_a_double() -> None:
    known = begun()
    assert known.missed([fill(3)]) == [fill(3)]
    assert known.told(fill(3))
    assert not known.told(fill(4))
    assert known.told(fill(4))


def test_a_match_between_two_orders_of_the_account_is_two_fills_and_ids_are_a_markets_own() -> None:
    known = begun()
    three = [fill(3), fill(3, uuid="o2"), fill(3, symbol="ETH-USDT")]
    assert known.missed(three) == three


def test_what_rest_learned_of_the_streams_first_moments_and_nobody_heard_is_missing() -> None:
    """REST may be faster than the stream, which is lost before it tells."""
    known = begun(fill(1, at=499), fill(2, at=500))
    assert known.missed([fill(2, at=500), fill(1, at=499)]) == [fill(2, at=500)]
    assert not begun(fill(2, at=500)).told(fill(2, at=500)), "learned, and told by the stream alone"


def test_a_takers_matches_that_came_together_are_known_singly() -> None:
    known = begun()
    assert not known.told(fill(7, count=3))
    assert known.missed([fill(trade, count=1) for trade in (8, 7, 6, 5, 4)]) == [fill(4, count=1), fill(8, count=1)]
    assert known.told(fill(5, count=2)), "both were told"
    assert not known.told(fill(9, count=2)), "one was not"


def test_before_the_first_reading_only_what_happened_since_the_beginning_can_be_missed() -> None:
    known = Fills()
    assert known.missed([fill(1)]) == []
    known.begun_ms = 500
    assert known.missed([fill(1, at=499), fill(2, at=500)]) == [fill(2, at=500)]


def test_what_was_executed_before_the_stream_began_is_no_news_although_rest_named_it_never() -> None:
    known = begun(at_ms=CLOCKS_DIFFER_MS + 500)
    assert known.missed([fill(1, at=499), fill(2, at=500)]) == [fill(2, at=500)], "the clocks may differ"


def test_a_fill_without_an_id_is_never_taken_for_a_double() -> None:
    known = begun()
    assert not known.told(fill(None))
    assert not known.told(fill(None))


def test_another_process_goes_on_where_this_one_ended() -> None:
    first = begun()
    for trade in range(HANDED_ON + 5):
        first.told(fill(trade))
    known = Fills()
    known.resume(first.state())
    assert (known.complete, known.begun_ms) == (True, 500)
    assert known.told(fill(HANDED_ON + 4))
    assert not known.told(fill(4)), "only the last ones are handed on"


def test_what_is_remembered_is_bounded() -> None:
    known = begun()
    for trade in range(REMEMBERED + 1):
        known.told(fill(trade))
    assert not known.told(fill(0))
    assert known.told(fill(REMEMBERED))
    assert not known.told(fill(10**9, count=10**9)), "a count of anything is no reason to count that far"
