"""RELIABILITY C1: ``kill -9`` of a real recorder at random moments, again and again, in one folder."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from tapewire.model.events import TradeEvent
from tapewire.tape.checking import check_tape
from tapewire.tape.files import tape_files
from tapewire.tape.format import Kind
from tapewire.testing.oracle import account
from tests.chaos.exchange import Exchange
from tests.chaos.layouts import read_recording
from tests.chaos.recorders import (
    MARKETS,
    PATIENCE,
    Life,
    Recording,
    Status,
    read_files,
    read_recorded_lines,
    read_recorded_tape,
    read_records,
)
from tests.sizes import NIGHTLY, figure, size

#: Seconds within which what came is in a file (docs/tape.md, docs/recording.md), and as many for a busy machine.
BOUND = 1.0
#: Kills of one folder; then another is begun.
KILLS = size(2, 10)
ROUNDS = size(1, 3)
RATE = size(1_000, 5_000)


class Form(Struct, frozen=True):
    """One way to record.

    Attributes:
        arguments: of the command; read: what is in the folder, but for what was there ``before``.
        safe: what a status line has called safe.
        cursor: each life begins where the one before it ended; without, the gap is only told.
        synced_after: seconds after which the disk itself has what came; None: nothing is promised.
    """

    arguments: Callable[[Path], tuple[str, ...]]
    read: Callable[[Path, int], Recording]
    before: Callable[[Path], int]
    safe: Callable[[Status], int]
    cursor: bool
    synced_after: float | None = None


def _tape(fsync: str, synced_after: float | None, *, cursor: bool) -> Form:
    return Form(
        lambda folder: ("--tape", str(folder), "--tape-fsync", fsync),
        read_recorded_tape,
        lambda folder: len(tape_files(folder)),
        lambda status: status.tape.get("written", 0),
        cursor,
        synced_after,
    )


FORMS = {
    "tape": _tape("interval", 1.0, cursor=True),
    "tape-each": _tape("each", 0.0, cursor=False),
    "tape-none": _tape("none", None, cursor=False),
    "jsonl": Form(
        lambda folder: ("--out", str(folder)),
        lambda folder, _before: read_recorded_lines(folder),
        lambda folder: read_recorded_lines(folder).records if folder.exists() else 0,
        lambda status: status.lines,
        cursor=True,
    ),
}


def _files(*options: str) -> Form:
    return Form(
        lambda folder: ("--out", str(folder), *options),
        lambda folder, _before: read_recording(folder),
        lambda folder: read_recording(folder).records if folder.exists() else 0,
        lambda status: status.lines,
        cursor=True,
    )


if NIGHTLY:
    FORMS["jsonl-each"], FORMS["jsonl-none"] = _files("--fsync", "each"), _files("--fsync", "none")
    FORMS["frames"] = _files("--layout", "dated", "--zone", "KST", "--compress", "zstd", "--fsync", "200")
    FORMS["parquet"] = _files("--files", "parquet", "--rotate-count", "500")


class Figures:
    """What the kills of one form came to."""

    def __init__(self) -> None:
        self.kills = self.safe = self.made = self.lost = 0
        self.losses_s: list[float] = []
        self.restarts_s: list[float] = []


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", FORMS)
def test_c1_what_was_called_safe_is_there_and_no_trade_is_lost_in_silence(name: str, tmp_path: Path) -> None:
    draw, found = random.Random(f"kills {name}"), Figures()
    for number in range(ROUNDS):
        with Exchange(seed=number, markets=MARKETS, rate=float(RATE), depth=30) as simulator:
            play(simulator, FORMS[name], tmp_path / str(number), draw, found)
    worst = max(found.losses_s)
    assert found.safe > 0
    assert found.kills == KILLS * ROUNDS
    figure(
        f"{name}: {found.kills} kills, {found.safe:,} records called safe, 0 of them lost; "
        f"{found.made:,} trades made, {found.lost} not recorded and each in a told gap; "
        f"kill to newest record {sum(found.losses_s) / len(found.losses_s) * 1e3:.0f} ms (worst {worst * 1e3:.0f})"
    )


def play(simulator: Exchange, form: Form, place: Path, draw: random.Random, found: Figures) -> None:
    """Kills, one after the other in one folder; then a clean end, and the account of all."""
    folder, cursor = place / "recording", place / "cursor" if form.cursor else None
    arguments = form.arguments(folder)
    for _ in range(KILLS):
        before = form.before(folder)
        with Life(simulator.url, *arguments, cursor=cursor) as life:
            life.until_safe(cursor)
            killed_at = kill_after(life, draw.random())
            recording = form.read(folder, before)
            check_life(
                life.statuses[-1], life.statuses, recording.records - (0 if tape_files(folder) else before), form
            )
        found.safe += form.safe(life.statuses[-1])
        found.losses_s.append((killed_at - recording.newest_ns) / 1e9)
        found.kills += 1
    with Life(simulator.url, *arguments, cursor=cursor) as life:
        life.until_safe(cursor)
        if cursor is not None:
            life.until(lambda: len({row["subscription"]["symbol"] for row in filled_trades(life)}) == len(MARKETS))
        assert life.end(signal.SIGTERM) == 0, life.complaints
    check_whole(form, folder, simulator, found)


def kill_after(life: Life, seconds: float) -> int:
    """``kill -9`` at that moment; when it was (ns UTC)."""
    timer = threading.Timer(seconds, life.process.kill)
    timer.start()
    assert life.process.wait(PATIENCE) == -signal.SIGKILL
    killed_at = time.time_ns()
    life.wait()
    return killed_at


def filled_trades(life: Life) -> list[dict[str, Any]]:
    """The rows of trades that it told as filled."""
    return [row for row in life.told("gap") if row["state"] == "filled" and row["subscription"]["kind"] == "trade"]


def check_life(last: Status, statuses: list[Status], written: int, form: Form) -> None:
    """What the killed one had called safe is there; and all that it had received for longer than the bound."""
    assert written >= form.safe(last) > 0
    assert written >= received_until(last.seconds - BOUND, statuses)
    if form.synced_after is not None:
        assert last.tape["synced"] >= received_until(last.seconds - BOUND - form.synced_after, statuses)


def received_until(seconds: float, statuses: list[Status]) -> int:
    """How many events it had told of by then."""
    earlier = [one for one in statuses if one.seconds <= seconds]
    return sum(earlier[-1].received.values()) if earlier else 0


def check_whole(form: Form, folder: Path, simulator: Exchange, found: Figures) -> None:
    """P1 over all lives: every trade that was made is recorded as it was made, or lies within a told gap."""
    recording, every_trade = form.read(folder, 0), simulator.trades
    values = {key_of(one): as_made(one) for one in every_trade}
    got = [one for one in recording.trades if key_of(one) in values]
    assert all(as_made(one) == values[key_of(one)] for one in got), "a record is not what was sent"
    live = {key_of(one) for one in got if not one.recovered}
    until = max(number for number, one in enumerate(every_trade) if key_of(one) in live) + 1
    made = every_trade[:until]
    if form.cursor:
        result = account(made, recording.trades, recording.gaps)
        assert result.undetected == ()
        lost, total = len(result.lost), result.made
    else:
        lost, total = lost_between_files(made, folder), len(made)
    assert total > 100
    found.made += total
    found.lost += lost
    if tape_files(folder):
        assert not any(report.damages for report in check_tape(folder)), "the next recorder cut off what was torn"


def lost_between_files(made: Sequence[TradeEvent], folder: Path) -> int:
    """How many trades are missing; each of them between two files, of which the later one says so in its beginning."""
    files = tape_files(folder)
    place: dict[tuple[str, int | None], int] = {}
    for number, path in enumerate(files):
        first, *_ = read_records([path])
        assert number == 0 or first.kind == Kind.GAP, "a file tells that nobody recorded before it"
        for trade in read_files([path]).trades:
            place.setdefault(key_of(trade), number)
    lost = 0
    for symbol in MARKETS:
        before: int | None = None
        missing = 0
        for trade in (one for one in made if one.symbol == symbol):
            here = place.get(key_of(trade))
            if here is None:
                missing += 1
                continue
            assert before is None or not missing or here > before, "lost within a file"
            lost += missing if before is not None else 0
            before, missing = here, 0
    return lost


def key_of(trade: TradeEvent) -> tuple[str, int | None]:
    return trade.symbol, trade.sequential_id


def as_made(trade: TradeEvent) -> tuple[object, ...]:
    """What a trade is, whoever told of it."""
    return trade.trade_price, trade.trade_volume, trade.ask_bid, trade.trade_timestamp
