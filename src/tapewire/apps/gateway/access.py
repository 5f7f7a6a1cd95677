"""Who may use the gateway: names it is called by, pages that may use it, tokens and what each allows (pure)."""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import b64decode
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from ipaddress import ip_address
from typing import Literal, get_args
from urllib.parse import urlsplit

from msgspec import Struct

from tapewire.apps.gateway.problems import Problem
from tapewire.config import Secret
from tapewire.errors import ConfigError

#: What a token allows: the market's data · what belongs to the key's owner · the figures of the gateway itself.
Scope = Literal["market", "private", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
#: The cookie that a page keeps its token in: a browser can show no header when it opens a WebSocket.
COOKIE = "tapewire-token"
#: Wrong tokens of one address within so many seconds, after which it is blocked for so many.
FAILURES, WITHIN, BLOCK = 10, 60.0, 60.0
_SHORTEST = 16
_ADDRESSES = 10_000


class Token(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One token of the tokens file.

    Attributes:
        name: shows in logs, never the token.
        token: what the client shows; 16 characters or more.
        scopes: what it allows.
        expires: after which it is wrong (with a time zone); None: never.
        key: what programs written for an exchange show as their access key, the token being its secret; None: the name.
        passphrase: what those of OKX have to send beside it; None: whatever they send.
    """

    name: str
    token: Secret
    scopes: tuple[Scope, ...] = ("market",)
    expires: datetime | None = None
    key: str | None = None
    passphrase: Secret | None = None

    def __post_init__(self) -> None:
        if len(self.token.reveal()) < _SHORTEST:
            raise ConfigError(f"token of {self.name}", "…", f"{_SHORTEST} characters or more")
        if self.expires is not None and self.expires.tzinfo is None:
            raise ConfigError(
                f"expires of {self.name}", str(self.expires), "a time with its zone, such as 2027-01-01T00:00:00Z"
            )


class Access:
    """Lets in, or not.

    Args:
        tokens: those that are good; None: everybody who reaches the gateway may do everything (this machine alone).
        names: hosts that it is called by; with a port they must be called by that one.
        origins: of pages of other servers that may use it.
        secure: it speaks TLS.
    """

    def __init__(
        self, tokens: Iterable[Token] | None, names: Iterable[str], origins: Iterable[str] = (), *, secure: bool = False
    ) -> None:
        self._scheme = "https" if secure else "http"
        given = None if tokens is None else list(tokens)
        self._tokens = None if given is None else [(_digest(one.token.reveal()), one) for one in given]
        self._keyed = {one.key or one.name: one for one in given or ()}
        self._names = frozenset(name.lower().strip("[]") for name in names)
        self._origins = frozenset(origin.lower().rstrip("/") for origin in origins)
        self._failures: dict[str, deque[float]] = {}
        self._blocked: dict[str, float] = {}

    @property
    def is_open(self) -> bool:
        """There are no tokens."""
        return self._tokens is None

    def check_host(self, host: str, port: int) -> None:
        """The name that a request calls this server by. Raises Problem for any other than its own."""
        name, at = _split(host)
        own = name in self._names or is_loopback(name)
        if not own or at not in (None, port):
            raise Problem("misdirected")

    def check_origin(self, origin: str | None, host: str) -> None:
        """The page that a request comes from; None: it comes from none. Raises Problem for a stranger's."""
        if origin is None:
            return
        given = origin.lower()
        if given in self._origins:
            return
        parts = urlsplit(given)
        if parts.scheme != self._scheme or parts.netloc != host.lower() or parts.path:
            raise Problem("forbidden")

    def scopes(
        self, headers: Mapping[str, str], cookie: str | None, address: str, now: float, wall: datetime
    ) -> frozenset[Scope]:
        """What a request may do.

        Args:
            headers: of the request, names in lower case.
            cookie: the page's token.
            address: where it comes from.
            now: monotonic seconds.
            wall: time with its zone, for tokens that expire.

        Raises:
            Problem: no token, or none that is good; too many such before.
        """
        if self._tokens is None:
            return frozenset(SCOPES)
        self.check_block(address, now)
        given = _shown(headers.get("authorization", "")) or cookie
        found = None if not given else self._find(given, wall)
        if found is None:
            if given:  # else it did not try one
                self.failed(address, now)
            raise Problem("unauthorized")
        return frozenset(found.scopes)

    def check_block(self, address: str, now: float) -> None:
        """Raises Problem for an address of too many wrong tokens."""
        if wait := self.wait(address, now):
            raise Problem("too_many", retry_after=wait)

    def wait(self, address: str, now: float) -> float:
        """Seconds for which an address is still blocked."""
        return max(0.0, self._blocked.get(address, 0.0) - now)

    def keyed(self, key: str, wall: datetime) -> Token | None:
        """The token that programs written for an exchange call so; None: there is none that is good now."""
        token = self._keyed.get(key)
        return None if token is None or (token.expires is not None and wall >= token.expires) else token

    def _find(self, given: str, wall: datetime) -> Token | None:
        """Every token is compared, each in constant time: how long it takes says nothing."""
        digest, found = _digest(given), None
        for known, token in self._tokens or ():
            if hmac.compare_digest(known, digest) and (token.expires is None or wall < token.expires):
                found = token
        return found

    def failed(self, address: str, now: float) -> None:
        """Something wrong was shown."""
        times = self._failures.setdefault(address, deque(maxlen=FAILURES))
        times.append(now)
        if len(times) == FAILURES and times[0] > now - WITHIN:
            self._blocked[address] = now + BLOCK
            del self._failures[address]
        for table in (self._failures, self._blocked):
            if len(table) > _ADDRESSES:
                del table[next(iter(table))]


def _shown(header: str) -> str:
    """The token of an ``Authorization`` header; of an address with a name and a password it is the password."""
    scheme, _, shown = header.partition(" ")
    if scheme.lower() == "bearer":
        return shown.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return b64decode(shown.strip().encode(), validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _split(host: str) -> tuple[str, int | None]:
    """``example.org:8765`` → name and port, ``[::1]`` without brackets."""
    name, colon, digits = host.lower().rpartition(":")
    if not colon or host.endswith("]"):
        return host.lower().strip("[]"), None
    return name.strip("[]"), int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 6 else -1


def is_loopback(name: str) -> bool:
    """Whether a host is this machine itself: ``localhost``, 127.0.0.0/8, ``::1``."""
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
