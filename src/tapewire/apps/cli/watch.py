"""``tapewire watch``: markets live, as a table on a terminal and as lines in a pipe."""

from __future__ import annotations

import asyncio
import os
import sys
from importlib.util import find_spec
from typing import Literal

import click

from tapewire.apps.cli.options import Feed, feed_options
from tapewire.apps.cli.running import Stop, run
from tapewire.apps.cli.terminal import is_terminal

View = Literal["full", "table", "lines"]
VIEWS: tuple[View, ...] = ("full", "table", "lines")


@click.command(short_help="Look at markets live: a table on a terminal, lines in a pipe.")
@feed_options
@click.option("--view", type=click.Choice(VIEWS),
              help="How to show it.  [default: the richest that works here]")  # fmt: skip
@click.pass_context
def watch(context: click.Context, feed: Feed, view: View | None) -> None:
    """Look at markets live until Ctrl-C or q.

    On a terminal it is the full screen: table, order book, trades, connections; ? shows its keys. Without the
    extra "tui" it is a plain table. In a pipe or with --json it is one line an event; the feed's own steps
    (connected, line lost, gap) are shown too, in a pipe by lines that begin with "--".

    \b
    tapewire watch KRW-BTC KRW-ETH
    tapewire watch KRW-BTC --types trade --json | jq .trade_price
    """  # noqa: D301 - click wants the character
    if view is None and not feed.symbols:  # what belongs to no market has no place in a table of markets
        view = "lines"
    chosen = view_for(view, terminal=is_terminal(), keyboard=has_keyboard(), as_json=feed.as_json)
    context.exit(run(lambda stop: _watch(stop, feed, chosen)))


def view_for(asked: View | None, *, terminal: bool, keyboard: bool, as_json: bool) -> View:
    """How to show the feed: as asked, else the richest view that works here.

    Args:
        asked: ``--view``.
        terminal: people look at the output.
        keyboard: input and errors are that terminal too: the full screen reads keys, and textual draws on stderr.
        as_json: ``--json``.

    Raises:
        click.BadParameter: what was asked for cannot be shown here; says why and what to do.
    """
    has_textual = find_spec("textual") is not None
    if as_json or (asked is None and (not terminal or os.environ.get("TERM") == "dumb")):
        return "lines"
    if asked is None:
        return "full" if has_textual and keyboard else "table"
    if asked != "lines" and not terminal:
        raise click.BadParameter(f"{asked!r} needs a terminal; the output is a pipe or a file", param_hint="'--view'")
    if asked == "full" and not keyboard:
        raise click.BadParameter("'full' needs the terminal for input and errors too", param_hint="'--view'")
    if asked == "full" and not has_textual:
        raise click.BadParameter("'full' needs textual: pip install 'tapewire[tui]'", param_hint="'--view'")
    return asked


def has_keyboard() -> bool:
    """Whether standard input and standard error are a terminal."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


async def _watch(stop: Stop, feed: Feed, view: View) -> None:
    from tapewire.apps.cli.feeding import carry, follow, serve_metrics  # noqa: PLC0415 - heavy, loaded when used
    from tapewire.apps.cli.lines import LineSink  # noqa: PLC0415

    async with feed.client("watch") as client:
        await serve_metrics(client, feed)
        if view == "full":
            from tapewire.apps.cli.view.show import show  # noqa: PLC0415 - needs the extra "tui"

            await show(client, feed, stop)
            return
        if view == "lines":
            await carry(client, feed, LineSink(as_json=feed.as_json), stop, hear=lambda _: None)
            return
        from tapewire.apps.cli.reporting import LiveReporter  # noqa: PLC0415

        loop = asyncio.get_running_loop()
        async with LiveReporter(feed, lambda: f"tapewire watch · {feed.venue}", loop.time) as reporter:
            await follow(client, feed, stop, hear=reporter.hear)
