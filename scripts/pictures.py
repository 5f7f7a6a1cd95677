"""Makes the pictures of docs/analysis.md: a recording of the seeded simulator, the page's own code, matplotlib.

.venv/bin/python scripts/pictures.py            # writes docs/pictures
.venv/bin/python scripts/pictures.py --to DIR   # writes them elsewhere
"""

from __future__ import annotations

import argparse
import asyncio
import re
import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import DateFormatter, MinuteLocator

from tapewire import Subscription, TapeOptions, WebSocketClient
from tapewire.client.converting import convert
from tapewire.model.status import Gap
from tapewire.runtime.clock import LoopClock
from tapewire.runtime.manager import WebSocketManager
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tapewire.testing.clock import VirtualTimeLoop, run_virtual

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "analysis.md"
MARKETS = ("KRW-BTC", "KRW-ETH")
SECONDS = 600
FAULTS = ("drop@120", "maintenance:20@300")
INK, MUTED, BLUE, ORANGE, RED, GREEN = "#222222", "#777777", "#2b6cb0", "#c05621", "#c53030", "#9ae6b4"
STYLE = {
    "figure.figsize": (8, 3.4), "figure.dpi": 110, "font.size": 9, "axes.edgecolor": MUTED, "axes.labelcolor": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 10, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "xtick.color": MUTED, "ytick.color": MUTED, "text.color": INK,
    "figure.constrained_layout.use": True, "svg.hashsalt": "tapewire",
}  # fmt: skip


def record(tape: Path) -> None:
    """Ten minutes of the simulator, in virtual time."""

    async def story() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        simulator = Simulator(Scenario(seed=7, markets=MARKETS, faults=FAULTS))
        manager = WebSocketManager(
            lambda _options, _wall_ns: (simulator.lines(), simulator.http()),
            clock=LoopClock(loop.wall_ns),
            draw=lambda: 0.5,
            ticket=lambda: "ticket",
        )
        streams = [Subscription(kind, symbol) for symbol in MARKETS for kind in ("trade", "orderbook")]
        async with WebSocketClient("pictures", manager=manager, tape=TapeOptions(folder=str(tape))) as client:
            await client.subscribe(streams, lambda _event: None)
            await simulator.reached(SECONDS)
        await simulator.stop()
        manager.kill()

    run_virtual(story())


def shown_code() -> dict[str, Any]:
    """The functions of the page, as they stand there."""
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), names)
    return names


def moment(ns: int | None) -> pd.Timestamp:
    """A time of the recording."""
    return pd.Timestamp(ns or 0, unit="ns")


def blind(rows: list[Gap], symbol: str) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """When the book of a market was not known."""
    books = [row for row in rows if row.subscription.kind == "orderbook" and row.subscription.symbol == symbol]
    return [(moment(row.from_ns), moment(row.to_ns)) for row in books]


def clock(axes: Axes) -> None:
    """Times of day below."""
    axes.xaxis.set_major_locator(MinuteLocator(byminute=range(0, 60, 2)))
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M"))
    axes.set_xlabel("time of receipt, UTC")


def draw_gaps(rows: list[Gap], span: tuple[pd.Timestamp, pd.Timestamp], to: Path) -> None:
    """One bar for each stream, its gaps in it."""
    figure, axes = plt.subplots(figsize=(8, 2.8))
    streams = sorted({row.subscription for row in rows}, key=lambda one: (one.symbol, one.kind), reverse=True)
    for place, stream in enumerate(streams):
        axes.barh(place, span[1] - span[0], left=span[0], height=0.5, color=GREEN)
        for row in (row for row in rows if row.subscription == stream):
            begin, end = moment(row.from_ns), moment(row.to_ns)
            axes.barh(place, max(end - begin, pd.Timedelta(seconds=1.5)), left=begin, height=0.5, color=RED)
            word = f"{row.state}, {row.recovered} trades" if row.recovered else row.state
            axes.annotate(word, (end, place), (4, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(range(len(streams)), [f"{one.kind} {one.symbol}" for one in streams])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set_title("Streams heard (green) and their gaps (red), with what became of each")
    clock(axes)
    save(figure, to / "gaps.png")


def draw_spread(width: pd.Series, holes: list[tuple[pd.Timestamp, pd.Timestamp]], to: Path) -> None:
    """Steps, broken where nothing was known."""
    figure, axes = plt.subplots()
    pieces = [width[:begin] for begin, _ in holes[:1]]
    ends = [begin for begin, _ in holes[1:]] + [width.index[-1]]
    pieces += [width[end:last] for (_, end), last in zip(holes, ends, strict=True)]
    for piece in pieces or [width]:
        axes.step(piece.index, piece / 1000, where="post", color=BLUE, linewidth=0.8)
    for begin, end in holes:
        axes.axvspan(begin, max(end, begin + pd.Timedelta(seconds=1)), color=RED, alpha=0.18, linewidth=0)
        if end - begin > pd.Timedelta(seconds=10):
            middle = begin + (end - begin) / 2
            axes.annotate("book\nunknown", (middle, axes.get_ylim()[1]), ha="center", va="top", color=RED, fontsize=8)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("spread, 1,000 KRW")
    axes.set_title("KRW-BTC: best ask less best bid")
    clock(axes)
    save(figure, to / "spread.png")


def draw_rhythm(found: dict[str, tuple[pd.Series, pd.Series]], to: Path) -> None:
    """How many, and how far apart."""
    figure, (left, right) = plt.subplots(1, 2, width_ratios=(3, 2))
    edges = [10 ** (power / 4) for power in range(-12, 9)]
    for (symbol, (counts, pauses)), color in zip(found.items(), (BLUE, ORANGE), strict=True):
        whole = counts[1:-1]  # the first and the last ten seconds are not
        left.step(whole.index, whole, where="post", color=color, linewidth=1.2, label=symbol)
        right.hist(pauses.clip(lower=0.001), bins=edges, color=color, histtype="step", linewidth=1.4, label=symbol)
    left.set_ylim(bottom=0)
    left.set_title("Trades in ten seconds")
    left.legend(frameon=False, ncols=2, loc="lower left")
    clock(left)
    left.set_xlabel("time of execution, UTC")
    right.set_xscale("log")
    right.set_xticks([0.001, 0.01, 0.1, 1, 10], ["≤ 1 ms", "10 ms", "0.1 s", "1 s", "10 s"])
    right.minorticks_off()
    right.set_title("Pauses between two trades")
    right.set_ylabel("how often")
    save(figure, to / "rhythm.png")


def save(figure: Any, path: Path) -> None:
    """Without anything that differs from run to run."""
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)


def main(to: Path) -> None:
    """Record, convert, draw."""
    to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, mpl.rc_context(STYLE):
        tape, columns = Path(place, "ticks"), Path(place, "columns")
        record(tape)
        convert(tape, columns)
        code = shown_code()
        rows = code["gaps"](tape)
        width = code["spread"](columns, "KRW-BTC")
        draw_gaps(rows, (width.index[0], width.index[-1]), to)
        draw_spread(width, blind(rows, "KRW-BTC"), to)
        draw_rhythm({symbol: code["rhythm"](columns, symbol) for symbol in MARKETS}, to)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "pictures")
    main(parser.parse_args().to)
