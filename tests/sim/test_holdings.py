"""Positions of contracts: mean price, profit, turning over."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tapewire.sim.holdings import Holdings
from tapewire.venues.digits import plain
from tapewire.venues.exchange import Contract
from tapewire.venues.trading import Fill, Position

LINEAR = Contract(Decimal("0.01"), "USDT")
INVERSE = Contract(Decimal(100), "BTC", inverse=True)


def fill(price: str | Decimal, volume: str | int | Decimal, ms: int = 1) -> Fill:
    return Fill("u", Decimal(price), Decimal(volume), Decimal(0), Decimal("0.5"), False, True, ms, trade=ms)


def held(holdings: Holdings) -> Position:
    [position] = holdings.all()
    return position


def figures(position: Position) -> list[str | int]:
    """Mean price, volume, time of opening."""
    return [plain(position.mean), plain(position.volume), position.opened_ms]


def test_buying_more_moves_the_mean_and_selling_some_does_not() -> None:
    holdings = Holdings()
    assert holdings.trade("X", LINEAR, fill("100", 2, 5), buys=True) == 0
    assert holdings.trade("X", LINEAR, fill("130", 1, 6), buys=True) == 0
    assert figures(held(holdings)) == ["110", "3", 5]
    assert holdings.trade("X", LINEAR, fill("120", 1, 7), buys=False) == Decimal("0.1")
    position = held(holdings)
    assert figures(position) == ["110", "2", 5]
    assert (position.profit, position.fee) == (Decimal("0.1"), Decimal("1.5"))
    assert (position.trade, position.ms) == (7, 7)


def test_more_than_is_held_turns_it_over() -> None:
    holdings = Holdings()
    holdings.trade("X", LINEAR, fill("100", 2, 1), buys=False)
    assert holdings.trade("X", LINEAR, fill("90", 5, 9), buys=True) == Decimal("0.2")
    assert figures(held(holdings)) == ["90", "3", 9]
    holdings.trade("X", LINEAR, fill("90", 3), buys=False)
    assert figures(held(holdings)) == ["0", "0", 9]


def test_inverse_contracts_gain_in_coins() -> None:
    holdings = Holdings()
    holdings.trade("X", INVERSE, fill("50000", 10), buys=True)
    holdings.trade("X", INVERSE, fill("40000", 10), buys=True)
    assert round(held(holdings).mean, 4) == Decimal("44444.4444")
    holdings = Holdings()
    holdings.trade("X", INVERSE, fill("50000", 10), buys=True)
    assert holdings.trade("X", INVERSE, fill("40000", 10), buys=False) == Decimal("-0.005")
    holdings.trade("X", INVERSE, fill("40000", 10), buys=False)
    assert holdings.trade("X", INVERSE, fill("50000", 10), buys=True) == Decimal("-0.005")


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(1, 9), st.booleans()), min_size=1, max_size=30))
def test_profit_is_what_all_trades_brought_once_nothing_is_held(trades: list[tuple[int, int, bool]]) -> None:
    holdings, cash = Holdings(), Decimal(0)
    for price, volume, buys in trades:
        holdings.trade("X", LINEAR, fill(Decimal(price), volume), buys=buys)
        cash -= (volume if buys else -volume) * Decimal(price) / 100
    left = held(holdings).volume
    if left:
        holdings.trade("X", LINEAR, fill(Decimal(77), abs(left)), buys=left < 0)
        cash += left * Decimal(77) / 100
    assert abs(held(holdings).profit - cash) < Decimal("0.000001")
