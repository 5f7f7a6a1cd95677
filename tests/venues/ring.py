"""Keys that a gateway's tokens are taken for, and programs that show one."""

from __future__ import annotations

from collections.abc import Iterable

from tapewire.config import Credentials, Secret
from tapewire.runtime.asking import call_of
from tapewire.venues.contract import Stamp
from tapewire.venues.exchange import SimKey
from tapewire.venues.okx import auth as okx
from tapewire.venues.upbit import auth as upbit

NOW_MS = 1_790_000_000_000


class Ring:
    """See ``venues.serving.Keys``."""

    address = "10.0.0.1"
    now_ms = NOW_MS

    def __init__(self, keys: Iterable[SimKey] = (), *, is_open: bool = False) -> None:
        self._keys, self.is_open = {key.access_key: key for key in keys}, is_open
        self.failures = 0

    def find(self, access_key: str) -> SimKey | None:
        return self._keys.get(access_key)

    def failed(self) -> None:
        self.failures += 1


def key(name: str, secret: str, *, sees: bool = True) -> SimKey:
    permissions = frozenset({"view_orders", "view_accounts"}) if sees else frozenset()
    return SimKey(access_key=name, secret_key=Secret(secret), permissions=permissions)  # type: ignore[arg-type]


def bearer(name: str, secret: str, nonce: str = "n1") -> dict[str, str]:
    """The headers of a handshake at Upbit."""
    credentials = Credentials(access_key=Secret(name), secret_key=Secret(secret))
    return {header.lower(): value for header, value in upbit.authorize(credentials, nonce)}


def login(name: str, secret: str, phrase: str = "any", ms: int = NOW_MS) -> bytes:
    """The message that logs in at OKX."""
    credentials = Credentials(access_key=Secret(name), secret_key=Secret(secret), passphrase=Secret(phrase))
    return okx.login(credentials, Stamp(ms=ms, nonce=""))


def upbit_call(name: str, secret: str, path: str, nonce: str = "n1") -> dict[str, str]:
    """The headers of a REST read at Upbit."""
    credentials = Credentials(access_key=Secret(name), secret_key=Secret(secret))
    signed = upbit.rest_authorize(credentials, nonce, call_of(path).parameters)
    return {header.lower(): value for header, value in signed}


def okx_call(name: str, secret: str, path: str, *, phrase: str = "any", ms: int = NOW_MS) -> dict[str, str]:
    """The headers of a REST read at OKX."""
    credentials = Credentials(access_key=Secret(name), secret_key=Secret(secret), passphrase=Secret(phrase))
    signed = okx.call_headers(credentials, Stamp(ms=ms, nonce=""), call_of(path), demo=False)
    return {header.lower(): value for header, value in signed}
