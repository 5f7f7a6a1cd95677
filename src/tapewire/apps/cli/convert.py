"""``tapewire convert``: recordings and tapes to Parquet, Parquet to JSON lines."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import click

from tapewire.apps.cli.options import venue_names_like
from tapewire.apps.cli.running import DONE, FAILED, ended_by_sigterm
from tapewire.apps.cli.terminal import count_of, plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from tapewire.client.converted import Conversion, Source


@click.command(short_help="Turn recordings and tapes into Parquet, Parquet into JSON lines.")
@click.argument("source", metavar="SOURCE", type=click.Path(path_type=Path, file_okay=False))
@click.argument("target", metavar="[TARGET]", required=False, type=click.Path(path_type=Path, file_okay=False))
@click.option("--venue", default="upbit", show_default=True, shell_complete=venue_names_like, metavar="VENUE",
              help="Whose JSON a recording holds; tapes and our own events say so themselves.")  # fmt: skip
@click.option("--numbers", type=click.Choice(["float", "decimal"]), default="float", show_default=True,
              help="Prices and sizes as floats, or exact.")  # fmt: skip
@click.option("--zone", type=click.Choice(["UTC", "KST"]), default="UTC", show_default=True,
              help="Of dates and hours in the names of files.")  # fmt: skip
@click.pass_context
def convert(
    context: click.Context, *, source: Path, target: Path | None, venue: str, numbers: Literal["float", "decimal"],
    zone: str,
) -> None:  # fmt: skip
    """Turn the recording or raw tape in SOURCE into Parquet files in TARGET: venue/type/symbol/date=…/HH-….parquet.

    What is in TARGET already is skipped, so a run that was interrupted goes on where it was, and a recording that grew
    is converted again. A tape is played: what REST recovered is in it. With a SOURCE of Parquet files TARGET gets JSON
    lines, each market's all at once. Without TARGET, what `record --files parquet` left unfinished in SOURCE becomes
    Parquet there.

    \b
    tapewire convert recording columns
    tapewire convert ticks columns --numbers decimal --zone KST
    tapewire convert columns files
    tapewire convert columns                          (after a crash of its recorder)
    """  # noqa: D301 - click wants the character
    from tapewire.client.converting import convert as turn  # noqa: PLC0415 - heavy, loaded when used
    from tapewire.client.converting import sources_of  # noqa: PLC0415
    from tapewire.client.tables import kinds_of  # noqa: PLC0415

    began = time.monotonic()
    with ended_by_sigterm():
        if target is None:
            context.exit(_finish(source, numbers))
        if kinds_of(source):
            context.exit(_lines(source, target))
        total = sum(one.size for one in sources_of(source))
        with _Bar(total) as bar:
            done = turn(source, target, venue=venue, numbers=numbers, zone=zone, progress=bar.progress)
    click.echo(_summary(done, time.monotonic() - began))
    context.exit(FAILED if done.unreadable else DONE)


def _lines(folder: Path, target: Path) -> int:
    from tapewire.client.lines_again import markets_of, to_lines, unfinished_in  # noqa: PLC0415 - loaded when used

    began = time.monotonic()
    with _Bar(sum(one.size for one in markets_of(folder))) as bar:
        done = to_lines(folder, target, bar.progress)
    click.echo(_summary(done, time.monotonic() - began))
    left = unfinished_in(folder)
    if left:
        words = f"{count_of(left, 'file')} not Parquet yet, and left out"
        click.echo(f"tapewire: {words}; `tapewire convert {plain(str(folder))}` makes them so", err=True)
    return FAILED if left else DONE


def _finish(folder: Path, numbers: Literal["float", "decimal"]) -> int:
    from tapewire.client.tables import need_arrow  # noqa: PLC0415 - heavy, loaded when used

    need_arrow()
    from tapewire.sinks.files.finishing import finish_folder  # noqa: PLC0415
    from tapewire.sinks.files.options import RecordOptions  # noqa: PLC0415

    finished = finish_folder(folder, RecordOptions(files="parquet", numbers=numbers))
    for error in finished.failed:
        click.echo(f"tapewire: {plain(str(error))}; it stays as lines", err=True)
    click.echo(f"{count_of(finished.done, 'file')} of lines became Parquet in {plain(str(folder))}")
    return FAILED if finished.failed else DONE


def _summary(done: Conversion, seconds: float) -> str:
    words = [f"{count_of(done.events, 'event')} in {count_of(done.files, 'file')}, {seconds:.1f} s"]
    there = "was there already" if done.skipped == 1 else "were there already"
    words += [f"{count_of(done.skipped, 'source')} {there}"] if done.skipped else []
    words += [f"{count_of(done.unreadable, 'line')} could not be read"] if done.unreadable else []
    return "; ".join(words)


class _Bar:
    """A progress bar on a terminal, nothing elsewhere."""

    def __init__(self, total: int) -> None:
        from rich.console import Console  # noqa: PLC0415 - heavy, loaded when used
        from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn  # noqa: PLC0415

        console = Console(file=sys.stderr)
        columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
        self._task = self._bar.add_task("", total=total)
        self._done: dict[Path, int] = {}

    @property
    def progress(self) -> Callable[[Source, int], None]:
        return self._progress

    def _progress(self, source: Source, done: int) -> None:
        self._done[source.path] = done
        self._bar.update(self._task, completed=sum(self._done.values()))

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
