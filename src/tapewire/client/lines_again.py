"""Turns Parquet files back into JSON lines: a market's lines appear all at once, and never twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from tapewire.client.converted import Conversion, Ledger, Source
from tapewire.client.tables import files_of, kinds_of, need_arrow
from tapewire.errors import ConfigError, SinkError
from tapewire.sinks.files.folders import recording_files
from tapewire.sinks.files.layout import MISC_KIND, SEGMENT, parse
from tapewire.sinks.files.names import file_stem, unquoted
from tapewire.sinks.registry import get_sink
from tapewire.tape.disk import reason_of

#: Folder in the target where a market's lines grow until they are whole.
STAGING = "unfinished"


def to_lines(
    folder: Path, target: Path, progress: Callable[[Source, int], None] = lambda _source, _bytes: None
) -> Conversion:
    """Turn Parquet files into JSON lines, our events, hour by hour. Markets that are in the target already are skipped;
    one that has changed since is written anew.

    Args:
        folder: of the Parquet files.
        target: folder for the lines.
        progress: told how many bytes of a market are done.

    Raises:
        ConfigError: lines of something else are in the target.
        SinkError: a file cannot be read, or the target not be written.
    """
    need_arrow()
    done, ledger = Conversion(), Ledger(target)
    for source, files in _markets(folder):
        if source.key in ledger:
            done.skipped += 1
            progress(source, source.size)
            continue
        made, events = _stage(target / STAGING, source, files, progress)
        _move(made, target, source, ledger)
        done.converted += 1
        done.events += events
        done.files += len(made)
    return done


def markets_of(folder: Path) -> list[Source]:
    """What there is to turn into lines: each market and kind that a folder has Parquet files of."""
    return [source for source, _ in _markets(folder)]


def unfinished_in(folder: Path) -> int:
    """Files of a recording that are not Parquet yet."""
    return sum(found.suffix == SEGMENT for _, found in recording_files(folder))


def _markets(folder: Path) -> Iterator[tuple[Source, list[Path]]]:
    groups: dict[str, list[Path]] = {}
    for kind in kinds_of(folder):
        for path in files_of(folder, kind):
            groups.setdefault(file_stem(_symbol_of(path), kind) or MISC_KIND, []).append(path)
    for name, files in groups.items():
        found = [path.stat() for path in files]
        size, modified_ns = sum(status.st_size for status in found), max(status.st_mtime_ns for status in found)
        yield Source(folder / name, size, modified_ns), sorted(files, key=_order)


def _symbol_of(path: Path) -> str:
    found = parse(path.name)
    if found is not None:
        return found.place.symbol
    try:
        return unquoted(path.parent.parent.name)
    except ValueError:  # a folder that somebody else made
        return path.parent.parent.name


def _order(path: Path) -> tuple[str, list[str | int]]:
    """By hour, then by number: 9 before 10."""
    parts = re.split(r"(\d+)", path.stem)
    return path.parent.name, [int(part) if index % 2 else part for index, part in enumerate(parts)]


def _stage(
    staging: Path, source: Source, files: list[Path], progress: Callable[[Source, int], None]
) -> tuple[list[Path], int]:
    """The lines of one market in files of their own, on the disk; and how many they are."""
    import pyarrow as pa  # noqa: PLC0415 - takes 170 ms to load
    import pyarrow.parquet as pq  # noqa: PLC0415

    from tapewire.sinks.files.columns import events_of  # noqa: PLC0415 - it loads pyarrow

    sink, count, done = get_sink("jsonl")(staging, form="event"), 0, 0
    sink.open()
    try:
        for left in staging.glob("*.jsonl"):  # by a run that was interrupted
            left.unlink()
        for path in files:
            try:
                file = pq.ParquetFile(path)
                for group in range(file.num_row_groups):
                    events = events_of(file.read_row_group(group))
                    sink.write(events)
                    count += len(events)
            except (pa.ArrowException, OSError) as error:
                raise SinkError(str(path), f"cannot be read as Parquet: {error}") from error
            done += path.stat().st_size
            progress(source, done)
    finally:
        sink.close()
    return sorted(staging.glob("*.jsonl")), count


def _move(made: list[Path], target: Path, source: Source, ledger: Ledger) -> None:
    from tapewire.sinks.files.dataset import sync_path  # noqa: PLC0415 - it loads pyarrow

    for path in made:
        if (target / path.name).exists() and not ledger.has_begun(source):
            raise ConfigError("TARGET", str(target), f"a folder without a {path.name} of something else")
    try:
        ledger.begin(source)
        for path in made:
            path.replace(target / path.name)
        sync_path(target)
        ledger.add(source.key)
        (target / STAGING).rmdir()
    except OSError as error:
        raise SinkError(str(target), reason_of(error)) from error
