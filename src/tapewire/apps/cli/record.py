"""``tapewire record``: markets to files until stopped."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec.structs import replace

from tapewire.apps.cli.options import SECONDS, Feed, feed_options
from tapewire.apps.cli.record_options import record_options
from tapewire.apps.cli.running import FAILED, PAUSE, Stop, run
from tapewire.apps.cli.terminal import address, count_of, plain
from tapewire.config import TapeOptions

if TYPE_CHECKING:
    from tapewire.apps.cli.tally import Tally
    from tapewire.client import WebSocketClient
    from tapewire.client.alert_settings import AlertPlan
    from tapewire.errors import SinkError
    from tapewire.sinks.contract import Sink
    from tapewire.sinks.files.options import RecordOptions


#: Seconds that what still becomes Parquet at the end may take until the rest is begun.
_PATIENCE = 30.0


@click.command(short_help="Record markets to files until stopped.")
@record_options
@feed_options
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for the files; made if it is not there.  [default: recording, unless there is a --tape]",
)
@click.option("--tape", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Keep a raw tape in this folder: every frame and REST answer; see `tapewire tape`.")  # fmt: skip
@click.option("--form", type=click.Choice(["raw", "event"]),
              help="The exchange's own JSON as received (default), or our event with its time of receipt.")  # fmt: skip
@click.option("--strict", is_flag=True,
              help="End with 1 if the disk ever refused, or anything received was left out.")  # fmt: skip
@click.option("--status", type=SECONDS, default=PAUSE, show_default=True, metavar="S",
              help="Seconds between two status lines where no terminal is watched.")  # fmt: skip
@click.option("--alerts", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Rules and channels of alerts (TOML); by default [[alerts]] of the settings.")  # fmt: skip
@click.pass_context
def record(
    context: click.Context, *, feed: Feed, out: Path | None, tape: Path | None, form: str | None,
    strict: bool, status: float, alerts: Path | None,
) -> None:  # fmt: skip
    """Record markets to files until Ctrl-C, SIGTERM or --seconds: {code}_{type}.jsonl, one JSON object a line.

    misc.jsonl gets everything else: connections, gaps, frames that are no market data. Files are appended to.
    While the disk is full the recording waits, and goes on where it was; docs/recording.md says what is kept, and when.

    \b
    tapewire record KRW-BTC KRW-ETH --types trade,orderbook --out ticks
    tapewire record KRW-BTC --types candle.1m,orderbook.5 --seconds 60
    tapewire record KRW-BTC --alerts alerts.toml
    tapewire record KRW-BTC --layout dated --zone KST --compress zstd --keep-days 30
    tapewire record KRW-BTC --layout dated --files parquet --rotate-size 64MB
    tapewire record KRW-BTC --tape ticks              (a raw tape instead of the files; with --out both)
    tapewire record KRW-BTC --url ws://127.0.0.1:9001/websocket/v1   (a simulator)
    """  # noqa: D301 - click wants the character
    from tapewire.apps.alert_settings import load_alerts  # noqa: PLC0415 - heavy, loaded when used
    from tapewire.sinks.files.options import RecordOptions  # noqa: PLC0415

    plan = load_alerts(alerts)
    if feed.record is not None and feed.record.files == "parquet":
        from tapewire.client.tables import need_arrow  # noqa: PLC0415

        need_arrow()
    files = out or Path("recording") if tape is None or out else None
    kept = None if tape is None else replace(feed.tape or TapeOptions(), folder=str(tape))
    target = _Target(files, kept, form, feed.record or RecordOptions())
    how = _Manner(plan, status, strict=strict)
    context.exit(run(lambda stop: _record(stop, feed, target, how)))


@dataclass(frozen=True)
class _Manner:
    """How a recording is told of, and judged."""

    plan: AlertPlan | None
    status: float
    strict: bool


class _Target:
    """Where a recording goes: a folder of files, a tape, or both."""

    def __init__(self, files: Path | None, tape: TapeOptions | None, form: str | None, options: RecordOptions) -> None:
        self.files, self.tape, self.form, self.record = files, tape, form, options

    @property
    def is_columns(self) -> bool:
        """Whether Parquet files are made."""
        return self.files is not None and self.record.files == "parquet"

    @property
    def folder(self) -> Path:
        """The one that is shown."""
        return self.files or Path(self.tape.folder if self.tape else "")

    def sink(self) -> Sink:
        from tapewire.apps.cli.taped import TapeOnly  # noqa: PLC0415 - heavy, loaded when used
        from tapewire.sinks.registry import get_sink  # noqa: PLC0415

        if self.files is None:
            return TapeOnly(self.folder)
        return get_sink("jsonl")(self.files, form=self.form, options=self.record)

    def options(self) -> dict[str, Any]:
        """What the client has to know of it."""
        raw = self.files is not None and self.form != "event" and not self.is_columns
        return {"keep_raw": raw, "tape": self.tape}


async def _record(stop: Stop, feed: Feed, target: _Target, how: _Manner) -> None:
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
        reporter = reporter_for(
            feed, sink, loop.time, intro=intro, title=lambda: f"tapewire record → {out}",
            pause=how.status, facts=lambda: _position(client),
        )  # fmt: skip
        failed = True
        refusals: list[str] = []

        def told(trouble: SinkError | None) -> None:
            refusals.extend([trouble.reason] if trouble else [])
            reporter.note(*_told(trouble))

        try:
            async with reporter:
                if how.plan is not None:
                    shown = [lambda notice: reporter.note("bold", plain(notice.line))]
                    await client.alerts(how.plan.rules, [*how.plan.channels, *shown])
                frames = getattr(sink, "frames", None)
                await carry(client, feed, sink, stop, hear=reporter.hear, tell=told, frames=frames, beside=reporter.see)
            failed = False
        finally:
            if sink.written() or not failed:  # a recording that never began has no figures: the error says why
                reporter.conclude(summarise(reporter.tally, sink, out, loop.time() - started))
    if target.is_columns and not stop.asked:
        await _finish(stop, out, target)
    if words := _what_is_missing(reporter.tally, refusals, strict=how.strict):
        click.echo(f"tapewire: {words}", err=True)
        stop.ask(FAILED)


def _position(client: WebSocketClient) -> dict[str, object]:
    """How far the tape has come, if there is one."""
    position = client.tape_position()
    return {} if position is None else {"tape": position}


def _told(trouble: SinkError | None) -> tuple[str, str]:
    """What is shown when the disk refuses, and when it takes again."""
    if trouble is None:
        return "green", "recording again: all that waited is written"
    return "bold red", plain(f"degraded: {trouble}")


async def _finish(stop: Stop, folder: Path, target: _Target) -> None:
    """Let the last files of lines become Parquet; whoever stops that leaves it to the next start."""
    from tapewire.sinks.files.finishing import finish_folder  # noqa: PLC0415 - heavy, loaded when used

    given_up = threading.Event()
    work = asyncio.create_task(asyncio.to_thread(finish_folder, folder, target.record, given_up, patience=_PATIENCE))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
    given_up.set()
    stopping.cancel()
    finished = await work
    for error in finished.failed:
        click.echo(f"tapewire: {plain(str(error))}; it stays as lines", err=True)


def _what_is_missing(tally: Tally, refusals: list[str], *, strict: bool) -> str:
    """Why a recording is not whole at its end; a strict one must have been well all the time."""
    if not strict:
        return f"the end of the tape: {tally.disk_now}" if tally.disk_now else ""
    words = [f"{tally.dropped:,} left out of the recording"] if tally.dropped else []
    return "; ".join([*(f"the tape: {reason}" for reason in tally.disk), *refusals, *words])
