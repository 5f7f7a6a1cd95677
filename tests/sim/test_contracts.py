"""Orders of contracts on the desk: margin in, margin out, positions between."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tapewire.sim.desk import FEE_RATE, LEVERAGE, Desk
from tapewire.sim.market import SeededMarket
from tapewire.sim.scenario import Scenario, build
from tapewire.venues.exchange import Contract, Rhythm
from tapewire.venues.trading import Balance, NewOrder, Order, OrderRefused
from tests.sim.draws import seeded
from tests.sim.listed import START_MS, listing

SWAP = msgspec.structs.replace(
    listing("USDT-BTC", 60_000.0), tick=(1, 0), lot=1_000_000, spot=False, contract=Contract(Decimal("0.01"), "USDT")
)


def made() -> Desk:
    market = SeededMarket("okx", [SWAP], START_MS, seeded(), rhythm=Rhythm(counted=True, late=0.0))
    return Desk("okx", market, 1, {"main": {"USDT": Decimal(10_000)}})


def place(desk: Desk, **asked: Any) -> Order:
    return desk.place("main", msgspec.convert({"symbol": "USDT-BTC", **asked}, NewOrder))


def money(desk: Desk) -> Balance:
    [balance] = desk.balances("main")
    return balance


def margin(price: int, volume: str) -> Decimal:
    return Decimal(volume) * Decimal("0.01") * price * (Decimal(1) / LEVERAGE + FEE_RATE)


@pytest.mark.parametrize("side", ["bid", "ask"])
def test_margin_lies_in_an_order_of_either_side_until_it_ends(side: str) -> None:
    desk = made()
    order = place(desk, side=side, price=50_000 if side == "bid" else 70_000, volume="2")
    assert money(desk).locked == order.locked == margin(50_000 if side == "bid" else 70_000, "2")
    desk.cancel("main", order.uuid)
    assert [money(desk).locked, money(desk).free] == [Decimal(0), Decimal(10_000)]


def test_what_is_executed_gives_its_margin_back_and_costs_the_fee() -> None:
    desk = made()
    order = place(desk, side="bid", price=61_000, volume="0.5")
    [position] = desk.positions("main")
    assert (order.state, str(position.volume)) == ("done", "0.50000000")
    assert money(desk).locked == 0
    assert money(desk).free == 10_000 - order.paid_fee == 10_000 - position.fee
    assert order.executed_funds == sum(fill.price * fill.volume / 100 for fill in order.fills)


def test_a_loss_takes_no_more_than_there_is() -> None:
    desk = made()
    place(desk, side="bid", price=61_000, volume="0.5")
    [position] = desk.positions("main")
    position.mean = Decimal(90_000)
    desk._purses["main"]._balances["USDT"].free = Decimal(40)
    place(desk, side="ask", price=59_000, volume="0.5")
    assert money(desk).free == 0


@pytest.mark.parametrize(("smp", "left"), [("reduce", "1"), ("cancel_maker", "1"), ("cancel_taker", "3")])
def test_own_orders_that_meet_give_their_margin_back(smp: str, left: str) -> None:
    desk = made()
    maker = place(desk, side="ask", price=desk._market.pits["USDT-BTC"].book.asks[0], volume="3")
    taker = place(desk, side="bid", price=maker.asked.price, volume="2", smp_type=smp, time_in_force="ioc")
    assert taker.executed_volume == 0 or smp == "cancel_maker"
    waiting = [order for order in desk.orders("main") if order.state == "wait"]
    assert [order.remaining_volume for order in waiting] == ([] if smp == "cancel_maker" else [Decimal(left)])
    assert money(desk).locked == sum(order.locked for order in waiting)


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        ({"ord_type": "market", "volume": "1"}, "type"),
        ({"ord_type": "best", "volume": "1", "time_in_force": "ioc"}, "type"),
        ({"price": 60_000, "volume": "0.005"}, "volume"),
        ({"price": 60_000, "volume": "1000"}, "funds"),
    ],
)
def test_refused_orders_say_why(asked: dict[str, Any], fault: str) -> None:
    with pytest.raises(OrderRefused) as caught:
        place(made(), side="ask", **asked)
    assert caught.value.fault == fault


def test_markets_of_a_venues_other_places_are_the_same() -> None:
    here, there = (build(Scenario(venue=venue), START_MS).market for venue in ("okx", "okx-eea"))
    assert here.symbols == there.symbols
    assert here.listing("BTC-USDT-SWAP").quote == "USDT"
