"""The kimchi premium, live: KRW-BTC on Upbit over BTC-USDT on OKX, at the won price of a dollar (KRW-USDT on Upbit).

python kimchi_premium.py [--seconds 60] [--plot premium.svg]        both exchanges
python kimchi_premium.py --simulate [--seconds 20]                  both simulators, no network
python kimchi_premium.py --url ws://… --okx-url ws://…              any two servers
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections import deque
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from tapewire import TickerEvent, WebSocketClient
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator

#: Premiums that are kept: of the last ten minutes, twice a second.
KEPT = 1200
BARS = "▁▂▃▄▅▆▇█"


class Premium:
    """The last price of each of the three markets, and the premiums so far (percent)."""

    def __init__(self) -> None:
        self.prices: dict[tuple[str, str], float] = {}
        self.history: deque[float] = deque(maxlen=KEPT)

    def hear(self, ticker: TickerEvent) -> None:
        self.prices[ticker.venue, ticker.symbol] = float(ticker.trade_price or 0)

    @property
    def now(self) -> float | None:
        """Percent; None until all three prices came."""
        won, dollar = self.prices.get(("upbit", "KRW-BTC")), self.prices.get(("upbit", "KRW-USDT"))
        abroad = self.prices.get(("okx", "BTC-USDT"))
        if won is None or not dollar or not abroad:
            return None
        return (won / (abroad * dollar) - 1) * 100

    def table(self) -> Table:
        table = Table(box=None, padding=(0, 2), header_style="dim")
        for name in ("", "price", "in won"):
            table.add_column(name, justify="left" if not name else "right")
        dollar = self.prices.get(("upbit", "KRW-USDT"), 0.0)
        for (venue, symbol), price in sorted(self.prices.items()):
            won = price * dollar if venue == "okx" else price
            table.add_row(f"{symbol} on {venue}", f"{price:,.10g}", f"{won:,.0f}")
        if self.history:
            style = "green" if self.history[-1] >= 0 else "red"
            table.add_row("kimchi premium", f"[bold {style}]{self.history[-1]:+.3f} %", "")
            table.add_row(spark(list(self.history)[-60:]), "", "")
        return table


def spark(values: list[float]) -> str:
    """A line of bars from the lowest to the highest."""
    low, span = min(values), (max(values) - min(values)) or 1.0
    return "".join(BARS[int((value - low) / span * (len(BARS) - 1))] for value in values)


def plot(values: list[float], path: Path) -> None:
    """The premium over time as a picture (SVG) that any browser shows."""
    width, height, edge = 800, 300, 50
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    across, down = (width - 2 * edge) / max(len(values) - 1, 1), (height - 2 * edge) / span
    points = " ".join(f"{edge + i * across:.1f},{height - edge - (v - low) * down:.1f}" for i, v in enumerate(values))
    grid = "".join(
        f'<line x1="{edge}" x2="{width - edge}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
        f'<text x="{edge - 6}" y="{y + 4:.1f}" text-anchor="end">{low + (height - edge - y) / down:+.2f}</text>'
        for y in (edge + part * (height - 2 * edge) / 4 for part in range(5))
    )
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="12"><rect width="{width}" height="{height}" fill="white"/>{grid}'
        f'<polyline points="{points}" fill="none" stroke="#c0392b" stroke-width="1.5"/>'
        f'<text x="{width / 2}" y="28" text-anchor="middle" font-size="16">kimchi premium, percent</text></svg>\n',
        "utf-8",
    )


async def watch(premium: Premium, url: str | None, okx_url: str | None) -> None:
    console = Console()
    async with (
        WebSocketClient("seoul", "upbit", url=url) as seoul,
        WebSocketClient("abroad", "okx", url=okx_url) as abroad,
    ):
        await seoul.subscribe_ticker(["KRW-BTC", "KRW-USDT"], premium.hear)
        await abroad.subscribe_ticker(["BTC-USDT"], premium.hear)
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            while True:
                await asyncio.sleep(0.5)
                if (now := premium.now) is not None:
                    premium.history.append(now)
                    live.update(premium.table())
                    if not console.is_terminal:
                        print(f"kimchi premium {now:+.3f} %")


async def simulated(premium: Premium) -> None:
    """Both exchanges in this process, with prices that belong together."""
    async with (
        Simulator(Scenario(venue="upbit", markets=("KRW-BTC", "KRW-USDT"), rate=20.0)) as upbit,
        Simulator(Scenario(venue="okx", markets=("BTC-USDT",), rate=20.0)) as okx,
    ):
        await watch(premium, upbit.url, okx.url)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="another server for Upbit, such as that of `tapewire simulate upbit`")
    parser.add_argument("--okx-url", help="another server for OKX, such as that of `tapewire simulate okx`")
    parser.add_argument("--simulate", action="store_true", help="play both exchanges here, with no network")
    parser.add_argument("--plot", type=Path, default=Path("premium.svg"), help="where to draw it at the end")
    parser.add_argument("--seconds", type=float, help="end after so many seconds")
    options = parser.parse_args()
    premium = Premium()
    program = simulated(premium) if options.simulate else watch(premium, options.url, options.okx_url)
    with contextlib.suppress(KeyboardInterrupt, TimeoutError):
        asyncio.run(asyncio.wait_for(program, options.seconds))
    Console().print(premium.table())
    if premium.history:
        plot(list(premium.history), options.plot)
        print(f"drawn in {options.plot}")
