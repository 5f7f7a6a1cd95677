"""Finds venues by entry point and hands out their value by name."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from tapewire.errors import UnknownName
from tapewire.venues.contract import Venue

_GROUP = "tapewire.venues"


def venue_names() -> list[str]:
    """Names of all installed venues, sorted."""
    return sorted(point.name for point in entry_points(group=_GROUP))


@cache
def get_venue(name: str) -> Venue:
    """The venue called ``name``.

    Raises:
        UnknownName: no installed package declares it (entry points need an installed package).
    """
    for point in entry_points(group=_GROUP, name=name):
        venue: Venue = point.load()
        return venue
    raise UnknownName("venue", name, venue_names())
