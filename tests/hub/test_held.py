"""Live events that wait for those missed before them: in their order, for who still listens, never without end."""

from __future__ import annotations

import pytest

from tapewire.hub import held
from tapewire.hub.held import Held
from tapewire.hub.router import Listener, Stream
from tapewire.model.events import TradeEvent
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
