"""Which events of a batch are encoded together: each subject's, in their order (pure)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tapewire.model.events import Event
from tapewire.model.status import FeedEvent

#: Subject, venue, type, symbol.
Head = tuple[str, str, str, str]
#: Events of one subject; without a head each stands alone.
Group = tuple[Head | None, list[Any]]


class _OwnPart(dict[type, str | None]):
    """What of a class of events is part of the subject, beside venue, type and symbol."""

    def __missing__(self, kind: type[Event]) -> str | None:
        part = self[kind] = next((name for name in ("unit", "level") if name in kind.__struct_fields__), None)
        return part


own_part = _OwnPart()


def grouped(items: Sequence[Event | FeedEvent], head_of: Callable[[Event], Head]) -> list[Group]:
    """Events by subject, subjects as they first come. What is late, or has its frame, stands alone.

    Args:
        items: of any subjects.
        head_of: an event's head; asked once a subject, or oftener.
    """
    found: list[Group] = []
    growing: dict[str, list[Any]] = {}  # by subject
    known: dict[tuple[type, str], dict[object, list[Any]]] = {}  # the same, by what is found with less work
    groups: dict[object, list[Any]] = {}
    kind = venue = part = None
    item: Any
    for item in items:
        if item.__class__ is not kind or item.venue is not venue:
            if not isinstance(item, Event):
                found.append((None, [item]))
                continue
            kind, venue = item.__class__, item.venue
            part, groups = own_part[kind], known.setdefault((kind, venue), {})
        if item.recovered or item.polled or item.raw is not None:
            found.append((None, [item]))
            growing.pop(head_of(item)[0], None)
            known.clear()
            kind = None
            continue
        name = item.symbol if part is None else (item.symbol, getattr(item, part))
        group = groups.get(name)
        if group is None:
            head = head_of(item)
            group = growing.get(head[0])
            if group is None:
                growing[head[0]] = group = []
                found.append((head, group))
            groups[name] = group
        group.append(item)
    return found
