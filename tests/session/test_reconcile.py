"""What REST knows of an account held against what its stream told: whole events in, whole events out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from tapewire.model.events import Asset, MyAssetEvent, MyOrderEvent
from tapewire.session import reconcile
from tapewire.session.reconcile import CLOCKS_DIFFER_MS, HANDED_ON, Balances, Orders, OrdersState
from tapewire.venues.contract import OpenOrder, OrderWords

D = Decimal


def order(state: str, executed: str = "0", *, uuid: str = "a", **facts: Any) -> MyOrderEvent:
    whole: dict[str, Any] = {"venue": "upbit", "symbol": "KRW-BTC", "uuid": uuid, "volume": D(3), "order_timestamp": 1}
    return MyOrderEvent(**whole | {"state": state, "executed_volume": D(executed)} | facts)


def fill(number: int, volume: str = "1", *, executed: str | None = None, rest: str | None = None) -> MyOrderEvent:
    sums = {} if executed is None else {"executed_volume": D(executed), "remaining_volume": D(rest or 0)}
    facts: dict[str, Any] = {"executed_volume": None} | sums
    return order("trade", trade_uuid=f"f{number}", trade_timestamp=number, **facts | {"volume": D(volume)})


def knowing(*told: MyOrderEvent) -> Orders:
    orders = Orders()
    orders.complete = True
    assert not any(orders.told(event) for event in told)
    return orders


def test_an_end_that_the_stream_did_not_tell_is_told_with_its_executions_before_it() -> None:
    orders = knowing(order("wait"), fill(1, executed="1", rest="2"))
    ended = order("done", "3")
    assert orders.is_news(ended)
    assert orders.lacks_fills(ended)
    assert orders.missed(ended, [fill(3), fill(2), fill(1)]) == [
        fill(2, executed="2", rest="1"), fill(3, executed="3", rest="0"), ended,
    ]  # fmt: skip
    assert not orders.is_news(ended)
    assert orders.missed(ended, []) == []


def test_what_the_stream_brings_after_rest_told_it_is_a_double_once() -> None:
    orders = knowing(order("wait"))
    orders.missed(order("done", "3"), [fill(1, "3")])
    assert orders.told(fill(1, "3", executed="3"))
    assert orders.told(order("done", "3"))
    assert not orders.told(order("done", "3")), "twice is not our doing"


def test_an_open_order_whose_execution_was_missed_is_told_by_that_alone() -> None:
    orders = knowing(order("wait"))
    assert orders.missed(order("wait", "1"), [fill(1)]) == [fill(1, executed="1", rest="2")]
    assert orders.vanished([]) == ["a"]
    assert orders.vanished([order("wait")]) == []


def test_executions_that_rest_does_not_name_are_told_by_the_order_as_it_stands() -> None:
    orders = knowing(order("wait"))
    now = order("wait", "1")
    assert orders.missed(now, []) == [now]


def test_of_executions_known_by_their_sum_alone_the_newest_are_the_missed_ones() -> None:
    """Learned at the start: how much, but not by which executions."""
    orders = Orders()
    orders.learn([order("wait", "1")])
    orders.complete = True
    assert orders.missed(order("wait", "2"), [fill(1), fill(2)]) == [fill(2, executed="2", rest="1")]


def test_an_order_that_nobody_was_told_of_is_told_if_all_before_it_are_known() -> None:
    new = order("wait", uuid="b")
    assert knowing().missed(new, []) == [new]
    unsure = Orders()
    assert (unsure.is_news(new), unsure.missed(new, [])) == (False, [])
    assert unsure.vanished([]) == ["b"], "but it is known from now on"


def test_what_self_match_prevention_took_is_told_by_the_order_as_it_stands() -> None:
    orders = knowing(order("wait"))
    now = order("wait", prevented_volume=D(1))
    assert orders.missed(now, []) == [now]
    assert orders.missed(now, []) == []


def test_a_market_buy_has_no_volume_to_be_left_of() -> None:
    orders = knowing(order("wait", volume=None))
    ended = order("cancel", "1", volume=None)
    [told, end] = orders.missed(ended, [fill(1)])
    assert (told.executed_volume, told.remaining_volume, end) == (D(1), None, ended)


def test_rest_that_is_behind_the_stream_changes_nothing() -> None:
    orders = knowing(order("wait"), fill(1, executed="1", rest="2"), order("cancel", "1"))
    assert orders.missed(order("wait", "0"), []) == []
    assert orders.vanished([]) == []


def test_an_execution_without_an_id_is_marked_by_its_state() -> None:
    orders = knowing(order("trade", "1"))
    assert orders.missed(order("wait", "1"), []) == []


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "REMEMBERED", 2)
    orders = knowing()
    ends = [order("done", uuid=name) for name in "abc"]
    assert [orders.missed(end, []) for end in ends] == [[end] for end in ends]
    assert [orders.told(end) for end in ends] == [False, True, True]


def assets(**held: str) -> MyAssetEvent:
    return MyAssetEvent(venue="upbit", assets=[Asset(name, *map(D, text.split("+"))) for name, text in held.items()])


def balances(**held: str) -> Balances:
    known = Balances()
    known.learn(assets(**held))
    known.complete = True
    known.ask()
    return known


def test_balances_that_changed_and_those_that_are_held_no_more_are_told() -> None:
    known = balances(KRW="5+1", BTC="1+0", ETH="2+0", XRP="0+0")
    assert known.missed(assets(KRW="4+1", ETH="2+0", SOL="7+0")) == assets(KRW="4+1", SOL="7+0", BTC="0+0")
    assert known.missed(assets(KRW="4+1", ETH="2+0", SOL="7+0")) is None


def test_a_balance_that_the_stream_told_meanwhile_is_newer_than_rests() -> None:
    known = balances(KRW="5+1")
    assert not known.told(assets(KRW="3+1"))
    assert known.missed(assets(KRW="4+1")) is None
    known.ask()
    assert known.missed(assets(KRW="4+1")) == assets(KRW="4+1")


def test_the_streams_word_for_what_rest_told_first_is_a_double_once() -> None:
    known = balances(KRW="5+1")
    known.missed(assets(KRW="4+1", BTC="1+0"))
    assert not known.told(assets(KRW="4+2")), "an older or newer word"
    assert known.told(assets(BTC="1+0"))
    assert not known.told(assets(BTC="1+0"))
    assert not known.told(assets())


def test_before_the_first_reading_only_what_the_stream_told_can_be_missed() -> None:
    known = Balances()
    assert not known.told(assets(KRW="5+1"))
    known.ask()
    assert known.missed(assets(KRW="4+1", BTC="1+0")) == assets(KRW="4+1")
    known.learn(assets(KRW="3+1"))
    assert known.missed(assets(KRW="3+1", BTC="1+0")) is None


def test_an_execution_missed_before_a_live_one_is_not_hidden_by_its_sum() -> None:
    """The first was lost with the line; the second came live before REST was read, then the end."""
    orders = knowing(order("wait"))
    orders.lost()
    assert not orders.told(fill(2, executed="2", rest="1"))
    assert not orders.told(fill(3, executed="3", rest="0"))
    assert not orders.told(order("done", "3"))
    assert orders.missed(order("done", "3"), [fill(1), fill(2), fill(3)]) == [fill(1, executed="3", rest="0")]
    assert orders.missed(order("done", "3"), []) == []


@pytest.mark.parametrize("first", ["1", "0.5"])
def test_an_execution_missed_before_a_live_one_is_not_hidden_by_an_answer_from_between_the_two(first: str) -> None:
    """REST's list knows the first alone: it is no more than what the stream told, of the second."""
    orders = knowing(order("wait"))
    orders.lost()
    both = str(D(first) + 1)
    assert not orders.told(fill(2, executed=both, rest="1"))
    listed = order("wait", first)
    assert orders.is_news(listed)
    assert orders.lacks_fills(listed)
    told = fill(1, first, executed=both, rest=str(2 - D(first)))
    assert orders.missed(order("wait", both), [fill(1, first), fill(2)]) == [told]
    assert not orders.is_news(listed)
    assert not orders.has_hole("a")


