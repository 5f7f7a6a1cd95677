"""``tapewire tape``: what a tape holds, whether it is whole, and its repair."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tapewire.apps.cli.options import venue_names_like
from tapewire.apps.cli.running import DONE, FAILED
from tapewire.apps.cli.terminal import count_of, json_line, plain, size_of
from tapewire.model.events import KST

if TYPE_CHECKING:
    from tapewire.tape.checking import FileReport

_FOLDER = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")


@click.group(short_help="Raw tapes: what is in them, are they whole, mend them.")
def tape() -> None:
    """Look at raw tapes, which `tapewire record --tape DIR` makes: every frame of every connection, every REST answer,
    what happened to the feed.
    """


@tape.command(short_help="Spans, counts and gaps of a tape.")
@_FOLDER
@click.option("--kst", is_flag=True, help="Times of Korea (UTC+9) in place of UTC.")
@_JSON
def info(folder: Path, *, kst: bool, as_json: bool) -> None:
    """Show each file of the tape in DIR: when it begins and ends, what it holds, how small it is.

    A tape that is being written can be looked at, too.

    \b
    tapewire tape info ticks
    """  # noqa: D301 - click wants the character
    from tapewire.tape.checking import check_tape  # noqa: PLC0415 - heavy, loaded when used

    reports = check_tape(folder)
    if as_json:
        for report in reports:
            click.echo(json_line(report), nl=False)
        return
    _show(reports, kst=kst)
    for report in reports:
        _tell_damage(report)


@tape.command(short_help="Verify every checksum and record; ends with 1 if anything is damaged.")
@_FOLDER
@_JSON
@click.pass_context
def check(context: click.Context, folder: Path, *, as_json: bool) -> None:
    """Read the tape in DIR from end to end: each checksum, each record. Ends with 1 if anything cannot be read.

    An unfinished end is what a crash leaves: the next recorder cuts it off, `tapewire tape repair` does, too.

    \b
    tapewire tape check ticks
    """  # noqa: D301 - click wants the character
    from tapewire.tape.checking import check_tape  # noqa: PLC0415 - heavy, loaded when used

    reports = check_tape(folder)
    damages = [damage for report in reports for damage in report.damages]
    if as_json:
        for damage in damages:
            click.echo(json_line(damage), nl=False)
    else:
        for report in reports:
            _tell_damage(report)
        records = sum(report.records for report in reports)
        good = "all whole" if not damages else f"{count_of(len(damages), 'place')} cannot be read"
        click.echo(f"{count_of(len(reports), 'file')}, {count_of(records, 'record')}: {good}")
    context.exit(FAILED if damages else DONE)


@tape.command(short_help="Take out what cannot be read; it is kept aside.")
@_FOLDER
@click.option("--venue", metavar="VENUE", shell_complete=venue_names_like,
              help="Whose tape it is: for a damaged header, where no other file of the tape tells.")  # fmt: skip
def repair(folder: Path, *, venue: str | None) -> None:
    """Take out of the tape in DIR what cannot be read. What is taken out stands beside its file, in NAME.damaged.

    A damaged header is made anew. A file is replaced only by its whole mended copy. No recorder may be writing there.

    \b
    tapewire tape repair ticks
    """  # noqa: D301 - click wants the character
    from tapewire.tape.checking import repair_tape  # noqa: PLC0415 - heavy, loaded when used
    from tapewire.tape.format import Header  # noqa: PLC0415
    from tapewire.venues.registry import get_venue  # noqa: PLC0415

    facts = None if venue is None else get_venue(venue).facts
    header = None if venue is None or facts is None else Header(venue, 0, 0, facts.url, facts.rest_url)
    taken = repair_tape(folder, header)
    for damage in taken:
        click.echo(f"taken out of {plain(str(damage))}")
    click.echo(f"{count_of(len(taken), 'place')} mended" if taken else "nothing to mend")


def _show(reports: list[FileReport], *, kst: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - heavy, loaded when used
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, padding=(0, 1), header_style="dim", pad_edge=False)
    for name in ("file", "from", "to"):
        table.add_column(name, no_wrap=True)
    for name in ("frames", "records", "size"):
        table.add_column(name, justify="right", no_wrap=True)
    for report in reports:
        table.add_row(
            report.path.name.partition("-")[0], _time(report.first_ns, kst=kst), _time(report.last_ns, kst=kst),
            f"{_frames(report):,}", f"{report.records:,}", size_of(report.size),
        )  # fmt: skip
    console = Console(markup=False, highlight=False)
    console.print(table)
    console.print(_sum(reports), soft_wrap=True)


def _frames(report: FileReport) -> int:
    return report.kinds.get("received_text", 0) + report.kinds.get("received_binary", 0)


def _sum(reports: list[FileReport]) -> str:
    kinds: Counter[str] = Counter()
    for report in reports:
        kinds.update(report.kinds)
    size, stored = sum(report.plain for report in reports), sum(report.size for report in reports)
    dials, answers = kinds["dialled"], kinds["answered"]
    missing = [one for report in reports for one in report.missing]
    left_out = [one for one in missing if one.records]
    words = [
        f"{count_of(sum(map(_frames, reports)), 'frame')} received on {count_of(dials, 'connection')}",
        count_of(answers, "REST answer"),
        f"{size_of(stored)}, {size / stored:.1f} times smaller than what came" if stored else "",
        f"not recorded {count_of(sum(not one.records for one in missing), 'time')} between two recorders"
        if not all(one.records for one in missing)
        else "",
        f"{count_of(sum(one.records for one in left_out), 'record')} left out ({left_out[0].reason})"
        if left_out
        else "nothing left out",
        *_gaps(reports),
    ]
    return "; ".join(word for word in words if word)


def _gaps(reports: list[FileReport]) -> list[str]:
    """What the feed itself missed, by what became of it; one told in two files counts once."""
    last = {(gap.subscription, gap.from_ns): gap.state for report in reports for gap in report.gaps}
    results = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in sorted(Counter(last.values()).items()))
    return [f"{count_of(len(last), 'gap')} of the feed ({results})"] if last else []


def _tell_damage(report: FileReport) -> None:
    for damage in report.damages:
        click.echo(plain(str(damage)), err=True)


def _time(ns: int, *, kst: bool) -> str:
    moment = datetime.fromtimestamp(ns / 1e9, KST if kst else UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S") if ns else ""
