"""OKEX v3's login: a message with four texts, signed as in v5 (spec/okx.md B2)."""

from __future__ import annotations

import hmac
from base64 import b64encode
from hashlib import sha256

import msgspec

from tapewire.config import Credentials, Secret
from tapewire.errors import CredentialsError
from tapewire.venues.contract import Stamp

#: Method and path that every login signs.
_SIGNED = "GET/users/self/verify"


def login(credentials: Credentials, stamp: Stamp) -> bytes:
    """The message that logs a connection in; it is refused 30 s after the time of ``stamp``.

    Raises:
        CredentialsError: names the part that is missing or cannot be one, and never shows it.
    """
    if credentials.passphrase is None:
        raise CredentialsError("passphrase", "is missing: a key of OKEX has one beside its secret")
    key = _text("access_key", credentials.access_key)
    moment = f"{stamp.ms // 1000}.{stamp.ms % 1000:03}"
    signature = sign(_text("secret_key", credentials.secret_key), moment)
    return msgspec.json.encode({"op": "login", "args": [key, credentials.passphrase.reveal(), moment, signature]})


def sign(secret: str, moment: str) -> str:
    """Base64 of HMAC-SHA256 over a time (Unix seconds as text) and the fixed words."""
    digest = hmac.new(secret.encode(), (moment + _SIGNED).encode(), sha256).digest()
    return b64encode(digest).decode()


def _text(name: str, secret: Secret) -> str:
    text = secret.reveal()
    if not (text and text.isascii() and text.isprintable() and " " not in text):
        raise CredentialsError(name, "must be letters, digits and signs of ASCII only, without spaces or line ends")
    return text
