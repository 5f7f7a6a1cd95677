"""``tapewire fleet``: who carries what, how far behind, what was missed, whose copies come first."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import click

from tapewire.apps.cli.options import SECONDS
from tapewire.apps.cli.running import FAILED, Stop, run
from tapewire.apps.cli.terminal import count_of, is_terminal, json_line, plain, size_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tapewire.fleet.board import Board, Row
    from tapewire.fleet.lease import Bucket


@click.command(short_help="Who carries what in a fleet of collectors.")
@click.argument("url", envvar="TAPEWIRE_FLEET")
@click.option("--fleet-name", metavar="NAME", help="Of the fleet, where there are several.")
@click.option("--symbols", is_flag=True, help="One line a symbol, too: who carries it.")
@click.option("--watch", is_flag=True, help="Live, until Ctrl-C.")
@click.option("--every", type=SECONDS, default=1.0, show_default=True, metavar="S", help="Between two looks (--watch).")
@click.option("--credentials", metavar="FILE", help="A user's JWT and seed, as nsc makes it.")
@click.option("--ca", metavar="FILE", help="Certificates to trust (tls://).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a look, for programs.")
@click.pass_context
def fleet(
    context: click.Context, *, url: str, fleet_name: str | None, symbols: bool, watch: bool, every: float,
    credentials: str | None, ca: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Show the collectors of a fleet at a NATS (URL, or TAPEWIRE_FLEET): what each carries, its lag, gaps, losses.

    `first` is the share of its copies that reached the broker before anybody else's; `short` names symbols with fewer
    copies than the fleet should have. Ends with 1 if nobody collects there.

    \b
    tapewire fleet nats://127.0.0.1:4222
    tapewire fleet nats://127.0.0.1:4222 --watch --symbols
    """  # noqa: D301 - click wants the character
    if as_json:
        show: Show = _json
    else:
        show = partial(_print, symbols=symbols)
    door = Door(url, credentials, ca)
    if watch and not as_json and is_terminal():
        context.exit(run(lambda stop: _live(stop, door, fleet_name, every, symbols=symbols)))
    context.exit(run(lambda stop: _lines(stop, door, fleet_name, every if watch else None, show)))


class Door(NamedTuple):
    """The way to NATS."""

    url: str
    credentials: str | None
    ca: str | None

    async def open(self, name: str | None) -> tuple[str, Bucket]:
        """The fleet of that name (or the only one) and its bucket. Raises ConfigError, SinkError."""
        from tapewire.errors import ConfigError  # noqa: PLC0415 - heavy, loaded when used

        bucket = self._bucket(name or "any")
        there = await _reached(bucket, bucket.open(make=False))
        if there:
            return name or "any", bucket
        names = await _reached(bucket, bucket.fleets())
        await bucket.close()
        if name is None and len(names) == 1:
            return await self.open(names[0])
        known = f"one of those there: {', '.join(names)}" if names else "that of a fleet; there is none at this NATS"
        raise ConfigError("fleet_name", name or "", known)

    def _bucket(self, name: str) -> Bucket:
        from tapewire.fleet.lease import Bucket  # noqa: PLC0415 - heavy, loaded when used
        from tapewire.fleet.words import FleetOptions  # noqa: PLC0415
        from tapewire.sinks.brokers.address import Address  # noqa: PLC0415
        from tapewire.sinks.brokers.nats_line import SCHEMES  # noqa: PLC0415

        options = FleetOptions(fleet=name, name="looks-on")
        return Bucket(Address(self.url, SCHEMES), options, credentials=self.credentials, ca=self.ca)


Show = Callable[["Board"], None]
Answer = TypeVar("Answer")


async def _reached(bucket: Bucket, asked: Awaitable[Answer]) -> Answer:
    """An answer of NATS. Raises SinkError: there is none."""
    from tapewire.errors import SinkError  # noqa: PLC0415 - heavy, loaded when used
    from tapewire.sinks.brokers.link import Away, NotLetIn  # noqa: PLC0415

    try:
        return await asked
    except (Away, NotLetIn) as error:
        await bucket.close()
        raise SinkError(bucket.shown, str(error)) from None


async def _look(name: str, bucket: Bucket) -> Board:
    from tapewire.fleet.board import board  # noqa: PLC0415 - heavy, loaded when used

    return board(name, await _reached(bucket, bucket.states()), time.time_ns())


async def _lines(stop: Stop, door: Door, name: str | None, every: float | None, show: Show) -> None:
    """Once, or every so many seconds."""
    found, bucket = await door.open(name)
    try:
        while not stop.asked:
            seen = await _look(found, bucket)
            show(seen)
            if every is None:
                if not seen.rows:
                    stop.ask(FAILED)
                return
            await stop.wait(every)
    finally:
        await bucket.close()


