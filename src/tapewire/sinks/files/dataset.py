"""Writes events to a folder of Parquet files, by venue, kind, symbol, day and hour; each is whole or not there."""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from tapewire.errors import SinkError
from tapewire.model.event import KST, Event
from tapewire.sinks.files.columns import Exactness, schema_of, table_of
from tapewire.sinks.files.layout import LAST_SECOND
from tapewire.sinks.files.names import code_folder, kind_folder, quoted
from tapewire.tape.disk import FILE_MODE, open_folder, reason_of, sync_folder

#: Rows of one row group; events of one place that wait in memory for it.
ROWS = 50_000
#: Events that wait in memory in all places together.
PENDING = 200_000
#: Files open at the same time; the least recently written one is ended for another.
OPEN_MOST = 64
ZONES: dict[str, tzinfo] = {"UTC": UTC, "KST": KST}


_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class Place(NamedTuple):
    """The file that an event belongs to."""

    venue: str
    kind: str
    symbol: str
    date: str
    hour: str


class Dataset:
    """One folder, written by one writer: ``venue/kind/symbol/date=YYYY-MM-DD/HH-stem.parquet``.

    A file is seen under its name only when it is whole and on the disk.

    Args:
        folder: made if it is not there.
        stem: what this writer's files are called behind the hour: the same input gives the same files.
        numbers: ``"float"`` or ``"decimal"`` (exact).
        zone: ``"UTC"`` or ``"KST"``: of dates and hours in the names.
    """

    def __init__(self, folder: Path, stem: str, *, numbers: Exactness = "float", zone: str = "UTC") -> None:
        self._folder, self._stem, self._numbers, self._zone = folder, stem, numbers, ZONES[zone]
        self._pending: dict[Place, list[Event]] = {}
        self._waiting = 0
        self._open: OrderedDict[Place, WholeFile] = OrderedDict()
        self._parts: dict[Place, int] = {}
        self.events = 0
        self.files: list[Path] = []

    def write(self, events: Iterable[Event]) -> None:
        """Take events in; what waits is written when it is enough. Raises SinkError."""
        for event in events:
            place = self._place(event)
            waiting = self._pending.setdefault(place, [])
            waiting.append(event)
            self._waiting += 1
            if len(waiting) >= ROWS:
                self._flush(place)
        if self._waiting >= PENDING:
            self._flush_all()

    def close(self) -> None:
        """Write what waits, and end every file. Raises SinkError."""
        self._flush_all()
        while self._open:
            self._end(self._open.popitem(last=False)[1])

    def give_up(self) -> None:
        """Leave nothing unfinished behind; files that were ended stay."""
        while self._open:
            self._open.popitem()[1].give_up()
        self._pending.clear()

    def _place(self, event: Event) -> Place:
        seconds = event.timestamp / 1000 if event.timestamp is not None else event.received_ns / 1e9
        moment = datetime.fromtimestamp(min(max(seconds, 0), LAST_SECOND), self._zone)
        return Place(event.venue, event.kind, event.symbol, moment.strftime("%Y-%m-%d"), moment.strftime("%H"))

    def _flush_all(self) -> None:
        for place in tuple(self._pending):
            self._flush(place)

    def _flush(self, place: Place) -> None:
        events = self._pending.pop(place)
        self._waiting -= len(events)
        try:
            self._file(place).write(table_of(place.kind, events, self._numbers))
        except pa.ArrowInvalid as error:
            raise SinkError(str(self._folder), f"{place.kind} of {place.symbol}: {error}") from error
        except OSError as error:
            raise SinkError(str(self._folder), reason_of(error)) from error
        self.events += len(events)

    def _file(self, place: Place) -> WholeFile:
        file = self._open.pop(place, None)
        if file is None:
            while len(self._open) >= OPEN_MOST:
                self._end(self._open.popitem(last=False)[1])
            part = self._parts[place] = self._parts.get(place, 0) + 1
            file = WholeFile(self._path(place, part), schema_of(place.kind, self._numbers))
        self._open[place] = file
        return file

    def _path(self, place: Place, part: int) -> Path:
        symbol = code_folder(place.symbol) or quoted(place.symbol)
        where = self._folder / quoted(place.venue) / kind_folder(place.kind) / symbol
        more = f"-{part}" if part > 1 else ""
        return where / f"date={place.date}" / f"{place.hour}-{self._stem}{more}.parquet"

    def _end(self, file: WholeFile) -> None:
        try:
            file.end()
        except OSError as error:
            raise SinkError(str(file.path), reason_of(error)) from error
        self.files.append(file.path)


def sync_path(folder: Path) -> None:
    """Have the names in a folder on the disk itself. Raises OSError."""
    handle = open_folder(folder)
    try:
        sync_folder(handle)
    finally:
        if handle is not None:
            os.close(handle)


class WholeFile:
    """One Parquet file, under another name until it is whole: one that was not ended cannot be read."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path, self._part = path, path.with_suffix(".part")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = os.fdopen(os.open(self._part, _FLAGS, FILE_MODE), "wb")
        self._writer = pq.ParquetWriter(self._handle, schema, compression="zstd")

    def write(self, table: pa.Table) -> None:
        """Another row group."""
        self._writer.write_table(table)

    def end(self) -> None:
        """Give it its name: whole, and on the disk itself."""
        self._writer.close()
        self._handle.flush()
        os.fsync(self._handle.fileno())
        self._handle.close()
        self._part.replace(self.path)
        sync_path(self.path.parent)

    def give_up(self) -> None:
        """Leave nothing of it."""
        self._writer.is_open = False  # else its end would be written when it is collected
        with contextlib.suppress(OSError):  # a full disk refuses what waits; it is not wanted
            self._handle.close()
        self._part.unlink(missing_ok=True)
