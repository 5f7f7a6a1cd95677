"""Upbit's signature: a JSON Web Token for each handshake and each REST call (spec/upbit.md section 2)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha512
from typing import TYPE_CHECKING

from tapewire.config import Credentials, Secret
from tapewire.errors import CredentialsError

if TYPE_CHECKING:
    from jwt import PyJWS

#: Name → value, or values of a name that ends in ``[]``.
Parameters = Mapping[str, str | Sequence[str]]


def authorize(credentials: Credentials, nonce: str) -> tuple[tuple[str, str], ...]:
    """The headers of a WebSocket handshake, or of a REST call without parameters: see ``Venue.authorize``.

    Args:
        credentials: the user's key.
        nonce: a fresh UUID; a token whose nonce was used before is refused (``nonce_used``).

    Raises:
        CredentialsError: names the part that cannot be one of Upbit's, and never shows it.
    """
    return _bearer(credentials, {"access_key": _text("access_key", credentials.access_key), "nonce": nonce})


def rest_authorize(credentials: Credentials, nonce: str, parameters: Parameters) -> tuple[tuple[str, str], ...]:
    """The headers of a REST call with ``parameters``, in the order in which they are sent.

    Raises:
        CredentialsError: as ``authorize``.
    """
    claims = {"access_key": _text("access_key", credentials.access_key), "nonce": nonce}
    if parameters:
        digest = sha512(query_string(parameters).encode()).hexdigest()
        claims |= {"query_hash": digest, "query_hash_alg": "SHA512"}
    return _bearer(credentials, claims)


def query_string(parameters: Parameters) -> str:
    """What is hashed: ``k=v`` joined by ``&``, without URL-encoding; a list repeats its name (``states[]=wait&…``)."""
    pairs = [
        f"{name}={value}"
        for name, values in parameters.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    return "&".join(pairs)


def _bearer(credentials: Credentials, claims: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    payload = json.dumps(claims, separators=(",", ":")).encode()
    token = _signer().encode(payload, _text("secret_key", credentials.secret_key), credentials.algorithm)
    return (("Authorization", f"Bearer {token}"),)


def _text(name: str, secret: Secret) -> str:
    text = secret.reveal()
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise CredentialsError(name, "must be letters, digits and signs of ASCII only, without spaces or line ends")
    return text


@cache
def _signer() -> PyJWS:
    """PyJWT without its warning of short secrets: Upbit's have 40 characters, and nobody can choose longer ones.

    A warnings filter would be the whole process's, and not safe between threads; an algorithm of its own signer is
    neither.
    """
    from jwt import PyJWS  # noqa: PLC0415 - costs 40 ms, and most programs sign nothing
    from jwt.algorithms import HMACAlgorithm  # noqa: PLC0415

    class AnyLength(HMACAlgorithm):
        def prepare_key(self, key: str | bytes) -> bytes:
            """A secret is a text and nothing else, even one that looks like a key file."""
            return key.encode() if isinstance(key, str) else key

        def check_key_length(self, key: bytes) -> str | None:  # noqa: ARG002
            return None

    signer = PyJWS()
    for name, digest in (("HS256", HMACAlgorithm.SHA256), ("HS512", HMACAlgorithm.SHA512)):
        signer.unregister_algorithm(name)
        signer.register_algorithm(name, AnyLength(digest))
    return signer
