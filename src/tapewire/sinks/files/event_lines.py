"""Lines that hold our own events, read again: with numbers as floats, or exactly as they stand there (pure)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any, Literal, get_args, get_origin

import msgspec
from msgspec import Struct

from tapewire.model.events import EVENT_CLASSES, Event


def kind_of_line(line: bytes) -> str | None:
    """Which of our events a line holds; None: it is a frame of an exchange, or something else."""
    if not line.startswith(b'{"type":"') or b'"venue":"' not in line[:80]:
        return None
    kind = line[9:40].partition(b'"')[0].decode("ascii", "replace")
    return kind if kind in EVENT_CLASSES else None


@cache
def event_reader(kind: str, numbers: Literal["float", "decimal"] = "float") -> Callable[[bytes], Event]:
    """Reads lines of one kind of event; what it returns raises ``msgspec.DecodeError`` for any other line.

    Raises:
        KeyError: there is no such kind.
    """
    cls = EVENT_CLASSES[kind]
    if numbers == "float":
        return msgspec.json.Decoder(cls, strict=False).decode
    exact = _exact(cls)
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(exact, strict=False).decode

    def read(line: bytes) -> Event:
        event: Event = _public(decode(line))
        return event

    return read


@cache
def _exact(cls: type) -> type:
    """The class with ``Decimal`` where it has ``float``: a subclass with the same slots (compare the venues')."""
    fields = [(info.name, _exact_type(info.type), _default(info)) for info in msgspec.structs.fields(cls)]
    config = cls.__struct_config__  # type: ignore[attr-defined]
    return msgspec.defstruct(
        f"Exact{cls.__name__}", fields, bases=(cls,), gc=False, kw_only=True, tag=config.tag, tag_field=config.tag_field
    )


def _default(info: msgspec.structs.FieldInfo) -> Any:
    if info.default is not msgspec.NODEFAULT:
        return msgspec.field(default=info.default)
    if info.default_factory is not msgspec.NODEFAULT:
        return msgspec.field(default_factory=info.default_factory)
    return msgspec.field()


def _exact_type(hint: Any) -> Any:
    if hint is float:
        return Decimal
    if get_origin(hint) is list:
        return list[_exact_type(get_args(hint)[0])]  # type: ignore[misc]
    if isinstance(hint, type) and issubclass(hint, Struct):
        return _exact(hint)
    if hint == dict[str, float]:
        return dict[str, Decimal]
    return Decimal | None if hint == float | None else hint


def _public(value: Any) -> Any:
    """The public class's instance, and so all that it holds."""
    for name in value.__struct_fields__:
        held = getattr(value, name)
        if isinstance(held, list):  # of levels, balances and so on: all lists of events are
            for one in held:
                _public(one)
    value.__class__ = type(value).__mro__[1]
    return value
