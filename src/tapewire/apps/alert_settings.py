"""Which alerts a command watches for: a file of its own, or the ``[[alerts]]`` tables of the settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tapewire.apps.settings import SettingsError, load, read_toml
from tapewire.client.alert_settings import AlertPlan, from_settings
from tapewire.errors import ConfigError


def load_alerts(path: Path | None, environ: Mapping[str, str] | None = None) -> AlertPlan | None:
    """Rules and channels from ``path``, or from the settings when that is None; None: there are no alerts.

    Args:
        path: a TOML file of ``[[alerts]]`` tables. One that holds a secret itself must be 0600 and the user's own.
        environ: in place of ``os.environ``; secrets that are written ``$NAME`` are looked up there.

    Raises:
        SettingsError: the file cannot be read, or a table is wrong: names the place and what would be right.
    """
    environ = os.environ if environ is None else environ
    if path is None:
        tables = list(load(environ).alerts)
        return from_settings(tables, environ) if tables else None
    content = read_toml(path, "it was named as the file of alerts")
    if content.keys() != {"alerts"}:
        found = ", ".join(sorted(content)) or "nothing"
        raise SettingsError(path, f"has {found}; a file of alerts has [[alerts]] tables and nothing else")
    try:
        return from_settings(content["alerts"], environ)
    except ConfigError as error:
        raise SettingsError(path, str(error)) from None
