"""Events as columns (Arrow): the schema of each kind, derived from its class, and both directions."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Sequence
from decimal import Context, Decimal
from functools import cache
from operator import attrgetter
from typing import Any, Literal

import msgspec
import pyarrow as pa
from msgspec import Struct

from tapewire.model.event import Event
from tapewire.model.events import EVENT_CLASSES

Exactness = Literal["float", "decimal"]
#: Exact numbers: 20 digits before the point, 18 behind it, as wide as databases take.
EXACT = pa.decimal128(38, 18)
_WIDE = Context(prec=60)
_ROWS_AT_ONCE = 10_000
#: What a field means, by its name's ending.
_UNITS = {
    "timestamp": "ms since 1970, UTC",
    "received_ns": "ns since 1970, UTC",
    "recovered": "REST told it afterwards",
}


@cache
def schema_of(kind: str, numbers: Exactness = "float") -> pa.Schema:
    """Columns of a kind of event (``trade`` …), in the order of its class's fields, with their units as metadata.

    Numbers that the class calls ``float`` are float64, or exact (``decimal128(38, 18)``) with ``numbers="decimal"``;
    those of private events always are exact. Texts are strings, lists of levels are lists of structs, anything
    of no fixed form is JSON text. ``raw`` is left out: that is what tapes are for.

    Raises:
        KeyError: there is no such kind.
    """
    cls = EVENT_CLASSES[kind]
    hints = typing.get_type_hints(cls)
    fields = [
        pa.field(name, _arrow(hints[name], numbers), metadata=_metadata(name))
        for name in cls.__struct_fields__
        if name != "raw"
    ]
    return pa.schema(fields, metadata={"kind": kind, "numbers": numbers, "source": "tapewire"})


def kind_of(cls: type[Event]) -> str:
    """``trade`` for ``TradeEvent``, as ``Event.kind`` has it."""
    return str(cls.__struct_config__.tag)


def texts_of(schema: pa.Schema) -> list[str]:
    """Columns of text: of these alone a file has dictionaries (of numbers they cost more than they save)."""
    return [field.name for field in schema if pa.types.is_string(field.type)]


def floats_of(schema: pa.Schema) -> list[str]:
    """Paths of the floats: byte by byte of all they are packed smaller, those of levels unpacked twice as fast."""
    flat = [field.name for field in schema if pa.types.is_float64(field.type)]
    nested = [
        f"{field.name}.list.element.{inner.name}"
        for field in schema
        if pa.types.is_list(field.type) and pa.types.is_struct(field.type.value_type)
        for inner in field.type.value_type
        if pa.types.is_float64(inner.type)
    ]
    return flat + nested


def bounds_of(schema: pa.Schema) -> list[str]:
    """Columns whose least and greatest value a file says, so that a query of a span or a market leaves files out: of
    all columns these figures would be a quarter of what is read of a small file.
    """
    return [field.name for field in schema if pa.types.is_integer(field.type) or field.name in ("venue", "symbol")]


def table_of(kind: str, events: Sequence[Event], numbers: Exactness = "float") -> pa.Table:
    """Events of one kind as a table, in their order.

    Raises:
        pa.ArrowInvalid: a number that 38 digits do not hold.
    """
    schema = schema_of(kind, numbers)
    columns = [_column(field.type, list(map(attrgetter(field.name), events))) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def events_of(table: pa.Table) -> list[Any]:
    """The events that a table was made of (``raw`` is None).

    Raises:
        KeyError: it is no table of this module.
    """
    cls = EVENT_CLASSES[table.schema.metadata[b"kind"].decode()]
    hints = typing.get_type_hints(cls)
    exact = table.schema.metadata.get(b"numbers") == b"decimal"
    readers = {name: _reader(hints[name], exact=exact) for name in table.column_names}
    return [
        cls(**{name: readers[name](value) for name, value in row.items()})
        for batch in table.to_batches(_ROWS_AT_ONCE)  # rows as dictionaries take ten times as much as the events
        for row in batch.to_pylist()
    ]


def _arrow(hint: Any, numbers: Exactness) -> pa.DataType:
    hint = _plain(hint)
    if hint is float:
        return EXACT if numbers == "decimal" else pa.float64()
    if hint in _SCALARS:
        return _SCALARS[hint]
    if typing.get_origin(hint) is list:
        return pa.list_(_inner("element", typing.get_args(hint)[0], numbers))
    if isinstance(hint, type) and issubclass(hint, Struct):
        inner = typing.get_type_hints(hint)
        return pa.struct([_inner(name, inner[name], numbers) for name in hint.__struct_fields__])
    return pa.string()


def _inner(name: str, hint: Any, numbers: Exactness) -> pa.Field:
    """Of a list or a struct: what cannot be None is said to be there, so that nobody reads for each number whether."""
    return pa.field(name, _arrow(hint, numbers), nullable=_plain(hint) is not hint)


_SCALARS: dict[Any, pa.DataType] = {
    Decimal: EXACT, int: pa.int64(), bool: pa.bool_(), str: pa.string(), bytes: pa.binary(),
}  # fmt: skip


def _plain(hint: Any) -> Any:
    """The hint without its ``| None``."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
        return kinds[0] if len(kinds) == 1 else Any
    return hint


