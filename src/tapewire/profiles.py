"""Options by name: single ones for the room that they belong to, and whole sets for the place where a program runs."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace

from tapewire.config import FeedOptions, LineOptions, SessionOptions
from tapewire.errors import ConfigError

#: Options by the room whose object they belong to; no name stands in two.
_NAMES = {
    "": FeedOptions.__struct_fields__,
    "line": LineOptions.__struct_fields__,
    "session": SessionOptions.__struct_fields__,
}


#: Back-off by name: how soon to come back, and how long to go on asking a dead exchange at that pace.
STRATEGIES: Mapping[str, Mapping[str, float]] = MappingProxyType({
    "aggressive": {"backoff_base": 0.5, "backoff_factor": 1.5, "backoff_cap": 10.0},
    "balanced": {"backoff_base": 1.0, "backoff_factor": 2.0, "backoff_cap": 30.0},
    "conservative": {"backoff_base": 2.0, "backoff_factor": 2.0, "backoff_cap": 300.0},
})  # fmt: skip
#: Options by the place where a program runs; every other option keeps its default.
PROFILES: Mapping[str, Mapping[str, float]] = MappingProxyType({
    "development": {"ping_interval": 60.0, **STRATEGIES["aggressive"]},
    "testing": {"ping_interval": 10.0, "connect_timeout": 5.0, "max_retries": 5, **STRATEGIES["aggressive"]},
    "staging": {"ping_interval": 30.0, "connect_timeout": 15.0, "max_retries": 10, **STRATEGIES["balanced"]},
    "production": {"ping_interval": 30.0, "connect_timeout": 15.0, **STRATEGIES["balanced"]},
})  # fmt: skip


def profile(name: str, *, strategy: str | None = None, **changes: Any) -> FeedOptions:
    """The options of a profile: ``development``, ``testing``, ``staging`` or ``production``.

    Args:
        name: which; what each changes is in docs/options.md.
        strategy: another back-off than the profile's: ``aggressive``, ``balanced`` or ``conservative``.
        changes: single options, which go before both.

    Raises:
        ConfigError: no such profile, strategy or option, or an impossible value.
    """
    chosen = named(PROFILES, "profile", name) | (named(STRATEGIES, "strategy", strategy) if strategy else {})
    return with_changes(FeedOptions(), chosen | changes)


def named(table: Mapping[str, Mapping[str, Any]], what: str, name: object) -> dict[str, Any]:
    """One entry of a table of options by name. Raises ConfigError with the names there are."""
    if not isinstance(name, str) or name not in table:
        raise ConfigError(what, name, f"one of {', '.join(table)}")
    return dict(table[name])


def with_changes(options: FeedOptions, changes: Mapping[str, Any]) -> FeedOptions:
    """``options`` with single fields replaced: its own, or those of its ``line`` and ``session``, by their names.

    Raises:
        ConfigError: no such option (names the ones that are near), or an impossible value.
    """
    rooms = by_room(changes)
    nested = {room: replace(getattr(options, room), **rooms[room]) for room in ("line", "session") if rooms[room]}
    return replace(options, **nested, **rooms[""])


def by_room(changes: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Single options sorted by the object they belong to: ``""`` (the feed's own), ``line``, ``session``.

    Raises:
        ConfigError: no such option.
    """
    rooms: dict[str, dict[str, Any]] = {room: {} for room in _NAMES}
    for name, value in changes.items():
        room = next((room for room, known in _NAMES.items() if name in known), None)
        if room is None:
            near = get_close_matches(name, [option for known in _NAMES.values() for option in known], 3)
            raise ConfigError(name, value, f"one of the options ({', '.join(near) or 'see docs/options.md'})")
        rooms[room][name] = value
    return rooms