def test_a_hole_that_rest_cannot_fill_yet_stays_one() -> None:
    """Its answer is older than what the stream told: what it names is told, the rest when it knows it."""
    orders = knowing(order("wait", volume=D(4)))
    orders.lost()
    assert not orders.told(fill(3, executed="3", rest="1"))
    assert orders.missed(order("wait", "0", volume=D(4)), []) == []
    assert orders.has_hole("a")
    assert [one.trade_uuid for one in orders.missed(order("wait", "1", volume=D(4)), [fill(1)])] == ["f1"]
    assert orders.has_hole("a")
    found = orders.missed(order("wait", "3", volume=D(4)), [fill(1), fill(2), fill(3)])
    assert [one.trade_uuid for one in found] == ["f2"]
    assert not orders.has_hole("a")


def test_an_order_that_ended_with_a_hole_is_asked_for_by_its_name() -> None:
    """It was made long before the loss: no list of those made since has it."""
    orders = knowing(order("wait"))
    orders.lost()
    assert not orders.told(fill(2, "2", executed="3", rest="0"))
    assert not orders.told(order("done", "3"))
    assert orders.vanished([]) == ["a"]
    assert orders.heard_of("a") == OpenOrder("a", "KRW-BTC", D(2))
    found = orders.missed(order("done", "3"), [fill(1), fill(2, "2")])
    assert [one.trade_uuid for one in found] == ["f1"]
    assert orders.vanished([]) == []


