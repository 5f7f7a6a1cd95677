"""The simulated order book keeps its shape whatever happens to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.model.events import OrderbookUnit
from tapewire.sim.book import DEPTH, Book
from tapewire.sim.ticks import Tick
from tests.sim.draws import Dealt, seeded


def check(book: Book) -> None:
    assert 1 <= len(book.asks) <= DEPTH
    assert 1 <= len(book.bids) <= DEPTH
    assert book.bids[0] < book.asks[0], "crossed"
    assert book.asks == sorted(set(book.asks))
    assert book.bids == sorted(set(book.bids), reverse=True)
    assert min(book.bids) >= 1
    assert len(book.ask_sizes) == len(book.asks)
    assert len(book.bid_sizes) == len(book.bids)
    assert min(book.ask_sizes + book.bid_sizes) >= 1


@given(st.integers(1, 10**6), st.integers(1, 10**10), st.integers(0, 99), st.lists(st.sampled_from("bst"), max_size=80))
def test_trades_and_makers_never_break_the_ladder(mid: int, size: int, seed: int, deeds: list[str]) -> None:
    book = Book(Tick(1, 0), mid, size, seeded(seed).random)
    check(book)
    for deed in deeds:
        if deed == "t":
            book.touch()
        else:
            price, taken = book.take(size * 4, buy=deed == "b")
            assert taken >= 1
            assert price >= 1
        check(book)


@given(st.integers(1, 10**6), st.integers(0, 99), st.lists(st.sampled_from("bst"), max_size=60))
def test_a_deep_book_keeps_its_shape_in_whole_lots(mid: int, seed: int, deeds: list[str]) -> None:
    book = Book(Tick(1, -1), mid, 10_000, seeded(seed).random, depth=60, lot=300)
    for deed in deeds:
        if deed == "t":
            book.touch()
        else:
            book.take(600, buy=deed == "b")
        assert 1 <= len(book.bids) <= len(book.asks) == 60
        assert book.bids[0] < book.asks[0]
        assert book.asks == sorted(set(book.asks))
        assert book.bids == sorted(set(book.bids), reverse=True)
        assert {size % 300 for size in book.ask_sizes + book.bid_sizes} == {0}
        assert min(book.ask_sizes + book.bid_sizes) > 0


def test_levels_of_a_deep_book_come_and_go_in_its_midst() -> None:
    book = Book(Tick(1, -1), 900_000, 10_000, seeded(5).random, depth=100)
    before = dict(zip(book.asks, book.ask_sizes, strict=True))
    for _ in range(20):
        book.touch()
    after = dict(zip(book.asks, book.ask_sizes, strict=True))
    assert len(before.keys() - after.keys()) > 5
    assert any(price < max(before) for price in after.keys() - before.keys())


def test_a_taker_takes_at_the_best_price_and_an_empty_level_goes() -> None:
    book = Book(Tick(1, 0), 100, 1000, seeded().random)
    best, size, second = book.asks[0], book.ask_sizes[0], book.asks[1]
    assert book.take(1, buy=True) == (best, 1)
    assert book.take(size * 2, buy=True) == (best, size - 1)
    assert book.asks[0] == second
    assert len(book.asks) == DEPTH


def test_the_last_bid_above_nothing_is_bid_again() -> None:
    book = Book(Tick(1, -8), 1, 10, seeded().random)
    assert book.bids == [1]
    assert book.take(10**9, buy=False)[0] == 1
    assert book.bids == [1]


def test_a_short_side_is_padded_with_price_and_size_0() -> None:
    book = Book(Tick(1, -8), 3, 10, seeded().random)
    units = book.units()
    assert len(units) == DEPTH
    assert [unit.bid_price for unit in units[:5]] == [3e-8, 2e-8, 1e-8, 0.0, 0.0]
    assert units[-1].bid_size == 0.0


def test_a_recorded_book_is_taken_over_exactly_and_deepened() -> None:
    recorded = [
        OrderbookUnit(127.0, 126.0, 280460.37885666, 688682.44561413),
        OrderbookUnit(128.0, 0.0, 5.5, 0.0),
    ]
    book = Book(Tick(1, 0), 500, 10, seeded().random)
    book.set(recorded)
    assert book.units()[0] == recorded[0]
    assert (book.asks[1], book.ask_sizes[1]) == (128, 550_000_000)
    check(book)


def test_groups_hold_what_their_levels_hold_and_are_thirty_a_side() -> None:
    book = Book(Tick(1, 3), 89_886, 1000, seeded(3).random)
    units = book.grouped(10_000.0)
    assert len(units) == DEPTH
    assert all(unit.ask_price % 10_000 == 0 and unit.bid_price % 10_000 == 0 for unit in units)
    top = units[0].ask_price
    inside = [size for tick, size in zip(book.asks, book.ask_sizes, strict=True) if tick * 1000 <= top]
    assert units[0].ask_size == pytest.approx(sum(inside) / 1e8)
    assert units == book.grouped(10_000.0), "deeper groups depend on the price alone"


def test_groups_near_nothing_are_padded() -> None:
    book = Book(Tick(1, 0), 35, 1000, seeded(3).random)
    units = book.grouped(10.0)
    assert [unit.bid_price for unit in units][:5] == [30.0, 20.0, 10.0, 0.0, 0.0]


def test_a_quote_inside_a_wide_spread_pushes_the_deepest_level_out() -> None:
    book = Book(Tick(1, 0), 100, 10, seeded().random)
    deepest = book.asks[-1]
    book.take(10**12, buy=True)  # spread is two ticks now
    book._random = Dealt([0.5, 0.5, 0.5, 0.5, 0.0, 0.0]).random
    book.touch()
    assert book.asks[0] - book.bids[0] == 1
    assert len(book.asks) == DEPTH
    assert book.asks[-1] == deepest
