"""Who comes in when: never more than so many within a second, nobody later than he must."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.apps.gateway.turnstile import Turnstile


def test_a_crowd_is_let_in_at_an_even_pace() -> None:
    door = Turnstile(50, 10.0)
    waits = [door.enter(0.0) for _ in range(200)]
    assert waits[:5] == [0.0] * 5
    assert waits[5:] == pytest.approx([number / 40 for number in range(1, 196)])
    assert door.enter(100.0) == 0.0


def test_who_would_wait_too_long_is_told_and_takes_no_turn() -> None:
    door = Turnstile(2, 1.5)
    assert [door.enter(0.0) for _ in range(5)] == pytest.approx([0.0, 0.625, 1.25, None, None])
    assert door.enter(1.0) == pytest.approx(0.875)


@given(st.integers(1, 80), st.lists(st.floats(0, 0.2), max_size=200))
def test_in_no_second_are_more_let_in(most: int, pauses: list[float]) -> None:
    door, turns = Turnstile(most, 1e9), list[float]()
    for now in accumulate(pauses):
        wait = door.enter(now)
        assert wait is not None
        turns.append(now + wait)
    assert turns == sorted(turns)
    assert all(later - earlier > 1.0 - 1e-9 for earlier, later in zip(turns, turns[most:], strict=False))
