"""Reads one market message field by field, in whatever form its numbers come: the slow road behind the decoders.

Text for a number (``"17866130860480000"``), an exponent or a point in a whole number, ids above 2^53, the names
of very old frames, null or nothing in place of a value (spec/upbit.md 4.0): all of it is accepted here, exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec
from msgspec import Raw

from tapewire.config import Numbers
from tapewire.model.events import Event, OrderbookUnit
from tapewire.venues.upbit.messages import (
    LONG_MAX,
    LONG_MIN,
    NUMBER_MAX,
    UNIT_FIELDS,
    WireType,
    attribute_names,
)

#: Name of today → name in very old frames (section 4.1).
OLD_NAMES = {"code": "market", "cd": "mk"}

Fields = Mapping[str, Raw]
_NUMBER = msgspec.json.Decoder(Decimal | None)
_TEXT = msgspec.json.Decoder(str)
_DIGITS = msgspec.json.Decoder(int | float)
_OBJECTS = msgspec.json.Decoder(list[dict[str, Raw]] | None)


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
        value = None if raw is None else _named(name, convert, raw)
        if value is not None:
            values[attribute] = value
    if "symbol" not in values:
        raise ValueError("no code")
    return wire.public(**values)


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
        str: msgspec.json.Decoder(str | None).decode,
        str | None: msgspec.json.Decoder(str | None).decode,
        bool | None: msgspec.json.Decoder(bool | None).decode,
        int | None: _int,
        float | None: number,
        list[OrderbookUnit]: lambda raw: _units(raw, number, simple=simple),
        Any: msgspec.json.decode,
    }
    types = {info.name: info.type for info in msgspec.structs.fields(wire.public)}
    names = attribute_names(wire.kind, simple=simple)
    return {attribute: (name, by_type[types[attribute]]) for attribute, name in names.items()}


def _decimal(raw: Raw) -> Decimal | None:
    value: Decimal | None = _from_text(raw) if bytes(raw).startswith(b'"') else _NUMBER.decode(raw)
    if value is not None and not -NUMBER_MAX <= value <= NUMBER_MAX:
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


def _float(raw: Raw) -> float | None:
    value = _decimal(raw)
    return None if value is None else float(value)


def _int(raw: Raw) -> int | None:
    value = _decimal(raw)
    if value is None:
        return None
    if not LONG_MIN <= value <= LONG_MAX:
        raise ValueError("whole number out of range")
    if value != int(value):
        raise ValueError(f"expected a whole number, got {value}")
    return int(value)


def _units(raw: Raw, number: Callable[[Raw], Any], *, simple: bool) -> list[OrderbookUnit] | None:
    elements = _OBJECTS.decode(raw)
    return None if elements is None else [_unit(element, number, simple=simple) for element in elements]


def _unit(fields: Fields, number: Callable[[Raw], Any], *, simple: bool) -> OrderbookUnit:
    values = {}
    for full, short in UNIT_FIELDS.items():
        name = short if simple else full
        value = number(fields[name]) if name in fields else None
        if value is None:
            raise ValueError(f"a level without {name}")
        values[full] = value
    return OrderbookUnit(**values)
