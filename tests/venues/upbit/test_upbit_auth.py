"""Tokens: byte for byte those of PyJWT and of an hmac by hand; no key is ever shown."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import traceback
import warnings
from typing import Any, Literal
from uuid import UUID

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapewire.config import Credentials, Secret
from tapewire.errors import CredentialsError
from tapewire.venues.contract import Stamp
from tapewire.venues.upbit import INDONESIA, KOREA, SINGAPORE, THAILAND
from tapewire.venues.upbit.auth import authorize, query_string, rest_authorize
from tests.sizes import size

ACCESS, SECRET = "AxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxA", "SxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxS"
KEY = Credentials(Secret(ACCESS), Secret(SECRET))
NONCE = "0b1a7b1c-9f6a-4f0f-8b76-5fe0a7a1f3c2"
ALGORITHMS: list[Literal["HS512", "HS256"]] = ["HS512", "HS256"]
_texts = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=80)
#: PyJWT refuses as a secret what looks like a key file.
_secrets = _texts.filter(lambda text: text[0] not in "{[" and not any(word in text for word in ("ssh", "ecdsa", "---")))


def by_hand(claims: dict[str, str], secret: str, algorithm: str) -> str:
    def encoded(raw: bytes) -> bytes:
        return base64.urlsafe_b64encode(raw).rstrip(b"=")

    head = b'{"alg":"%b","typ":"JWT"}' % algorithm.encode()
    said = encoded(head) + b"." + encoded(json.dumps(claims, separators=(",", ":")).encode())
    signed = hmac.new(secret.encode(), said, {"HS256": hashlib.sha256, "HS512": hashlib.sha512}[algorithm]).digest()
    return (said + b"." + encoded(signed)).decode()


def by_pyjwt(claims: dict[str, str], secret: str, algorithm: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
        return jwt.encode(claims, secret, algorithm)


def token_of(headers: tuple[tuple[str, str], ...]) -> str:
    [(name, value)] = headers
    scheme, token = value.split(" ")
    assert (name, scheme) == ("Authorization", "Bearer")
    return token


@settings(max_examples=size(200, 10_000))
@given(_texts, _secrets, st.uuids(version=4), st.sampled_from(ALGORITHMS))
def test_tokens_are_byte_equal_to_those_of_pyjwt_and_of_an_hmac_by_hand(
    access: str, secret: str, nonce: UUID, algorithm: Literal["HS512", "HS256"]
) -> None:
    key = Credentials(Secret(access), Secret(secret), algorithm=algorithm)
    claims = {"access_key": access, "nonce": str(nonce)}
    token = token_of(authorize(key, str(nonce)))
    assert type(token) is str
    assert token == by_hand(claims, secret, algorithm) == by_pyjwt(claims, secret, algorithm)


def test_a_handshake_token_says_key_and_nonce_and_nothing_else() -> None:
    token = token_of(authorize(KEY, NONCE))
    head, body, _ = (base64.urlsafe_b64decode(part + "==") for part in token.split("."))
    assert json.loads(head) == {"alg": "HS512", "typ": "JWT"}
    assert json.loads(body) == {"access_key": ACCESS, "nonce": NONCE}
    assert token_of(authorize(KEY, NONCE.replace("0", "1"))) != token


@pytest.mark.parametrize("venue", [KOREA, SINGAPORE, INDONESIA, THAILAND], ids=lambda venue: venue.name)
def test_every_region_signs(venue: Any) -> None:
    assert venue.authorize(KEY, Stamp(NONCE, 1)) == authorize(KEY, NONCE)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_rest_tokens_hash_the_parameters_as_they_are_sent(algorithm: Literal["HS512", "HS256"]) -> None:
    key = Credentials(Secret(ACCESS), Secret(SECRET), algorithm=algorithm)
    parameters = {"market": "KRW-BTC", "states[]": ["wait", "watch"], "start_time": "2026-08-21T00:00:00+09:00"}
    query = "market=KRW-BTC&states[]=wait&states[]=watch&start_time=2026-08-21T00:00:00+09:00"
    assert query_string(parameters) == query
    claims = {
        "access_key": ACCESS,
        "nonce": NONCE,
        "query_hash": hashlib.sha512(query.encode()).hexdigest(),
        "query_hash_alg": "SHA512",
    }
    assert token_of(rest_authorize(key, NONCE, parameters)) == by_hand(claims, SECRET, algorithm)
    assert rest_authorize(key, NONCE, {}) == authorize(key, NONCE)


@pytest.mark.parametrize("secret", ['{"kty":"oct","k":"AAAA"}', "ssh-rsa", "-----BEGIN-----", "1e5", "[[[[[[[["])
def test_a_secret_is_a_text_whatever_it_looks_like(secret: str) -> None:
    token = token_of(authorize(Credentials(Secret(ACCESS), Secret(secret)), NONCE))
    assert token == by_hand({"access_key": ACCESS, "nonce": NONCE}, secret, "HS512")


def test_signing_warns_of_nothing_and_leaves_the_filters_alone() -> None:
    """Warnings are errors here; many threads at once, since a filter changed for one would be seen by all."""
    before, failures = list(warnings.filters), []

    def sign() -> None:
        try:
            for _ in range(200):
                authorize(KEY, NONCE)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=sign) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert warnings.filters == before
    with pytest.warns(jwt.InsecureKeyLengthWarning):  # PyJWT itself still warns everybody else
        jwt.encode({}, SECRET, "HS512")


@pytest.mark.parametrize("part", ["access_key", "secret_key"])
@pytest.mark.parametrize("flaw", [" ", "\n", "\r", "\t", "\0", "\x7f", "é", "키", "\u200b"])
def test_what_cannot_be_a_key_is_refused_without_being_shown(part: str, flaw: str) -> None:
    parts = {"access_key": ACCESS, "secret_key": SECRET} | {part: f"canary{flaw}bird"}
    key = Credentials(Secret(parts["access_key"]), Secret(parts["secret_key"]))
    with pytest.raises(CredentialsError) as caught:
        authorize(key, NONCE)
    assert str(caught.value) == f"{part}: must be letters, digits and signs of ASCII only, without spaces or line ends"
    told = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value)) + repr(key)
    assert [word for word in ("canary", "bird", ACCESS, SECRET) if word in told] == []