def test_an_end_that_stands_for_its_last_execution_tells_it() -> None:
    """Some exchanges send one word for both (spec/upbit.md 11, 12)."""
    orders = knowing(order("wait"), fill(1, executed="1", rest="2"), order("done", "3"))
    assert orders.missed(order("done", "3"), [fill(1), fill(2, "2")]) == []


def test_a_late_word_of_what_rest_counted_already_counts_nothing() -> None:
    orders = Orders()
    orders.learn([order("wait", "2")])
    orders.complete = True
    assert not orders.told(fill(1, executed="1", rest="2"))
    assert orders.missed(order("wait", "3"), [fill(1), fill(2), fill(3)]) == [fill(3, executed="3", rest="0")]


def test_an_order_made_since_the_stream_began_is_news_even_if_not_all_before_it_are_known() -> None:
    orders = Orders()
    orders.begun_ms = 5
    assert orders.missed(order("cancel", uuid="old", order_timestamp=4), []) == []
    new = order("cancel", uuid="new", order_timestamp=5)
    assert orders.missed(new, []) == [new]


def test_an_order_that_changed_last_before_the_stream_began_is_no_news_although_rest_named_it_never() -> None:
    """A list reaches further back when what stood in it is forgotten (``prove --venue okx --hours 24 --seed 6``)."""
    orders = knowing()
    orders.begun_ms = CLOCKS_DIFFER_MS + 100
    old = order("done", "3", uuid="old", order_timestamp=50, timestamp=99)
    assert not orders.is_news(old)
    assert orders.missed(old, []) == []
    assert orders.missed(order("done", "3", uuid="old", order_timestamp=50, timestamp=120), []) == [], "known by now"
    for number, facts in enumerate([{"order_timestamp": 100}, {"order_timestamp": 50, "timestamp": 100}]):
        assert orders.is_news(order("done", "3", uuid=str(number), **facts)), "the clocks may differ"
    assert orders.is_news(order("done", uuid="timeless", order_timestamp=None))


def test_the_first_word_of_an_order_before_all_are_known_stands_for_its_past() -> None:
    orders = Orders()
    assert not orders.told(fill(2, executed="2", rest="1"))
    orders.complete = True
    assert orders.missed(order("wait", "2"), []) == []
    assert orders.missed(order("wait", "3"), [fill(3)]) == [fill(3, executed="3", rest="0")]


def test_another_process_goes_on_where_this_one_ended() -> None:
    first = knowing(order("wait"), fill(1, executed="1", rest="2"), order("done", uuid="b"))
    first.begun_ms = 7
    state = msgspec.json.decode(msgspec.json.encode(first.state()), type=OrdersState)
    orders = Orders()
    orders.resume(state)
    assert (orders.complete, orders.begun_ms) == (True, 7)
    assert not orders.is_news(order("wait", "1"))
    assert not orders.is_news(order("done", uuid="b"))
    assert orders.vanished([]) == ["a"]
    ended = order("done", "3")
    assert orders.missed(ended, [fill(3), fill(2), fill(1)]) == [
        fill(2, executed="2", rest="1"), fill(3, executed="3", rest="0"), ended,
    ]  # fmt: skip
    assert orders.is_news(order("wait", uuid="c"))


def test_a_word_that_rest_has_overtaken_is_no_news() -> None:
    orders = knowing(order("wait", uuid="old"))
    assert orders.missed(order("done", "1"), [fill(1)])
    assert orders.told(order("wait")), "how it stood before its end, which REST told"
    assert orders.missed(order("wait", "1", uuid="b"), [fill(2)])
    assert orders.told(order("wait", uuid="b")), "how it stood before its execution"
    assert not orders.told(order("prevented", "1", uuid="b"))
    assert not orders.told(order("done", "1", uuid="b")), "its end is news"
    assert not orders.told(order("wait", uuid="old")), "REST told nothing of it"


