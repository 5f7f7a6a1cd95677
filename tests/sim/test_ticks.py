"""Tick sizes and exact prices."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.sim.ticks import Tick, tick_of


@pytest.mark.parametrize(
    ("quote", "price", "text"),
    [
        ("KRW", 89_886_000, "1000"),
        ("KRW", 20_230, "10"),
        ("KRW", 127, "1"),
        ("KRW", 99.0, "0.1"),
        ("KRW", 0.0000012, "0.00000001"),
        ("BTC", 0.03, "0.00000001"),
        ("USDT", 64_600, "1"),
        ("SGD", 0.0031, "0.0000001"),
        ("IDR", 1_600_000_000, "10000"),
        ("THB", 2_300_000, "10"),
    ],
)
def test_a_price_band_has_its_tick(quote: str, price: float, text: str) -> None:
    assert str(tick_of(quote, price)) == text


@given(st.integers(1, 10**9), st.sampled_from([1, 5]), st.integers(-8, 4))
def test_ticks_to_price_and_back_is_the_identity_and_the_price_is_the_nearest_float(
    ticks: int, mantissa: int, power: int
) -> None:
    tick = Tick(mantissa, power)
    assert tick.price(ticks) == float(f"{ticks * mantissa}e{power}")
    assert tick.ticks(tick.price(ticks)) == ticks


def test_no_price_is_below_one_tick() -> None:
    assert Tick(1, 0).ticks(0.0) == 1
