"""``tapewire gaps``: what a recording or a tape lacks, since when, filled or not."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tapewire.apps.cli.running import DONE, FAILED
from tapewire.apps.cli.terminal import is_terminal, json_line
from tapewire.model.events import KST
from tapewire.model.gap_rows import MISSING

if TYPE_CHECKING:
    from tapewire.model.status import Gap

    _Moments = click.ParamType[timedelta | datetime]
else:
    _Moments = click.ParamType  # older clicks have no generic one

_AGO = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Moment(_Moments):
    """How long ago (``90s``, ``30m``, ``2h``, ``7d``), or when: a date, a date with a time, with or without a zone."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta | datetime:
        if isinstance(value, timedelta | datetime):
            return value
        if ago := _AGO.fullmatch(str(value)):
            return timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        try:
            return datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is neither a span (90s, 30m, 2h, 7d) nor a time (2026-11-21T09:00).", param, ctx)


@click.command(short_help="What a recording lacks: since when, why, filled or not.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--since", type=Moment(), metavar="WHEN",
              help="Only gaps that lasted until then: 90s, 30m, 2h, 7d ago, or a time: 2026-11-21T09:00.")  # fmt: skip
@click.option("--open", "only_missing", is_flag=True, help="Only gaps in which messages may be missing now.")
@click.option("--kst", is_flag=True, help="Times of Korea (UTC+9) in place of UTC.")
@click.option("--strict", is_flag=True, help="End with 1 if messages may be missing in any gap that is shown.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
@click.pass_context
def gaps(
    context: click.Context,
    folder: Path,
    since: timedelta | datetime | None,
    *,
    only_missing: bool,
    kst: bool,
    strict: bool,
    as_json: bool,
) -> None:
    """Show the gap ledger of the recording or tape in DIR: each interruption of a stream, how long, why, and its end.

    \b
    filled          all that was missed was asked for by REST, and is in the files
    complete again  ticker, order book, candle: the next message told the whole state
    missed nothing  the first trade after it is the last before it
    being filled    REST has not answered yet
    may lack some   REST could not tell, or was not asked
    still open      no message since

    From is when the loss was noticed, To when a message came again. A recording that goes on can be looked at, too.

    \b
    tapewire gaps recording
    tapewire gaps recording --since 24h --open --strict && echo complete
    """  # noqa: D301 - click wants the character
    from tapewire.apps.cli.gap_table import in_words, plain_lines, show, summary_of  # noqa: PLC0415 - heavy
    from tapewire.apps.cli.recorded_gaps import recorded_gaps  # noqa: PLC0415

    zone = KST if kst else UTC
    begin = since_ns(since, kst=kst)
    rows = [row for row in recorded_gaps(folder) if _is_shown(row, begin, only_missing=only_missing)]
    summary = summary_of(rows)
    if as_json:
        click.echo(b"".join(map(json_line, (*rows, summary))), nl=False)
    elif is_terminal():
        from rich.console import Console  # noqa: PLC0415

        if rows:
            show(Console(highlight=False), rows, zone)
        click.echo(in_words(summary))
    else:
        click.echo(plain_lines(rows, zone), nl=False)
        click.echo(in_words(summary), err=True)
    context.exit(FAILED if strict and summary.missing else DONE)


def since_ns(since: timedelta | datetime | None, *, kst: bool) -> int | None:
    """The moment as ns UTC; a time without a zone is of Korea, or UTC."""
    if since is None:
        return None
    if isinstance(since, timedelta):
        moment = datetime.now(UTC) - since
    else:
        moment = since if since.tzinfo else since.replace(tzinfo=KST if kst else UTC)
    return int(moment.timestamp() * 1e9)


def _is_shown(row: Gap, since: int | None, *, only_missing: bool) -> bool:
    lasted = since is None or row.to_ns is None or row.to_ns >= since
    return lasted and (not only_missing or row.state in MISSING)
