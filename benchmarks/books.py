"""CPU per changed level and per message of order books that are kept from changes (``tapewire.book``).

    .venv/bin/python benchmarks/books.py [--allowed 3.0]

Four sizes of book with made-up changes near the best price (half new sizes, a quarter new prices, a quarter taken
away), then the recorded books of OKX v5 and OKEX v3 with their checksums. Each figure is the best of several runs. Ends
with 1 when a changed level of a book of 400 levels costs more than ``--allowed`` µs.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from time import process_time
from typing import Any

import msgspec

from tapewire.book.checksum import signed_crc32
from tapewire.book.keeper import Keeper
from tapewire.book.ladder import Ladder
from tapewire.book.sequence import BookRule, Chained, Unnumbered
from tapewire.model.book import BookChange, Row

ROOT = Path(__file__).parent.parent
RECORDINGS = {
    "okx5 books, checksums": ("okx5/all_cryptofeed-2022-05-13.jsonl", Chained),
    "okx5 books-l2-tbt, checksums": ("okx5/all_cryptofeed-2022-02-27.jsonl", Chained),
    "okex3 depth_l2_tbt, checksums": ("okex3/all_cryptofeed-2021-04-17-c1.jsonl", Unnumbered),
}
_SIZES = (25, 50, 400, 800)
_UPDATES = 100_000
_RUNS = 5


def best_of(runs: int, work: Callable[[], object]) -> float:
    """Seconds of CPU of the fastest run, the collector switched off."""
    gc.disable()
    try:
        seconds = []
        for _ in range(runs):
            began = process_time()
            work()
            seconds.append(process_time() - began)
        return min(seconds)
    finally:
        gc.enable()


def made_up(levels: int, chance: random.Random) -> tuple[list[Row], list[Row]]:
    """(a side of that many levels, changes that leave it about that size)."""
    side = {tick: _row(tick, chance) for tick in range(400_000, 400_000 + 2 * levels, 2)}
    here, changes = dict(side), []
    near = max(10, levels // 10)
    for _ in range(_UPDATES):
        tick = 400_000 + int(chance.expovariate(1 / near)) % (2 * levels)
        if tick not in here and len(here) > levels:
            tick = chance.choice(list(here)[:near])
            changes.append((f"{tick / 10:.1f}", "0", "0", "0"))
            del here[tick]
        else:
            here[tick] = _row(tick, chance)
            changes.append(here[tick])
    return list(side.values()), changes


def _row(tick: int, chance: random.Random) -> Row:
    return f"{tick / 10:.1f}", f"{chance.random():.8f}", "0", str(chance.randrange(1, 30))


def a_level(number: Callable[[str], Any], side: Sequence[Row], changes: Sequence[Row]) -> float:
    """Microseconds for a changed level, each in a message of its own."""
    ladder = Ladder(number, best_is_last=True)
    ladder.replace(side)
    messages = [(row,) for row in changes]

    def work() -> None:
        for message in messages:
            ladder.change(message)

    return best_of(_RUNS, work) / len(messages) * 1e6


def recorded(path: Path) -> list[BookChange]:
    """The books of one recording."""
    frames = (msgspec.json.decode(line) for line in path.read_bytes().splitlines())
    return [one for frame in frames if frame.get("action") for one in _changes(frame)]


def _changes(frame: dict[str, Any]) -> Iterable[BookChange]:
    for book in frame["data"]:
        yield BookChange(
            venue="okx",
            symbol=book.get("instrument_id") or frame["arg"]["instId"],
            action="update" if frame["action"] == "update" else "snapshot",
            asks=[tuple(row) for row in book["asks"]],
            bids=[tuple(row) for row in book["bids"]],
            checksum=book["checksum"],
            timestamp=0,
        )


def a_message(changes: Sequence[BookChange], continuity: Callable[[], Any], *, event: bool, check: bool) -> float:
    """Microseconds for a recorded message, with the whole book as an event made each time, or not."""
    rule = BookRule(continuity=continuity, levels=400, checksum=signed_crc32 if check else None)

    def work() -> None:
        keepers: dict[str, Keeper] = {}
        for change in changes:
            keeper = keepers.get(change.symbol)
            if keeper is None:
                keeper = keepers[change.symbol] = Keeper(rule, "float")
            answer = keeper.apply(change)
            if answer not in ("applied", "ignored"):
                raise SystemExit(f"{change.symbol}: {answer}")
            if event:
                keeper.event()

    return best_of(_RUNS, work) / len(changes) * 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--allowed", type=float, default=3.0, help="µs of a changed level in a book of 400")
    allowed = parser.parse_args().allowed
    chance, worst = random.Random(1), 0.0
    print(f"{'levels a side':>30}  {'float':>8}  {'decimal':>8}   µs a changed level")
    for levels in _SIZES:
        side, changes = made_up(levels, chance)
        as_float, as_decimal = (a_level(number, side, changes) for number in (float, Decimal))
        worst = max(worst, as_float, as_decimal) if levels == 400 else worst
        print(f"{levels:>30}  {as_float:8.2f}  {as_decimal:8.2f}")
    print(f"\n{'recorded':>30}  {'no sums':>8}  {'sums':>8}  {'+ event':>8}   µs a message · levels a message")
    for name, (path, continuity) in RECORDINGS.items():
        changes = recorded(ROOT / "tests/data" / path)
        levels_each = sum(len(change.asks) + len(change.bids) for change in changes) / len(changes)
        bare = a_message(changes, continuity, event=False, check=False)
        checked = a_message(changes, continuity, event=False, check=True)
        whole = a_message(changes, continuity, event=True, check=True)
        print(f"{name:>30}  {bare:8.2f}  {checked:8.2f}  {whole:8.2f}   {levels_each:.1f}")
    print(f"\nworst changed level of 400: {worst:.2f} µs, allowed {allowed:.2f}")
    return int(worst > allowed)


if __name__ == "__main__":
    sys.exit(main())
