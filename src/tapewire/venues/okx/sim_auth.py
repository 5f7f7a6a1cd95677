"""OKX's look at a key: the login of a connection, the headers of a REST call (spec/okx.md A4, A8).

Written without the code that the client signs with: the two check each other.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from tapewire.venues.exchange import HttpCall, SimKey
from tapewire.venues.okx.sim_requests import Refused

_EXPIRES_MS = 30_000  # A4; of REST by analogy (Uncertain 12)
_VERIFY = "GET/users/self/verify"


class Unauthorized(Exception):
    """A REST call that is not accepted: HTTP status, code of A8, text."""

    def __init__(self, code: str, message: str, status: int = 401) -> None:
        super().__init__(code, message)
        self.code, self.message, self.status = code, message, status


class Doorman:
    """Knows the keys of one exchange.

    Args:
        keys: all that exist.
        demo: whether it is a place of demo trading.
    """

    def __init__(self, keys: Iterable[SimKey], *, demo: bool = False) -> None:
        self._keys = {key.access_key: key for key in keys if not key.expired}
        self._demo = demo

    def login(self, args: list[Any], now_ms: int, address: str) -> SimKey:
        """The key of a login.

        Args:
            args: of the request.
            now_ms: the exchange's clock, Unix ms.
            address: where the connection comes from.

        Raises:
            Refused: with the code of A5.
        """
        said = args[0] if len(args) == 1 and isinstance(args[0], dict) else None
        if said is None:
            raise Refused("60013")
        access, stamp = said.get("apiKey"), str(said.get("timestamp", ""))
        if not access:
            raise Refused("60005")
        _check_seconds(stamp, now_ms)
        key = self._keys.get(str(access))
        if key is None:
            raise Refused("60032")
        if not _same(said.get("passphrase"), key.phrase):
            raise Refused("60024")
        if not _same(said.get("sign"), _signature(key, stamp + _VERIFY)):
            raise Refused("60007")
        if key.ips and address not in key.ips:
            raise Refused("60009")
        return key

    def admit(self, call: HttpCall, now_ms: int) -> SimKey:
        """The key that a REST call is signed with.

        Raises:
            Unauthorized: with the code of A8.
        """
        headers = call.headers
        access, sign = _header(headers, "50103", "KEY"), _header(headers, "50106", "SIGN")
        stamp, phrase = _header(headers, "50107", "TIMESTAMP"), _header(headers, "50104", "PASSPHRASE")
        _check_iso(stamp, now_ms)
        key = self._keys.get(access)
        if key is None:
            raise Unauthorized("50119", "API key doesn't exist")
        if (headers.get("x-simulated-trading") == "1") is not self._demo:
            raise Unauthorized("50101", "APIKey does not match current environment.")
        if not _same(phrase, key.phrase):
            raise Unauthorized("50105", "Request header OK-ACCESS-PASSPHRASE incorrect.")
        path = call.path + (f"?{call.query}" if call.query else "")
        if not _same(sign, _signature(key, stamp + call.method + path + call.body.decode("utf-8", "replace"))):
            raise Unauthorized("50113", "Invalid Sign")
        if key.ips and call.address not in key.ips:
            raise Unauthorized("50110", f"Your IP {call.address} is not included in your API key's IP whitelist.")
        return key


def _signature(key: SimKey, text: str) -> str:
    return b64encode(hmac.new(key.secret_key.reveal().encode(), text.encode(), sha256).digest()).decode()


def _same(given: object, right: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(given.encode(), right.encode())


def _check_seconds(stamp: str, now_ms: int) -> None:
    try:
        seconds = float(stamp)
    except ValueError:
        raise Refused("60004") from None
    if not abs(seconds * 1000 - now_ms) <= _EXPIRES_MS:
        raise Refused("60006")


def _check_iso(stamp: str, now_ms: int) -> None:
    try:
        at = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    except ValueError:
        raise Unauthorized("50112", "Invalid OK-ACCESS-TIMESTAMP") from None
    if abs(at.timestamp() * 1000 - now_ms) > _EXPIRES_MS:
        raise Unauthorized("50102", "Timestamp request expired")


def _header(headers: Mapping[str, str], code: str, name: str) -> str:
    value = headers.get(f"ok-access-{name.lower()}")
    if not value:
        raise Unauthorized(code, f'Request header "OK-ACCESS-{name}" can not be empty.')
    return value
