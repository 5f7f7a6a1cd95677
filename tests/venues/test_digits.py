"""Numbers as exchanges write them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.venues.digits import plain, text_of


@pytest.mark.parametrize(
    ("units", "power", "text"),
    [(302435, -1, "30243.5"), (30, -1, "3"), (5, 2, "500"), (1, -8, "0.00000001"), (0, -3, "0"), (-15, -1, "-1.5")],
)
def test_whole_units_as_text(units: int, power: int, text: str) -> None:
    assert text_of(units, power) == text


@given(st.integers(-(10**15), 10**15), st.integers(-10, 3))
def test_the_text_is_the_number_and_has_no_more_than_it_needs(units: int, power: int) -> None:
    text = text_of(units, power)
    assert Decimal(text) == Decimal(units).scaleb(power)
    assert text == plain(Decimal(units).scaleb(power))


@pytest.mark.parametrize(
    ("value", "text"), [(1e-08, "0.00000001"), (64600.0, "64600"), (-0.0, "0"), (Decimal("1E+3"), "1000"), (0.5, "0.5")]
)
def test_floats_and_decimals_as_text(value: float | Decimal, text: str) -> None:
    assert plain(value) == text
