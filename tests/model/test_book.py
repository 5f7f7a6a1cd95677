"""Books whose sides are sent apart, and their view as units."""

from __future__ import annotations

import copy
import pickle

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.model.book import BookChange, BookLevel, DepthOrderbookEvent, PairedLevels
from tapewire.model.events import OrderbookEvent, OrderbookUnit

LEVELS = st.lists(st.builds(BookLevel, st.floats(1, 9), st.floats(1, 9)), max_size=4)


def book(asks: list[BookLevel], bids: list[BookLevel]) -> DepthOrderbookEvent:
    return DepthOrderbookEvent(venue="okx", symbol="BTC-USDT", asks=asks, bids=bids, channel="books5", sequence=7)


@given(LEVELS, LEVELS)
def test_units_are_the_levels_side_by_side_and_a_thin_side_is_padded(
    asks: list[BookLevel], bids: list[BookLevel]
) -> None:
    units = book(asks, bids).orderbook_units
    assert len(units) == max(len(asks), len(bids))
    assert [(unit.ask_price, unit.ask_size) for unit in units][: len(asks)] == [(one.price, one.size) for one in asks]
    assert [(unit.bid_price, unit.bid_size) for unit in units][: len(bids)] == [(one.price, one.size) for one in bids]
    assert all((unit.ask_price, unit.ask_size) == (0, 0) for unit in units[len(asks) :])
    assert all((unit.bid_price, unit.bid_size) == (0, 0) for unit in units[len(bids) :])
    assert units == list(units) == PairedLevels(asks, bids)
    assert list(units) == [units[place] for place in range(len(units))]
    assert units[-2:] == list(units)[-2:]


def test_units_behave_as_a_list_does() -> None:
    units = book([BookLevel(2.0, 0.5), BookLevel(3.0, 1.0)], [BookLevel(1.0, 4.0)]).orderbook_units
    best, next_best = OrderbookUnit(2.0, 1.0, 0.5, 4.0), OrderbookUnit(3.0, 0, 1.0, 0)
    assert (units[0], units[-1]) == (best, next_best)
    assert repr(units) == repr([best, next_best])
    assert units != (best, next_best)
    assert units != [best]
    assert next_best in units
    for outside in (2, -3):
        with pytest.raises(IndexError, match=f"the book has 2 levels, there is no unit {outside}"):
            units[outside]
    with pytest.raises(TypeError):
        hash(units)
    assert not book([], []).orderbook_units


def test_such_a_book_is_an_orderbook_and_its_json_has_the_sides() -> None:
    event = book([BookLevel(2.0, 0.5, 0, 3)], [])
    assert isinstance(event, OrderbookEvent)
    assert event.kind == "orderbook"
    said = msgspec.json.decode(msgspec.json.encode(event))
    assert "orderbook_units" not in said
    assert (said["type"], said["asks"], said["bids"], said["sequence"]) == ("orderbook", [[2.0, 0.5, 0, 3]], [], 7)
    assert msgspec.json.decode(msgspec.json.encode(event), type=DepthOrderbookEvent) == event
    assert pickle.loads(pickle.dumps(event)) == copy.copy(event) == event  # noqa: S301 - our own


def test_a_change_keeps_the_texts() -> None:
    change = BookChange(venue="okx", symbol="BTC-USDT", action="snapshot", asks=[("8476.10", "5.0", "0", "1")])
    assert (change.kind, change.asks[0][0], change.checksum) == ("bookChange", "8476.10", None)
    assert msgspec.json.decode(msgspec.json.encode(change), type=BookChange) == change
