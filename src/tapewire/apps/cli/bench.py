"""``tapewire bench``: CPU per message of tapewire beside websockets + json, on this machine, in half a minute."""

from __future__ import annotations

import importlib.util
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from msgspec import Struct
from msgspec.structs import asdict

from tapewire.apps.cli.running import ended_by_sigterm
from tapewire.apps.cli.terminal import is_terminal
from tapewire.errors import FeedError, TimedOut

_LOAD_MESSAGES = 4096
_CHILD_LIMIT = 25.0
_BUDGET = 25.0
#: Messages of one run: each about a second on a common machine.
_SIZES = {"tapewire": 200_000, "websockets + json": 50_000}
_WARM_SHARE = 10


class Figure(Struct, frozen=True, kw_only=True):
    """What one client cost: medians over ``runs`` runs.

    Attributes:
        name: the client.
        us_per_message: CPU (user and system) of the client's process, microseconds a message.
        messages_per_second: over the wall clock, one core.
        rss_mb: resident memory at the end, MB.
        messages: measured messages of one run.
    """

    name: str
    us_per_message: float
    messages_per_second: float
    rss_mb: float
    messages: int
    runs: int


class BenchResult(Struct, frozen=True, kw_only=True):
    """All figures of one bench. ``missing`` says which client could not run, and why."""

    figures: list[Figure]
    markets: int
    bytes_per_message: int
    missing: str | None = None

    @property
    def ratio(self) -> float | None:
        """How many times less CPU tapewire needs than the other client; None when that one is missing."""
        costs = {figure.name: figure.us_per_message for figure in self.figures}
        other = costs.get("websockets + json")
        return None if other is None else other / costs["tapewire"]


def run_bench(
    *,
    rounds: int = 3,
    markets: int = 100,
    seed: int = 1,
    scale: float = 1.0,
    progress: Callable[[str], None] = lambda _: None,
) -> BenchResult:
    """Measure each client ``rounds`` times in turn against the same load; new rounds stop after 25 s.

    Args:
        rounds: runs of each client; the median counts.
        markets: markets subscribed, four streams of each.
        seed: of the made-up messages.
        scale: how many messages a run has, 1 is about a second of work.
        progress: told each step in words.

    Raises:
        FeedError: the load or a client failed (its error output is in the text), or took too long.
    """
    names = [name for name in _SIZES if name == "tapewire" or importlib.util.find_spec("websockets")]
    started, results = time.monotonic(), {name: list[dict[str, float]]() for name in names}
    with load(markets, seed) as (port, mean_bytes):
        for turn in range(rounds):
            if turn and time.monotonic() - started > _BUDGET * turn / (turn + 1):
                break
            for name in names:
                progress(f"round {turn + 1} of {rounds}: {name}")
                results[name].append(measure(name, port, markets, max(100, int(_SIZES[name] * scale))))
    return BenchResult(
        figures=[_figure(name, runs) for name, runs in results.items()],
        markets=markets,
        bytes_per_message=mean_bytes,
        missing=None if len(names) > 1 else "websockets is not installed: pip install 'tapewire[websockets]'",
    )


@contextmanager
def load(markets: int, seed: int, rate: int | None = None) -> Iterator[tuple[int, int]]:
    """A process that serves the load: its port and the mean size of its messages, in bytes."""
    command = [sys.executable, "-m", "tapewire.apps.cli.bench_load", str(markets), str(_LOAD_MESSAGES), str(seed)]
    command += [] if rate is None else [str(rate)]
    process = subprocess.Popen(  # noqa: S603 - our own module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None  # noqa: S101 - asked for above
        words = process.stdout.readline().split()
        if len(words) != 2:
            raise FeedError(f"the load did not start: {_last_line(process.communicate(timeout=_CHILD_LIMIT)[1])}")
        yield int(words[0]), int(words[1])
    finally:
        process.kill()
        process.communicate()


def measure(name: str, port: int, markets: int, count: int) -> dict[str, float]:
    """One run of one client over ``count`` messages after a tenth as many to warm up; what its process printed.

    Raises:
        FeedError: it failed or took too long.
    """
    command = [sys.executable, "-m", "tapewire.apps.cli.bench_clients", name]
    command += [str(number) for number in (port, markets, count + count // _WARM_SHARE, count // _WARM_SHARE)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_CHILD_LIMIT, check=False)  # noqa: S603 - our own module
    except subprocess.TimeoutExpired:
        raise TimedOut(f"bench of {name}", _CHILD_LIMIT) from None
    if done.returncode != 0:
        raise FeedError(f"the bench of {name} failed: {_last_line(done.stderr) or f'exit code {done.returncode}'}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def _last_line(text: str) -> str:
    """Of a traceback the line that says what happened."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")[:500]


def _figure(name: str, runs: list[dict[str, float]]) -> Figure:
    return Figure(
        name=name,
        us_per_message=statistics.median(1e6 * run["cpu"] / run["messages"] for run in runs),
        messages_per_second=statistics.median(run["messages"] / run["wall"] for run in runs),
        rss_mb=statistics.median(run["rss"] / 1e6 for run in runs),
        messages=int(runs[0]["messages"]),
        runs=len(runs),
    )


@click.command(short_help="Measure the speed here beside plain websockets + json.")
@click.option(
    "--rounds", type=click.IntRange(1, 9), default=3, show_default=True, help="Runs of each; the median counts."
)
@click.option(
    "--markets", type=click.IntRange(1, 500), default=100, show_default=True, help="Markets, four streams each."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the made-up messages.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def bench(rounds: int, markets: int, seed: int, as_json: bool) -> None:
    """Measure the speed here: CPU per message of tapewire beside websockets + json.

    Needs no network and no compiler: a process of its own sends made-up Upbit messages over a loopback socket as
    fast as the client reads them. Takes half a minute at most.
    """
    from rich.console import Console  # noqa: PLC0415 - keeps `tapewire --help` quick

    with ended_by_sigterm(), Console(stderr=True).status("making the load …") as status:
        result = run_bench(rounds=rounds, markets=markets, seed=seed, progress=status.update)
    if as_json:
        _tell_json(result)
    else:
        _show_table(result) if is_terminal() else _tell(result)
        click.echo("\n".join(conclusions(result)))


def conclusions(result: BenchResult) -> list[str]:
    """What the figures say, in words."""
    lines = []
    if result.ratio is not None:
        lines.append(f"tapewire takes {result.ratio:.1f} times less CPU a message than websockets + json.")
    if result.missing is not None:
        lines.append(f"No comparison: {result.missing}")
    return lines


def _tell_json(result: BenchResult) -> None:
    load = {"markets": result.markets, "bytes_per_message": result.bytes_per_message}
    for figure in result.figures:
        click.echo(json.dumps({**asdict(figure), **load}))
    if result.missing is not None:
        click.echo(f"tapewire: {result.missing}", err=True)


def _tell(result: BenchResult) -> None:
    for figure in result.figures:
        click.echo("\t".join((figure.name, *_cells(figure))))


def _show_table(result: BenchResult) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(title=f"{result.markets} markets, four streams each, {result.bytes_per_message:,} bytes a message")
    table.add_column("client")
    for heading in ("CPU a message", "speed", "memory"):
        table.add_column(heading, justify="right")
    for figure in result.figures:
        table.add_row(figure.name, *_cells(figure))
    Console().print(table)


def _cells(figure: Figure) -> tuple[str, str, str]:
    return (
        f"{figure.us_per_message:.2f} µs",
        f"{figure.messages_per_second:,.0f} messages a second",
        f"{figure.rss_mb:.0f} MB",
    )
