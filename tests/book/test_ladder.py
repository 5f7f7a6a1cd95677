"""H2: the ladder against a plain dict of exact numbers that is sorted at each look."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tapewire.book.ladder import Ladder
from tapewire.model.book import BookLevel, Row
from tests.book.made_up import rows, short
from tests.sizes import size

#: Some that are one number, written differently, and some that are one float, though two numbers.
PRICES = (
    *(f"{tens / 10:.1f}" for tens in range(995, 1010)),
    *("100", "100.00", "1e2", "-0.5", "0.000000001234", "0.1", "0.10000000000000000001", "100.00000000000000001"),
)
SIZES = ("0", "0.0", "0.00000000", "1", "2.5", "12345678.87654321", "1e-8")
ROWS = st.builds(
    lambda price, amount, orders: (price, amount, "0", str(orders)),
    st.sampled_from(PRICES), st.sampled_from(SIZES), st.integers(0, 9),
)  # fmt: skip


class Side(RuleBasedStateMachine):
    """The model: price as an exact number → the row that set it."""

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[Decimal, Row] = {}
        self.ladder = Ladder(float, best_is_last=True)

    @initialize(exact=st.booleans(), bids=st.booleans())
    def begin(self, exact: bool, bids: bool) -> None:
        self.number: Any = Decimal if exact else float
        self.bids = bids
        self.ladder = Ladder(self.number, best_is_last=bids)

    @rule(changed=st.lists(ROWS, max_size=8))
    def change(self, changed: list[Row]) -> None:
        self.ladder.change(changed)
        self._set(changed)

    @rule(whole=st.lists(ROWS, max_size=20))
    def replace(self, whole: list[Row]) -> None:
        self.ladder.replace(whole)
        self.model = {}
        self._set(whole)

    @rule(most=st.integers(0, 12))
    def trim(self, most: int) -> None:
        self.ladder.trim(most)
        self.model = dict(self._sorted()[:most])

    @invariant()
    def equal(self) -> None:
        best_first = [row for _, row in self._sorted()]
        assert len(self.ladder) == len(best_first)
        for most in (1, 5, 400):
            assert self.ladder.written(most) == best_first[:most]
            assert self.ladder.best(most) == [self._level(row) for row in best_first[:most]]

    def _set(self, changed: list[Row]) -> None:
        for row in changed:
            self.model.pop(Decimal(row[0]), None)
            if Decimal(row[1]):
                self.model[Decimal(row[0])] = row

    def _sorted(self) -> list[tuple[Decimal, Row]]:
        return sorted(self.model.items(), key=lambda item: item[0], reverse=self.bids)

    def _level(self, row: Row) -> BookLevel:
        return BookLevel(self.number(row[0]), self.number(row[1]), 0, int(row[3]))


TestSide = Side.TestCase
TestSide.settings = settings(max_examples=size(150, 50_000), stateful_step_count=15, deadline=None)


def test_what_was_handed_out_stays_as_it_was() -> None:
    ladder = Ladder(float, best_is_last=False)
    ladder.replace(rows("101:1 102:2"))
    before = ladder.best(400)
    ladder.change(rows("101:7 102:0 100:1"))
    assert short(before) == "101:1 102:2"
    assert short(ladder.best(400)) == "100:1 101:7"


@pytest.mark.parametrize("number", [float, Decimal])
@pytest.mark.parametrize(
    "row",
    [("100", "-1"), ("100", "nan"), ("100", "inf"), ("nan", "1"), ("inf", "1"), ("", "1"), ("1,5", "1"), ("100", "")],
)
def test_no_number_is_no_level(number: Any, row: Row) -> None:
    ladder = Ladder(number, best_is_last=False)
    with pytest.raises((ValueError, ArithmeticError)):
        ladder.change([row])
    assert len(ladder) == 0


@pytest.mark.parametrize(
    ("row", "level"),
    [
        (("1", "2", "3", "4"), BookLevel(1, 2, 3, 4)),
        (("1", "2", 0, 4), BookLevel(1, 2, 0, 4)),
        (("1", "2", 4), BookLevel(1, 2, 0, 4)),  # spot until 2019
        (("1", "2"), BookLevel(1, 2)),
    ],
)
def test_rows_of_every_era(row: tuple[Any, ...], level: BookLevel) -> None:
    ladder = Ladder(float, best_is_last=False)
    ladder.change([row])
    assert ladder.best(1) == [level]
