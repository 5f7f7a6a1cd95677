"""What was told of an account: written and read again, carried on by what the broker holds, never too big."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tapewire.errors import DecodeError
from tapewire.model.events import Asset, MyAssetEvent, MyOrderEvent
from tapewire.runtime.cursor_file import AccountState
from tapewire.runtime.retelling import SIZE_MOST, Story, copied, lacking, read_story, retold, write_story
from tapewire.session.reconcile import Known, Orders, OrdersState
from tapewire.venues.orders import OWN

OPEN = Known(executed=Decimal(1), seen=Decimal(1), losses=0, fills={"t1"}, symbol="KRW-BTC")
STATE = AccountState(orders=OrdersState(5, {"one": OPEN}, {}), balances=[Asset("KRW", Decimal(7), Decimal(0))])
STORY = Story(mark="0123", begun_ns=5_000_000, at_ns=9, state=STATE)


def trade(number: int, executed: int, state: str = "trade") -> MyOrderEvent:
    return MyOrderEvent(
        venue="upbit", symbol="KRW-BTC", uuid="one", state=state, trade_uuid=f"t{number}" if state == "trade" else None,
        volume=Decimal(1), executed_volume=Decimal(executed), received_ns=number,
    )  # fmt: skip


def asset(amount: int, received_ns: int = 0, currency: str = "KRW") -> MyAssetEvent:
    held = [Asset(currency, Decimal(amount), Decimal(0))]
    return MyAssetEvent(venue="upbit", assets=held, received_ns=received_ns)


def test_a_story_is_read_as_it_was_written() -> None:
    assert read_story(write_story(STORY)) == STORY
    assert copied(STATE) == STATE


@pytest.mark.parametrize("value", [b"", b"{}", b"nonsense", write_story(replace(STORY, version=2))])
def test_what_is_no_story_is_told(value: bytes) -> None:
    with pytest.raises(DecodeError, match="account's story"):
        read_story(value)


def test_of_too_many_orders_that_ended_the_last_are_kept() -> None:
    ended = {f"{number:036}": Known(ended=True, fills={"x" * 900}) for number in range(1_000)}
    written = write_story(replace(STORY, state=replace(STATE, orders=OrdersState(5, {"one": OPEN}, ended))))
    assert SIZE_MOST / 4 < len(written) <= SIZE_MOST
    state = read_story(written).state
    assert state is not None
    assert state.orders is not None
    assert list(state.orders.open) == ["one"]
    assert list(state.orders.ended) == list(ended)[-len(state.orders.ended) :]
    many = {f"{number:036}": Known(fills={"x" * 900}) for number in range(1_000)}
    whole = replace(STORY, state=replace(STATE, orders=OrdersState(5, many, {})))
    assert read_story(write_story(whole)) == whole, "open ones are never left out"


def test_what_the_broker_holds_since_is_told_and_what_was_told_before_changes_nothing() -> None:
    state = retold(STORY, [trade(1, 1), trade(2, 2), asset(3), asset(4)], OWN)
    assert state.orders is not None
    assert (state.orders.open["one"].executed, state.orders.open["one"].fills) == (Decimal(2), {"t1", "t2"})
    assert state.balances == [Asset("KRW", Decimal(4), Decimal(0))]
    ended = retold(STORY, [trade(2, 2), trade(3, 2, "done")], OWN).orders
    assert ended is not None
    assert (ended.open, list(ended.ended)) == ({}, ["one"])


def test_an_account_whose_first_carrier_died_at_once_begins_when_that_began() -> None:
    state = retold(replace(STORY, state=None), [], OWN)
    assert state == AccountState(orders=OrdersState(5, {}, {}))
    orders = Orders()
    assert state.orders is not None
    orders.resume(state.orders)
    assert orders.is_news(replace(trade(1, 1), order_timestamp=6))
    assert not Orders().is_news(replace(trade(1, 1), order_timestamp=6))


def test_balances_that_others_brought_since_are_not_brought_again() -> None:
    told = [asset(1, 10), asset(2, 20), asset(5, 30, "BTC"), trade(1, 1)]
    assert lacking(asset(2), told, 15) is None
    assert lacking(asset(1), told, 15) == asset(1), "what was told before the hole may have come back in it"
    both = MyAssetEvent(venue="upbit", assets=[*asset(2).assets, *asset(6, 0, "BTC").assets])
    assert lacking(both, told, 15) == replace(both, assets=asset(6, 0, "BTC").assets)
