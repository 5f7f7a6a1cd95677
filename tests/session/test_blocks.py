"""How long a refusal over the limits is waited for."""

from __future__ import annotations

import pytest

from tapewire.session.blocks import Blocks


@pytest.mark.parametrize(("stated", "wait"), [(None, 1.0), (0.0, 0.0), (17.0, 17.0), (1e9, 3600.0)])
def test_429_waits_the_window_or_what_it_says(stated: float | None, wait: float) -> None:
    assert Blocks().wait(5.0, 429, stated, 1.0) == wait


def test_418_waits_what_it_says_and_without_a_word_longer_each_time() -> None:
    blocks = Blocks()
    assert blocks.wait(0.0, 418, 12.0, 1.0) == 12.0
    assert blocks.wait(12.0, 418, None, 1.0) == 30.0
    assert blocks.wait(20.0, 418, None, 1.0) == 22.0, "the same block, told once more"
    assert [blocks.wait(t, 418, None, 1.0) for t in (42.0, 102.0, 222.0)] == [60.0, 120.0, 240.0]
    t = 462.0
    for _ in range(9):
        t += blocks.wait(t, 418, None, 1.0)
    assert blocks.wait(t, 418, None, 1.0) == 3600.0, "never longer than an hour"
    assert blocks.wait(t + 7201.0, 418, None, 1.0) == 30.0, "an hour of peace makes it the first again"
