"""Which calls Upbit is asked an account's orders with, page after page (spec/upbit.md 9.6)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest

from tapewire.model.events import MyOrderEvent
from tapewire.venues.contract import Asking, OpenOrder
from tapewire.venues.upbit.account import CLOSED_PAGE, CLOSED_SPAN_MS, OPEN_PAGE, account

ACCOUNT = account("upbit")


def converse(asking: Asking[Any], answers: Iterable[Any]) -> tuple[list[dict[str, Any]], Any]:
    """The parameters of every call, and what is known in the end."""
    asked: list[dict[str, Any]] = []
    question = next(asking)
    for told in answers:
        asked.append(dict(question.call.parameters))
        try:
            question = asking.send(told)
        except StopIteration as known:
            return asked, known.value
    raise AssertionError("it asks on")


def order(number: int) -> MyOrderEvent:
    return MyOrderEvent(venue="upbit", symbol="KRW-BTC", uuid=str(number), state="done", order_timestamp=number)


@pytest.mark.parametrize("last", [0, 1, OPEN_PAGE - 1])
def test_open_orders_are_asked_until_a_page_is_not_full(last: int) -> None:
    full, rest = [order(number) for number in range(OPEN_PAGE)], [order(number) for number in range(last)]
    asked, found = converse(ACCOUNT.waiting(), (full, full, rest))
    assert [one["page"] for one in asked] == ["1", "2", "3"]
    assert found == [*full, *full, *rest]


def test_closed_ones_are_asked_in_windows_and_a_full_answer_is_asked_on_from_its_last() -> None:
    end = 2 * CLOSED_SPAN_MS + 10
    full = [order(5_000)] * CLOSED_PAGE
    asked, found = converse(ACCOUNT.ended(10, end), (full, [order(6_000)], []))
    assert [(int(one["start_time"]), int(one["end_time"])) for one in asked] == [
        (10, 10 + CLOSED_SPAN_MS), (5_000, 5_000 + CLOSED_SPAN_MS), (5_000 + CLOSED_SPAN_MS, end),
    ]  # fmt: skip
    assert found == [*full, order(6_000)]


def test_a_full_answer_of_one_moment_is_not_asked_for_ever() -> None:
    full = [order(10)] * CLOSED_PAGE
    asked, _ = converse(ACCOUNT.ended(10, 12), (full, full))
    assert [one["start_time"] for one in asked] == ["10", "11"]


def test_orders_are_asked_by_their_ids_a_hundred_at_a_time() -> None:
    orders = [OpenOrder(str(number), "KRW-BTC", Decimal(0)) for number in range(101)]
    asked, found = converse(ACCOUNT.named(orders), ([order(1)], [order(2)]))
    assert [len(one["uuids[]"]) for one in asked] == [100, 1]
    assert found == [order(1), order(2)]


def test_one_call_tells_an_order_and_its_executions() -> None:
    asked, found = converse(ACCOUNT.executed(order(7), 0), ((order(7), []),))
    assert (asked, found) == ([{"uuid": "7"}], (order(7), []))


@pytest.mark.parametrize(("times", "newest_first"), [((1000, 1000), "ba"), ((1000, 2000), "ba"), ((2000, 1000), "ab")])
def test_executions_are_told_newest_first_however_they_are_listed(times: tuple[int, int], newest_first: str) -> None:
    fills = [
        MyOrderEvent(venue="upbit", symbol="KRW-BTC", uuid="7", state="trade", trade_uuid=name, trade_timestamp=at)
        for name, at in zip("ab", times, strict=True)
    ]
    _, (_, found) = converse(ACCOUNT.executed(order(7), 0), ((order(7), fills),))
    assert "".join(str(fill.trade_uuid) for fill in found) == newest_first


def test_balances_are_one_call() -> None:
    assert converse(ACCOUNT.held(), ("told",)) == ([{}], "told")
    assert ACCOUNT.positions is None
