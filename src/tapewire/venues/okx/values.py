"""What OKX writes as a value → what an event holds: numbers and times are texts, the empty text is no value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from sys import float_info
from typing import Any, cast

import msgspec

from tapewire.config import Numbers
from tapewire.venues.okx.fields import SIDES

#: The largest float64; exact decimals are held to the same range.
_MAX = Decimal(float_info.max)
_LONG = 2**63
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_TRUTH = {"true": True, "false": False}

Row = Mapping[str, Any]


def exact(value: Any) -> Decimal:
    """Raises ValueError for what is no number, and for one beyond a float64."""
    text = value if isinstance(value, str) else str(value)
    if isinstance(value, bool) or not _NUMBER.fullmatch(text):
        raise ValueError(f"expected a number, got {text[:40]!r}")
    number = Decimal(text)
    if not -_MAX <= number <= _MAX:
        raise ValueError(f"number out of range: {text[:40]!r}")
    return number


def near(value: Any) -> float:
    """As ``exact``, as a float."""
    return float(exact(value))


def whole(value: Any) -> int:
    """As ``exact``; a fraction, and what does not fit 64 bits, is refused."""
    number = exact(value)
    if number != number.to_integral_value() or not -_LONG <= number < _LONG:
        raise ValueError(f"expected a whole number of 64 bits, got {str(value)[:40]!r}")
    return int(number)


def text(value: Any) -> str:
    """Texts as they are, other plain values as JSON writes them."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, dict)):
        raise TypeError(f"expected a text, got {type(value).__name__}")
    return msgspec.json.encode(value).decode()


def side(value: Any) -> str:
    """``buy`` or ``sell`` → ``BID`` or ``ASK``; other words are kept."""
    return SIDES.get(text(value), text(value))


def truth(value: Any) -> bool:
    """JSON's or a text's ``true`` and ``false``."""
    if isinstance(value, bool):
        return value
    if value not in ("true", "false"):
        raise ValueError(f"expected true or false, got {str(value)[:40]!r}")
    return _TRUTH[value]


def said(row: Row, name: str) -> Any:
    """A value, None where the exchange said nothing: no field, null, or the empty text."""
    value = row.get(name)
    return None if value == "" else value


def read(made: type[Any], names: Mapping[str, str], row: Row, numbers: Numbers) -> dict[str, Any]:
    """Keyword arguments of ``made`` from a row; what the exchange did not say is left out."""
    converters = _converters(cast("Any", made), numbers)
    values = {}
    for attribute, name in names.items():
        value = said(row, name)
        if value is not None:
            values[attribute] = named(name, side if attribute == "ask_bid" else converters[attribute], value)
    return values


def named(name: str, convert: Callable[[Any], Any], value: Any) -> Any:
    """``convert(value)``; what it raises names the field."""
    try:
        return convert(value)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ValueError(f"{name}: {error}") from error


def rest(row: Row, *used: Mapping[str, str]) -> dict[str, Any]:
    """What a row says beyond the fields in the tables."""
    known = {name for names in used for name in names.values()}
    return {name: value for name, value in row.items() if name not in known and value not in ("", None)}


@cache
def _converters(made: Any, numbers: Numbers) -> Mapping[str, Callable[[Any], Any]]:
    by_type: dict[Any, Callable[[Any], Any]] = {
        str: text,
        str | None: text,
        bool | None: truth,
        int | None: whole,
        float | None: exact if numbers == "decimal" else near,
        Decimal: exact,
        Decimal | None: exact,
    }
    return {info.name: by_type[info.type] for info in msgspec.structs.fields(made) if info.type in by_type}
