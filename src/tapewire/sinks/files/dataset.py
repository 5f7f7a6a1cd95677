"""Writes events to a folder of Parquet files, by venue, kind, symbol, day and hour; each is whole or not there."""

from __future__ import annotations

import contextlib
import os
from collections import Counter, OrderedDict
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tapewire.errors import SinkError
from tapewire.model.event import KST, Event
from tapewire.sinks.files.columns import Exactness, bounds_of, floats_of, kind_of, schema_of, table_of, texts_of
from tapewire.sinks.files.layout import LAST_SECOND
from tapewire.sinks.files.names import code_folder, kind_folder, quoted
from tapewire.tape.disk import FILE_MODE, open_folder, reason_of, sync_file_system, sync_folder

#: Rows of one row group, at most.
ROWS = 50_000
#: Events that become columns together: few enough to be in the processor's cache yet, which halves what that costs.
AT_ONCE = 2_000
#: Events whose columns wait to be dealt out to their places.
PENDING = 50_000
#: Bytes of columns that wait for their row group, in all places together.
HELD_BYTES = 128 * 1024 * 1024
#: Files open at the same time; the least recently written one is ended for another. Few files with large row groups are
#: what reads fast.
OPEN_MOST = 512
#: Files from which the whole file system is committed in place of each.
FEW = 8
_HOUR_MS, _HOUR_NS = 3_600_000, 3_600_000_000_000
ZONES: dict[str, tzinfo] = {"UTC": UTC, "KST": KST}


_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class Place(NamedTuple):
    """The file that an event belongs to."""

    venue: str
    kind: str
    symbol: str
    date: str
    hour: str


class _Columns(NamedTuple):
    """Tables of one place that wait to be written together."""

    tables: list[pa.Table]
    rows: int
    size: int


#: Kind as a class, venue, symbol, hours since 1970 (UTC).
_Key = tuple[type[Event], str, str, int]


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
        self._fresh: dict[type[Event], list[Event]] = {}
        self._fresh_count = 0
        self._pending: dict[type[Event], list[pa.Table]] = {}
        self._codes: dict[_Key, int] = {}  # of what is pending
        self._places: dict[type[Event], list[int]] = {}  # the codes of its rows
        self._waiting = 0
        self._held: dict[Place, _Columns] = {}
        self._held_bytes = 0
        self._made = 0  # bytes of tables of which some part is held, at most
        self._open: OrderedDict[Place, WholeFile] = OrderedDict()
        self._parts: dict[Place, int] = {}
        self.events = 0
        self.files: list[Path] = []

    def write(self, events: Iterable[Event]) -> None:
        """Take events in; what waits is written when it is enough. Raises SinkError."""
        fresh = self._fresh
        for event in events:
            waiting = fresh.get(type(event))
            if waiting is None:
                waiting = fresh[type(event)] = []
            waiting.append(event)
            self._fresh_count += 1
            if self._fresh_count >= AT_ONCE:
                self._make_columns()
                fresh = self._fresh
        if self._waiting + self._fresh_count >= PENDING:
            self._make_columns()
            self._deal_out()

    def close(self) -> None:
        """Write what waits, and end every file. Raises SinkError."""
        self._make_columns()
        self._deal_out()
        for place in tuple(self._held):
            self._write(place)
        self._end_all()

    def give_up(self) -> None:
        """Leave nothing unfinished behind; files that were ended stay."""
        while self._open:
            self._open.popitem()[1].give_up()
        self._fresh.clear()
        self._pending.clear()
        self._held.clear()

    def _place(self, key: _Key) -> Place:
        cls, venue, symbol, hour = key
        moment = datetime.fromtimestamp(min(max(hour * 3600, 0), LAST_SECOND), self._zone)
        return Place(venue, kind_of(cls), symbol, moment.strftime("%Y-%m-%d"), moment.strftime("%H"))

    def _make_columns(self) -> None:
        """Of each kind one table, and the place of each of its rows."""
        fresh, self._fresh, self._fresh_count = self._fresh, {}, 0
        for cls, events in fresh.items():
            try:
                table = table_of(kind_of(cls), events, self._numbers)
            except pa.ArrowInvalid as error:
                names = ", ".join(sorted({event.symbol for event in events}))
                raise SinkError(str(self._folder), f"{kind_of(cls)} of {names}: {error}") from error
            self._pending.setdefault(cls, []).append(table)
            codes, places = self._codes, self._places.setdefault(cls, [])
            for event in events:
                stamp = event.timestamp
                hour = event.received_ns // _HOUR_NS if stamp is None else stamp // _HOUR_MS
                places.append(codes.setdefault((cls, event.venue, event.symbol, hour), len(codes)))
            self._waiting += len(events)

    def _deal_out(self) -> None:
        """Each place gets its rows, in the order in which they came."""
        pending, places, keys = self._pending, self._places, tuple(self._codes)
        self._pending, self._places, self._codes, self._waiting = {}, {}, {}, 0
        for cls, tables in pending.items():
            rows = pa.array(places[cls], pa.int32())
            table = pa.concat_tables(tables).combine_chunks().take(pc.array_sort_indices(rows))
            self._made += table.nbytes
            begin = 0
            for code, count in sorted(Counter(places[cls]).items()):
                self._hold(self._place(keys[code]), table.slice(begin, count))
                begin += count
        if self._made > HELD_BYTES:
            self._make_room()

    def _hold(self, place: Place, table: pa.Table) -> None:
        held = self._held.get(place) or _Columns([], 0, 0)
        held.tables.append(table)
        size = table.nbytes
        self._held[place] = _Columns(held.tables, held.rows + table.num_rows, held.size + size)
        self._held_bytes += size
        if held.rows + table.num_rows >= ROWS:
            self._write(place)

    def _make_room(self) -> None:
        """Write the places that hold most, until half is free; of the rest no table keeps others' parts in memory."""
        for place in sorted(self._held, key=lambda one: self._held[one].size, reverse=True):
            if self._held_bytes <= HELD_BYTES // 2:
                break
            self._write(place)
        for place, held in self._held.items():
            table = pa.concat_tables(held.tables)
            self._held[place] = _Columns([table.take(pa.array(range(held.rows)))], held.rows, held.size)
        self._made = self._held_bytes

    def _write(self, place: Place) -> None:
        held = self._held.pop(place)
        self._held_bytes -= held.size
        try:
            self._file(place).write(pa.concat_tables(held.tables), ROWS)
        except OSError as error:
            raise SinkError(str(self._folder), reason_of(error)) from error
        self.events += held.rows

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

    def _end_all(self) -> None:
        """All are on the disk before any has its name: one commit of the file system in place of two each."""
        files = tuple(self._open.values())
        folders = {file.path.parent for file in files}
        try:
            for file in files:
                file.finish()
            if len(files) < FEW or not sync_systems(folders):
                for file in files:
                    file.sync()
            for file in files:
                file.give_name()
                self._open.popitem(last=False)
                self.files.append(file.path)
            if len(files) < FEW or not sync_systems(folders):
                for folder in folders:
                    sync_path(folder)
        except OSError as error:
            raise SinkError(str(self._folder), reason_of(error)) from error

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


