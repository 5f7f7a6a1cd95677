"""What the environment says: settings, keys and proxies; with ``settings`` the only reader of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct, ValidationError, convert
from msgspec.structs import fields

from tapewire.config import Credentials, Secret, TapeOptions
from tapewire.errors import ConfigError, CredentialsError
from tapewire.sinks.files.options import RecordOptions
from tapewire.venues.registry import get_venue

#: Settings that ``TAPEWIRE_…`` of the same name settles.
OWN_NAMES = ("venue", "url", "rest_url", "proxy", "format")
#: The same, of the table ``feed``.
OWN_FEED_NAMES = ("limits", "limits_dir", "cursor_file")

#: Begins the names of a table's settings: ``TAPEWIRE_RECORD_LAYOUT``.
_TABLES: Mapping[str, tuple[str, type[Struct]]] = {
    "record": ("TAPEWIRE_RECORD_", RecordOptions),
    "tape": ("TAPEWIRE_TAPE_", TapeOptions),
}

#: Venues whose keys are called otherwise than ``VENUE_ACCESS_KEY`` and ``VENUE_SECRET_KEY``.
KEY_NAMES: Mapping[str, tuple[str, ...]] = {
    "okx": ("OKX_API_KEY", "OKX_SECRET_KEY", "OKX_PASSPHRASE"),
    "okex3": ("OKEX_API_KEY", "OKEX_SECRET_KEY", "OKEX_PASSPHRASE"),
}
_PARTS = {2: "both", 3: "all three"}

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")
_WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def _flag(name: str, text: str) -> bool:
    if text.lower() not in _WORDS:
        raise ConfigError(name, text, "true or false")
    return _WORDS[text.lower()]


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(name, text, "a number") from None


def _count(name: str, text: str) -> int:
    if not text.isdecimal():
        raise ConfigError(name, text, "a whole number")
    return int(text)


def _public(_name: str, text: str) -> str:
    return text


def _private(name: str, text: str) -> str:
    if not text.endswith("/private"):
        raise ConfigError(name, text, "the public address followed by /private")
    return text.removesuffix("/private")


def _simple(name: str, text: str) -> str:
    return "SIMPLE" if _flag(name, text) else "DEFAULT"


def _forced(name: str, text: str) -> str | None:
    return "SIMPLE" if _flag(name, text) else None


#: Names of the older Upbit guide that still mean something: → (place in the settings, reader).
UPBIT_NAMES: Mapping[str, tuple[tuple[str, ...], Callable[[str, str], Any]]] = {
    "UPBIT_WEBSOCKET_PUBLIC_URL": (("url",), _public),
    "UPBIT_WEBSOCKET_PRIVATE_URL": (("url",), _private),
    "UPBIT_WEBSOCKET_TIMEOUT": (("line", "connect_timeout"), _number),
    "UPBIT_WEBSOCKET_MAX_ATTEMPTS": (("session", "max_retries"), _count),
    "UPBIT_WEBSOCKET_COMPRESSION": (("compression",), _flag),
    "UPBIT_WEBSOCKET_SIMPLE_MODE": (("format",), _simple),
    "UPBIT_WEBSOCKET_FORCE_SIMPLE_FORMAT": (("format",), _forced),
}
#: Those that mean nothing here, and why.
UPBIT_NAMES_WITHOUT_MEANING: Mapping[str, str] = {
    "UPBIT_WEBSOCKET_COMPRESSION_THRESHOLD": "the exchange decides what it compresses; what we send is short",
    "UPBIT_WEBSOCKET_RATE_LIMITER": "the exchange's limits are always kept",
    "UPBIT_WEBSOCKET_DYNAMIC_RATE_LIMITER": "what others use at the same address is seen and subtracted anyway",
    "UPBIT_WEBSOCKET_RATE_STRATEGY": "the exchange's limits are fixed; own ones: messages_per_second",
    "UPBIT_WEBSOCKET_ERROR_THRESHOLD": "each error is answered by its own rule",
    "UPBIT_WEBSOCKET_AUTO_CONVERT_INCOMING": "events are the same whatever the format",
    "UPBIT_WEBSOCKET_COMPRESSION_WITH_SIMPLE": "format and compression are independent",
    "UPBIT_WEBSOCKET_DEBUG_FORMAT_CONVERSION": "nothing is converted",
}


def environment_settings(environ: Mapping[str, str], venue: str) -> dict[str, Any]:
    """Settings by their place in the settings file: ``TAPEWIRE_…`` before ``UPBIT_WEBSOCKET_…`` (for Upbit).

    Raises:
        ConfigError: names the variable whose value is impossible, or two that contradict each other.
    """
    found = _upbit_settings(environ) if venue.startswith("upbit") else {}
    feed = found.get("feed", {}) | _own(environ, OWN_FEED_NAMES)
    tables = {"feed": feed} | {name: dict(_table(environ, *how)) for name, how in _TABLES.items()}
    tables = {name: table for name, table in tables.items() if table}
    return found | _own(environ, OWN_NAMES) | tables


def _table(environ: Mapping[str, str], begin: str, made: type[Struct]) -> Iterator[tuple[str, Any]]:
    for field in fields(made):
        name = f"{begin}{field.name.upper()}"
        if field.name != "folder" and (text := environ.get(name, "").strip()):
            try:
                yield field.name, convert(text, field.type, strict=False)
            except ValidationError as error:
                raise ConfigError(name, text, f"right: {error}") from None


def _own(environ: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    said = {name: environ.get(f"TAPEWIRE_{name.upper()}", "").strip() for name in names}
    return {name: text for name, text in said.items() if text}


def _upbit_settings(environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    said: dict[tuple[str, ...], str] = {}
    for name, (place, read) in UPBIT_NAMES.items():
        text = environ.get(name, "").strip()
        value = read(name, text) if text else None
        if value is None:
            continue
        table = found.setdefault(place[0], {}) if place[1:] else found
        if place in said and table[place[-1]] != value:
            raise ConfigError(name, text, f"in agreement with {said[place]}, or unset")
        table[place[-1]], said[place] = value, name
    return found


def names_without_meaning(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Variables that are set and mean nothing here → why."""
    environ = os.environ if environ is None else environ
    return {name: why for name, why in UPBIT_NAMES_WITHOUT_MEANING.items() if environ.get(name)}


