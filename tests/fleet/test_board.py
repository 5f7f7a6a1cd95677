"""A fleet at a glance: rows, shares of first copies, symbols that lack a copy; as people and programs see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from rich.console import Console

from tapewire.apps.cli.fleet import picture
from tapewire.apps.cli.main import cli
from tapewire.apps.cli.terminal import json_line
from tapewire.fleet.board import Board, board
from tapewire.fleet.words import Counts, Plan, Seat, State
from tests.sinks.brokers.servers import PASSWORD, NatsServer

PLAN = Plan(venue="upbit", markets=("KRW-*",), types="trade")
STATES = [
    State(name="b", plan=PLAN, host="two", since_ns=5_000_000_000, asked=2, carries=("X", "Y"),
          counts=Counts(first=30, second=10, waiting=1200, spooled=2048, gaps=3, unfilled=1, lag_ms=12.4)),
    State(name="a", plan=PLAN, host="one", since_ns=-90_000_000_000_000, asked=2, carries=("X",)),
    State(name="c", plan=PLAN, host="one", asked=1, carries=("X",), leaving=True, counts=Counts(second=4, fenced=2)),
]  # fmt: skip


def seen() -> Board:
    return board("upbit", STATES, 10_000_000_000)


def shown(one: Board, *, symbols: bool = False) -> list[str]:
    console = Console(width=140, markup=False, highlight=False)
    with console.capture() as captured:
        console.print(picture(one, symbols=symbols))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_rows_say_what_each_does() -> None:
    rows = {row.name: row for row in seen().rows}
    assert [(row.carries, row.asked, row.first_share, row.seconds) for row in rows.values()] == [
        (2, 2, 0.75, 5.0), (1, 2, None, 90_010.0), (1, 1, 0.0, 10.0),
    ]  # fmt: skip
    assert rows["c"].leaving


def test_symbols_that_lack_a_copy_are_named() -> None:
    assert seen().carriers == {"X": ("a", "b", "c"), "Y": ("b",)}
    assert seen().short == ("Y",)
    assert board("upbit", STATES[:1], 0).short == ()  # of one collector nobody can ask for two copies
    assert board("upbit", [], 0) == Board(fleet="upbit", plans=(), rows=(), carriers={}, short=())


def test_people_see_a_table() -> None:
    assert shown(seen(), symbols=True) == [
        "fleet upbit: 2 symbols of upbit (KRW-*; trade), 2 copies each, 3 collectors",
        "collector    host       up  carries  events  first    lag         waiting            gaps  reconnects  fenced",
        "b            two   0:00:05        2      40    75%  12 ms  1,200 + 2.0 kB  3 (1 unfilled)           0       0",
        "a            one   1 d 1 h   1 of 2       0      –      –               0               0           0       0",
        "c (leaving)  one   0:00:10        1       4     0%      –               0               0           0       2",
        "short of copies: Y",
        "X  a, b, c",
        "Y  b",
    ]
    assert shown(board("upbit", [], 0)) == ["fleet upbit: nobody collects"]


def test_who_carries_which_account_is_shown() -> None:
    live, idle = Seat(mark="0123", types=("myOrder",), live=True), Seat(mark="0123", types=("myOrder",))
    a, b, c = (replace(state, carries=("X",)) for state in sorted(STATES, key=lambda one: one.name))
    whole = board("upbit", [replace(a, accounts={"main": live}), replace(b, accounts={"main": live}), c], 0)
    assert (whole.accounts, whole.short) == ({"main": ("a", "b")}, ())
    assert shown(whole)[-1] == "account main: a, b"
    lacking = board("upbit", [replace(a, accounts={"main": live}), replace(b, accounts={"main": idle}), c], 0)
    assert (lacking.accounts, lacking.short) == ({"main": ("a",)}, ("account main",))
    alone = board("upbit", [replace(a, accounts={"main": idle}), b, c], 0)
    assert shown(alone)[-2:] == ["short of copies: account main", "account main: nobody"]


def test_collectors_that_do_not_agree_are_told() -> None:
    other = State(name="z", plan=Plan(venue="upbit", markets=("KRW-*",), types="ticker", copies=1), carries=("X",))
    assert "do not agree" in " ".join(shown(board("upbit", [*STATES, other], 0)))


@pytest.mark.skipif(not NatsServer.is_there(), reason="make servers")
def test_a_nats_without_a_fleet_is_told(tmp_path: Path) -> None:
    with NatsServer(tmp_path / "nats") as nats:
        none = CliRunner().invoke(cli, ["fleet", nats.address])
        wrong = CliRunner().invoke(cli, ["fleet", nats.refused_address, "--json"])
    gone = CliRunner().invoke(cli, ["fleet", nats.address, "--fleet-name", "x"])
    assert (none.exit_code, wrong.exit_code, gone.exit_code) == (2, 1, 1)
    assert "there is none at this NATS" in none.stderr
    assert "Authorization Violation" in wrong.stderr
    assert f"127.0.0.1:{nats.port}" in gone.stderr
    assert PASSWORD not in none.output + wrong.output + gone.output


def test_programs_get_json() -> None:
    told = json.loads(json_line(seen()))
    assert (told["fleet"], told["short"], told["rows"][0]["counts"]["gaps"]) == ("upbit", ["Y"], 3)
