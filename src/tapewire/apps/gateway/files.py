"""The gateway's own files: who may use it, and its certificate."""

from __future__ import annotations

import os
import ssl
import stat
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from tapewire.apps.gateway.access import Token
from tapewire.config import Secret
from tapewire.errors import ConfigError

_OTHERS = 0o077


def read_tokens(path: Path) -> tuple[Token, ...]:
    """The tokens of a TOML file: ``[[tokens]]`` tables with ``name``, ``token``, ``scopes``, ``expires``, ``key``,
    ``passphrase``.

    Raises:
        ConfigError: it cannot be read, others may read it, or something in it is wrong; never shows a token.
    """
    try:
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & _OTHERS:
            raise ConfigError("tokens", str(path), "a file that only you can read (chmod 600)")
        said = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no TOML"
        raise ConfigError("tokens", str(path), f"a TOML file with [[tokens]] ({reason})") from None
    rows = said.get("tokens")
    if not isinstance(rows, list) or not rows or set(said) != {"tokens"}:
        raise ConfigError("tokens", str(path), "a TOML file with [[tokens]] and nothing else")
    tokens = tuple(_token(path, number, row) for number, row in enumerate(rows, 1))
    if len({one.token.reveal() for one in tokens}) < len(tokens):
        raise ConfigError("tokens", str(path), "a file in which each token stands once")
    if len({one.key or one.name for one in tokens}) < len(tokens):
        raise ConfigError("tokens", str(path), "a file in which each name (or key) stands once")
    return tokens


def _token(path: Path, number: int, row: Any) -> Token:
    try:
        return msgspec.convert(row, Token, dec_hook=_secret)
    except msgspec.ValidationError as error:
        raise ConfigError(
            "tokens", f"{path}, number {number}", f"name, token, scopes, expires, key, passphrase: {error}"
        ) from None


def _secret(kind: type, value: Any) -> Any:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise TypeError("a text is needed")


def read_tls(path: Path) -> ssl.SSLContext:
    """What listens with the certificate and key of a PEM file. Raises ConfigError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(path)
    except (ssl.SSLError, OSError) as error:
        raise ConfigError("tls", str(path), f"a PEM file with a certificate and its key ({error})") from None
    return context
