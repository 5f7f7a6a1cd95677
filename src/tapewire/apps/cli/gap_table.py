"""The gap ledger for people: a table of its rows, one line of figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tapewire.apps.cli.terminal import GAP_WORDS, count_of, plain
from tapewire.model.events import KST
from tapewire.model.gap_rows import MISSING
from tapewire.model.status import Gap

_STYLES = {"open": "red", "unfilled": "yellow", "filling": "cyan", "filled": "green"}


class GapSummary(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="summary"):
    """What the rows come to: how many, of each state, how many may lack messages, how many events came afterwards."""

    gaps: int
    states: dict[str, int]
    missing: int
    recovered: int


def summary_of(rows: Sequence[Gap]) -> GapSummary:
    """The rows in figures."""
    return GapSummary(
        gaps=len(rows),
        states=dict(Counter(row.state for row in rows)),
        missing=sum(row.state in MISSING for row in rows),
        recovered=sum(row.recovered for row in rows),
    )


def in_words(summary: GapSummary) -> str:
    """One line."""
    if not summary.gaps:
        return "no gaps"
    words = ", ".join(f"{count:,} {GAP_WORDS[state]}" for state, count in summary.states.items())
    recovered = f"; {count_of(summary.recovered, 'event')} recovered" if summary.recovered else ""
    return f"{count_of(summary.gaps, 'gap')}: {words}{recovered}"


def show(console: Console, rows: Sequence[Gap], zone: tzinfo) -> None:
    """Print the table: a line for each day, then its rows; times of this zone."""
    venues = len({row.venue for row in rows}) > 1
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim", pad_edge=False)
    for name in ("From", "To", "For", *(["Venue"] if venues else [])):
        table.add_column(name, no_wrap=True)
    table.add_column("Stream", overflow="fold")
    for name in ("Cause", "State"):
        table.add_column(name, no_wrap=True)
    table.add_column("Recov.", justify="right", no_wrap=True)
    day = ""
    for row in rows:
        begun = _at(row.from_ns, zone)
        if f"{begun:%Y-%m-%d}" != day:
            day = f"{begun:%Y-%m-%d}"
            table.add_row(*[""] * (4 if venues else 3), f"{day} {'KST' if zone is KST else 'UTC'}", style="bold")
        table.add_row(*_cells(row, begun, zone, venues=venues))
    console.print(table)


def plain_lines(rows: Iterable[Gap], zone: tzinfo) -> str:
    """For a pipe: from, to, seconds, venue, stream, cause, state, recovered, with tabs between."""
    return "".join("\t".join(_fields(row, zone)) + "\n" for row in rows)


def _cells(row: Gap, begun: datetime, zone: tzinfo, *, venues: bool) -> list[Text]:
    venue = [Text(plain(row.venue))] if venues else []
    return [
        Text(f"{begun:%H:%M:%S}"),
        Text(_end(row, begun, zone)),
        Text("" if row.to_ns is None else span((row.to_ns - row.from_ns) / 1e9)),
        *venue,
        Text(plain(row.subscription)),
        Text(plain(row.cause)),
        Text(GAP_WORDS[row.state], style=_STYLES.get(row.state, "dim")),
        Text(f"{row.recovered:,}" if row.recovered else ""),
    ]


def _end(row: Gap, begun: datetime, zone: tzinfo) -> str:
    if row.to_ns is None:
        return "…"
    end = _at(row.to_ns, zone)
    return f"{end:%H:%M:%S}" if end.date() == begun.date() else f"{end:%m-%d %H:%M:%S}"


def _fields(row: Gap, zone: tzinfo) -> list[str]:
    ends = "" if row.to_ns is None else _at(row.to_ns, zone).isoformat(timespec="milliseconds")
    seconds = "" if row.to_ns is None else f"{(row.to_ns - row.from_ns) / 1e9:.3f}"
    begun = _at(row.from_ns, zone).isoformat(timespec="milliseconds")
    stream, cause = plain(row.subscription), plain(row.cause)
    return [begun, ends, seconds, plain(row.venue), stream, cause, row.state, str(row.recovered)]


def span(seconds: float) -> str:
    """``1.25 s``, ``42 s``, ``3 m 07 s``, ``2 h 05 m``, ``3 d 04 h``."""
    if seconds < 10:
        return f"{max(seconds, 0.0):.2f} s"
    whole = round(seconds)
    for unit, length, smaller, part in (("d", 86_400, "h", 3_600), ("h", 3_600, "m", 60), ("m", 60, "s", 1)):
        if whole >= length:
            return f"{whole // length} {unit} {whole % length // part:02} {smaller}"
    return f"{whole} s"


def _at(ns: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(ns / 1e9, UTC).astimezone(zone)
