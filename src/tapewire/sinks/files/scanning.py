"""Reads many Parquet files as one table in the order of time, on all processors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import reduce
from itertools import accumulate, pairwise
from operator import and_
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

#: Bytes from which a file's row groups are read each by itself: else one large file would keep one processor busy.
SPLIT = 4 * 1024 * 1024
#: Rows of lists that are put in order together: those of a book are some megabytes.
AT_ONCE = 16_000
_TIME = "timestamp"


class Rows(NamedTuple):
    """Which rows are wanted: this venue's, with time stamps from ``since_ms`` on, before ``until_ms`` (None: all)."""

    venue: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    @property
    def needs(self) -> list[str]:
        """Columns without which they cannot be told, or put in order."""
        return [_TIME] if self.venue is None else [_TIME, "venue"]

    def condition(self) -> pc.Expression | None:
        """What is true for a row that is wanted; None: all are."""
        conditions = [
            *([] if self.venue is None else [pc.field("venue") == self.venue]),
            *([] if self.since_ms is None else [pc.field(_TIME) >= self.since_ms]),
            *([] if self.until_ms is None else [pc.field(_TIME) < self.until_ms]),
        ]
        return reduce(and_, conditions) if conditions else None

    def may_hold(self, least: int, most: int) -> bool:
        """Whether rows with these time stamps may be wanted."""
        return (self.since_ms is None or most >= self.since_ms) and (self.until_ms is None or least < self.until_ms)


class _Piece(NamedTuple):
    """A file, or one row group of it."""

    path: Path
    group: int | None


def read_files(paths: Sequence[Path], columns: Sequence[str] | None = None, rows: Rows | None = None) -> pa.Table:
    """The rows of some files of one kind, in the order of their time stamps (those without one last; of equal ones in
    the order of the files). A column that only some of the files have is null in the others' rows.

    Args:
        paths: of the files, one at least; each is whole.
        columns: only these, in this order; None: all.
        rows: only these; None: all.

    Raises:
        pa.ArrowException: a file is not whole, or no Parquet; or it has a column's numbers in another form than the
            first, which do not fit into that.
        KeyError: no file has such a column; names it.
        OSError: a file is not there, or the system refuses it.
    """
    rows = rows or Rows()
    asked = None if columns is None else list(dict.fromkeys((*columns, *rows.needs)))
    with ThreadPoolExecutor(pa.cpu_count(), thread_name_prefix="parquet") as pool:
        pieces = [piece for some in pool.map(_pieces, paths) for piece in some]
        texts = _texts(paths[0])
        tables = list(pool.map(lambda piece: _read(piece, texts, asked, rows), pieces))
        fields = _fields(tables, asked)
        made = _in_order(pool, _joined(tables, fields), fields)
    names = list(fields) if columns is None else list(columns)
    schema = pa.schema([fields[name] for name in names], metadata=tables[0].schema.metadata)
    return pa.Table.from_arrays([made[name] for name in names], schema=schema)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except pa.ArrowInvalid as error:
        raise pa.ArrowInvalid(f"{path}: {error}") from error


def _pieces(path: Path) -> list[_Piece]:
    if path.stat().st_size < SPLIT:
        return [_Piece(path, None)]
    with _named(path):
        return [_Piece(path, group) for group in range(pq.read_metadata(path).num_row_groups)]


def _texts(path: Path) -> list[str]:
    """Columns of text: read, and put in order, by their number in a dictionary, which is twice as fast."""
    with _named(path):
        return [field.name for field in pq.read_schema(path) if pa.types.is_string(field.type)]


def _read(piece: _Piece, texts: list[str], asked: list[str] | None, rows: Rows) -> pa.Table:
    """Mapped, and not read ahead: files got their names when they were whole, so none is cut off meanwhile."""
    with _named(piece.path):
        try:
            file = pq.ParquetFile(pa.memory_map(str(piece.path)), read_dictionary=texts, pre_buffer=False)
        except KeyError:  # a file of another version, that has other columns
            file = pq.ParquetFile(pa.memory_map(str(piece.path)), read_dictionary=_texts(piece.path), pre_buffer=False)
        groups = range(file.num_row_groups) if piece.group is None else [piece.group]
        chosen = [group for group in groups if _may_hold(file.metadata.row_group(group), rows)]
        table = file.read_row_groups(chosen, columns=asked, use_threads=False)
    condition = rows.condition()
    return table if condition is None else table.filter(condition)


def _may_hold(group: Any, rows: Rows) -> bool:
    """Whether there may be rows that are wanted, by what the file says of the group's time stamps."""
    if rows.since_ms is None and rows.until_ms is None:
        return True
    parts = (group.column(index) for index in range(group.num_columns))
    figures = next(part.statistics for part in parts if part.path_in_schema == _TIME)
    return figures is None or not figures.has_min_max or rows.may_hold(figures.min, figures.max)


