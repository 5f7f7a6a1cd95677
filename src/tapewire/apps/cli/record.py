"""``tapewire record``: markets to JSON lines files until stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tapewire.apps.cli.options import Feed, feed_options
from tapewire.apps.cli.running import Stop, run
from tapewire.apps.cli.terminal import address, count_of, plain

if TYPE_CHECKING:
    from tapewire.client.alert_settings import AlertPlan


@click.command(short_help="Record markets to JSON lines files until stopped.")
@feed_options
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("recording"), show_default=True,
              metavar="DIR", help="Folder for the files; made if it is not there.")  # fmt: skip
@click.option("--form", type=click.Choice(["raw", "event"]), default="raw", show_default=True,
              help="The exchange's own JSON as received, or our event with its time of receipt.")  # fmt: skip
@click.option("--fsync", is_flag=True, help="Have the disk itself confirm about once a second.")
@click.option("--alerts", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Rules and channels of alerts (TOML); by default [[alerts]] of the settings.")  # fmt: skip
@click.pass_context
def record(context: click.Context, *, feed: Feed, out: Path, form: str, fsync: bool, alerts: Path | None) -> None:
    """Record markets to files until Ctrl-C, SIGTERM or --seconds: {code}_{type}.jsonl, one JSON object a line.

    misc.jsonl gets everything else: connections, gaps, frames that are no market data. Files are appended to.
    A full disk or an unwritable folder stops with a clear error that says what is safe on disk.

    \b
    tapewire record KRW-BTC KRW-ETH --types trade,orderbook --out ticks
    tapewire record KRW-BTC --types candle.1m,orderbook.5 --seconds 60
    tapewire record KRW-BTC --alerts alerts.toml
    tapewire record KRW-BTC --url ws://127.0.0.1:9001/websocket/v1   (a simulator)
    """  # noqa: D301 - click wants the character
    from tapewire.apps.alert_settings import load_alerts  # noqa: PLC0415 - heavy, loaded when used

    plan = load_alerts(alerts)
    context.exit(run(lambda stop: _record(stop, feed, out, form, plan, fsync=fsync)))


async def _record(stop: Stop, feed: Feed, out: Path, form: str, plan: AlertPlan | None, *, fsync: bool) -> None:
    from tapewire.apps.cli.feeding import carry, serve_metrics  # noqa: PLC0415 - heavy, loaded when used
    from tapewire.apps.cli.reporting import reporter_for  # noqa: PLC0415
    from tapewire.apps.cli.summary import summarise  # noqa: PLC0415
    from tapewire.sinks.registry import get_sink  # noqa: PLC0415

    loop = asyncio.get_running_loop()
    sink = get_sink("jsonl")(out, form=form, fsync=fsync)
    started = loop.time()
    async with feed.client("record", keep_raw=form == "raw") as client:
        await serve_metrics(client, feed)
        streams = count_of(len(feed.subscriptions), "stream")
        intro = f"recording {streams} of {address(feed.address)} to {out}"
        reporter = reporter_for(feed, sink, loop.time, intro=intro, title=lambda: f"tapewire record → {out}")
        failed = True
        try:
            async with reporter:
                if plan is not None:
                    shown = [lambda notice: reporter.note("bold", plain(notice.line))]
                    await client.alerts(plan.rules, [*plan.channels, *shown])
                await carry(client, feed, sink, stop, hear=reporter.hear)
            failed = False
        finally:
            if sink.written() or not failed:  # a recording that never began has no figures: the error says why
                reporter.conclude(summarise(reporter.tally, sink, out, loop.time() - started))
