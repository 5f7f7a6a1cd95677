"""``tapewire watch``: markets live, as a table on a terminal and as lines in a pipe."""

from __future__ import annotations

import asyncio

import click

from tapewire.apps.cli.options import Feed, feed_options
from tapewire.apps.cli.running import Stop, run
from tapewire.apps.cli.terminal import is_terminal


@click.command(short_help="Look at markets live: a table on a terminal, lines in a pipe.")
@feed_options
@click.pass_context
def watch(context: click.Context, feed: Feed) -> None:
    """Look at markets live until Ctrl-C: a table on a terminal, one line an event in a pipe or with --json.

    The feed's own steps (connected, line lost, gap) are shown too; in a pipe their lines begin with "--".

    \b
    tapewire watch KRW-BTC KRW-ETH
    tapewire watch KRW-BTC --types trade --json | jq .trade_price
    """  # noqa: D301 - click wants the character
    context.exit(run(lambda stop: _watch(stop, feed)))


async def _watch(stop: Stop, feed: Feed) -> None:
    from tapewire.apps.cli.feeding import carry, follow  # noqa: PLC0415 - heavy, loaded when used
    from tapewire.apps.cli.lines import LineSink  # noqa: PLC0415

    async with feed.client("watch") as client:
        if not is_terminal() or feed.as_json:
            await carry(client, feed, LineSink(as_json=feed.as_json), stop, hear=lambda _: None)
            return
        from tapewire.apps.cli.reporting import LiveReporter  # noqa: PLC0415

        loop = asyncio.get_running_loop()
        async with LiveReporter(feed, lambda: f"tapewire watch · {feed.venue}", loop.time) as reporter:
            await follow(client, feed, stop, hear=reporter.hear)
