"""The judge of candles and orders finds what is wrong, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from tapewire.model.events import CandleEvent, MyOrderEvent
from tapewire.model.positions import FillEvent
from tapewire.testing.other_streams import judge_candles, judge_fills, judge_orders, matches_of


def candle(minute: int, price: float, **facts: Any) -> CandleEvent:
    start = f"2026-08-13T09:0{minute}:00"
    return CandleEvent(venue="upbit", symbol="KRW-BTC", candle_date_time_utc=start, trade_price=price, **facts)


def told(uuid: str, state: str) -> MyOrderEvent:
    return MyOrderEvent(venue="upbit", symbol="KRW-BTC", uuid=uuid, state=state)


def as_it_is(order: Any) -> tuple[str, str]:
    return order.uuid, order.state


@dataclass
class Made:
    """As much of an order as is judged."""

    uuid: str
    state: str
    ms: int
    fills: list[Any] = field(default_factory=list)


def test_of_each_window_after_the_first_the_last_message_counts() -> None:
    made = {
        str(one.candle_date_time_utc): one for one in (candle(minute, 5.0, timestamp=10_000) for minute in range(5))
    }
    heard = [candle(1, 1.0), candle(2, 4.0), candle(2, 5.0), candle(3, 4.0), candle(2, 4.0)]
    found = judge_candles(made, heard)
    assert found.judged == 3
    assert found.wrong == ("2026-08-13T09:02:00", "2026-08-13T09:03:00", "2026-08-13T09:04:00")
    mended = judge_candles(made, [*heard, *(candle(minute, 5.0, final=True) for minute in (2, 3, 4)), candle(3, 4.0)])
    assert mended.wrong == (), "a window that is final stays so"
    assert judge_candles(made, []).judged == 0


@pytest.mark.parametrize(("heard_at", "final", "right"), [(9_500, False, True), (8_500, False, False),
                                                          (9_500, True, False)])  # fmt: skip
def test_what_the_stream_leaves_out_in_the_last_second_of_a_window_is_not_held_against_the_client(
    heard_at: int, final: bool, right: bool
) -> None:
    made = {"2026-08-13T09:02:00": candle(2, 5.0, timestamp=10_000, unit="1m")}
    found = judge_candles(made, [candle(1, 1.0), candle(2, 4.0, timestamp=heard_at, final=final)])
    assert (found.wrong == ()) is right


@pytest.mark.parametrize(("changed_at", "right"), [(59_900, True), (58_900, False), (30_000, False)])
def test_a_change_in_the_last_second_of_a_window_is_told_with_the_next_one(changed_at: int, *, right: bool) -> None:
    begin = 1_786_611_720_000  # 2026-08-13T09:02:00Z
    made = {"2026-08-13T09:02:00": candle(2, 5.0, timestamp=begin + changed_at, unit="1m")}
    found = judge_candles(made, [candle(1, 1.0), candle(2, 4.0, timestamp=begin + 20_000)])
    assert (found.wrong == ()) is right


def test_each_end_is_told_once() -> None:
    made = [Made("old", "done", 5), Made("a", "done", 10), Made("b", "cancel", 11), Made("c", "wait", 12)]
    heard = [told("a", "wait"), told("a", "done"), told("a", "done"), told("c", "wait")]
    found = judge_orders(made, heard, 10, as_it_is)  # type: ignore[arg-type]
    assert (found.ended, found.missed, found.twice) == (2, ("b",), ("a",))


def test_ends_have_the_exchanges_own_names() -> None:
    made = [Made("a", "done", 10), Made("b", "cancel", 11)]
    heard = [told("no-a", "filled"), told("no-b", "live")]

    def named(order: Any) -> tuple[str, str]:
        return f"no-{order.uuid}", {"done": "filled", "cancel": "canceled"}[order.state]

    found = judge_orders(made, heard, 10, named)  # type: ignore[arg-type]
    assert (found.ended, found.missed, found.twice) == (2, ("no-b",), ())


def test_where_closes_are_told_nothing_of_a_window_may_be_missing_and_where_not_one_without_a_trade_may() -> None:
    begin = 1_786_611_720_000  # 2026-08-13T09:02:00Z
    quiet, late = candle(3, 5.0, candle_acc_trade_volume=0.0), candle(2, 5.0, timestamp=begin + 59_900, unit="1m")
    made = {str(one.candle_date_time_utc): one for one in (late, quiet)}
    heard = [candle(1, 1.0), candle(2, 4.0, timestamp=begin + 20_000)]
    assert judge_candles(made, heard).wrong == ()
    assert judge_candles(made, heard).judged == 1
    assert judge_candles(made, heard, closed=True).wrong == ("2026-08-13T09:02:00", "2026-08-13T09:03:00")


@dataclass
class Traded:
    """As much of an execution as is judged."""

    trade: int
    ms: int


@dataclass
class Asked:
    """As much of what an order asked for as is judged."""

    symbol: str = "BTC-USDT"


@dataclass
class Executed(Made):
    """An order that says its market."""

    asked: Asked = field(default_factory=Asked)


def test_fills_are_looked_for_by_market_order_and_trade_as_often_as_they_were_told() -> None:
    fills = [Traded(1, ms=9), Traded(2, ms=10), Traded(3, ms=11), Traded(4, ms=12)]
    made = [Executed("a", "done", 5, fills[:3]), Executed("b", "wait", 5, fills[3:])]
    heard = {("BTC-USDT", "a", 1): 1, ("BTC-USDT", "a", 2): 2, ("BTC-USDT", "b", 3): 1}
    found = judge_fills(made, heard, 10, as_it_is)  # type: ignore[arg-type]
    assert found.made == 3
    assert found.missed == (("BTC-USDT", "a", 3), ("BTC-USDT", "b", 4))
    assert found.twice == (("BTC-USDT", "a", 2),)


def test_a_fill_stands_for_as_many_executions_as_it_counts() -> None:
    one = FillEvent(venue="okx", symbol="BTC-USDT", uuid="a", sequential_id=7)
    three = FillEvent(venue="okx", symbol="BTC-USDT", uuid="a", sequential_id=7, count=3)
    assert matches_of(one) == [("BTC-USDT", "a", 7)]
    assert matches_of(three) == [("BTC-USDT", "a", 7), ("BTC-USDT", "a", 6), ("BTC-USDT", "a", 5)]
