"""What recording costs a message, beside what any program has to pay that keeps the same bytes.

    .venv/bin/python -m benchmarks.recording [--rounds 3] [--messages 200000] [--markets 100] [--rate N]
                                           [--out DIR] [WAY …]

Each way (``recording_client.py`` lists them) is measured in a process of its own, all in turn, against one load. Of
each: CPU a message by thread, what that is beyond receiving alone, and that in terms of the yardstick (frames kept by
picows and a plain loop, beyond picows alone). On a machine with other work to do only the ratio means something.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from typing import Any

from tapewire.apps.cli.bench import load

_WAYS = ("frames", "append", "receive", "receiveraw", "jsonl", "event", "tape", "zstd")
#: What each way costs beside: the same without keeping anything.
_BESIDE = {"append": "frames"}
_LIMIT = 120.0

Run = dict[str, Any]


def measure(name: str, port: int, markets: int, messages: int, out: str | None) -> Run:
    """One run, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.recording_client", f"{name}-made", str(port)]
    warm = messages // 2  # all files are there by then: that one is made is no message's cost
    command += [str(messages + warm), str(warm)]
    more = {"BENCH_MARKETS": str(markets)} | ({} if out is None else {"BENCH_OUT": out})
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT, check=False, env=os.environ | more)
    if done.returncode:
        sys.exit(f"{name} failed: {done.stderr.strip().splitlines()[-1:]}")
    result: Run = json.loads(done.stdout.splitlines()[-1])
    return result


def cost(run: Run) -> float:
    """Microseconds of CPU a message."""
    spent: float = 1e6 * (run["user"] + run["sys"]) / run["msgs"]
    return spent


def medians(runs: dict[str, list[Run]]) -> dict[str, float]:
    """Of the rounds: what each way cost beyond the same without keeping, in the same round."""
    return {
        name: statistics.median(
            cost(run) - cost(plain) for run, plain in zip(own, runs[_BESIDE.get(name, "receive")], strict=True)
        )
        for name, own in runs.items()
    }


def show(runs: dict[str, list[Run]]) -> None:
    """The table."""
    beyond = medians(runs)
    print(f"{'way':10} {'µs':>7} {'feed':>7} {'writer':>7} {'beyond':>7} {'ratio':>6} {'peak MB':>8} {'B/message':>9}")
    for name, own in runs.items():
        threads = [1e6 * run["threads"]["MainThread"] / run["msgs"] for run in own]
        whole = statistics.median(map(cost, own))
        feed = statistics.median(threads)
        kept = statistics.median(run["bytes"] / run["all"] for run in own)
        peak = max(run["rss_kb"] for run in own) / 1024
        share = beyond[name] / beyond["append"]
        dropped = sum(run["dropped"] for run in own)
        print(
            f"{name:10} {whole:7.2f} {feed:7.2f} {whole - feed:7.2f} {beyond[name]:7.2f} {share:6.2f}"
            f" {peak:8.0f} {kept:9.0f}{f'  dropped: {dropped:,}, so the cost is none' if dropped else ''}"
        )


def main() -> int:
    """Measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ways", nargs="*", default=list(_WAYS), metavar="WAY")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--markets", type=int, default=100)
    parser.add_argument("--rate", type=int, help="messages a second (default: as fast as they are received)")
    parser.add_argument("--out", help="where the files go while it runs (default: the folder for temporary files)")
    given = parser.parse_args()
    ways = dict.fromkeys(("frames", "append", "receive", *given.ways))
    runs: dict[str, list[Run]] = {name: [] for name in ways}
    with load(given.markets, 1, given.rate) as (port, size):
        for _ in range(given.rounds):
            for name in ways:
                runs[name].append(measure(name, port, given.markets, given.messages, given.out))
    print(f"{size} bytes a message, {given.markets} markets, medians of {given.rounds} rounds")
    show(runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
