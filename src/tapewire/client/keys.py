"""The API key of a client: one whole key, however it was given, and nothing of it shown."""

from __future__ import annotations

from tapewire.config import Credentials, Secret
from tapewire.errors import CredentialsError
from tapewire.venues.contract import Facts


def check_key(facts: Facts, credentials: Credentials | None, why: str) -> None:
    """Refuse a key that lacks a part which this venue's keys have.

    Raises:
        CredentialsError: names what is missing, and never shows anything.
    """
    parts = ("access_key", "secret_key", *(("passphrase",) if facts.passphrase else ()))
    given = "WebSocketClient(" + ", ".join(f"{part}=…" for part in parts) + ")"
    if credentials is None:
        raise CredentialsError(", ".join(parts), f"{'all' if facts.passphrase else 'both'} {why}: {given}")
    if facts.passphrase and credentials.passphrase is None:
        raise CredentialsError("passphrase", f"is missing; {', '.join(parts)} all {why}: {given}")


def as_credentials(
    access_key: str | Secret | None,
    secret_key: str | Secret | None,
    credentials: Credentials | None,
    passphrase: str | Secret | None = None,
) -> Credentials | None:
    """The one key that was given, None for none.

    Raises:
        CredentialsError: half a key, a key given twice, or one that is no text.
    """
    try:
        access, secret = _secret("access_key", access_key), _secret("secret_key", secret_key)
        third = _secret("passphrase", passphrase)
    finally:
        del access_key, secret_key, passphrase  # a traceback that shows locals shows no key
    if credentials is not None:
        if access or secret or third:
            raise CredentialsError("credentials", "give either credentials or access_key and secret_key, not both")
        return credentials
    if access and secret:
        return Credentials(access, secret, third)
    if access or secret or third:
        missing = "secret_key" if access else "access_key"
        raise CredentialsError(missing, "is missing; a key has two parts, access_key and secret_key")
    return None


def _secret(name: str, given: str | Secret | None) -> Secret | None:
    """``given`` as a Secret; None for nothing."""
    if given is None or isinstance(given, Secret):
        return given
    is_text, kind = isinstance(given, str), type(given).__name__
    text = Secret(given.strip()) if is_text and given.strip() else None
    del given
    if not is_text:
        raise CredentialsError(name, f"is {kind}; it must be the text that the exchange issued")
    return text
