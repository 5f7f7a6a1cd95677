"""The end of a recording in figures: for people as a small table, for programs as one JSON object."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tapewire.apps.cli.tally import Tally
from tapewire.apps.cli.terminal import GAP_WORDS, count_of, gap_bounds, plain, size_of
from tapewire.model.status import Gap
from tapewire.sinks.brokers.options import Figures
from tapewire.sinks.brokers.subjects import FEED, parse_subject
from tapewire.sinks.contract import Sink, Written
from tapewire.sinks.files.layout import LINES, parse_stream

_GAPS = 6


class Summary(msgspec.Struct, kw_only=True, tag_field="type", tag="summary"):
    """What was received and what it was written to.

    Attributes:
        seconds: how long; received: events by kind; per_second: of all kinds.
        connect_time: when the newest connection was made, last_error_time: of the newest loss (ISO 8601, UTC).
        gaps: interruptions of single streams by state; missing: those in which messages may be missing; recovered:
            events that came afterwards, by REST.
        dropped: events that the sink was too slow for; quarantined: frames that could not be read.
        latency_ms: venue's time stamp to our receipt (p50, p99), None without samples.
        broker: what the broker of ``publish`` got; then files are its subjects.
        lost_in_silence: trades neither received nor inside a gap's bounds; None where nobody can know.
        files: name, events and size of each file; where files are rotated, of each stream.
    """

    seconds: float
    received: dict[str, int]
    per_second: float
    reconnects: int
    connect_time: str | None
    last_error: str | None
    last_error_time: str | None
    gaps: dict[str, int]
    missing: tuple[Gap, ...]
    recovered: int
    dropped: int
    quarantined: int
    latency_ms: dict[str, float] | None
    folder: str
    files: tuple[Written, ...]
    broker: Figures | None = None
    lost_in_silence: int | None = None
    made: int | None = None


def summarise(tally: Tally, sink: Sink, folder: Path | str, seconds: float, **more: Any) -> Summary:
    """Figures of a run that lasted ``seconds``; ``more`` are further fields of ``Summary``."""
    p50, p99 = tally.latency_ms(0.5), tally.latency_ms(0.99)
    return Summary(
        seconds=round(seconds, 3),
        received=dict(tally.received),
        per_second=round(tally.total / seconds, 1) if seconds else 0.0,
        reconnects=tally.reconnects,
        connect_time=_iso(tally.connect_ns),
        last_error=tally.last_error,
        last_error_time=_iso(tally.last_error_ns),
        gaps=dict(Counter(gap.state for gap in tally.gaps.values())),
        missing=tuple(tally.missed),
        recovered=sum(gap.recovered for gap in tally.gaps.values()),
        dropped=tally.dropped,
        quarantined=tally.quarantined,
        latency_ms=None if p50 is None or p99 is None else {"p50": round(p50, 3), "p99": round(p99, 3)},
        folder=str(folder),
        files=sink.written(),
        **more,
    )


def _iso(ns: int) -> str | None:
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="milliseconds") if ns else None


def show(console: Console, summary: Summary) -> None:
    """Print the summary for people."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, text in _figures(summary, console.width):
        table.add_row(name, text)
    console.print(table)
    if summary.files:
        console.print(_files(summary))


def _figures(summary: Summary, width: int) -> list[tuple[str, Text | str]]:
    total = sum(summary.received.values())
    kinds = ", ".join(f"{plain(kind)} {count:,}" for kind, count in sorted(summary.received.items()))
    rows: list[tuple[str, Text | str]] = [
        ("Received", f"{count_of(total, 'event')} in {summary.seconds:.1f} s, {summary.per_second:,.0f}/s"),
        *([("", kinds)] if kinds else []),
        ("Line", _line(summary)),
        *_gaps(summary, width),
    ]
    if summary.lost_in_silence is not None:
        style = "bold red" if summary.lost_in_silence else "bold green"
        lost = Text(f"{summary.lost_in_silence}", style=style)
        made = count_of(summary.made or 0, "trade")
        lost.append(f" of {made} made; each is in the files or in a told gap", style="default")
        rows.append(("Lost in silence", lost))
    if summary.dropped or summary.quarantined:
        rows.append(
            (
                "Trouble",
                f"{summary.dropped:,} dropped, {count_of(summary.quarantined, 'unreadable frame')} (misc.jsonl)",
            )
        )
    if summary.latency_ms is not None:
        p50, p99 = summary.latency_ms["p50"], summary.latency_ms["p99"]
        rows.append(("Latency", f"p50 {p50:.0f} ms, p99 {p99:.0f} ms from the exchange's time stamp to us"))
    size = size_of(sum(file.size for file in summary.files))
    if summary.broker is not None:
        subjects = count_of(len(summary.files), "subject")
        return [*rows, ("Broker", f"{subjects}, {size} at {plain(summary.folder)}"), ("", broker_words(summary.broker))]
    return [*rows, ("Files", f"{count_of(len(summary.files), 'file')}, {size} in {plain(summary.folder)}")]