async def _live(stop: Stop, door: Door, name: str | None, every: float, *, symbols: bool) -> None:
    """On a terminal, redrawn; a NATS that is away is told in the place of the table."""
    from rich.console import Console  # noqa: PLC0415 - heavy, loaded when used
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from tapewire.errors import SinkError  # noqa: PLC0415

    found, bucket = await door.open(name)
    console = Console(markup=False, highlight=False)
    try:
        with Live(console=console, auto_refresh=False, vertical_overflow="ellipsis", screen=True) as live:
            while not stop.asked:
                try:
                    if not bucket.is_open:
                        found, bucket = await door.open(found)
                    live.update(picture(await _look(found, bucket), symbols=symbols), refresh=True)
                except SinkError as error:
                    live.update(Text(plain(error), style="red"), refresh=True)
                await stop.wait(every)
    finally:
        await bucket.close()


def _json(seen: Board) -> None:
    sys.stdout.buffer.write(json_line(seen))
    sys.stdout.buffer.flush()


def _print(seen: Board, *, symbols: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - heavy, loaded when used

    console = Console(markup=False, highlight=False, width=None if is_terminal() else 140)
    with console.capture() as captured:
        console.print(picture(seen, symbols=symbols))
    lines = captured.get().splitlines()
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in lines))
    sys.stdout.flush()


def picture(seen: Board, *, symbols: bool) -> RenderableType:
    """A fleet for people."""
    from rich.console import Group  # noqa: PLC0415 - heavy, loaded when used
    from rich.text import Text  # noqa: PLC0415

    parts: list[RenderableType] = [Text(_headline(seen), style="bold")]
    if seen.rows:
        parts.append(_table(seen.rows))
    if len(seen.plans) > 1:
        parts.append(Text("its collectors do not agree on what it carries", style="red"))
    if seen.short:
        more = f" … and {len(seen.short) - 8} more" if len(seen.short) > 8 else ""
        parts.append(Text(f"short of copies: {', '.join(map(plain, seen.short[:8]))}{more}", style="yellow"))
    parts += [Text(f"account {plain(name)}: {', '.join(names) or 'nobody'}") for name, names in seen.accounts.items()]
    if symbols:
        width = max(map(len, seen.carriers), default=0)
        parts += [Text(f"{plain(symbol):<{width}}  {', '.join(names)}") for symbol, names in seen.carriers.items()]
    return Group(*parts)


def _headline(seen: Board) -> str:
    if not seen.rows:
        return f"fleet {seen.fleet}: nobody collects"
    plan = seen.plans[0]
    return (
        f"fleet {seen.fleet}: {count_of(len(seen.carriers), 'symbol')} of {plan.venue} ({','.join(plan.markets)}; "
        f"{plan.types}), {count_of(plan.copies, 'copy').replace('copys', 'copies')} each, "
        f"{count_of(len(seen.rows), 'collector')}"
    )


def _table(rows: Sequence[Row]) -> RenderableType:
    from rich.table import Table  # noqa: PLC0415 - heavy, loaded when used

    table = Table(box=None, padding=(0, 1), header_style="dim", pad_edge=False)
    table.add_column("collector", no_wrap=True)
    table.add_column("host", no_wrap=True)
    for name in ("up", "carries", "events", "first", "lag", "waiting", "gaps", "reconnects", "fenced"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row), style="yellow" if row.leaving or row.carries < row.asked else "")
    return table


def _cells(row: Row) -> tuple[str, ...]:
    counts = row.counts
    waiting = f"{counts.waiting:,}" + (f" + {size_of(counts.spooled)}" if counts.spooled else "")
    gaps = f"{counts.gaps:,}" + (f" ({counts.unfilled:,} unfilled)" if counts.unfilled else "")
    return (
        f"{plain(row.name)} (leaving)" if row.leaving else plain(row.name),
        plain(row.host, 30),
        _span(row.seconds),
        f"{row.carries}" if row.carries == row.asked else f"{row.carries} of {row.asked}",
        f"{counts.first + counts.second:,}",
        "–" if row.first_share is None else f"{row.first_share:.0%}",
        "–" if counts.lag_ms is None else f"{counts.lag_ms:,.0f} ms",
        waiting,
        gaps,
        f"{counts.reconnects:,}",
        f"{counts.fenced:,}",
    )


def _span(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours // 24} d {hours % 24} h" if hours >= 24 else f"{hours}:{rest // 60:02}:{rest % 60:02}"
