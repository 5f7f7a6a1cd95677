"""What REST knows of positions held against what their stream told: whole events in, whole events out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tapewire.model.positions import BalanceAndPositionEvent as Both
from tapewire.model.positions import CashBalance, PositionChange, PositionEvent, TradeReference
from tapewire.session.positions import CashAndPositions, Positions

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


def change(position: int, mean: int | None = 100, *, name: str = "p1", **facts: Any) -> PositionChange:
    return PositionChange(
        symbol="BTC-USDT-SWAP", position_id=name, market_type="SWAP", margin_mode="cross", position_side="net",
        currency="USDT", position=D(position), avg_price=None if mean is None else D(mean), **facts,
    )  # fmt: skip


def both(*rows: CashBalance | PositionChange, why: str | None = None, trade: int | None = None) -> Both:
    return Both(
        venue="okx",
        event_type=why,
        balances=[row for row in rows if isinstance(row, CashBalance)],
        positions=[row for row in rows if isinstance(row, PositionChange)],
        trades=[] if trade is None else [TradeReference(symbol="BTC-USDT-SWAP", trade_id=trade)],
    )


def cash(currency: str, balance: int, at: int | None = None) -> CashBalance:
    return CashBalance(currency=currency, balance=D(balance), updated_at=at)


def owning(*rows: CashBalance | PositionChange) -> CashAndPositions:
    known = CashAndPositions()
    known.learn(both(*rows))
    known.complete = True
    known.ask()
    return known


def test_of_cash_and_positions_the_rows_that_changed_or_are_gone_are_told_together_once() -> None:
    known = owning(cash("USDT", 9), cash("BTC", 2), cash("ETH", 1), change(3), change(5, name="p2"))
    now = both(cash("USDT", 8), cash("BTC", 2), cash("SOL", 4), change(4), why="snapshot")
    assert known.missed(now) == both(
        cash("USDT", 8), cash("SOL", 4), cash("ETH", 0), change(4), change(0, None, name="p2")
    )
    assert known.missed(now) is None
    assert known.missed(both(cash("USDT", 8), cash("BTC", 2), cash("SOL", 4))) == both(change(0, None))


def test_a_currency_that_has_a_row_without_cash_is_not_held() -> None:
    assert owning().missed(both(cash("BTC", 0))) is None
    assert owning(cash("BTC", 1)).missed(both(cash("BTC", 0))) == both(cash("BTC", 0))


def test_what_the_stream_of_both_told_meanwhile_is_newer_than_rests() -> None:
    known = owning(cash("USDT", 9), change(3))
    assert not known.told(both(cash("USDT", 7), why="filled"))
    assert known.missed(both(cash("USDT", 8), change(2))) == both(change(2))


def test_an_event_of_both_is_a_double_if_every_row_is_and_it_names_no_trade() -> None:
    def knowing_all() -> CashAndPositions:
        known = owning()
        known.missed(both(cash("USDT", 8, at=5), change(2, updated_at=6)))
        return known

    rows = (cash("USDT", 8, at=5), change(2, updated_at=6))
    assert knowing_all().told(both(*rows, why="snapshot"))
    assert not knowing_all().told(both(*rows, cash("BTC", 1, at=5)))
    assert not knowing_all().told(both(*rows, trade=4))
    assert not knowing_all().told(both())
    unstamped = owning()
    unstamped.missed(both(cash("USDT", 8)))
    assert not unstamped.told(both(cash("USDT", 8))), "without a time nobody knows whether it is the same"


def test_before_the_first_reading_nothing_of_both_is_news() -> None:
    known = CashAndPositions()
    assert not known.complete
    assert known.missed(both(cash("USDT", 8), change(2))) is None


def test_another_process_goes_on_with_cash_and_positions() -> None:
    known = CashAndPositions()
    known.resume(owning(cash("USDT", 9), change(3)).state())
    assert known.complete
    assert known.missed(both(cash("USDT", 9))) == both(change(0, None))