def broker_words(figures: Figures) -> str:
    """What a broker got so far, in one line."""
    words = [f"{count_of(figures.confirmed, 'event')} confirmed in {count_of(figures.messages, 'message')}"]
    words += [f"{figures.waiting:,} waiting"] if figures.waiting else []
    words += [f"{size_of(figures.spooled)} on disk"] if figures.spooled else []
    words += [f"{count_of(figures.losses, 'time')} without a line"] if figures.losses else []
    words += [f"{figures.again:,} sent again"] if figures.again else []
    words += [f"{figures.refused:,} refused"] if figures.refused else []
    words += [f"away: {plain(figures.away)}"] if figures.away else []
    return ", ".join(words)


def _line(summary: Summary) -> str:
    """As the statistics of the field's older clients: connect time, reconnections, last error with its time."""
    words = [count_of(summary.reconnects, "reconnect")]
    words += [f"connected since {summary.connect_time[11:19]} UTC"] if summary.connect_time else []
    if summary.last_error and summary.last_error_time:
        words.append(f"last loss {summary.last_error_time[11:19]}: {plain(summary.last_error)}")
    return ", ".join(words)


def _gaps(summary: Summary, width: int) -> list[tuple[str, Text | str]]:
    total = sum(summary.gaps.values())
    if not total:
        return [("Gaps", "none")]
    words = ", ".join(f"{count} {GAP_WORDS[state]}" for state, count in summary.gaps.items())
    words += f" ({count_of(summary.recovered, 'trade')} recovered)" if summary.recovered else ""
    shown = [
        Text(plain(f"  {gap.subscription}{gap_bounds(gap, ids=width >= 110)} ({gap.cause})"), style="yellow")
        for gap in summary.missing[:_GAPS]
    ]
    more = len(summary.missing) - len(shown)
    tail = [("", f"  and {more} more, all of them in misc.jsonl")] if more else []
    return [("Gaps", f"{total} told: {words}"), *(("", line) for line in shown), *tail]


def _files(summary: Summary) -> Table:
    """Markets down, types across: the file of each is ``{market}_{type}.jsonl``, or what the layout makes of it."""
    cells: dict[str, dict[str, Written]] = defaultdict(dict)
    others: list[Written] = []
    for file in summary.files:
        parsed = _of_stream(file.name) if summary.broker is None else _of_subject(file.name)
        if parsed is None:
            others.append(file)
        else:
            cells[parsed[0]][parsed[1]] = file
    kinds = sorted({kind for row in cells.values() for kind in row})
    table = Table(box=None, padding=(0, 1), header_style="dim", pad_edge=False)
    table.add_column("lines · size" if summary.broker is None else "events · size", no_wrap=True)
    for kind in kinds:
        ending = "" if summary.broker is not None or "/" in summary.files[0].name else LINES
        name = plain(kind) if summary.broker is not None else f"_{plain(kind)}{ending}"
        table.add_column(name, justify="right", no_wrap=True)
    for symbol, row in cells.items():
        table.add_row(plain(symbol, 40), *(_cell(row.get(kind)) for kind in kinds))
    if summary.broker is not None and others:
        others = [Written("the feed's own", sum(one.events for one in others), sum(one.size for one in others))]
    for file in others:
        table.add_row(file.name, _cell(file))
    return table


def _of_stream(name: str) -> tuple[str, str] | None:
    parsed = parse_stream(name)
    return None if parsed is None else (parsed.symbol, parsed.kind)


def _of_subject(name: str) -> tuple[str, str] | None:
    """Of a subject at a broker, whatever its prefix; None: the feed's own events."""
    place = parse_subject(".".join(["md", *name.split(".")[-4:]]))
    return None if place is None or place.type == FEED else (place.symbol, place.type)


def _cell(file: Written | None) -> str:
    return "" if file is None else f"{file.events:,} · {size_of(file.size)}"
