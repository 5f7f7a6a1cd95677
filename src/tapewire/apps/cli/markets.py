"""``tapewire markets``: what can be subscribed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import click

from tapewire.apps.cli.options import Feed, venue_options
from tapewire.apps.cli.running import Stop, run
from tapewire.apps.cli.terminal import is_terminal, json_line, plain
from tapewire.errors import HttpFailed
from tapewire.model.market import Market


@click.command(short_help="List what can be subscribed.")
@click.argument("words", nargs=-1, metavar="[WORDS]...")
@click.option("--quote", metavar="CODE", help="Only markets paid in this currency: KRW, BTC, USDT …")
@venue_options
@click.pass_context
def markets(context: click.Context, feed: Feed, words: tuple[str, ...], quote: str | None) -> None:
    """List a venue's markets, those whose code or name has every one of WORDS.

    \b
    tapewire markets bitcoin
    tapewire markets --quote KRW --json
    """  # noqa: D301 - click wants the character
    context.exit(run(lambda stop: _markets(stop, feed, words, quote)))


async def _markets(stop: Stop, feed: Feed, words: Sequence[str], quote: str | None) -> None:
    asking = asyncio.create_task(_ask(feed), name="markets")
    stopping = asyncio.create_task(stop.wait(), name="stopping")
    await asyncio.wait({asking, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if stop.asked:
        asking.cancel()
        await asyncio.wait({asking})
        return
    found = [market for market in asking.result() if _fits(market, words, quote)]
    if feed.as_json:
        sys.stdout.buffer.write(b"".join(map(json_line, found)))
        sys.stdout.buffer.flush()
    elif is_terminal():
        _show_table(found)
    else:
        click.echo(
            "".join(f"{plain(m.symbol)}\t{plain(m.name or '')}\t{plain(m.local_name or '')}\n" for m in found), nl=False
        )


async def _ask(feed: Feed) -> list[Market]:
    try:
        async with feed.client("markets") as client:
            return await client.markets()
    except HttpFailed as error:
        hint = "offline? `tapewire simulate upbit` runs an exchange on this machine; then give its address as --url"
        raise HttpFailed(error.url, error.status, f"{error.reason} ({hint})") from error


def _fits(market: Market, words: Sequence[str], quote: str | None) -> bool:
    text = f"{market.symbol} {market.name} {market.local_name}".lower()
    return all(word.lower() in text for word in words) and (quote is None or market.quote == quote.upper())


def _show_table(found: Sequence[Market]) -> None:
    from rich.console import Console  # noqa: PLC0415 - heavy, loaded when used
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, padding=(0, 1), header_style="dim", pad_edge=False)
    for name in ("Market", "Name", "Local name", ""):
        table.add_column(name)
    for market in found:
        table.add_row(
            plain(market.symbol),
            plain(market.name or ""),
            plain(market.local_name or ""),
            "warning" if market.warning else "",
        )
    console = Console(markup=False, highlight=False)
    console.print(table)
    console.print(f"{len(found):,} market{'' if len(found) == 1 else 's'}", style="dim")
