"""Finds sinks by entry point and hands out what makes them by name."""

from __future__ import annotations

from importlib.metadata import entry_points

from tapewire.errors import UnknownName
from tapewire.sinks.contract import SinkFactory

_GROUP = "tapewire.sinks"


def sink_names() -> list[str]:
    """Names of all installed sinks, sorted."""
    return sorted(point.name for point in entry_points(group=_GROUP))


def get_sink(name: str) -> SinkFactory:
    """What makes sinks of that name: called with the target first (a folder, an address), then its options.

    Raises:
        UnknownName: no installed package declares it (entry points need an installed package).
    """
    for point in entry_points(group=_GROUP, name=name):
        factory: SinkFactory = point.load()
        return factory
    raise UnknownName("sink", name, sink_names())
