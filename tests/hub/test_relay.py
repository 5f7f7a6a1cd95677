"""One line of several: it wishes what the subscribers' streams wish, and hands everything on to them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tapewire.hub.calls import Callback
from tapewire.hub.listening import Listener, Stream
from tapewire.hub.relay import Relay
from tapewire.hub.router import Router
from tapewire.model.events import Event
from tapewire.model.subscription import StreamPreference, Subscription, Wish
from tests.hub.made_up import CLASSES, TICKER, TRADE, hand_over, no_raise


class Pair:
    """The router that subscribers hear, and one line behind it."""

    def __init__(self) -> None:
        self.front = Router(CLASSES, no_raise)
        self.short: list[int | None] = []
        self.careful: list[tuple[Subscription, int | None]] = []
        self.line = Relay(
            CLASSES,
            self._ear,
            lambda front, event: self.careful.append((front.subscription, event.timestamp)),
            None,
            lambda _subscription: False,
        )

    def _ear(self, _front: Stream) -> Callback:
        def hear(event: Event) -> None:
            self.short.append(event.timestamp)

        return hear

    def wants(self, *wanted: tuple[Subscription, StreamPreference]) -> list[Listener]:
        listeners = [Listener("me", print, preference) for _, preference in wanted]
        for (subscription, _), listener in zip(wanted, listeners, strict=True):
            self.front.add(subscription, listener)
        self.line.follow(self.front.streams)
        return listeners


def test_the_first_message_of_a_line_is_a_careful_one_and_the_next_take_the_short_road() -> None:
    pair = Pair()
    pair.wants((TICKER, "both"))
    assert [hand_over(pair.line, TICKER, number) for number in (1, 2, 3)] == ["careful", "short", "short"]
    assert (pair.careful, pair.short) == ([(TICKER, 1)], [2, 3])
    assert pair.line.counts() == {"ticker": 3}


def test_a_trade_that_comes_twice_is_handed_on_twice() -> None:
    pair = Pair()
    pair.wants((TRADE, "both"))
    roads = [hand_over(pair.line, TRADE, 7) for _ in range(3)]
    assert (roads, len(pair.careful), len(pair.short)) == (["careful", "short", "short"], 1, 2)


@pytest.mark.parametrize(
    ("preference", "snapshot", "realtime"),
    [("both", True, True), ("realtime_only", False, True), ("snapshot_only", True, False)],
)
def test_it_wishes_what_is_wished_and_of_trades_the_snapshot_too(
    preference: StreamPreference, snapshot: bool, realtime: bool
) -> None:
    pair = Pair()
    pair.wants((TICKER, preference), (TRADE, preference))
    assert pair.line.wishes() == {
        TICKER: Wish(TICKER, snapshot=snapshot, realtime=realtime),
        TRADE: Wish(TRADE, snapshot=True, realtime=realtime),
    }
    assert [stream.awaits_snapshot for stream in pair.line.streams.values()] == [
        stream.awaits_snapshot for stream in pair.front.streams.values()
    ]


def test_streams_that_nobody_hears_are_given_up_and_counted_and_a_new_one_of_the_name_is_new() -> None:
    pair = Pair()
    [one, other] = pair.wants((TICKER, "both"), (TRADE, "both"))
    hand_over(pair.line, TICKER, 1)
    hand_over(pair.line, TICKER, 2)
    before = pair.line.streams[TICKER]
    pair.front.remove(TICKER, one)
    pair.wants((TICKER, "both"))
    assert pair.line.streams[TICKER] is not before
    assert pair.line.streams[TRADE].subscription == TRADE
    assert hand_over(pair.line, TICKER, 3) == "careful"
    pair.front.remove(TRADE, other)
    pair.line.follow(pair.front.streams)
    assert list(pair.line.streams) == [TICKER]
    assert pair.line.counts() == {"ticker": 3, "trade": 0}
    assert list(pair.line.gone) == [TRADE]


def test_whoever_fails_in_a_relay_is_ours() -> None:
    failed: Callable[[Callback, BaseException], None] = Pair().line._failed
    with pytest.raises(AssertionError, match="called by a relay"):
        failed(print, ValueError("x"))
