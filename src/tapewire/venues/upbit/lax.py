"""Reads one message field by field, in whatever form its numbers come: the slow road behind the decoders.

Text for a number (``"17866130860480000"``), an exponent or a point in a whole number, ids above 2^53, the names
of very old frames, null or nothing in place of a value (spec/upbit.md 4.0): all of it is accepted here, exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache, partial
from typing import Any

import msgspec
from msgspec import Raw

from tapewire.config import Numbers
from tapewire.model.events import Asset, Event, OrderbookUnit
from tapewire.venues.upbit.fields import (
    ASSET_FIELDS,
    ATTRIBUTES,
    OBJECT_FIELDS,
    UNIT_FIELDS,
    attribute_names,
    full_names,
)
from tapewire.venues.upbit.messages import LONG_MAX, LONG_MIN, NUMBER_MAX, WireType

#: Name of today → name in very old frames (section 4.1).
OLD_NAMES = {"code": "market", "cd": "mk"}

Fields = Mapping[str, Raw]
_NUMBER = msgspec.json.Decoder(Decimal)
_TEXT = msgspec.json.Decoder(str)
_DIGITS = msgspec.json.Decoder(int | float)
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_OBJECTS = msgspec.json.Decoder(list[dict[str, Raw]])
_NULL = b"null"
_FULL = {attribute: full for full, attribute in ATTRIBUTES.items()}


def read_event(venue: str, wire: WireType, fields: Fields, *, simple: bool, numbers: Numbers) -> Event:
    """The public event that ``fields`` (wire name → raw JSON) say.

    Raises:
        ValueError: a field that is needed is missing or one cannot be read; the text names the field.
    """
    values: dict[str, Any] = {"venue": venue}
    if wire.unit:
        values["unit"] = wire.unit
    for attribute, (name, convert) in _converters(wire, simple, numbers).items():
        raw = fields.get(name, fields.get(OLD_NAMES.get(name, name)))
        if raw is not None and bytes(raw) != _NULL:
            values[attribute] = _named(name, convert, raw)
    for attribute in _required(wire):
        if attribute not in values:
            raise ValueError(f"no {_FULL.get(attribute, attribute)}")
    return wire.public(**values)


@cache
def _required(wire: WireType) -> tuple[str, ...]:
    return tuple(info.name for info in msgspec.structs.fields(wire.public) if info.required and info.name != "venue")


def _named(name: str, convert: Callable[[Raw], Any], raw: Raw) -> Any:
    try:
        return convert(raw)
    except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"{name}: {error}") from error


@cache
def _converters(
    wire: WireType,
    simple: bool,  # noqa: FBT001 - the cache's key
    numbers: Numbers,
) -> dict[str, tuple[str, Callable[[Raw], Any]]]:
    """{attribute: (name on the wire, raw JSON → value)}."""
    number = _decimal if numbers == "decimal" else _float
    by_type: dict[Any, Callable[[Raw], Any]] = {
        str: _TEXT.decode,
        str | None: _TEXT.decode,
        bool | None: msgspec.json.Decoder(bool).decode,
        int | None: _int,
        float | None: number,
        Decimal | None: _decimal,
        Any: msgspec.json.decode,
    }
    by_name: dict[str, Callable[[Raw], Any]] = {
        "orderbook_units": partial(_units, number, simple=simple),
        "assets": partial(_assets, simple=simple),
        "params": partial(_object, OBJECT_FIELDS["params"], msgspec.json.decode),
        "event_params": partial(_object, OBJECT_FIELDS["event_params"], msgspec.json.decode),
        "value": partial(_object, OBJECT_FIELDS["value"], number),
    }
    types = {info.name: info.type for info in msgspec.structs.fields(wire.public)}
    names = attribute_names(wire.kind, simple=simple)
    return {
        attribute: (name, by_name[attribute] if attribute in by_name else by_type[types[attribute]])
        for attribute, name in names.items()
    }


def _decimal(raw: Raw) -> Decimal:
    value: Decimal = _from_text(raw) if bytes(raw).startswith(b'"') else _NUMBER.decode(raw)
    if not -NUMBER_MAX <= value <= NUMBER_MAX:
        raise ValueError("number out of range")
    return value


def _from_text(raw: Raw) -> Decimal:
    """Only what JSON would call a number: no ``NaN``, no underscores."""
    text = _TEXT.decode(raw)
    try:
        _DIGITS.decode(text)
    except msgspec.MsgspecError:
        raise ValueError(f"expected a number, got {text[:40]!r}") from None
    return Decimal(text)


def _float(raw: Raw) -> float:
    return float(_decimal(raw))


def _int(raw: Raw) -> int:
    value = _decimal(raw)
    if not LONG_MIN <= value <= LONG_MAX:
        raise ValueError("whole number out of range")
    if value != int(value):
        raise ValueError(f"expected a whole number, got {value}")
    return int(value)


def _object(table: Mapping[str, str], convert: Callable[[Raw], Any], raw: Raw) -> dict[str, Any]:
    """A null in it is as good as nothing, as everywhere."""
    said = full_names(_OBJECT.decode(raw), table)
    return {name: _named(name, convert, value) for name, value in said.items() if bytes(value) != _NULL}


def _units(number: Callable[[Raw], Any], raw: Raw, *, simple: bool) -> list[OrderbookUnit]:
    converters = dict.fromkeys(UNIT_FIELDS, number)
    return [
        OrderbookUnit(**_whole("a level", one, UNIT_FIELDS, converters, simple=simple)) for one in _OBJECTS.decode(raw)
    ]


def _assets(raw: Raw, *, simple: bool) -> list[Asset]:
    converters = {"currency": _TEXT.decode, "balance": _decimal, "locked": _decimal}
    return [Asset(**_whole("an asset", one, ASSET_FIELDS, converters, simple=simple)) for one in _OBJECTS.decode(raw)]


def _whole(
    word: str, fields: Fields, table: Mapping[str, str], converters: Mapping[str, Callable[[Raw], Any]], *, simple: bool
) -> dict[str, Any]:
    """One element of a list, which must have all its fields."""
    values = {}
    for full, short in table.items():
        name = short if simple else full
        raw = fields.get(name)
        if raw is None or bytes(raw) == _NULL:
            raise ValueError(f"{word} without {name}")
        values[full] = converters[full](raw)
    return values