def _fields(tables: Sequence[pa.Table], asked: list[str] | None) -> dict[str, pa.Field]:
    """Every column of some file, as the first that has it calls it; in their order, or of those asked for."""
    found: dict[str, pa.Field] = {}
    known: pa.Schema | None = None
    for table in tables:
        if known is not None and table.schema.equals(known):
            continue
        known = table.schema
        for field in known:
            found.setdefault(field.name, field.with_type(_plain(field.type)).with_nullable(True))
    return found if asked is None else {name: found[name] for name in asked}


def _plain(kind: pa.DataType) -> pa.DataType:
    """As it was before it became a file's: no dictionary, and nothing said of what is never null."""
    if pa.types.is_dictionary(kind):
        return kind.value_type
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_plain(kind.value_type)).with_nullable(True))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_plain(field.type)).with_nullable(True) for field in kind])
    return kind


def _joined(tables: Sequence[pa.Table], fields: dict[str, pa.Field]) -> dict[str, pa.ChunkedArray]:
    kinds = {
        name: pa.dictionary(pa.int32(), pa.string()) if pa.types.is_string(field.type) else field.type
        for name, field in fields.items()
    }
    fitting = [_fitting(table, kinds) for table in tables]
    whole = pa.concat_tables(fitting).unify_dictionaries()
    return dict(zip(whole.column_names, whole.columns, strict=True))


def _fitting(table: pa.Table, kinds: dict[str, pa.DataType]) -> pa.Table:
    """With all columns, of these types."""
    if table.column_names == list(kinds) and table.schema.types == list(kinds.values()):
        return table
    have = set(table.column_names)
    columns = [
        table.column(name).cast(kind) if name in have else pa.nulls(table.num_rows, kind)
        for name, kind in kinds.items()
    ]
    return pa.table(columns, names=list(kinds))


def _in_order(
    pool: ThreadPoolExecutor, columns: dict[str, pa.ChunkedArray], fields: dict[str, pa.Field]
) -> dict[str, pa.ChunkedArray]:
    """Each column, by time; each is let go of when it is done."""
    order = _order(columns[_TIME].combine_chunks())
    jobs: dict[str, list[Future[pa.ChunkedArray]]] = {}
    for name in sorted(fields, key=lambda one: not pa.types.is_nested(fields[one].type)):
        kind, column = fields[name].type, columns.pop(name)
        if order is None or not pa.types.is_nested(kind):
            jobs[name] = [pool.submit(_taken, column, order, kind)]
        else:
            parts = [order.slice(begin, AT_ONCE) for begin in range(0, len(order), AT_ONCE)]
            jobs[name] = [pool.submit(_gathered, column, part) for part in parts]
    return {
        name: pa.chunked_array([chunk for job in some for chunk in job.result().chunks], fields[name].type)
        for name, some in jobs.items()
    }


def _order(stamps: pa.Array) -> pa.Array | None:
    """Of the rows by time; None: that is how they are."""
    ascends = pc.all(pc.less_equal(stamps.slice(0, max(len(stamps) - 1, 0)), stamps.slice(1)), skip_nulls=False)
    return None if ascends.as_py() else pc.array_sort_indices(stamps)


def _taken(column: pa.ChunkedArray, order: pa.Array | None, kind: pa.DataType) -> pa.ChunkedArray:
    taken = column if order is None else column.take(order)
    return taken if taken.type == kind else taken.cast(kind)


def _gathered(column: pa.ChunkedArray, part: pa.Array) -> pa.ChunkedArray:
    """These rows of lists. Each chunk's are a run, nearly always: copied as such they are few enough to be put in order
    in the processor's cache, where Arrow would copy the whole column first.
    """
    ascending = pc.array_sort_indices(part)
    rows = part.take(ascending)
    starts = [0, *accumulate(map(len, column.chunks))]
    cuts = pc.search_sorted(rows, pa.array(starts, rows.type)).to_pylist()
    found = zip(column.chunks, starts, pairwise(cuts), strict=False)
    runs = [_run(chunk, start, rows.slice(begin, end - begin)) for chunk, start, (begin, end) in found if begin < end]
    return pa.chunked_array([pa.concat_arrays(runs).take(pc.inverse_permutation(ascending.cast(pa.int32())))])


def _run(chunk: pa.Array, start: int, rows: pa.Array) -> pa.Array:
    """Ascending rows of a chunk that begins with row ``start``."""
    first, last = rows[0].as_py(), rows[-1].as_py()
    if last - first + 1 == len(rows):
        return chunk.slice(first - start, len(rows))
    return chunk.take(pc.subtract(rows, pa.scalar(start, rows.type)))
