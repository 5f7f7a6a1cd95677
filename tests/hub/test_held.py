"""Live events that wait for those missed before them: in their order, for who still listens, never without end."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tapewire.hub import held
from tapewire.hub.held import Held
from tapewire.hub.listening import Listener, Stream
from tapewire.hub.router import Router
from tapewire.model.events import MyOrderEvent, TradeEvent
from tapewire.model.subscription import StreamPreference, Subscription

HEARD = list[int | None]


def trade(number: int) -> TradeEvent:
    return TradeEvent(venue="upbit", symbol="KRW-BTC", sequential_id=number)


def waiting(heard: HEARD, preference: StreamPreference = "both") -> tuple[Stream, Held, Listener]:
    stream = Stream(Subscription("trade", "KRW-BTC"))
    listener = Listener("me", lambda event: heard.append(event.sequential_id), preference)
    stream.join(listener)
    stream.held = Held(stream)
    return stream, stream.held, listener


def never(_listener: object, error: BaseException) -> None:
    raise error


def test_all_that_waits_is_delivered_in_order_when_the_last_hole_is_filled() -> None:
    heard: HEARD = []
    stream, waits, listener = waiting(heard)
    waits.holes = 2
    for number in (5, 3):
        waits.put(listener, trade(number), never)
    waits.filled()
    assert (heard, stream.held) == ([], waits)
    waits.filled()
    assert (heard, stream.held) == ([5, 3], None)
    waits.let_go()
    assert heard == [5, 3]


def made(number: int, at: int) -> TradeEvent:
    return replace(trade(number), trade_timestamp=at)


def test_what_rest_knows_of_after_something_that_waits_is_delivered_after_it() -> None:
    heard: HEARD = []
    _, waits, listener = waiting(heard)
    waits.holes = 1
    for number, at in ((4, 40), (6, 60), (8, 80)):
        waits.put(listener, made(number, at), never)
    for number, at in ((3, 30), (5, 50), (7, 60), (9, 90), (1, 10)):
        waits.put_missed(listener, replace(made(number, at), recovered=True), never)
    assert heard == [3, 1], "what was made before all that waits does not wait"
    waits.filled()
    assert heard == [3, 1, 4, 5, 6, 7, 8, 9]


def test_where_nothing_waits_what_was_missed_does_not_wait_either() -> None:
    heard: HEARD = []
    _, waits, listener = waiting(heard)
    waits.put_missed(listener, made(2, 20), never)
    assert heard == [2]


def test_with_one_too_many_nothing_waits_any_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "HELD_MOST", 2)
    heard: HEARD = []
    stream, waits, listener = waiting(heard)
    for number in (1, 2, 3):
        assert stream.held is waits
        waits.put(listener, trade(number), never)
    assert (heard, stream.held) == ([1, 2, 3], None)


def test_who_left_meanwhile_hears_nothing_and_who_wants_one_snapshot_does_not_wait() -> None:
    heard: HEARD = []
    stream, waits, listener = waiting(heard)
    waits.put(listener, trade(1), never)
    stream.leave(listener)
    later = stream.held = Held(stream)
    waits.let_go()
    assert (heard, stream.held) == ([], later)
    _, waits, once = waiting(heard, "snapshot_only")
    waits.put(once, trade(2), never)
    assert heard == [2]


def order(state: str) -> MyOrderEvent:
    return MyOrderEvent(venue="upbit", symbol="KRW-BTC", uuid="u", state=state)


def test_what_rest_told_of_an_account_goes_to_its_streams_and_is_not_delivered_again() -> None:
    heard: list[str] = []
    router = Router({}, never)
    router.add(
        Subscription("myOrder", "KRW-BTC"), Listener("one", lambda event: heard.append(f"one {event.state}"), "both")
    )
    router.add(Subscription("myOrder", ""), Listener("all", lambda event: heard.append(f"all {event.state}"), "both"))
    router.judge = lambda event: isinstance(event, MyOrderEvent) and event.state == "done"
    told = router.recovered(order("done"), never)
    assert [stream.subscription.symbol for stream in told] == ["KRW-BTC", ""]
    assert router.deliver(order("done"), never), "wanted, but delivered already"
    assert router.deliver(order("wait"), never)
    assert heard == ["one done", "all done", "one wait", "all wait"]


def test_live_events_wait_in_a_stream_that_holds_them_and_recovered_ones_do_not() -> None:
    heard: HEARD = []
    router = Router({}, never)
    wanted = Subscription("trade", "KRW-BTC")
    stream = router.add(wanted, Listener("me", lambda event: heard.append(event.sequential_id), "both"))
    router.hole(stream)
    stream.held = waits = Held(stream)
    assert router.deliver(trade(9), never)
    assert router.fill(stream, [replace(trade(7), recovered=True), replace(trade(9), recovered=True)], never) == 1
    assert heard == [7]
    waits.let_go()
    assert heard == [7, 9]


def part(number: int, executed: int | None = None, *, recovered: bool = False, ends: bool = False) -> MyOrderEvent:
    """Event ``number`` of one order, after which ``executed`` is its sum; None, or the end: no execution."""
    is_trade = executed is not None and not ends
    return MyOrderEvent(
        venue="upbit", symbol="KRW-BTC", uuid="one", state="any", timestamp=number, recovered=recovered,
        trade_uuid=str(number) if is_trade else None, executed_volume=None if executed is None else Decimal(executed),
    )  # fmt: skip


def heard_of_an_order(waiting_ones: list[MyOrderEvent], missed: list[MyOrderEvent]) -> list[int | None]:
    heard: list[int | None] = []
    stream = Stream(Subscription("myOrder", ""))
    listener = Listener("me", lambda event: heard.append(event.timestamp), "both")
    stream.join(listener)
    stream.held = waits = Held(stream)
    waits.holes = 1
    for event in waiting_ones:
        waits.put(listener, event, never)
    for event in missed:
        waits.put_missed(listener, event, never)
    waits.filled()
    return heard


def test_executions_that_an_order_missed_come_before_those_that_wait() -> None:
    live = [part(3, 3), part(4, 4)]
    # the sums of what REST told count what was heard already
    assert heard_of_an_order(live, [part(1, 3, recovered=True), part(2, 4, recovered=True)]) == [1, 2, 3, 4]


def test_what_rest_knows_first_of_an_order_comes_behind_what_waits() -> None:
    missed = [part(2, 1, recovered=True), part(3, 2, recovered=True), part(4, 2, recovered=True, ends=True)]
    assert heard_of_an_order([part(1)], missed) == [1, 2, 3, 4]
    both = [part(1, 2, recovered=True), part(3, 3, recovered=True), part(4, 3, recovered=True, ends=True)]
    assert heard_of_an_order([part(2, 2)], both) == [1, 2, 3, 4]


def test_an_order_of_which_nothing_waits_does_not_wait_for_others() -> None:
    other = replace(part(9, 9), uuid="other")
    assert heard_of_an_order([other], [part(1, 1, recovered=True)]) == [1, 9]
