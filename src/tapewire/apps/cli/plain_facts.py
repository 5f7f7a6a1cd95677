"""Events that have no line of their own for people: everything that they say, by name."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tapewire.model.event import Event

_COMMON = frozenset(Event.__struct_fields__)


def plain_facts(event: Event) -> str:
    """``mark price 42,310.6  market type MARGIN``; of lists the length, what a venue says beyond its fields not."""
    return "  ".join(_told(event))


def _told(event: Event) -> Iterator[str]:
    for name in event.__struct_fields__:
        value = getattr(event, name)
        words = name.replace("_", " ")
        if name in _COMMON or value is None or isinstance(value, dict):
            continue
        yield f"{len(value)} {words}" if isinstance(value, list) else f"{words} {_shown(value)}"


def _shown(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case Decimal():
            return f"{value:,f}"
        case float():
            return f"{value:,.10g}"
        case _:
            return str(value)
