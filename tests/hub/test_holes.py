"""A hole in a stream of trades while it is filled: what is new is delivered once, and nothing is hot."""

from __future__ import annotations

from msgspec.structs import replace

from tapewire.hub.listening import Listener, Stream
from tapewire.hub.router import Router
from tapewire.model.events import TradeEvent
from tapewire.model.subscription import Subscription
from tests.hub.made_up import CLASSES, TRADE, no_failure, no_raise


def trade(number: int | None, *, snapshot: bool = False) -> TradeEvent:
    stream_type = "SNAPSHOT" if snapshot else "REALTIME"
    return TradeEvent(
        venue="upbit", symbol="KRW-BTC", timestamp=number, stream_type=stream_type, sequential_id=number
    )  # fmt: skip


def heard() -> tuple[Router, Stream, list[int | None]]:
    """A stream that has brought trades 1 to 3."""
    router, numbers = Router(CLASSES, no_raise), list[int | None]()
    stream = router.add(TRADE, Listener("me", lambda event: numbers.append(event.sequential_id), "both"))
    for number in (1, 2, 3):
        router.deliver(trade(number), no_failure)
    assert router.is_hot(stream)
    return router, stream, numbers


def test_what_was_missed_is_delivered_and_what_came_before_or_since_is_not() -> None:
    router, stream, numbers = heard()
    router.hole(stream)
    router.deliver(trade(7), no_failure)
    assert router.fill(stream, [trade(number) for number in range(2, 8)], no_failure) == 3
    assert numbers == [1, 2, 3, 7, 4, 5, 6]


def test_a_live_trade_that_was_filled_already_is_dropped_and_counts_for_nothing() -> None:
    router, stream, numbers = heard()
    router.hole(stream)
    router.fill(stream, [trade(4)], no_failure)
    count, last = stream.count, stream.last
    assert router.deliver(trade(4), no_failure)
    assert (numbers, stream.count, stream.last) == ([1, 2, 3, 4], count, last)


def test_nothing_is_hot_until_every_hole_is_whole() -> None:
    router, stream, _ = heard()
    router.hole(stream)
    router.hole(stream)
    router.deliver(trade(4), no_failure)
    assert not router.is_hot(stream)
    router.whole(stream)
    router.deliver(trade(5), no_failure)
    assert (router.is_hot(stream), stream.known) == (False, {1, 2, 3, 4, 5})
    router.whole(stream)
    router.deliver(trade(6), no_failure)
    assert (router.is_hot(stream), stream.known) == (True, None)


def test_of_a_snapshot_each_listener_has_its_own_view() -> None:
    """Who joins while a hole is filled gets the last trade, though the others have had it."""
    router, stream, numbers = heard()
    router.hole(stream)
    late: list[int | None] = []
    router.add(TRADE, Listener("late", lambda event: late.append(event.sequential_id), "both"))
    router.deliver(trade(3, snapshot=True), no_failure)
    assert (numbers, late) == ([1, 2, 3], [3])


def test_a_trade_without_an_id_is_always_new() -> None:
    router, stream, numbers = heard()
    router.hole(stream)
    for _ in range(2):
        router.deliver(trade(None), no_failure)
    assert numbers == [1, 2, 3, None, None]


def test_a_stream_that_never_brought_a_trade_knows_none() -> None:
    router = Router(CLASSES, no_raise)
    stream = router.add(Subscription("trade", "KRW-ETH"), Listener("me", lambda _event: None, "both"))
    router.hole(stream)
    assert stream.known == set()


def test_who_wants_every_trade_gets_those_that_come_twice_on_both_roads() -> None:
    router, numbers = Router(CLASSES, no_raise, drop_doubles=False), list[int | None]()
    stream = router.add(TRADE, Listener("me", lambda event: numbers.append(event.sequential_id), "both"))
    for number in (1, 2, 2):
        router.deliver(trade(number), no_failure)
    for number in (2, 1):
        stream.deliver(trade(number))
    assert numbers == [1, 2, 2, 2, 1]
    assert list(stream.recent_ids or ()) == numbers


def test_a_trade_that_stands_for_several_is_not_told_again_singly() -> None:
    """REST tells each match (spec/okx.md A8), the stream one message of many (A6.2); on either road."""
    router, numbers = Router(CLASSES, no_raise, counted=True), list[int | None]()
    stream = router.add(TRADE, Listener("me", lambda event: numbers.append(event.sequential_id), "both"))
    router.deliver(replace(trade(4), count=3), no_failure)
    assert router.is_hot(stream)
    stream.deliver(replace(trade(7), count=3))
    stream.deliver(replace(trade(8), count=1))
    stream.deliver(trade(9))
    router.hole(stream)
    assert stream.known == set(range(2, 10))
    assert router.fill(stream, [trade(number) for number in range(1, 11)], no_failure) == 2
    assert numbers == [4, 7, 8, 9, 1, 10]
    router.trim(stream)
    assert stream.known is not None


def test_who_does_not_count_matches_keeps_none() -> None:
    router, stream, _ = heard()
    router.deliver(replace(trade(6), count=3), no_failure)
    assert (stream.remembered, stream.parts) == ({1, 2, 3, 6}, [])


def test_where_doubles_are_delivered_matches_are_counted_too_and_those_of_another_process_are_known() -> None:
    router = Router(CLASSES, no_raise, drop_doubles=False, counted=True)
    stream = router.add(TRADE, Listener("me", lambda _event: None, "both"))
    stream.resume([1, 2])
    router.deliver(replace(trade(5), count=2), no_failure)
    stream.deliver(replace(trade(8), count=3))
    assert (stream.parts, stream.remembered) == ([4, 6, 7], {1, 2, 4, 5, 6, 7, 8})


def test_where_matches_are_counted_a_trade_that_comes_twice_is_one_too() -> None:
    router, numbers = Router(CLASSES, no_raise, counted=True), list[int | None]()
    stream = router.add(TRADE, Listener("me", lambda event: numbers.append(event.sequential_id), "both"))
    router.deliver(replace(trade(4), count=3), no_failure)
    for number in (7, 7, 4, 1):
        stream.deliver(replace(trade(number), count=3))
    assert (numbers, stream.doubled) == ([4, 7, 1], 2), "a late one is no double"


def test_the_parts_of_a_trade_that_is_dropped_did_not_come() -> None:
    """``prove --venue okx --seed 13``: the first state told one match, the message that came late two."""
    router, numbers = Router(CLASSES, no_raise, counted=True), list[int | None]()
    stream = router.add(TRADE, Listener("me", lambda event: numbers.append(event.sequential_id), "both"))
    router.deliver(trade(4), no_failure)
    router.hole(stream)
    router.deliver(replace(trade(7), count=1, stream_type="SNAPSHOT"), no_failure)
    router.deliver(replace(trade(7), count=2), no_failure)
    assert router.fill(stream, [trade(number) for number in range(4, 8)], no_failure) == 2
    assert sorted(number or 0 for number in numbers) == [4, 5, 6, 7]
