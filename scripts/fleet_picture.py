"""Draws docs/pictures/fleet.png: a fleet of three collectors, whose shares are those that the code gives them.

.venv/bin/python scripts/fleet_picture.py [FILE]
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from tapewire.fleet.shares import carriers

mpl.use("Agg")

FILE = Path(__file__).parents[1] / "docs" / "pictures" / "fleet.png"
SYMBOLS = ("KRW-BTC", "KRW-ETH", "KRW-XRP", "KRW-SOL", "KRW-ADA", "KRW-DOT")
NAMES = ("collector-1", "collector-2", "collector-3")
INK, FAINT, SEA, SAND, LEAF = "#1c2733", "#8a97a5", "#dcebf7", "#fbf1dc", "#e2f2e3"


def main(file: Path) -> None:
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the backend is chosen

    figure, axes = plt.subplots(figsize=(11, 5.4), dpi=110)
    axes.set(xlim=(0, 113), ylim=(0, 54))
    axes.axis("off")
    box(axes, (2, 19), (14, 16), SAND, "exchange", ["WebSocket", "REST"])
    for row, name in enumerate(NAMES):
        y = 38 - row * 17.5
        share = [symbol for symbol in SYMBOLS if name in carriers(symbol, NAMES, 2)]
        half = (len(share) + 1) // 2
        box(axes, (30, y), (23, 14), SEA, name, [" ".join(share[:half]), " ".join(share[half:])])
        arrow(axes, (16.4, 27), (29.6, y + 7))
        arrow(axes, (53.4, y + 7), (65.6, 39))
        arrow(axes, (53.4, y + 5), (65.6, 13), both=True, faint=True)
    box(
        axes,
        (66, 31),
        (25, 17),
        LEAF,
        "NATS, stream md",
        ["md.upbit.kr.trade.KRW-BTC", "each event once, by its id", "three servers"],
    )
    box(
        axes,
        (66, 5),
        (25, 17),
        LEAF,
        "NATS, key-value",
        ["tapewire-upbit", "one lease a collector:", "who lives, who carries what"],
    )
    box(axes, (97, 31), (15, 17), SAND, "readers", ["your programs,", "recordings,", "gateways"])
    box(axes, (97, 5), (15, 17), SAND, "tapewire fleet", ["who carries", "what"])
    arrow(axes, (91.4, 39.5), (96.6, 39.5))
    arrow(axes, (91.4, 13.5), (96.6, 13.5), faint=True)
    axes.text(59.5, 46.5, "both copies", ha="center", fontsize=9, color=FAINT)
    axes.text(58.5, 5.5, "leases", ha="center", fontsize=9, color=FAINT)
    figure.savefig(file, bbox_inches="tight", facecolor="white")
    plt.close(figure)


def box(  # noqa: PLR0917 - as it is drawn
    axes: Axes, at: tuple[float, float], size: tuple[float, float], colour: str, title: str, lines: list[str]
) -> None:
    axes.add_patch(FancyBboxPatch(at, *size, boxstyle="round,pad=0.3,rounding_size=1.2", fc=colour, ec=INK, lw=1))
    middle, top = at[0] + size[0] / 2, at[1] + size[1]
    axes.text(middle, top - 2.4, title, ha="center", va="center", fontsize=10, fontweight="bold", color=INK)
    for number, line in enumerate(lines):
        axes.text(middle, top - 6.4 - number * 3.4, line, ha="center", va="center", fontsize=8.5, color=INK)


def arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], *, both: bool = False, faint: bool = False
) -> None:
    look = {"arrowstyle": "<->" if both else "->", "color": FAINT if faint else INK, "lw": 1.1}
    axes.annotate("", xy=end, xytext=start, arrowprops=look | ({"linestyle": (0, (4, 3))} if faint else {}))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FILE)
