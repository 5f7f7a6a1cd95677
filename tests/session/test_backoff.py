"""Delays: exactly the row, spread by chance, and never sooner than the exchange asked."""

from __future__ import annotations

from random import Random

import pytest

from tapewire.config import SessionOptions
from tapewire.model.line import Loss
from tapewire.session.backoff import Backoff

RESET = Loss("reset")


def delays(loss: Loss, number: int, **options: object) -> list[float | None]:
    backoff = Backoff(SessionOptions(**{"jitter": False, **options}), lambda: 0.5)  # type: ignore[arg-type]
    return [backoff.delay(loss) for _ in range(number)]


def test_without_jitter_the_delays_are_exactly_the_doubling_row_up_to_the_cap() -> None:
    assert delays(RESET, 8) == [1, 2, 4, 8, 16, 30, 30, 30]


def test_base_factor_and_cap_are_the_options() -> None:
    assert delays(RESET, 4, backoff_base=0.5, backoff_factor=3, backoff_cap=4) == [0.5, 1.5, 4, 4]
    assert delays(RESET, 2, backoff_base=50) == [30, 30]


def test_with_jitter_each_delay_is_drawn_from_zero_to_its_place_in_the_row() -> None:
    assert delays(RESET, 6, jitter=True) == [0.5, 1, 2, 4, 8, 15]
    backoff, chance = Backoff(SessionOptions(), Random(1).random), Random(1)
    assert [backoff.delay(RESET) for _ in range(5)] == [chance.random() * row for row in (1, 2, 4, 8, 16)]


def test_chance_draws_from_no_longer_than_the_outage_so_far() -> None:
    """Luck with the first draws must not make the later waits longer than the outage itself (P4)."""
    backoff = Backoff(SessionOptions(), lambda: 0.5)
    spans = [backoff.delay(RESET, elapsed=elapsed) for elapsed in (0.0, 0.5, 1.5, 3.0, 100.0)]
    assert spans == [0.5, 0.5, 0.75, 1.5, 8.0]
    exact = Backoff(SessionOptions(jitter=False), lambda: 0.5)
    assert [exact.delay(RESET, elapsed=0.1) for _ in range(4)] == [1, 2, 4, 8]


@pytest.mark.parametrize("seed", range(200))
def test_an_exchange_that_was_away_for_t_is_reached_within_t_after_it(seed: int) -> None:
    """P4: at most min(30 s, T) after it is back, however the chances fall; dials that fail take no time here."""
    chance = Random(seed)
    away = chance.uniform(0.0, 120.0)
    backoff, t = Backoff(SessionOptions(), chance.random), 0.0
    while t < away:
        delay = backoff.delay(RESET, elapsed=t)
        assert delay is not None
        t += delay
    assert t - away <= max(1.0, min(30.0, away))


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (Loss("refused", status=429), [1.0, 1.0, 2.0]),
        (Loss("refused", status=429, retry_after=7.0), [7.0, 7.0, 7.0]),
        (Loss("refused", status=503, retry_after=120.0), [120.0, 120.0, 120.0]),
        (Loss("refused", status=418), [30.0, 30.0, 30.0]),
        (Loss("refused", status=418, retry_after=3.0), [3.0, 3.0, 3.0]),
        (Loss("refused", status=503), [0.5, 1.0, 2.0]),
        (Loss("refused", status=418, retry_after=3_600.0), [3_600.0] * 3),
        (Loss("refused", status=418, retry_after=9e8), [3_600.0] * 3),
    ],
)
def test_the_exchange_word_is_a_floor(loss: Loss, expected: list[float]) -> None:
    assert delays(loss, 3, jitter=True) == expected


def test_after_max_retries_there_is_no_further_delay() -> None:
    assert delays(RESET, 7, max_retries=5) == [1, 2, 4, 8, 16, None, None]
    assert delays(RESET, 1, max_retries=0) == [None]


def test_only_stability_brings_the_first_delay_back_and_an_expected_end_keeps_the_step() -> None:
    backoff = Backoff(SessionOptions(jitter=False), lambda: 1.0)
    assert [backoff.delay(RESET, counts=False) for _ in range(3)] == [1, 1, 1]
    assert [backoff.delay(RESET), backoff.delay(RESET), backoff.delay(RESET, counts=False)] == [2, 4, 4]
    backoff.stable()
    assert (backoff.failures, backoff.delay(RESET)) == (0, 1)


def test_a_thousand_losses_do_not_overflow() -> None:
    assert delays(RESET, 5_000, backoff_cap=1e300)[-1] == 1e300
