"""``tapewire record``: markets to JSON lines files until stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tapewire.apps.cli.options import Feed, feed_options
from tapewire.apps.cli.running import Stop, run
from tapewire.apps.cli.terminal import address, count_of, plain
from tapewire.config import TapeOptions

if TYPE_CHECKING:
    from tapewire.client.alert_settings import AlertPlan
    from tapewire.sinks.contract import Sink


@click.command(short_help="Record markets to JSON lines files until stopped.")
@feed_options
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for the files; made if it is not there.  [default: recording, unless there is a --tape]",
)
@click.option("--tape", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Keep a raw tape in this folder: every frame and REST answer; see `tapewire tape`.")  # fmt: skip
@click.option("--form", type=click.Choice(["raw", "event"]), default="raw", show_default=True,
              help="The exchange's own JSON as received, or our event with its time of receipt.")  # fmt: skip
@click.option("--fsync", is_flag=True, help="Have the disk itself confirm about once a second.")
@click.option("--alerts", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Rules and channels of alerts (TOML); by default [[alerts]] of the settings.")  # fmt: skip
@click.pass_context
def record(
    context: click.Context, *, feed: Feed, out: Path | None, tape: Path | None, form: str, fsync: bool,
    alerts: Path | None,
) -> None:  # fmt: skip
    """Record markets to files until Ctrl-C, SIGTERM or --seconds: {code}_{type}.jsonl, one JSON object a line.

    misc.jsonl gets everything else: connections, gaps, frames that are no market data. Files are appended to.
    A full disk or an unwritable folder stops with a clear error that says what is safe on disk.

    \b
    tapewire record KRW-BTC KRW-ETH --types trade,orderbook --out ticks
    tapewire record KRW-BTC --types candle.1m,orderbook.5 --seconds 60
    tapewire record KRW-BTC --alerts alerts.toml
    tapewire record KRW-BTC --tape ticks              (a raw tape instead of the files; with --out both)
    tapewire record KRW-BTC --url ws://127.0.0.1:9001/websocket/v1   (a simulator)
    """  # noqa: D301 - click wants the character
    from tapewire.apps.alert_settings import load_alerts  # noqa: PLC0415 - heavy, loaded when used

    plan = load_alerts(alerts)
    target = _Target(out or Path("recording") if tape is None or out else None, tape, form, fsync=fsync)
    context.exit(run(lambda stop: _record(stop, feed, target, plan)))


class _Target:
    """Where a recording goes: a folder of files, a tape, or both."""

    def __init__(self, files: Path | None, tape: Path | None, form: str, *, fsync: bool) -> None:
        self.files, self.tape, self.form, self.fsync = files, tape, form, fsync

    @property
    def folder(self) -> Path:
        """The one that is shown."""
        return self.files or self.tape or Path()

    def sink(self) -> Sink:
        from tapewire.apps.cli.taped import TapeOnly  # noqa: PLC0415 - heavy, loaded when used
        from tapewire.sinks.registry import get_sink  # noqa: PLC0415

        if self.files is None:
            return TapeOnly(self.folder)
        return get_sink("jsonl")(self.files, form=self.form, fsync=self.fsync)

    def options(self) -> dict[str, Any]:
        """What the client has to know of it."""
        tape = None if self.tape is None else TapeOptions(folder=str(self.tape))
        return {"keep_raw": self.files is not None and self.form == "raw", "tape": tape}


async def _record(stop: Stop, feed: Feed, target: _Target, plan: AlertPlan | None) -> None:
    from tapewire.apps.cli.feeding import carry, serve_metrics  # noqa: PLC0415 - heavy, loaded when used
    from tapewire.apps.cli.reporting import reporter_for  # noqa: PLC0415
    from tapewire.apps.cli.summary import summarise  # noqa: PLC0415

    loop = asyncio.get_running_loop()
    sink, out = target.sink(), target.folder
    started = loop.time()
    async with feed.client("record", **target.options()) as client:
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
