"""Reads a folder of Parquet files into the table that an analyst has at hand: Arrow, pandas, polars, or events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from tapewire.errors import ConfigError, SubscriptionError, UsageError
from tapewire.model.events import EVENT_CLASSES
from tapewire.sinks.files.folders import recording_files
from tapewire.sinks.files.layout import COLUMNS, FRAMES, LINES, SEGMENT, parse
from tapewire.sinks.files.names import code_folder, kind_folder, quoted
from tapewire.tape.files import tape_files

As = Literal["arrow", "pandas", "polars", "events"]


def read_parquet(
    folder: str | Path,
    kind: str,
    symbols: str | Iterable[str] = (),
    *,
    venue: str | None = None,
    since_ms: int | None = None,
    until_ms: int | None = None,
    columns: Iterable[str] | None = None,
    form: As = "arrow",
) -> Any:
    """All events of one kind in a folder that ``tapewire convert`` made, in the order of their time stamps.

    Args:
        folder: of the Parquet files.
        kind: ``"trade"``, ``"ticker"``, ``"orderbook"``, ``"candle"`` …
        symbols: only these; none named: all.
        venue: only this one's.
        since_ms: time stamps from here on (ms since 1970, UTC).
        until_ms: time stamps before this.
        columns: only these, in this order; ``"events"`` needs all.
        form: ``"arrow"`` (``pyarrow.Table``), ``"pandas"``, ``"polars"`` (each must be installed), ``"events"``
            (a list).

    Raises:
        SubscriptionError: there is no such kind.
        ConfigError: nothing of it is in the folder, a file or a column of it cannot be read, or an impossible ``form``.
        UsageError: pyarrow is not installed.
    """
    if kind not in EVENT_CLASSES:
        raise SubscriptionError("kind", kind, f"one of {', '.join(EVENT_CLASSES)}")
    if form not in ("arrow", "pandas", "polars", "events"):
        raise ConfigError("form", form, '"arrow", "pandas", "polars" or "events"')
    wanted = [symbols] if isinstance(symbols, str) else list(symbols)
    need_arrow()
    files = list(files_of(Path(folder), kind, wanted, venue))
    if not files:
        raise ConfigError("folder", str(folder), f"one with Parquet files of {kind}{what_instead(Path(folder))}")
    import pyarrow as pa  # noqa: PLC0415 - takes 170 ms to load

    from tapewire.sinks.files.scanning import Rows, read_files  # noqa: PLC0415 - it loads pyarrow

    try:
        table = read_files(files, None if columns is None else list(columns), Rows(venue, since_ms, until_ms))
    except KeyError as error:
        raise ConfigError("columns", error.args[0], f"a column of {kind} in {folder} (see docs/columns.md)") from error
    except (pa.ArrowException, OSError) as error:
        raise ConfigError("folder", str(folder), f"one of whole Parquet files, with these columns: {error}") from error
    if form == "events":
        from tapewire.sinks.files.columns import events_of  # noqa: PLC0415 - pyarrow takes 170 ms to load

        return events_of(table)
    if form == "polars":
        return import_module("polars").from_arrow(table)
    return table.to_pandas() if form == "pandas" else table


def need_arrow() -> None:
    """Raises UsageError where pyarrow is not installed."""
    if find_spec("pyarrow") is None:
        raise UsageError("Parquet needs pyarrow: pip install 'tapewire[parquet]'")


def files_of(folder: Path, kind: str, symbols: Iterable[str] = (), venue: str | None = None) -> Iterator[Path]:
    """The Parquet files of a kind, of these symbols (none named: all) and this venue (None: all; the names of a flat
    recording tell none). A recording's own are among them, as far as they are whole.
    """
    symbols = list(symbols)
    for path in sorted(folder.glob(f"*{COLUMNS}")):
        found = parse(path.name)
        if found is None or found.place.kind.partition(".")[0] != kind:
            continue
        if not symbols or found.place.symbol in symbols:
            yield path
    venues = "*" if venue is None else quoted(venue)
    places = [code_folder(symbol) or quoted(symbol) for symbol in symbols] or ["*"]
    for place in places:
        yield from sorted(folder.glob(f"{venues}/{kind_folder(kind)}/{place}/date=*/*.parquet"))


def what_instead(folder: Path) -> str:
    """What a folder without Parquet files (of some kind) has in their place, and what makes some of it; "": nothing."""
    if tape_files(folder):
        return f": there is a tape; `tapewire convert {folder} columns` makes such a folder of it"
    names = [found.suffix for _, found in recording_files(folder)] if folder.is_dir() else []
    if SEGMENT in names:
        return (
            ": no file of this recording is over yet, and each becomes Parquet when it is; once its recorder has"
            f" ended, `tapewire convert {folder}` makes them so"
        )
    if LINES in names or FRAMES in names:
        return f": there are lines of JSON; `tapewire convert {folder} columns` makes such a folder of them"
    return " (see `tapewire convert`)"


def kinds_of(folder: Path) -> list[str]:
    """The kinds of events that a folder has Parquet files of."""
    return [kind for kind in EVENT_CLASSES if next(files_of(folder, kind), None) is not None]
