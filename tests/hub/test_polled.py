"""What REST tells in a stream's place: each listener gets what its preference asks for, and nothing twice."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from tapewire.hub.listening import Listener, Stream
from tapewire.hub.polled import Polled, deliver
from tapewire.hub.router import KNOWN_MOST, Router
from tapewire.model.events import Event, TickerEvent, TradeEvent
from tapewire.model.subscription import StreamPreference, Subscription

TICKER, TRADE = Subscription("ticker", "KRW-BTC"), Subscription("trade", "KRW-BTC")


class Wire(TickerEvent, kw_only=True, gc=False):
    """What the short road would see."""


class Scene:
    """A router with one stream that is polled, and its three kinds of listeners."""

    def __init__(self, subscription: Subscription = TICKER, *preferences: StreamPreference) -> None:
        self.failures: list[BaseException] = []
        self.router = Router({Wire: (TickerEvent, "ticker", None)}, lambda _call, error: self.failures.append(error))
        self.heard: dict[Listener, list[Event]] = {}
        self.subscription = subscription
        for preference in preferences or ("both", "realtime_only", "snapshot_only"):
            self.join(preference)
        self.stream.polled = Polled()
        if subscription.kind == "trade":
            self.router.hole(self.stream)

    @property
    def stream(self) -> Stream:
        return self.router.streams[self.subscription]

    def join(self, preference: Any) -> list[Event]:
        heard: list[Event] = []
        listener = Listener(preference, heard.append, preference)
        self.heard[listener] = heard
        self.router.add(self.subscription, listener)
        return heard

    def poll(self, *events: Event, newest: Event | None = None) -> int:
        newest = newest or (events[-1] if events else None)
        return deliver(self.stream, events, newest, lambda event: replace(event, polled=True), self._failed)

    def line(self, event: Event) -> None:
        self.router.deliver(event, self._failed)

    def told(self) -> list[list[tuple[int | None, str | None]]]:
        """(time stamp, SNAPSHOT or REALTIME) of what each heard, in the order in which they joined."""
        return [[(event.timestamp, event.stream_type) for event in heard] for heard in self.heard.values()]

    def _failed(self, _listener: Listener, error: BaseException) -> None:
        self.failures.append(error)


def ticker(ms: int, stream_type: str = "REALTIME") -> TickerEvent:
    return TickerEvent(venue="upbit", symbol="KRW-BTC", timestamp=ms, stream_type=stream_type)


def trade(number: int, stream_type: str = "REALTIME") -> TradeEvent:
    return TradeEvent(venue="upbit", symbol="KRW-BTC", timestamp=number, stream_type=stream_type, sequential_id=number)


S, R = "SNAPSHOT", "REALTIME"


def test_the_first_state_is_a_snapshot_to_those_who_want_one_and_the_next_are_not() -> None:
    scene = Scene()
    assert [scene.poll(ticker(1)), scene.poll(newest=ticker(1)), scene.poll(ticker(2))] == [1, 0, 1]
    assert scene.told() == [[(1, S), (2, R)], [(1, R), (2, R)], [(1, S)]]
    assert [listener.finished for listener in scene.heard] == [False, False, True]
    assert scene.stream.count == scene.stream.base == 2, "none of them is a message of the line"
    assert all(event.polled for heard in scene.heard.values() for event in heard)


def test_who_comes_later_is_shown_the_present_state_alone() -> None:
    scene = Scene(TICKER, "both")
    scene.poll(ticker(1))
    late = scene.join("both")
    assert scene.poll(newest=ticker(1)) == 0
    assert [(event.timestamp, event.stream_type) for event in late] == [(1, S)]
    assert scene.told()[0] == [(1, S)]
    assert scene.poll(newest=ticker(1)) == 0
    assert len(late) == 1


def test_a_line_that_opens_and_closes_shows_nobody_the_same_state_again() -> None:
    scene = Scene(TICKER, "both")
    scene.poll(ticker(1))
    scene.router.line_opened()
    scene.router.line_lost()
    scene.poll(newest=ticker(1))
    assert scene.told() == [[(1, S)]]


def test_the_line_tells_no_state_that_was_told_already_but_to_who_has_none() -> None:
    scene = Scene(TICKER, "both", "realtime_only")
    scene.poll(ticker(5))
    scene.router.line_opened()
    late = scene.join("both")
    once = scene.join("snapshot_only")
    scene.line(ticker(5, S))
    scene.line(ticker(4))
    assert [(event.timestamp, event.stream_type) for event in late] == [(5, S)]
    assert [event.timestamp for event in once] == [5]
    assert [listener.finished for listener in scene.heard][-1]
    assert scene.told()[:2] == [[(5, S)], [(5, R)]]
    assert not scene.stream.needing
    assert not scene.router.is_hot(scene.stream), "as long as the line is behind"
    scene.line(ticker(6))
    assert scene.told()[:2] == [[(5, S), (6, R)], [(5, R), (6, R)]]
    assert scene.stream.polled is None
    assert scene.router.is_hot(scene.stream)


def test_a_state_without_a_time_stamp_is_told() -> None:
    scene = Scene(TICKER, "realtime_only")
    scene.line(replace(ticker(1), timestamp=None))
    assert scene.told() == [[(None, R)]]


def test_trades_come_as_they_happened_and_the_newest_to_who_wants_one() -> None:
    scene = Scene(TRADE)
    assert scene.poll(trade(1), trade(2)) == 2
    assert scene.told() == [[(1, R), (2, R)], [(1, R), (2, R)], [(2, S)]]
    assert scene.poll(trade(2), trade(3)) == 1, "what was delivered is not delivered again"
    assert scene.stream.last_id == 3
    assert scene.stream.doubled == 1


def test_the_first_trade_is_only_shown() -> None:
    scene = Scene(TRADE)
    assert scene.poll(newest=trade(7)) == 0
    assert scene.told() == [[(7, S)], [], [(7, S)]]
    assert scene.stream.last_id == 7
    late = scene.join("both")
    scene.poll(newest=trade(7))
    assert [(event.timestamp, event.stream_type) for event in late] == [(7, S)]
    scene.line(trade(7, S))
    assert len(late) == 1, "the line shows it once more"
    assert scene.told()[0] == [(7, S)]


def test_nothing_is_delivered_where_nothing_was_told() -> None:
    scene = Scene(TRADE)
    assert scene.poll() == 0
    assert scene.told() == [[], [], []]


def test_a_listener_that_leaves_in_a_callback_hears_no_more() -> None:
    scene = Scene(TICKER, "realtime_only", "realtime_only")
    first, second = scene.heard

    def leave(_event: Event) -> None:
        scene.router.remove(TICKER, second)

    first.callback = leave
    scene.poll(ticker(1))
    assert scene.heard[second] == []


def test_a_callback_that_raises_is_told_and_the_others_hear() -> None:
    scene = Scene(TICKER, "realtime_only", "realtime_only")
    first, second = scene.heard

    def fail(_event: Event) -> None:
        raise ValueError("no")

    first.callback = fail
    scene.poll(ticker(1))
    assert [str(error) for error in scene.failures] == ["no"]
    assert len(scene.heard[second]) == 1


def test_of_a_long_outage_old_trades_are_forgotten_unless_a_hole_is_filled() -> None:
    scene = Scene(TRADE, "both")
    scene.poll(trade(1), trade(2))
    assert scene.stream.known is not None
    scene.stream.known.update(range(10, 10 + KNOWN_MOST))
    scene.router.hole(scene.stream)
    scene.router.trim(scene.stream)
    assert len(scene.stream.known) > KNOWN_MOST
    scene.router.whole(scene.stream)
    scene.router.trim(scene.stream)
    assert scene.stream.known == {1, 2}
    scene.router.whole(scene.stream)
    scene.router.trim(scene.stream)
    assert scene.stream.known is None