def test_of_those_that_rest_told_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "REMEMBERED", 2)
    orders = knowing()
    for name in "abc":
        assert orders.missed(order("cancel", uuid=name), [])
    assert not orders.told(order("wait", uuid="a"))
    assert orders.told(order("wait", uuid="c"))


def test_of_many_orders_that_ended_another_process_is_told_the_last() -> None:
    orders = knowing(*(order("done", "3", uuid=str(number)) for number in range(HANDED_ON + 5)))
    assert list(orders.state().ended) == [str(number) for number in range(5, HANDED_ON + 5)]


def test_balances_that_changed_between_two_processes_are_news() -> None:
    def told(**amounts: int) -> MyAssetEvent:
        assets = [Asset(name, D(amount), D(0)) for name, amount in amounts.items()]
        return MyAssetEvent(venue="upbit", assets=assets)

    first = Balances()
    assert not first.told(told(KRW=5, BTC=1))
    balances = Balances()
    balances.resume(first.state())
    assert balances.complete
    assert balances.missed(told(KRW=5, BTC=2, ETH=3)) == told(BTC=2, ETH=3)


WORDS = OrderWords(
    ends=frozenset({"filled", "canceled"}),
    executes=lambda event: event.trade_uuid is not None,
    mark=lambda event: event.trade_uuid or event.state,
    summed=lambda fill, _order, executed, closes: replace(
        fill, executed_volume=executed, state="filled" if closes else "partly"
    ),
    repeats=True,
)


def part(number: int, state: str = "partly", executed: str | None = None) -> MyOrderEvent:
    sums = None if executed is None else D(executed)
    return order(state, trade_uuid=f"f{number}", trade_timestamp=number, volume=D(1), executed_volume=sums)


def other(*told: MyOrderEvent) -> Orders:
    """Of a venue with words of its own, where the last execution of an order is its end."""
    orders = Orders(WORDS)
    orders.complete = True
    assert not any(orders.told(event) for event in told)
    return orders


def test_an_execution_that_is_the_end_stands_for_both() -> None:
    orders = other(order("live"), part(1, executed="1"))
    ended, fills = order("filled", "3"), [part(3), part(2), part(1)]
    assert orders.missed(ended, fills) == [part(2, executed="2"), part(3, "filled", executed="3")]
    assert not orders.is_news(ended)
    assert orders.told(part(3, "filled", executed="3")), "it was told already"
    assert orders.vanished([]) == []


def test_an_end_that_was_told_is_not_told_by_an_execution_missed_before_it() -> None:
    orders = other(order("live"))
    orders.lost()
    assert not orders.told(part(2, executed="2"))
    assert not orders.told(part(3, "filled", executed="3"))
    assert orders.missed(order("filled", "3"), [part(3), part(2), part(1)]) == [part(1, executed="3")]


def test_an_order_that_came_and_went_is_told_by_its_executions_and_one_that_waits_as_it_stands() -> None:
    assert other().missed(order("filled", "1"), [part(1)]) == [part(1, "filled", executed="1")]
    waits = order("live", "1")
    assert other().missed(waits, [part(1)]) == [part(1, executed="1"), waits]


def test_what_the_exchange_says_twice_is_told_once_where_it_may_say_it_twice() -> None:
    orders = other(order("live"), order("live"), part(1, executed="1"))
    assert orders.told(part(1, executed="1"))
    assert not orders.told(part(2, executed="2"))
    assert not orders.told(order("canceled", "2"))
    assert orders.told(order("canceled", "2"))
    assert not orders.told(order("live", "2")), "neither an execution nor an end"
    assert not orders.told(order("canceled", uuid="b"))


def test_an_order_that_vanished_is_known_by_what_was_told_of_it() -> None:
    orders = other(order("live"), part(1, executed="1"))
    assert orders.heard_of("a") == OpenOrder("a", "KRW-BTC", D(1))
    again = Orders(WORDS)
    again.resume(msgspec.json.decode(msgspec.json.encode(orders.state()), type=OrdersState))
    assert again.heard_of("a") == OpenOrder("a", "KRW-BTC", D(1))
