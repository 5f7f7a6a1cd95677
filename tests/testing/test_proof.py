"""Trials of the real client in seeded weather: every promise is kept, and a broken one is found out."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from tapewire.errors import ConfigError
from tapewire.sim.faults import KINDS
from tapewire.testing.proof import prove
from tapewire.testing.weather import PEACE, single_line_weather, weather
from tests.sizes import figure, size

#: Venues and seeds whose trial once broke a promise, with the hours it took and what it was.
MENDED = [
    ("upbit", 3, 4.0, "windows ended while a line was silent: the snapshot that was asked for hid them"),
    ("upbit", 1, 1.0, "a late trade came while the line was down: the snapshot said that nothing was missed"),
    ("okx", 1, 0.3, "REST told the matches singly that the stream had told together"),
]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(101, 101 + size(6, 300)))
def test_nothing_is_lost_doubled_or_overrun_in_any_weather(seed: int) -> None:
    proof = prove(seed, size(1, 24))
    assert proof.broken == []
    assert proof.made == proof.live + proof.recovered + proof.polled > 1_000
    assert proof.recovered + proof.polled + proof.gaps > 0, "the faults must have cost something"
    assert min(proof.candles, proof.orders) > 30
    assert proof.unfilled == 0
    by_rest = f"{proof.recovered:,} recovered, {proof.polled:,} polled"
    figure(f"seed {seed}: {proof.made:,} trades, {by_rest}, whole within {proof.slowest_fill} s")


@pytest.mark.slow
@pytest.mark.parametrize("venue", ["okx", "okex3"])
@pytest.mark.parametrize("seed", range(301, 301 + size(2, 100)))
def test_where_books_come_as_changes_none_is_ever_served_wrong_either(venue: str, seed: int) -> None:
    """D6 and D7: trades late and twice, books lost, repeated, spoilt, numbered anew, late snapshots."""
    proof = prove(seed, size(1, 48) / 2, venue=venue)
    assert proof.broken == []
    assert proof.made == proof.live + proof.recovered + proof.polled > 500
    assert proof.recovered + proof.polled + proof.gaps > 0, "the faults must have cost something"
    assert proof.candles > 30
    assert proof.books > 2_000
    figure(f"{venue}, seed {seed}: {proof.made:,} trades, {proof.books:,} books, {proof.gaps} gaps")


@pytest.mark.slow
@pytest.mark.parametrize("venue", ["okx", "okex3"])
def test_faults_of_one_line_cost_nothing_at_venues_with_kept_books_either(venue: str) -> None:
    proof = prove(5, size(1, 48) / 2, venue=venue, redundancy=2)
    assert proof.broken == []
    assert proof.made == proof.live > 500
    assert proof.reconnects >= 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(201, 201 + size(2, 100)))
def test_faults_of_one_line_cost_nothing_while_its_sister_stands(seed: int) -> None:
    proof = prove(seed, size(3, 48) / 2, redundancy=2)
    assert proof.broken == []
    assert proof.made == proof.live > 1_000
    assert (proof.recovered, proof.gaps) == (0, 0)
    assert proof.reconnects >= 3, "the faults must have hit, or the account proves nothing"


@pytest.mark.parametrize("seed", range(2))
def test_faults_of_both_lines_are_found_out_and_mended(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tapewire.testing.proof.single_line_weather", lambda draw, **_: ((), weather(draw)))
    proof = prove(seed, size(1, 24), redundancy=2)
    assert (proof.duplicates, proof.lost, proof.undetected, proof.overruns) == (0, 0, 0, 0)
    assert proof.recovered > 0
    assert proof.broken == [f"{proof.recovered} had to be recovered although a line stood"]


@pytest.mark.slow
@pytest.mark.parametrize(("venue", "seed", "hours", "what"), MENDED, ids=lambda value: str(value).replace(" ", "-"))
def test_a_trial_that_once_broke_a_promise_keeps_it(venue: str, seed: int, hours: float, what: str) -> None:
    assert prove(seed, hours, venue=venue).broken == [], what


def test_a_client_that_does_not_recover_is_found_out_but_tells_what_it_lost() -> None:
    proof = prove(1, 2, recover=False)
    assert proof.lost > 0
    assert (proof.undetected, proof.recovered, proof.duplicates) == (0, 0, 0)
    assert proof.orders_missed > 0
    assert (proof.broken[0], proof.broken[-1]) == (
        f"{proof.lost} lost", f"{proof.orders_missed} ends of orders missed",
    )  # fmt: skip
    assert proof.unfilled > 0


def test_each_broken_promise_is_named() -> None:
    kept = prove(1, 0.1)
    assert kept.broken == []
    broken = replace(
        kept, duplicates=1_000, lost=3, undetected=2, overruns=1, candles_wrong=4, orders_missed=5, orders_twice=6,
        books_wrong=7, books_behind=8,
    )  # fmt: skip
    assert broken.broken == [
        "1,000 delivered twice", "3 lost", "2 lost without a word", "1 limits overrun", "4 candles wrong",
        "7 books wrong", "8 books behind at the end", "5 ends of orders missed", "6 ends of orders told twice",
    ]  # fmt: skip
    assert replace(kept, live=0, recovered=0).broken == ["nothing was delivered"]


def test_broken_promises_of_the_account_are_named() -> None:
    broken = replace(prove(1, 0.1), fills_missed=2, fills_twice=3, holdings_wrong=4)
    assert broken.broken == ["2 fills missed", "3 fills told twice", "4 balances or positions wrong at the end"]


def test_the_same_seed_gives_the_same_trial_whatever_the_order_of_sets() -> None:
    program = "from tapewire.testing.proof import prove; print(prove(5, 0.2), prove(5, 0.02, venue='okx'))"
    trials = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=50, check=True,
        ).stdout
        for hash_seed in ("1", "77")
    }  # fmt: skip
    first = prove(5, 0.2)
    assert trials == {f"{first} {prove(5, 0.02, venue='okx')}\n"}
    assert prove(6, 0.2).digest != first.digest


def test_how_far_it_is_is_told_and_ends_with_all_of_it() -> None:
    shares: list[float] = []
    prove(1, 0.5, shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) == 3


@pytest.mark.parametrize("hours", [0, -1, float("nan"), float("inf")])
def test_impossible_hours_are_refused(hours: float) -> None:
    with pytest.raises(ConfigError, match="hours"):
        prove(1, hours)


def not_upbits() -> set[str]:
    return {name for name in KINDS if name.startswith("book-")} | {"upgrade"}


def test_the_weather_has_every_kind_of_fault_that_costs_something_and_begins_in_peace() -> None:
    faults = weather(random.Random(1).random)
    assert {fault.name for fault in faults} == KINDS.keys() - not_upbits()
    assert all(fault.at >= PEACE for fault in faults if KINDS[fault.name].timed)
    assert faults == weather(random.Random(1).random)
    assert faults != weather(random.Random(2).random)
    kept = weather(random.Random(1).random, kept_books=True)
    assert kept[: len(faults)] == faults
    assert {fault.name for fault in kept} == KINDS.keys()


def test_the_weather_of_single_lines_leaves_nobody_without_one() -> None:
    alone, whole = single_line_weather(random.Random(1).random)
    assert {fault.name for fault in alone} == {
        "drop", "abort", "cut", "freeze", "silence", "garbage", "unknown", "status", "error", "ping"
    }  # fmt: skip
    assert {fault.name for fault in whole} == {"refuse", "slow", "rest", "duplicate", "late"}
    assert all(fault.at >= PEACE and fault.every for fault in alone)
    with_books = single_line_weather(random.Random(1).random, kept_books=True)
    assert with_books[0] == alone
    assert {fault.name for fault in with_books[1]} - {fault.name for fault in whole} == not_upbits()
