"""``tapewire prove``: what it prints, how it ends, what it refuses."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from tapewire.apps.cli.main import cli
from tapewire.apps.cli.prove import row_of, totals, verdict
from tapewire.testing.proof import prove


def tapewire(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


def test_trials_in_several_processes_come_in_order_and_to_the_byte() -> None:
    run = tapewire("prove", "--hours", "0.2", "--seed", "3..5", "--jobs", "2")
    assert run.exit_code == 0
    lines = run.stdout.splitlines()
    assert lines[0].split()[:2] == ["seed", "made"]
    proofs = [prove(seed, 0.2) for seed in (3, 4, 5)]
    assert lines[1:4] == [row_of(proof) for proof in proofs]
    assert lines[-1] == verdict(proofs)[0]
    assert "none lost, none delivered twice, no limit overrun" in lines[-1]


def test_programs_get_one_object_a_trial_and_the_sums() -> None:
    run = tapewire("prove", "--hours", "0.1", "--json")
    first, summary = (json.loads(line) for line in run.stdout.splitlines())
    assert (first["type"], first["seed"], first["lost"]) == ("proof", 1, 0)
    assert first["made"] == first["live"] + first["recovered"] + first["polled"]
    assert summary == {
        "type": "summary", "trials": 1, "broken": [],
        **{name: first[name] for name in summary if name not in {"type", "trials", "broken"}},
    }  # fmt: skip


def test_a_broken_promise_is_said_with_the_way_to_see_it_again() -> None:
    kept = prove(1, 0.1)
    broken = replace(kept, seed=9, hours=24.0, lost=2, duplicates=1)
    counts = f"{2 * kept.made:,} trades, {2 * kept.candles:,} candles, {2 * kept.orders:,} orders"
    assert kept.orders > 0
    assert verdict([kept, broken]) == [
        f"2 trials, 24.1 h on the exchange's clock, {counts}: 1 trial broke a promise.",
        "  1 delivered twice, 2 lost; once more: tapewire prove --hours 24 --seed 9",
    ]
    assert totals([kept, broken])["broken"] == [9]


def test_with_sister_lines_what_had_to_be_recovered_is_a_broken_promise() -> None:
    run = tapewire("prove", "--hours", "0.3", "--seed", "2", "--redundancy", "2", "--json")
    first, _ = (json.loads(line) for line in run.stdout.splitlines())
    assert (run.exit_code, first["redundancy"], first["recovered"]) == (0, 2, 0)
    broken = replace(prove(2, 0.3, redundancy=2), recovered=1_234)
    said, again = verdict([broken])[1].split("; ")
    assert said == "  1,234 had to be recovered although a line stood"
    assert again == "once more: tapewire prove --hours 0.3 --seed 2 --redundancy 2"


def test_another_venues_books_are_judged_and_the_way_to_see_it_again_names_the_venue() -> None:
    run = tapewire("prove", "--venue", "okx", "--hours", "0.05", "--json")
    first, summary = (json.loads(line) for line in run.stdout.splitlines())
    assert (run.exit_code, first["venue"], first["books_wrong"], summary["books"]) == (0, "okx", 0, first["books"])
    proof = prove(1, 0.05, venue="okx")
    assert first["books"] == proof.books > 100
    assert (first["fills"], first["fills_missed"], first["fills_twice"]) == (proof.fills, 0, 0)
    assert (first["holdings"], first["holdings_wrong"]) == (proof.holdings, 0)
    assert proof.fills > 5
    assert proof.holdings > 5
    assert f", {proof.fills:,} fills, " in verdict([proof])[0]
    assert f", {proof.books:,} books, " in verdict([proof])[0]
    assert verdict([proof])[0].endswith(" orders: none lost, none delivered twice, no book wrong, no limit overrun.")
    said = verdict([replace(proof, books_wrong=3)])[1]
    assert said == "  3 books wrong; once more: tapewire prove --hours 0.05 --seed 1 --venue okx"


def test_a_venue_that_nobody_knows_is_refused_at_once() -> None:
    run = CliRunner().invoke(cli, ["prove", "--venue", "okxx"])
    assert (run.exit_code, run.stdout) == (2, "")
    assert "okxx" in run.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--seed", "5..1"), "from the lower to the higher"),
        (("--seed", "x"), "neither a number from 0 nor a range"),
        (("--seed", "-1"), "neither a number"),
        (("--seed", "0..100000"), "100,000 at most"),
        (("--hours", "0"), "range"),
        (("--hours", "nan"), "no number of hours"),
        (("--jobs", "0"), "range"),
    ],
)
def test_impossible_wishes_are_refused_in_words(arguments: tuple[str, ...], said: str) -> None:
    run = tapewire("prove", *arguments)
    assert run.exit_code == 2
    assert said in run.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_it_ends_when_asked_and_takes_its_processes_along(number: signal.Signals, code: int) -> None:
    command = [sys.executable, "-m", "tapewire", "prove", "--hours", "400", "--seed", "1..2", "--jobs", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().split()[0] == "seed"
        process.send_signal(number)
        output, errors = process.communicate(timeout=20)
    assert (process.returncode, output, errors) == (code, "", "")
