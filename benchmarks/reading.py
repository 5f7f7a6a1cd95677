"""How fast Parquet is read back: events a second of ``read_parquet`` with every column, of each kind in a folder.

    .venv/bin/python -m benchmarks.reading DIR [--rounds 5] [--form arrow]

DIR is what ``tapewire convert`` made. Shown is the best of the rounds, by the clock and by CPU (the files are in the
system's cache after the first).
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from tapewire import read_parquet
from tapewire.client.tables import files_of, kinds_of


def measure(folder: Path, kind: str, form: Any, rounds: int) -> tuple[int, float, float]:
    """Events, and the least seconds and CPU seconds of some rounds."""
    count, seconds, cpu = 0, float("inf"), float("inf")
    for _ in range(rounds):
        began, before = time.perf_counter(), time.process_time()
        count = len(read_parquet(folder, kind, form=form))
        seconds, cpu = min(seconds, time.perf_counter() - began), min(cpu, time.process_time() - before)
    return count, seconds, cpu


def main() -> int:
    """A line for each kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--form", choices=["arrow", "polars", "pandas", "events"], default="arrow")
    given = parser.parse_args()
    for kind in kinds_of(given.folder):
        paths = list(files_of(given.folder, kind))
        count, seconds, cpu = measure(given.folder, kind, given.form, given.rounds)
        size = sum(path.stat().st_size for path in paths) / count
        print(
            f"{kind:12} {count:>11,} events in {len(paths):,} files, {size:4.0f} bytes each:"
            f" {count / seconds / 1e6:5.2f} million/s, {count / cpu / 1e6:5.2f} million/CPU s",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