def _metadata(name: str) -> dict[str, str]:
    unit = _UNITS.get(name) or (_UNITS["timestamp"] if name.endswith("timestamp") else "")
    return {"unit": unit} if unit else {}


def _column(kind: pa.DataType, values: list[Any]) -> pa.Array:
    if pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
        return _levels(kind, values)
    if pa.types.is_decimal(kind):
        values = [value if value is None or isinstance(value, Decimal) else Decimal(str(value)) for value in values]
    try:
        return pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # of another form than most: looked at one by one
        return pa.array([_fitting(kind, value) for value in values], kind)


def _fitting(kind: pa.DataType, value: Any) -> Any:
    if pa.types.is_string(kind):
        return value if value is None or isinstance(value, str) else _text(value)
    return float(value) if pa.types.is_float64(kind) and isinstance(value, Decimal) else value


def _levels(kind: pa.DataType, rows: list[Any]) -> pa.Array:
    """Lists of structs, built column by column: row by row costs five times as much."""
    offsets: list[int] = [0]
    flat: list[Any] = []
    for row in rows:
        flat += row or ()
        offsets.append(len(flat))
    inner = kind.value_type
    columns = [_column(field.type, list(map(attrgetter(field.name), flat))) for field in inner]
    levels = pa.StructArray.from_arrays(columns, fields=list(inner))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), levels, type=kind)


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _reader(hint: Any, *, exact: bool) -> Callable[[Any], Any]:
    hint = _plain(hint)
    if hint is Decimal or (hint is float and exact):
        return lambda value: None if value is None else _short(value)
    if typing.get_origin(hint) is list:
        inner = _reader(typing.get_args(hint)[0], exact=exact)
        return lambda value: None if value is None else [inner(one) for one in value]
    if isinstance(hint, type) and issubclass(hint, Struct):
        hints = typing.get_type_hints(hint)
        readers = {name: _reader(hints[name], exact=exact) for name in hint.__struct_fields__}
        return lambda value: None if value is None else hint(**{n: readers[n](one) for n, one in value.items()})
    if hint in _SCALARS or hint is float or typing.get_origin(hint) is Literal:
        return lambda value: value
    loose: Any = dict[str, Decimal] if exact and hint == dict[str, float] else Any
    decode = msgspec.json.Decoder(loose).decode
    return lambda value: None if value is None else decode(value)


def _short(value: Decimal) -> Decimal:
    """Without the idle zeros of its column."""
    short = value.normalize(_WIDE)
    exponent = short.as_tuple().exponent
    return short.quantize(Decimal(1), context=_WIDE) if isinstance(exponent, int) and exponent > 0 else short
