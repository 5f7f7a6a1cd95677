"""Upbit's look at a token: who signs, whether it may be used, what it may do (spec/upbit.md sections 2 and 5.2).

Written without the library that the client signs with: the two check each other.
"""

from __future__ import annotations

import hmac
from base64 import b64decode
from binascii import Error as NotBase64
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256, sha384, sha512
from typing import Any
from urllib.parse import unquote

import msgspec

from tapewire.venues.exchange import HttpCall, Permission, SimKey

_KEPT = 100_000  # nonces remembered
_DIGESTS = {"HS256": sha256, "HS384": sha384, "HS512": sha512}
_HASHES = {"SHA256": sha256, "SHA384": sha384, "SHA512": sha512}
_MESSAGES = {
    "no_authorization_token": "JWT 토큰이 필요합니다.",
    "invalid_query_payload": "JWT 토큰의 페이로드가 올바르지 않습니다.",
    "jwt_verification": "JWT 토큰 검증에 실패했습니다.",
    "invalid_access_key": "잘못된 엑세스 키입니다.",
    "nonce_used": "이미 요청한 nonce값이 다시 사용되었습니다.",
    "expired_access_key": "만료된 엑세스 키입니다.",
    "no_authorization_ip": "인증되지 않은 IP입니다.",
    "out_of_scope": "권한이 없는 요청입니다.",
}


class Unauthorized(Exception):
    """A token that is not accepted: the name of spec section 5.2 and words."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name, self.message = name, _MESSAGES[name]


class Doorman:
    """Knows the keys of one exchange and every nonce that was used, on whatever side.

    Args:
        keys: all that exist.
    """

    def __init__(self, keys: Iterable[SimKey]) -> None:
        self._keys = {key.access_key: key for key in keys}
        self._nonces: set[str] = set()
        self._in_order: deque[str] = deque()

    def admit(
        self,
        headers: Mapping[str, str],
        address: str,
        query: str | None = None,
        find: Callable[[str], SimKey | None] | None = None,
    ) -> SimKey:
        """The key that a request is signed with.

        Args:
            headers: names in lower case.
            address: where it comes from.
            query: what ``query_hash`` must be of; None: there must be none.
            find: knows the keys in the place of those that it was made with.

        Raises:
            Unauthorized: with the exchange's name of what is wrong.
        """
        claims, key = self._verified(headers.get("authorization", ""), find or self._keys.get)
        _check_query(claims, query)
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not nonce:
            raise Unauthorized("invalid_query_payload")
        if nonce in self._nonces:
            raise Unauthorized("nonce_used")
        self._remember(nonce)
        if key.expired:
            raise Unauthorized("expired_access_key")
        if key.ips and address not in key.ips:
            raise Unauthorized("no_authorization_ip")
        return key

    def _verified(self, header: str, find: Callable[[str], SimKey | None]) -> tuple[dict[str, Any], SimKey]:
        token = shown_token(header)
        signed, dot, signature = token.rpartition(".")
        head, second_dot, payload = signed.partition(".")
        if not (dot and second_dot):
            raise Unauthorized("invalid_query_payload")
        algorithm, claims = _read(head).get("alg"), _read(payload)
        key = find(str(claims.get("access_key")))
        if key is None:
            raise Unauthorized("invalid_access_key")
        digest = _DIGESTS.get(str(algorithm))
        if digest is None:
            raise Unauthorized("jwt_verification")
        right = hmac.new(key.secret_key.reveal().encode(), signed.encode(), digest).digest()
        if not hmac.compare_digest(right, _decoded(signature)):
            raise Unauthorized("jwt_verification")
        return claims, key

    def _remember(self, nonce: str) -> None:
        self._nonces.add(nonce)
        self._in_order.append(nonce)
        if len(self._in_order) > _KEPT:
            self._nonces.discard(self._in_order.popleft())


def shown_token(header: str) -> str:
    """The token of an ``Authorization`` header. Raises Unauthorized: it has none."""
    scheme, _, token = header.partition(" ")
    if scheme != "Bearer" or not token:
        raise Unauthorized("no_authorization_token")
    return token


def demand(key: SimKey, *permissions: Permission) -> None:
    """Raises Unauthorized: ``out_of_scope`` for a key that has none of these."""
    if key.permissions.isdisjoint(permissions):
        raise Unauthorized("out_of_scope")


def hashed_text(call: HttpCall) -> str | None:
    """What ``query_hash`` of a REST call is of: the query without URL-encoding, or the body's pairs in their order.

    Raises:
        Unauthorized: a body that is no JSON object.
    """
    if not call.body:
        return unquote(call.query) or None
    try:
        pairs = msgspec.json.decode(call.body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Unauthorized("invalid_query_payload") from None
    return "&".join(_pair(name, value) for name, value in pairs.items()) or None


def _pair(name: str, value: object) -> str:
    if isinstance(value, list):
        return "&".join(_pair(f"{name}[]" if not name.endswith("[]") else name, one) for one in value)
    if value is None or isinstance(value, bool):
        return f"{name}={str(value).lower()}"
    return f"{name}={value}"


def _check_query(claims: Mapping[str, Any], query: str | None) -> None:
    if query is None:
        return  # a hash of nothing harms nobody
    digest = _HASHES.get(str(claims.get("query_hash_alg", "SHA512")))
    if digest is None or claims.get("query_hash") != digest(query.encode()).hexdigest():
        raise Unauthorized("invalid_query_payload")


def _read(part: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(_decoded(part), type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Unauthorized("invalid_query_payload") from None


def _decoded(part: str) -> bytes:
    try:
        return b64decode(part.encode() + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (NotBase64, UnicodeEncodeError, ValueError):
        raise Unauthorized("invalid_query_payload") from None
