"""``tapewire query``: SQL over a folder of Parquet files."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tapewire.apps.cli.terminal import json_line, plain
from tapewire.errors import ConfigError, UsageError

if TYPE_CHECKING:
    import duckdb

#: Rows that are shown to people.
_SHOWN = 100


@click.command(short_help="Ask a folder of Parquet files in SQL.")
@click.argument("sql", metavar="SQL")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--json", "form", flag_value="json", help="One JSON object a line, for programs.")
@click.option("--csv", "form", flag_value="csv", help="Comma-separated, with a line of names.")
def query(sql: str, folder: Path, form: str | None) -> None:
    """Run SQL (DuckDB's) over what `tapewire convert` made in DIR.

    Each kind of event is a view: trade, ticker, orderbook, candle …; `DESCRIBE trade` shows its columns. Only files in
    DIR can be read.

    \b
    tapewire query "SELECT symbol, count(*), sum(trade_volume) FROM trade GROUP BY symbol" columns
    tapewire query "SELECT epoch_ms(timestamp), orderbook_units[1].ask_price FROM orderbook LIMIT 5" columns
    tapewire query "FROM trade WHERE recovered" columns --csv
    """  # noqa: D301 - click wants the character
    connection = _connected(folder)
    import duckdb  # noqa: PLC0415 - an extra, loaded when used

    try:
        answer = connection.execute(sql)
        names = [column[0] for column in answer.description or ()]
        if form == "json":
            while rows := answer.fetchmany(1000):
                for row in rows:
                    click.echo(json_line(dict(zip(names, row, strict=True))), nl=False)
        elif form == "csv":
            writer = csv.writer(sys.stdout)
            writer.writerow(names)
            while rows := answer.fetchmany(1000):
                writer.writerows(rows)
        else:
            _show(names, answer.fetchmany(_SHOWN + 1))
    except duckdb.Error as error:
        raise ConfigError("SQL", sql, f"a query that DuckDB understands: {_in_a_line(error)}") from error


def _connected(folder: Path) -> duckdb.DuckDBPyConnection:
    """A database of nothing but views on the folder's files; it may read no other file and no network."""
    try:
        import duckdb  # noqa: PLC0415 - an extra, loaded when used
    except ImportError:
        raise UsageError("query needs DuckDB: pip install 'tapewire[query]'") from None
    from tapewire.client.tables import files_of, kinds_of, what_instead  # noqa: PLC0415 - heavy, loaded when used

    kinds = kinds_of(folder)
    if not kinds:
        raise ConfigError("DIR", str(folder), f"a folder of Parquet files{what_instead(folder)}")
    connection = duckdb.connect(":memory:")
    connection.execute("SET allowed_directories = ?", [[f"{folder.resolve()}/"]])
    connection.execute("SET enable_external_access = false")
    for kind in kinds:
        files = [str(path.resolve()) for path in files_of(folder.resolve(), kind)]
        try:
            relation = connection.read_parquet(files, union_by_name=True)
        except duckdb.Error as error:
            raise ConfigError("DIR", str(folder), f"a folder of whole Parquet files: {_in_a_line(error)}") from error
        relation.create_view(kind)
    return connection


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _show(names: list[str], rows: list[tuple[Any, ...]]) -> None:
    from rich.console import Console  # noqa: PLC0415 - heavy, loaded when used
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, padding=(0, 1), header_style="dim", pad_edge=False)
    for index, name in enumerate(names):
        numeric = bool(rows) and isinstance(rows[0][index], int | float)
        table.add_column(plain(name), justify="right" if numeric else "left", overflow="fold")
    for row in rows[:_SHOWN]:
        table.add_row(*("" if value is None else plain(str(value), 200) for value in row))
    console = Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 200)
    console.print(table)
    if len(rows) > _SHOWN:
        click.echo(f"only the first {_SHOWN} rows are shown; --csv and --json give all", err=True)
