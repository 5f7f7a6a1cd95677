"""What REST knows of positions held against what their stream told: whole events in, whole events out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tapewire.model.positions import PositionEvent
from tapewire.session.positions import Positions

D = Decimal


def held(position: int, mean: int = 100, *, name: str = "p1", **facts: Any) -> PositionEvent:
    return PositionEvent(
        venue="okx", symbol="BTC-USDT-SWAP", position_id=name, market_type="SWAP", margin_mode="cross",
        position_side="net", currency="USDT", position=D(position), avg_price=D(mean), **facts,
    )  # fmt: skip


def closed(name: str = "p1") -> PositionEvent:
    return PositionEvent(
        venue="okx", symbol="BTC-USDT-SWAP", position_id=name, market_type="SWAP", margin_mode="cross",
        position_side="net", currency="USDT", position=D(0),
    )  # fmt: skip


def knowing(*positions: PositionEvent) -> Positions:
    known = Positions()
    known.learn(positions)
    known.complete = True
    known.ask()
    return known


def test_positions_that_changed_and_those_that_are_there_no_more_are_told_once() -> None:
    known = knowing(held(3), held(5, name="p2"), held(7, name="p3"))
    now = [held(4, 101), held(7, name="p3", mark_price=D(9)), held(1, name="p4")]
    assert known.missed(now) == [now[0], now[2], closed("p2")]
    assert known.missed(now) == []
    assert known.missed([]) == [closed("p1"), closed("p3"), closed("p4")]
    assert known.missed([]) == []


def test_what_the_stream_told_meanwhile_is_newer_than_rests() -> None:
    known = knowing(held(3))
    assert not known.told(held(2))
    assert known.missed([held(3)]) == []
    known.ask()
    assert not known.told(closed())
    assert known.missed([held(2)]) == []
    known.ask()
    assert known.missed([]) == []


def test_what_the_stream_brings_after_rest_told_it_is_a_double_once() -> None:
    known = knowing()
    [told] = known.missed([held(3, updated_at=5)])
    assert known.told(held(3, updated_at=5, mark_price=D(1)))
    assert not known.told(told), "a full push comes again and again"
    known.ask()
    known.missed([held(4, updated_at=6)])
    assert not known.told(held(5, updated_at=7))


def test_before_the_first_reading_only_what_the_stream_told_can_be_missed() -> None:
    known = Positions()
    assert not known.told(held(3))
    known.learn([held(2), held(9, name="p2")])
    known.ask()
    assert known.missed([held(3), held(9, name="p2"), held(1, name="p3")]) == []


def test_positions_without_an_id_are_told_apart_by_market_side_and_mode() -> None:
    anonymous = [
        held(1, name=""),
        PositionEvent(venue="okx", symbol="BTC-USDT-SWAP", position_side="long", position=D(2)),
    ]
    assert knowing().missed(anonymous) == anonymous


def test_another_process_goes_on_where_this_one_ended() -> None:
    known = Positions()
    known.resume(knowing(held(3), held(5, name="p2")).state())
    assert known.complete
    assert known.missed([held(3)]) == [closed("p2")]
