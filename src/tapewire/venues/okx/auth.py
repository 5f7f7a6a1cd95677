"""OKX's signatures: the login message of a connection and the headers of a REST call (spec/okx.md A4, A8)."""

from __future__ import annotations

import hmac
from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256

import msgspec

from tapewire.config import Credentials, Secret
from tapewire.errors import CredentialsError
from tapewire.venues.contract import Call, Stamp

#: What every login signs beside its time (A4).
_LOGIN = "GET/users/self/verify"


def login(credentials: Credentials, stamp: Stamp) -> bytes:
    """The message that logs a connection in; it is refused 30 s after the time of ``stamp``.

    Raises:
        CredentialsError: names the part that is missing or cannot be one of OKX's, and never shows it.
    """
    key, secret, passphrase = _parts(credentials)
    seconds = str(stamp.ms // 1000)
    shown = {"apiKey": key, "passphrase": passphrase, "timestamp": seconds, "sign": sign(secret, seconds + _LOGIN)}
    return msgspec.json.encode({"op": "login", "args": [shown]})


def call_headers(credentials: Credentials, stamp: Stamp, call: Call, *, demo: bool) -> tuple[tuple[str, str], ...]:
    """The headers of a GET, its query as it is sent. ``demo``: of an account for show (A1).

    Raises:
        CredentialsError: as ``login``.
    """
    key, secret, passphrase = _parts(credentials)
    moment = datetime.fromtimestamp(stamp.ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    headers = (
        ("OK-ACCESS-KEY", key),
        ("OK-ACCESS-SIGN", sign(secret, f"{moment}GET{call.address}")),
        ("OK-ACCESS-TIMESTAMP", moment),
        ("OK-ACCESS-PASSPHRASE", passphrase),
    )
    return (*headers, ("x-simulated-trading", "1")) if demo else headers


def sign(secret: str, text: str) -> str:
    """Base64 of HMAC-SHA256; the secret is used as it is written."""
    return b64encode(hmac.new(secret.encode(), text.encode(), sha256).digest()).decode()


def _parts(credentials: Credentials) -> tuple[str, str, str]:
    if credentials.passphrase is None:
        raise CredentialsError("passphrase", "is missing: a key of OKX has one beside its secret (OKX_PASSPHRASE)")
    key, secret = _text("access_key", credentials.access_key), _text("secret_key", credentials.secret_key)
    return key, secret, _text("passphrase", credentials.passphrase, spaces=True)


def _text(name: str, secret: Secret, *, spaces: bool = False) -> str:
    text = secret.reveal()
    if not (text.isascii() and text.isprintable() and (spaces or " " not in text)):
        raise CredentialsError(name, "must be letters, digits and signs of ASCII only, without spaces or line ends")
    return text