def sync_systems(folders: Iterable[Path]) -> bool:
    """Have all that was written to the file systems of these folders on the disk itself. Raises OSError.

    Returns:
        Whether the system can do that.
    """
    for folder in {folder.stat().st_dev: folder for folder in folders}.values():
        handle = open_folder(folder)
        try:
            if not sync_file_system(handle):
                return False
        finally:
            if handle is not None:
                os.close(handle)
    return True


class WholeFile:
    """One Parquet file, under another name until it is whole: one that was not ended cannot be read."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path, self._part = path, path.with_suffix(".part")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = os.fdopen(os.open(self._part, _FLAGS, FILE_MODE), "wb")
        self._writer = pq.ParquetWriter(
            self._handle,
            schema,
            compression="lz4",
            use_dictionary=texts_of(schema),
            use_byte_stream_split=floats_of(schema),
            write_statistics=bounds_of(schema),
        )

    def write(self, table: pa.Table, rows: int | None = None) -> None:
        """Another row group, or several of so many rows."""
        self._writer.write_table(table, row_group_size=rows)

    def end(self) -> None:
        """Give it its name: whole, and on the disk itself."""
        self.finish()
        self.sync()
        self.give_name()
        sync_path(self.path.parent)

    def finish(self) -> None:
        """Write its end."""
        self._writer.close()
        self._handle.flush()

    def sync(self) -> None:
        """Have it on the disk itself."""
        os.fsync(self._handle.fileno())

    def give_name(self) -> None:
        """It is whole, and seen as that."""
        self._handle.close()
        self._part.replace(self.path)

    def give_up(self) -> None:
        """Leave nothing of it."""
        self._writer.is_open = False  # else its end would be written when it is collected
        with contextlib.suppress(OSError):  # a full disk refuses what waits; it is not wanted
            self._handle.close()
        self._part.unlink(missing_ok=True)
