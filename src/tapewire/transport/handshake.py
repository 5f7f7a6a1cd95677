"""What both socket lines share before they are open: request headers, TLS, and the reasons of a failure."""

from __future__ import annotations

import asyncio
import email.utils
import functools
import re
import socket
import ssl
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from tapewire.config import LineOptions
from tapewire.errors import ConfigError, ConnectFailed, UsageError
from tapewire.model.line import Loss

BODY_LIMIT = 2048
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_STATUS_LINE = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})")


def request_headers(options: LineOptions, headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Headers to add to the upgrade request: the options' own and this dial's.

    Raises:
        ConfigError: a name or value that would break the request; the value is not shown, it may be a secret.
    """
    merged = [*options.headers, *headers.items()]
    for name, value in merged:
        if not _NAME.fullmatch(name):
            raise ConfigError("headers", name, "names of letters, digits and -")
        if not _VALUE.fullmatch(value):
            raise ConfigError(f"headers[{name!r}]", "…", "one line of printable characters")
    if not any(name.lower() == "user-agent" for name, _ in merged):
        merged.append(("User-Agent", "tapewire"))
    return merged


@functools.cache
def _system_trust() -> ssl.SSLContext:
    return ssl.create_default_context()


def tls_context(own: ssl.SSLContext | None) -> ssl.SSLContext:
    """The TLS context to use: the given one or the system's trust store; always one that verifies.

    Raises:
        ConfigError: the given one verifies no certificate or no host name.
    """
    if own is None:
        return _system_trust()
    if own.verify_mode is not ssl.CERT_REQUIRED or not own.check_hostname:
        raise ConfigError("ssl_context", own, "one that verifies certificates and host names")
    return own


def refused(status: int, headers: Mapping[str, str], body: bytes, now_ns: int) -> ConnectFailed:
    """The handshake was answered with a status other than 101."""
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = "a status outside the HTTP standard"
    if 300 <= status < 400 and "location" in headers:
        reason += f"; redirects are not followed (to {_host(headers['location'])})"
    wait = retry_after(headers.get("retry-after"), now_ns)
    return ConnectFailed(Loss("refused", None, reason, status, wait, bytes(body[:BODY_LIMIT])))


def refused_raw(head: bytes, body: bytes, now_ns: int) -> ConnectFailed | None:
    """As ``refused``, from a response's head as it came; None when it is no HTTP answer or it is a 101."""
    found = _STATUS_LINE.match(head)
    if found is None or found[1] == b"101":
        return None
    lines = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    headers = {name.strip().lower().decode("latin-1"): value.strip().decode("latin-1") for name, _, value in lines}
    return refused(int(found[1]), headers, body, now_ns)


def retry_after(value: str | None, now_ns: int) -> float | None:
    """Seconds to wait from a ``Retry-After`` header, either form (RFC 9110 10.2.3); None when absent or unreadable."""
    if value is None:
        return None
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value.strip()):
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - now_ns / 1e9)


def once(used: object) -> None:
    """Raises ``UsageError`` for a line that is opened again."""
    if used is not None:
        raise UsageError("a line is opened once; make a new one for each dial")


def unreachable(error: BaseException, options: LineOptions, where: str) -> ConnectFailed:
    """No answer was had from ``where`` (host:port, or what was being done): with the reason in the system's words."""
    return ConnectFailed(Loss("unreachable", None, without_credentials(f"{where}: {reason_of(error)}", options.proxy)))


def endpoint(url: str) -> str:
    """``host:port`` of a WebSocket address.

    Raises:
        ConfigError: no WebSocket address.
    """
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "wss" else 80)
    except ValueError:
        port = 0
    if parts.scheme not in ("ws", "wss") or not parts.hostname or not port or parts.fragment or "@" in parts.netloc:
        shown = f"{parts.scheme}://{parts.hostname or ''}"
        raise ConfigError("url", shown, "ws:// or wss:// with a host, without user, password and fragment")
    return f"{parts.hostname}:{port}"


def without_credentials(text: str, proxy: str | None) -> str:
    """The text with the proxy's user and password blotted out, in whatever form they came."""
    if proxy is None:
        return text
    # rpartition: a password may hold an unescaped @, which URL parsers then read in different ways.
    userinfo = proxy.partition("://")[2].rpartition("@")[0]
    user, _, password = userinfo.partition(":")
    # a user's name alone is blotted out only before its @: elsewhere it may be part of any word
    parts = (userinfo, password, f"{user}@" if user else "")
    forms = {form for part in parts for form in (part, unquote(part)) if form}
    for secret in sorted(forms, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def first_line(text: str) -> str:
    """The first line of a text, at most 300 characters of it."""
    return text.strip().partition("\n")[0][:300]


def _host(url: str) -> str:
    return urlsplit(url).hostname or "the same host"


def reason_of(error: BaseException) -> str:
    """What went wrong below the handshake, in the system's words or plainer ones."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS certificate refused: {getattr(error, 'verify_message', '') or error}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error}"
    if isinstance(error, socket.gaierror):
        return f"the name cannot be resolved: {error.strerror or error}"
    if isinstance(error, ExceptionGroup):
        return "; ".join(dict.fromkeys(reason_of(one) for one in error.exceptions))
    for kind, words in _PLAIN:
        if isinstance(error, kind):
            return words
    return first_line(str(error)) or type(error).__name__


_PLAIN: Iterable[tuple[type[BaseException], str]] = (
    (ConnectionRefusedError, "connection refused"),
    (ConnectionResetError, "the connection ended before the handshake was done"),
    (asyncio.IncompleteReadError, "the connection ended before the handshake was done"),
)
