"""The first message after a request is the stream's state, where the venue does not mark it."""

from __future__ import annotations

from typing import Any

import pytest

from tapewire.hub.listening import Listener, Stream
from tapewire.hub.router import Router
from tapewire.model.events import Event, TickerEvent, TradeEvent
from tapewire.model.subscription import Subscription
from tapewire.runtime.first_states import FirstStates

TICKER, TRADE = Subscription("ticker", "A"), Subscription("trade", "A")
ASKED_NS = 5_000 * 1_000_000


def router(preference: Any = "both") -> Router:
    made = Router({}, lambda *_: None)
    for subscription in (TICKER, TRADE):
        made.add(subscription, Listener("me", lambda _: None, preference))
    return made


def streams(router: Router, subscription: Subscription) -> tuple[Stream, ...]:
    return (router.streams[subscription],)


def ticker() -> Event:
    return TickerEvent(venue="v", symbol="A", timestamp=9_000)


def trade(ms: int | None) -> Event:
    return TradeEvent(venue="v", symbol="A", timestamp=ms)


def test_the_first_message_is_the_state_and_the_next_is_not() -> None:
    known, states = router(), FirstStates(marked=False)
    states.asked(known, (), (), ASKED_NS)
    told = [ticker(), ticker()]
    for event in told:
        states.mark(streams(known, TICKER), event)
    assert [event.stream_type for event in told] == ["SNAPSHOT", None]


@pytest.mark.parametrize(("ms", "is_state"), [(4_999, True), (5_000, False), (9_000, False), (None, False)])
def test_a_trade_is_the_state_only_if_it_is_older_than_the_request(ms: int | None, is_state: bool) -> None:
    known, states = router(), FirstStates(marked=False)
    states.asked(known, (), (), ASKED_NS)
    event = trade(ms)
    states.mark(streams(known, TRADE), event)
    assert (event.stream_type == "SNAPSHOT") is is_state
    later = trade(1)
    states.mark(streams(known, TRADE), later)
    assert later.stream_type is None


def test_what_is_live_is_asked_only_if_its_state_is_wished_again() -> None:
    known, states = router("realtime_only"), FirstStates(marked=False)
    states.asked(known, {TICKER, TRADE}, {TRADE}, ASKED_NS)
    assert (known.streams[TICKER].awaiting, known.streams[TRADE].awaiting) == (0, 1)
    event = ticker()
    states.mark(streams(known, TICKER), event)
    assert event.stream_type is None


def test_nothing_that_was_asked_comes_on_another_line() -> None:
    known, states = router(), FirstStates(marked=False)
    states.asked(known, (), (), ASKED_NS)
    states.clear()
    event = ticker()
    states.mark(streams(known, TICKER), event)
    assert event.stream_type is None


def test_a_venue_that_marks_snapshots_is_believed() -> None:
    for preference, awaited in (("both", 1), ("realtime_only", 0)):
        known, states = router(preference), FirstStates(marked=True)
        states.asked(known, (), (), ASKED_NS)
        event = ticker()
        states.mark(streams(known, TICKER), event)
        assert (event.stream_type, known.streams[TICKER].awaiting) == (None, awaited)


def test_a_mark_of_the_venue_stays() -> None:
    known, states = router(), FirstStates(marked=False)
    states.asked(known, (), (), ASKED_NS)
    event = TickerEvent(venue="v", symbol="A", stream_type="REALTIME")
    states.mark(streams(known, TICKER), event)
    assert event.stream_type == "REALTIME"


def test_a_stream_that_has_not_come_is_not_asked_twice_by_a_request_for_others() -> None:
    known, states = router(), FirstStates(marked=False)
    for ns in (ASKED_NS, ASKED_NS + 1):
        states.asked(known, (), (), ns)
    assert [stream.awaiting for stream in known.streams.values()] == [1, 1]
    told = [ticker(), ticker()]
    for event in told:
        states.mark(streams(known, TICKER), event)
    assert [event.stream_type for event in told] == ["SNAPSHOT", None]


def test_a_stream_whose_first_message_is_no_state_waits_for_none() -> None:
    known, states = router(), FirstStates(marked=False)
    states.asked(known, (), (), ASKED_NS)
    states.mark(streams(known, TRADE), trade(9_000))
    assert [stream.awaiting for stream in known.streams.values()] == [1, 0]


def test_a_kind_without_a_snapshot_has_none_whatever_comes_first() -> None:
    known, states = router("realtime_only"), FirstStates(marked=False, rare=frozenset({"ticker"}))
    states.asked(known, (), (), ASKED_NS)
    event = ticker()
    states.mark(streams(known, TICKER), event)
    assert event.stream_type is None
    assert known.streams[TICKER].awaiting == 0
