"""The table: results kept between runs, Markdown for people, and its place in docs/fault-lab.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.lab.cell import Cell
from benchmarks.lab.rows import (
    BUSY_SHARE,
    MAX_CONNECTS_A_SECOND,
    MAX_CONNECTS_OF_A_FAULT,
    ROWS,
    Row,
    Verdict,
)

BEGIN, END = "<!-- lab:begin -->", "<!-- lab:end -->"
_GREEN, _RED = "🟢", "🔴"

Results = dict[tuple[str, str], Cell]


def load(path: Path) -> Results:
    """Cells of earlier runs, by client and row."""
    if not path.exists():
        return {}
    rows = json.loads(path.read_text("utf-8"))
    cells = [
        Cell(**{**row, "verdict": Verdict(**{**row["verdict"], "reasons": tuple(row["verdict"]["reasons"])})})
        for row in rows
    ]
    return {(cell.client, cell.row): cell for cell in cells}


def save(path: Path, results: Results) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(cell) for cell in results.values()], indent=1, ensure_ascii=False), "utf-8")


def table(results: Results, clients: Sequence[str]) -> str:
    """The Markdown table: a row a fault, a column a client, the count of greens below."""
    shown = [client for client in clients if any((client, row.key) in results for row in ROWS)]
    rows = [row for row in ROWS if any((client, row.key) in results for client in shown)]
    names = [next(cell.version for (client, _), cell in results.items() if client == name) for name in shown]
    lines = [_line(["", "Fault", *names]), _line(["--:", "---", *["---"] * len(shown)])]
    for row in rows:
        cells = [_cell(results.get((client, row.key))) for client in shown]
        lines.append(_line([str(row.number), row.title, *cells]))
    lines.append(_line(["", "**green**", *[_count(results, client, rows) for client in shown]]))
    return "\n".join(lines)


def criteria() -> str:
    """What green means, row by row, from the same values that the judge uses."""
    head = (
        "In every row: the program lives at the end; nothing but trades reaches the handler of trades; at most"
        f" {MAX_CONNECTS_A_SECOND} connects in any second; less than {BUSY_SHARE:.0%} of a core. Besides:\n\n"
    )
    return head + "\n".join(f"{row.number}. {row.title}: {_asked(row)}." for row in ROWS)


def write(path: Path, body: str) -> None:
    """Put ``body`` between the markers of the file.

    Raises:
        ValueError: the file has no such markers.
    """
    text = path.read_text("utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} must hold {BEGIN} and {END}: the table stands between them")
    path.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}", "utf-8")


def _asked(row: Row) -> str:
    start = "after the server is back" if row.lasts else "after the fault"
    asked = [
        f"data flow again within {row.back_within:g} s {start}" if row.back_within else "",
        "the line is kept" if row.keeps_line else "",
        f"at most {MAX_CONNECTS_OF_A_FAULT} reconnects in {row.lasts:g} s" if row.bounded else "",
        f"the user is told `{row.must_tell}` as an error" if row.must_tell else "",
        f"within {row.lasts:g} s the silence is told, or the line replaced" if row.must_notice else "",
    ]
    return "; ".join(text for text in asked if text)


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return ""
    return f"{_GREEN if cell.verdict.green else _RED} {cell.verdict.text}".replace("|", "\\|")


def _count(results: Results, client: str, rows: Sequence[Row]) -> str:
    greens = sum(cell.verdict.green for row in rows if (cell := results.get((client, row.key))))
    return f"**{greens} of {len(rows)}**"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
