"""Tables of a settings file → rules and channels, with errors that name the table, the key and what would be right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from tapewire.client.channels import CHANNELS, Channel, shown_of
from tapewire.config import Secret
from tapewire.errors import ConfigError
from tapewire.hub.alert_rules import RULES, Rule

#: Keys of a channel whose values are secrets.
_SECRETS = ("url", "token", "headers")


class AlertPlan(NamedTuple):
    """What ``client.alerts(*plan)`` takes."""

    rules: tuple[Rule, ...]
    channels: tuple[Channel, ...]


def from_settings(tables: Sequence[Mapping[str, Any]], environ: Mapping[str, str] | None = None) -> AlertPlan:
    """Rules and channels from ``[[alerts]]`` tables: one with ``type`` is a rule, one with ``channel`` a channel.

    Args:
        tables: as a TOML or JSON reader gives them.
        environ: where a secret that is written ``$NAME`` is looked up (``os.environ``).

    Raises:
        ConfigError: names the table, what came and what would be right; a secret's value is never shown.
    """
    given: object = tables
    if not isinstance(given, list | tuple):
        raise ConfigError("alerts", type(given).__name__, "a list of tables: [[alerts]] in TOML")
    rules: list[Rule] = []
    channels: list[Channel] = []
    for number, table in enumerate(given, 1):
        place = f"alerts, table {number}"
        if not isinstance(table, Mapping):
            raise ConfigError(place, table, "a table: [[alerts]] in TOML")
        if "type" in table and "channel" not in table:
            rules.append(_made(place, table, "type", RULES))
        elif "channel" in table and "type" not in table:
            channels.append(_made(place, _revealed(place, table, environ), "channel", CHANNELS))
        else:
            raise ConfigError(
                place, sorted(map(str, table)), 'one with either type (a rule) or channel, as type = "down"'
            )
    if not rules:
        raise ConfigError("alerts", "without a rule", 'tables of which one at least has a type, as type = "down"')
    return AlertPlan(tuple(rules), tuple(channels))


def literal_secrets(tables: Sequence[Any]) -> list[str]:
    """Names of the keys that hold a secret itself and not the name of a variable: such a file must be private."""
    return [
        f"alerts, table {number}: {key}"
        for number, table in enumerate(tables, 1)
        if isinstance(table, Mapping) and "channel" in table
        for key in _SECRETS
        if any(isinstance(one, str) and not one.startswith("$") for one in _values(table.get(key)))
    ]


def _values(found: object) -> list[object]:
    return list(found.values()) if isinstance(found, Mapping) else [found]


def _revealed(place: str, table: Mapping[str, Any], environ: Mapping[str, str] | None) -> dict[str, Any]:
    """The table with its secrets wrapped, those written ``$NAME`` as the environment has them."""

    def secret(key: str, value: object) -> object:
        if not isinstance(value, str) or not value.strip():
            raise ConfigError(f"{place}: {key}", shown_of(value), 'a text that is not empty, or "$NAME" of a variable')
        if value.startswith("$"):
            name, found = value[1:], (environ or {}).get(value[1:], "").strip()
            if not found:
                raise ConfigError(f"{place}: {key}", value, f"the name of a variable that is set: {name} is not")
            return Secret(found)
        return Secret(value)

    wrapped = dict(table)
    for key in _SECRETS:
        value = wrapped.get(key)
        if isinstance(value, Mapping):
            wrapped[key] = {str(name): secret(f"{key}.{name}", one) for name, one in value.items()}
        elif key in wrapped:
            wrapped[key] = secret(key, value)
    return wrapped


def _made(place: str, table: Mapping[str, Any], key: str, known: Mapping[str, type[Struct]]) -> Any:
    name = table[key]
    if not isinstance(name, str) or name not in known:
        raise ConfigError(f"{place}: {key}", name, f"one of {', '.join(known)}{_hint(name, known)}")
    fields = msgspec.structs.fields(known[name])
    allowed = [key, *(field.name for field in fields)]
    for one in table:
        if one not in allowed:
            raise ConfigError(f"{place}: key", one, f"one of {', '.join(allowed)}{_hint(one, allowed)}")
    missing = [field.name for field in fields if field.required and field.name not in table]
    if missing:
        raise ConfigError(f"{place}: {missing[0]}", None, f"there: {key} = {name!r} needs it")
    return _checked(place, known[name], {one: value for one, value in table.items() if one != key})


def _checked(place: str, kind: type[Struct], given: dict[str, Any]) -> Any:
    try:
        if issubclass(kind, Channel):  # it checks its values itself, and never shows them
            return kind(**given)
        return msgspec.convert(given | {"type": kind.__struct_config__.tag}, kind)
    except ConfigError as error:
        raise ConfigError(f"{place}: {error.option}", error.value, error.allowed) from None
    except msgspec.ValidationError as error:
        raise ConfigError(place, kind.__struct_config__.tag, f"right in every key: {error}") from None


def _hint(name: object, known: Iterable[str]) -> str:
    near = get_close_matches(str(name), known, 1)
    return f"; did you mean {near[0]!r}?" if near else ""
