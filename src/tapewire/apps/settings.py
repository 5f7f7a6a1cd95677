"""Settings file and environment → option objects; the only reader of the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from tapewire.config import FeedOptions, Format, LineOptions, SessionOptions
from tapewire.errors import ConfigError

#: Read from the working directory when it is there; ``TAPEWIRE_CONFIG`` names another.
SETTINGS_FILE = "tapewire.toml"

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")


class SettingsError(ConfigError):
    """A settings file that cannot be read; says where in the file, what came and what would be right."""

    def __init__(self, path: Path, reason: str) -> None:
        Exception.__init__(self, f"{path}: {reason}")
        self.option, self.value, self.allowed = str(path), None, reason


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a user can settle once for all commands; an option on the command line goes before it.

    Attributes:
        venue: ``upbit``, ``upbit-sg``, ``upbit-id``, ``upbit-th`` (environment: ``TAPEWIRE_VENUE``).
        url: WebSocket address in place of the venue's (``TAPEWIRE_URL``).
        rest_url: REST address; by default beside ``url``, or the venue's own (``TAPEWIRE_REST_URL``).
        proxy: for every venue's address, before the proxies of the environment (``TAPEWIRE_PROXY``).
        session: the fields of ``SessionOptions``: ping_interval, backoff_cap and so on.
    """

    venue: str = "upbit"
    url: str | None = None
    rest_url: str | None = None
    format: Format = "DEFAULT"
    compression: bool = False
    proxy: str | None = None
    session: SessionOptions = SessionOptions()

    def feed_options(self, address: str, environ: Mapping[str, str] | None = None, **changes: Any) -> FeedOptions:
        """Options of a feed at ``address`` (it decides the proxy); ``changes`` are fields of ``FeedOptions``.

        Raises:
            ConfigError: an option has an impossible value (a proxy's is never shown: it may hold a password).
        """
        proxy = self.proxy or environment_proxy(address, environ)
        line = LineOptions(compression="deflate" if self.compression else None, proxy=proxy)
        fixed: dict[str, Any] = {"url": self.url, "rest_url": self.rest_url, "format": self.format}
        return FeedOptions(**{**fixed, "line": line, "session": self.session, **changes})


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from the file, then from the environment, which goes before it.

    Raises:
        SettingsError: the file that ``TAPEWIRE_CONFIG`` names is not there, or a settings file is wrong.
    """
    environ = os.environ if environ is None else environ
    settings = _from_file(environ.get("TAPEWIRE_CONFIG"))
    names = ("venue", "url", "rest_url", "proxy")
    given = {name: environ.get(f"TAPEWIRE_{name.upper()}") for name in names}
    return msgspec.structs.replace(settings, **{name: value for name, value in given.items() if value})


def environment_proxy(url: str, environ: Mapping[str, str] | None = None) -> str | None:
    """The proxy that the environment names for this address, as curl reads it.

    ``HTTPS_PROXY`` for ``wss`` and ``https``, ``HTTP_PROXY`` for the others, then ``ALL_PROXY``; lower-case names
    go first. ``NO_PROXY`` lists hosts and domains without one (``*``: all). This machine itself needs none.
    """
    environ = os.environ if environ is None else environ
    scheme = "https_proxy" if urlsplit(url).scheme in {"wss", "https"} else "http_proxy"
    proxy = _either_case(environ, scheme) or _either_case(environ, "all_proxy")
    if not proxy or _needs_none(url, _either_case(environ, "no_proxy")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _from_file(named: str | None) -> Settings:
    path = Path(named or SETTINGS_FILE)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        if named:
            raise SettingsError(path, "is not there, though TAPEWIRE_CONFIG names it") from None
        return Settings()
    except OSError as error:
        raise SettingsError(path, error.strerror or str(error)) from error
    try:
        return msgspec.toml.decode(content, type=Settings)
    except msgspec.ValidationError as error:
        known = ", ".join(Settings.__struct_fields__)
        raise SettingsError(path, f"{error} (known keys: {known})") from error
    except msgspec.DecodeError as error:
        raise SettingsError(path, f"is no TOML: {error}") from error


def _either_case(environ: Mapping[str, str], name: str) -> str:
    return (environ.get(name) or environ.get(name.upper()) or "").strip()


def _needs_none(url: str, exempt: str) -> bool:
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if host in _LOOPBACK:
        return True
    for entry in exempt.lower().replace(" ", ",").split(","):
        name = entry.strip().removeprefix("*").removeprefix(".")
        if (
            entry.strip() == "*"
            or (name and name in {host, f"{host}:{parts.port}"})
            or (name and host.endswith(f".{name}"))
        ):
            return True
    return False
