"""One bare connection towards a venue, step by step: name, TCP, TLS, and one HTTP question for the clock."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import socket
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct
from python_socks import ProxyError
from python_socks.async_.asyncio import Proxy

from tapewire.config import FeedOptions
from tapewire.errors import UsageError
from tapewire.transport import handshake
from tapewire.transport.dial import Dial
from tapewire.transport.loop_errors import without_false_reports

_DAY = 86_400.0
_HEAD_LIMIT = 64 * 1024  # bytes of an answer's head


class Place(Struct, frozen=True):
    """Where to: the far end, and the proxy that leads there if any (``shown``: without its password)."""

    scheme: str
    host: str
    port: int
    proxy: str | None = None

    @property
    def secure(self) -> bool:
        return self.scheme in ("wss", "https")

    @property
    def through(self) -> str | None:
        """``socks5://host:1080`` of the proxy."""
        if self.proxy is None:
            return None
        parts = urlsplit(self.proxy)
        return f"{parts.scheme}://{(parts.netloc).rpartition('@')[2]}"

    @property
    def hidden(self) -> bool:
        """Behind a proxy that is spoken to over TLS itself: the bare connection ends there."""
        return (self.proxy or "").startswith("https:")

    @property
    def next_hop(self) -> tuple[str, int]:
        """Host and port that this machine itself connects to."""
        if self.proxy is None:
            return self.host, self.port
        parts = urlsplit(self.proxy)
        usual = {"http": 80, "https": 443}.get(parts.scheme, 1080)
        return parts.hostname or "", parts.port or usual


class Certificate(Struct, frozen=True):
    """What the far end showed: for whom, how long it is good still, and what was agreed."""

    subject: str
    days_left: float
    protocol: str


class Answer(Struct, frozen=True):
    """The head of one HTTP answer.

    Attributes:
        offset: seconds that the far end's clock is ahead of ours, to about a second; None: it told no time.
        error: seconds that ``offset`` may be wrong by: half the round trip, and half of the second it is given in.
        remaining: the exchange's own word on its limits (``Remaining-Req``, spec/upbit.md 7.2), ``""`` without.
    """

    status: int
    offset: float | None
    error: float
    remaining: str


def place_of(url: str, options: FeedOptions) -> Place:
    """Host and port of an address, and the way there."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme in ("wss", "https") else 80)
    return Place(parts.scheme, parts.hostname or "", port, options.line.proxy)


class Reach:
    """One connection to ``place``; call the steps in their order, and ``close`` at the end.

    Args:
        place: where to.
        options: the line's own (TLS context).
        wall_ns: clock that the far end's is compared with, ns UTC.
    """

    def __init__(self, place: Place, options: FeedOptions, wall_ns: Callable[[], int]) -> None:
        self.place = place
        self._tls = handshake.tls_context(options.line.ssl_context) if place.secure else None
        self._line = options.line
        self._wall_ns = wall_ns
        self._dial = Dial(options.line.local_address)
        self._socket: socket.socket | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def resolve(self) -> list[str]:
        """Addresses of the host that is connected to: the far end's, or the proxy's, which looks up the rest."""
        host, port = self.place.next_hop
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    async def connect(self) -> str:
        """The address that answered; through a proxy (not an https:// one) it has reached the far end, too.

        Raises:
            ConnectFailed: with the reason; the proxy's password is not in it.
        """
        try:
            if self.place.proxy is not None and not self.place.hidden:
                self._socket = await self._through_proxy()
            else:
                self._socket = await self._dial.connect(*self.place.next_hop)
        except (OSError, ProxyError, ValueError) as error:
            raise handshake.unreachable(error, self._line, self._dial.stage) from None
        self._socket.setblocking(False)
        return str(self._socket.getpeername()[0])

    async def encrypt(self) -> Certificate | None:
        """The certificate after a verified TLS handshake; None for an address without TLS.

        Raises:
            ConnectFailed: what was refused, in the system's words.
        """
        if self._socket is None:
            raise UsageError("connect first")
        own, self._socket = self._socket, None
        name = self.place.host if self._tls else None
        with without_false_reports(asyncio.get_running_loop()) if self._tls else contextlib.nullcontext():
            try:
                self._streams = await asyncio.open_connection(
                    sock=own, ssl=self._tls, server_hostname=name, limit=_HEAD_LIMIT
                )
            except (OSError, EOFError) as error:
                raise handshake.unreachable(error, self._line, f"{self.place.host}:{self.place.port}") from None
            finally:
                if self._streams is None:
                    own.close()
        return self._certificate() if self._tls else None

    async def ask(self, path: str) -> Answer:
        """Status and clock of the answer to one ``GET`` request; its body is not read.

        Raises:
            ConnectFailed: no HTTP answer came.
        """
        if self._streams is None:
            raise UsageError("connect and encrypt first")
        reader, writer = self._streams
        host = self.place.host if self.place.port in (80, 443) else f"{self.place.host}:{self.place.port}"
        question = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: tapewire\r\nConnection: close\r\n\r\n"
        sent = self._wall_ns()
        try:
            writer.write(question.encode())
            head = await reader.readuntil(b"\r\n\r\n")
        except (OSError, EOFError, asyncio.LimitOverrunError) as error:
            raise handshake.unreachable(error, self._line, f"{self.place.host}:{self.place.port}") from None
        return _answer(head, sent, self._wall_ns())

    async def close(self) -> None:
        """End the connection, whatever state it is in."""
        if self._socket is not None:
            self._socket.close()
        if self._streams is not None:
            writer = self._streams[1]
            writer.transport.abort()  # nobody waits for the far end's goodbye
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        self._socket = self._streams = None

    async def _through_proxy(self) -> socket.socket:
        address = (self.place.proxy or "").replace("socks5h://", "socks5://", 1)
        self._dial.stage = f"{self.place.through} towards {self.place.host}:{self.place.port}"
        own = None if self._line.local_address is None else (self._line.local_address, 0)
        proxy = Proxy.from_url(address, rdns=True)
        made: socket.socket = await proxy.connect(self.place.host, self.place.port, local_addr=own)
        return made

    def _certificate(self) -> Certificate:
        assert self._streams is not None  # noqa: S101 - called by encrypt
        layer: ssl.SSLObject = self._streams[1].get_extra_info("ssl_object")
        shown: dict[str, Any] = layer.getpeercert() or {}
        names = [str(value) for kind, value in shown.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
        until = ssl.cert_time_to_seconds(str(shown["notAfter"]))
        return Certificate(", ".join(names[:3]), (until - self._wall_ns() / 1e9) / _DAY, layer.version() or "TLS")


def _answer(head: bytes, sent_ns: int, received_ns: int) -> Answer:
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ", 2)
    status = int(words[1]) if len(words) > 1 and words[0].startswith("HTTP/") and words[1].isdecimal() else 0
    pairs = (line.partition(":") for line in lines[1:])
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    error = (received_ns - sent_ns) / 2e9 + 0.5
    return Answer(status, _offset(headers.get("date"), sent_ns, received_ns), error, headers.get("remaining-req", ""))


def _offset(date: str | None, sent_ns: int, received_ns: int) -> float | None:
    """``Date`` is given in whole seconds, cut off: on average half a second more had passed."""
    if date is None:
        return None
    try:
        moment = email.utils.parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
    return moment + 0.5 - (sent_ns + received_ns) / 2e9
