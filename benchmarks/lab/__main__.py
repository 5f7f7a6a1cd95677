"""``python -m benchmarks.lab``: runs clients through the faults and prints the table."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from pathlib import Path

from benchmarks.lab import report
from benchmarks.lab.cell import Client, LabError, run_cell
from benchmarks.lab.rows import BY_KEY, ROWS, Row

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".lab" / "results.json"
PAGE = ROOT / "docs" / "fault-lab.md"
_PEERS, _LAB = ".peers", ".lab/venv"

CLIENTS = (
    Client("tapewire", "tapewire_client.py", sys.executable),
    Client("upbit-sdk", "upbit_sdk_client.py", str(ROOT / _PEERS / "bin/python")),
    Client("ccxt", "ccxt_client.py", str(ROOT / _LAB / "bin/python")),
    Client("pyupbit", "pyupbit_client.py", str(ROOT / _LAB / "bin/python")),
    Client("cryptofeed", "cryptofeed_client.py", str(ROOT / _LAB / "bin/python")),
)


def main() -> int:
    options = _options()
    clients = [client for client in CLIENTS if client.key in options.client]
    rows = [row for row in ROWS if row.key in options.row]
    _environments(clients)
    results = report.load(KEPT)
    failed = asyncio.run(_run(clients, rows, options.jobs, results))
    report.save(KEPT, results)
    text = report.table(
        {key: cell for key, cell in results.items() if _chosen(key, clients, rows)}, [c.key for c in CLIENTS]
    )
    print(text)
    whole = len(clients) == len(CLIENTS) and len(rows) == len(ROWS)
    if (whole and not failed) or options.write:
        report.write(
            PAGE,
            report.table(results, [client.key for client in CLIENTS])
            + "\n\n## What green means\n\n"
            + report.criteria(),
        )
        print(f"\nwritten to {PAGE.relative_to(ROOT)}", file=sys.stderr)
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lab", description=__doc__)
    names = [client.key for client in CLIENTS]
    parser.add_argument("--client", action="append", choices=names, help="only this client (may be repeated)")
    parser.add_argument(
        "--row",
        action="append",
        choices=[*BY_KEY, *[str(row.number) for row in ROWS]],
        help="only this fault, by word or number (may be repeated)",
    )
    parser.add_argument("--jobs", type=int, default=4, help="clients at a time (default 4)")
    parser.add_argument(
        "--write",
        action="store_true",
        help=f"write {PAGE.relative_to(ROOT)} from this and earlier results although not all ran now",
    )
    options = parser.parse_args()
    options.client = options.client or names
    options.row = {ROWS[int(key) - 1].key if key.isdigit() else key for key in options.row or BY_KEY}
    return options


def _chosen(key: tuple[str, str], clients: list[Client], rows: list[Row]) -> bool:
    return key[0] in {client.key for client in clients} and key[1] in {row.key for row in rows}


def _environments(clients: list[Client]) -> None:
    """Make the environments that the chosen clients need; nothing is done for those that are there and fresh."""
    for folder, lock, modules in ((_PEERS, "peers", "upbit"), (_LAB, "lab", "ccxt, pyupbit, cryptofeed")):
        python, stamp = ROOT / folder / "bin/python", ROOT / folder / ".installed"
        locked = ROOT / "requirements" / f"{lock}.lock"
        fresh = stamp.exists() and stamp.stat().st_mtime >= locked.stat().st_mtime
        if fresh or str(python) not in {client.python for client in clients}:
            continue
        (ROOT / folder).parent.mkdir(parents=True, exist_ok=True)
        maker = getattr(sys, "_base_executable", sys.executable)
        subprocess.run(["sh", "scripts/setup.sh", maker, folder, str(locked.relative_to(ROOT))], cwd=ROOT, check=True)
        subprocess.run([str(python), "-c", f"import {modules}"], cwd=ROOT, check=True)
        stamp.touch()


async def _run(clients: list[Client], rows: list[Row], jobs: int, results: report.Results) -> int:
    """Every cell, the long ones first, ``jobs`` at a time; returns how many could not be measured."""
    work = sorted(((row, client) for row in rows for client in clients), key=lambda cell: -cell[0].watch)
    slots, done, failed = asyncio.Semaphore(jobs), 0, 0

    async def one(row: Row, client: Client) -> None:
        nonlocal done, failed
        async with slots:
            try:
                cell = await run_cell(client, row)
            except LabError as error:
                failed += 1
                outcome = f"not measured: {error}"
            else:
                results[client.key, row.key] = cell
                outcome = f"{'green' if cell.verdict.green else 'RED'}: {cell.verdict.text}"
                outcome += f" ({cell.connects} connects, up to {cell.most_in_a_second}/s, {cell.cpu_share:.0%} CPU)"
        done += 1
        print(f"[{done}/{len(work)}] {client.key}, {row.key}: {outcome}", file=sys.stderr, flush=True)

    await asyncio.gather(*(one(row, client) for row, client in work))
    return failed


if __name__ == "__main__":
    sys.exit(main())
