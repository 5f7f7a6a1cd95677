"""A fixed rate of messages, recorded for a while: whether it is held, and whether memory stays flat.

    .venv/bin/python -m benchmarks.recording_rate [--rate 200000] [--seconds 60] [--markets 100] [--free] [--out DIR]
        [WAY …]

For each way (``jsonl``: the exchange's own JSON in files by market and kind; ``tape``: a raw tape, not compressed;
``zstd``: compressed; ``receive``: nothing is kept) a process of its own: every five seconds what was received,
and dropped, CPU and resident memory. What is older than some seconds is removed meanwhile, so that a minute
takes no 15 GB and the machine's memory and processor are measured, not its disk; ``--keep`` leaves it.
The recording process has one core, and the load another (``--free``: whichever the system gives them).
Ends with 1 if a way received less than 99 % of the rate, dropped anything, or grew by more than a tenth after its
first quarter.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from benchmarks.recording_client import _KINDS, cpu_by_thread
from tapewire import RecordOptions, Subscription, TapeOptions, WebSocketClient
from tapewire.apps.cli.bench import load
from tapewire.apps.cli.bench_load import market_codes
from tapewire.sinks.registry import get_sink

_WAYS = ("jsonl", "tape")
_LOOK = 5.0
#: Bytes that a file of lines is left; seconds that a file of a tape is, after the last writing to it.
_LARGE, _OLD = 4 * 1024 * 1024, 6.0
Row = dict[str, Any]


async def keep(way: str, port: int, markets: int, seconds: float, folder: Path) -> list[Row]:
    """One way: a row each few seconds."""
    wanted = [Subscription(kind, code, unit) for kind, unit in _KINDS for code in market_codes(markets)]
    tape = None
    if way in ("tape", "zstd"):
        tape = TapeOptions(folder=str(folder / "tape"), compress=way == "zstd", fsync="none", file_seconds=3.0)
    url = f"ws://127.0.0.1:{port}/"
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            WebSocketClient("rate", url=url, validate=False, drop_doubles=False, keep_raw=way == "jsonl", tape=tape)
        )
        if way == "jsonl":
            sink = get_sink("jsonl")(folder, options=RecordOptions(fsync="none"))
            await client.add_sink(sink, wanted)
        else:
            await client.subscribe(wanted, lambda _event: None)
        return await _watched(client, seconds)


async def _watched(client: WebSocketClient, seconds: float) -> list[Row]:
    loop = asyncio.get_running_loop()
    await asyncio.sleep(2.0)  # the beginning is another matter
    began, before = loop.time(), _figures(client)
    rows: list[Row] = []
    while loop.time() < began + seconds:
        await asyncio.sleep(_LOOK)
        now = _figures(client)
        rows.append(_row(before, now))
        print(_line(loop.time() - began, rows[-1]), flush=True)
        before = now
    return rows


def _figures(client: WebSocketClient) -> Row:
    said, position = client.statistics(), client.tape_position()
    threads = cpu_by_thread()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "at": time.perf_counter(),
        "received": said.total_processed,
        "dropped": said.dropped + (0 if position is None else position.missed),
        "cpu": usage.ru_utime + usage.ru_stime,
        "feed": threads["MainThread"],
        "rss": _resident(),
        "faults": usage.ru_minflt,
        "sys": usage.ru_stime,
    }


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _row(before: Row, now: Row) -> Row:
    count, span = now["received"] - before["received"], now["at"] - before["at"]
    return {
        "rate": count / span,
        "cpu": 1e6 * (now["cpu"] - before["cpu"]) / max(count, 1),
        "feed": 1e6 * (now["feed"] - before["feed"]) / max(count, 1),
        "dropped": now["dropped"] - before["dropped"],
        "rss": now["rss"] / 1e6,
        "sys": 1e6 * (now["sys"] - before["sys"]) / max(count, 1),
        "faults": (now["faults"] - before["faults"]) / max(count, 1),
    }


def _line(second: float, row: Row) -> str:
    return (
        f"{second:5.0f} s {row['rate']:>9,.0f}/s  {row['cpu']:5.2f} µs CPU a message ({row['feed']:.2f} the feed's,"
        f" {row['sys']:.2f} the system's, {row['faults']:.3f} page faults)"
        f"  dropped {row['dropped']:>9,}  {row['rss']:6.0f} MB"
    )


def judge(rate: int, rows: list[Row]) -> list[str]:
    """What is not as it should be."""
    quarter = max(1, len(rows) // 4)
    early, late = max(row["rss"] for row in rows[:quarter]), max(row["rss"] for row in rows[quarter:] or rows)
    words = []
    if (mean := sum(row["rate"] for row in rows) / len(rows)) < 0.99 * rate:
        words.append(f"{mean:,.0f} a second came, not {rate:,}")
    if dropped := sum(row["dropped"] for row in rows):
        words.append(f"{dropped:,} were dropped")
    if late > 1.1 * early:
        words.append(f"memory grew from {early:.0f} to {late:.0f} MB")
    return words


def remove_old(folder: Path, stop: Path) -> None:
    """In a process of its own: files of lines are emptied when they are large, files of a tape go when they are old."""
    while not stop.exists():
        for path in folder.rglob("*"):
            with contextlib.suppress(OSError):
                status = path.stat()
                if path.suffix == ".jsonl" and status.st_size > _LARGE:
                    os.truncate(path, 0)  # what is appended goes on at the new end
                elif path.suffix == ".tape" and time.time() - status.st_mtime > _OLD:
                    path.unlink()
        time.sleep(0.5)


def run(way: str, given: argparse.Namespace, port: int) -> list[str]:
    """One way in a process of its own, and one that removes what is old."""
    root = Path(tempfile.mkdtemp(prefix="tapewire-rate-", dir=given.out))
    stop = root / "stop"
    ours = [sys.executable, "-m", "benchmarks.recording_rate"]
    removing = None if given.keep else subprocess.Popen([*ours, "--remove", str(root)])
    try:
        command = [*ours, "--child", way, str(port), str(root), "--markets", str(given.markets)]
        command += ["--free"] if given.free else ["--core", str(given.core)]
        done = subprocess.run(
            [*command, "--seconds", str(given.seconds), "--rate", str(given.rate)],
            stdout=subprocess.PIPE, text=True, check=True, timeout=given.seconds + 60,
        )  # fmt: skip
        *lines, last = done.stdout.splitlines()
        print(f"{way}:", *lines, sep="\n")
        return judge(given.rate, json.loads(last))
    finally:
        stop.touch()
        if removing is not None:
            removing.wait(10)
        shutil.rmtree(root)


def child(way: str, port: str, root: str, given: argparse.Namespace) -> int:
    """The recording process."""
    import uvloop  # noqa: PLC0415 - an optional part

    if not given.free:
        os.sched_setaffinity(0, {given.core})
    folder = Path(root) / "kept"
    folder.mkdir()
    print(json.dumps(uvloop.run(keep(way, int(port), given.markets, given.seconds, folder))))
    return 0


def main() -> int:
    """Every way, and what was not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ways", nargs="*", default=list(_WAYS), metavar="WAY")
    parser.add_argument("--rate", type=int, default=200_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--markets", type=int, default=100)
    parser.add_argument("--out", help="where the files go while it runs (default: the folder for temporary files)")
    parser.add_argument("--keep", action="store_true", help="remove nothing before the end")
    parser.add_argument("--free", action="store_true", help="no core is kept for the recording process")
    parser.add_argument("--core", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--remove", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.remove:
        remove_old(Path(given.remove) / "kept", Path(given.remove) / "stop")
        return 0
    if given.child:
        way, port, root = given.child
        return child(way, port, root, given)
    first, *others = sorted(os.sched_getaffinity(0))
    given.core, given.free = first, given.free or not others
    if not given.free:
        os.sched_setaffinity(0, others)  # the load's, and that of who removes what is old
    failed = False
    with load(given.markets, 1, given.rate) as (port, size):
        print(f"{given.rate:,} messages of {size} bytes a second, {given.markets} markets, {given.seconds:g} s")
        for way in given.ways:
            words = run(way, given, port)
            print(f"{way}: {'; '.join(words) or 'held'}", flush=True)
            failed = failed or bool(words)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