def environment_credentials(venue: str = "upbit", environ: Mapping[str, str] | None = None) -> Credentials:
    """The venue's API key as the environment holds it: ``UPBIT_ACCESS_KEY`` and ``UPBIT_SECRET_KEY``, or
    ``OKX_API_KEY``, ``OKX_SECRET_KEY`` and ``OKX_PASSPHRASE``.

    ``WebSocketClient(credentials=tapewire.environment_credentials())`` is the whole use. A key belongs to one region
    (spec/upbit.md section 1); the names are the same for all of them.

    Args:
        venue: whose key; ``upbit-sg`` and the other regions use the same names.
        environ: in place of ``os.environ``.

    Raises:
        CredentialsError: names the variable that is not set.
        UnknownName: no such venue is installed.
    """
    found = find_credentials(get_venue(venue).name, os.environ if environ is None else environ)
    if found is None:
        raise CredentialsError(" and ".join(credential_names(venue)), "are not set; both are needed")
    return found


def find_credentials(venue: str, environ: Mapping[str, str]) -> Credentials | None:
    """As ``environment_credentials``; None when neither variable is set."""
    names = credential_names(venue)
    parts = [environ.get(name, "").strip() for name in names]
    if not any(parts):
        return None
    if not all(parts):
        missing = " and ".join(name for name, part in zip(names, parts, strict=True) if not part)
        there = " and ".join(name for name, part in zip(names, parts, strict=True) if part)
        raise CredentialsError(missing, f"is not set, though {there} is; a key has {_PARTS[len(parts)]} parts")
    access, secret, *more = map(Secret, parts)
    return Credentials(access, secret, more[0] if more else None)


def credential_names(venue: str) -> tuple[str, ...]:
    """The variables of a venue's key: its name, its secret, and where keys have one, its passphrase."""
    family = venue.partition("-")[0]
    return KEY_NAMES.get(family, (f"{family.upper()}_ACCESS_KEY", f"{family.upper()}_SECRET_KEY"))


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
