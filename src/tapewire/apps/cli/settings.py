"""``tapewire settings``: every setting, its value now, and where that is from."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import click

from tapewire.apps.cli.terminal import address, json_line, plain

if TYPE_CHECKING:
    from tapewire.apps.settings import Loaded
    from tapewire.apps.table import Setting

_INDENT, _WIDTH = 4, 100


@click.command(short_help="Show every setting: its value, where that is from, what it means.")
@click.option("--profile", metavar="NAME", help="As if this profile were chosen.")
@click.option("--changed", is_flag=True, help="Only those that have not their default.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
def settings(profile: str | None, changed: bool, as_json: bool) -> None:
    """Show every setting: its value now, its unit, where the value is from, and what it means.

    Read from the profile, tapewire.toml (or the file that TAPEWIRE_CONFIG names) and the environment, each before the
    one named before it. Keys, passwords and header values are never shown.

    \b
    tapewire settings --changed
    tapewire settings --profile production --json
    """  # noqa: D301 - click wants the character
    from tapewire.apps.settings import load_with_origin  # noqa: PLC0415 - heavy, loaded when used
    from tapewire.apps.table import all_settings  # noqa: PLC0415

    loaded = load_with_origin(given={"use_profile": profile} if profile else None)
    for row in all_settings():
        fact = _fact(row, loaded)
        if changed and fact["from"] == "default":
            continue
        sys.stdout.buffer.write(json_line(fact) if as_json else _text(fact).encode())
    sys.stdout.buffer.flush()


def _fact(row: Setting, loaded: Loaded) -> dict[str, Any]:
    from tapewire.apps.table import value_of  # noqa: PLC0415

    return {
        "name": row.key,
        "value": shown(row.name, value_of(loaded.settings, row)),
        "default": row.default,
        "unit": row.unit,
        "from": loaded.origin.get(row.key, "default"),
        "meaning": row.words.replace("``", ""),
    }


def shown(name: str, value: Any) -> Any:
    """A value that may be seen: of secrets only that they are there."""
    if name in {"access_key", "secret_key", "passphrase"}:
        return "***" if value is not None else None
    if name in {"url", "rest_url", "source", "proxy", "limits"}:
        return None if value is None else address(str.__str__(value))
    if name == "urls":
        return [address(one) for one in value]
    if name == "headers":
        return [header for header, _ in value]
    if name in {"alerts", "lines"}:
        return len(value)
    return value


def _text(fact: dict[str, Any]) -> str:
    unit = f" {fact['unit']}" if fact["unit"] and fact["value"] is not None else ""
    value = "none" if fact["value"] in (None, [], ()) else fact["value"]
    head = plain(f"{fact['name']} = {value}{unit}   ({fact['from']})")
    width = min(shutil.get_terminal_size((_WIDTH, 24)).columns, _WIDTH) - _INDENT
    return f"{head}\n{textwrap.indent(textwrap.fill(plain(fact['meaning']), max(width, 20)), ' ' * _INDENT)}\n"
