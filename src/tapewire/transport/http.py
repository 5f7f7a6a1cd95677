"""Single HTTP requests to bytes, over aiohttp (imported at the first request)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from tapewire.config import Secret
from tapewire.errors import HttpFailed
from tapewire.transport import handshake
from tapewire.transport.contract import Answered

if TYPE_CHECKING:
    import aiohttp

BODY_LIMIT = 16 * 1024 * 1024  # bytes of one answer
_ERROR_BODY = 2048
_TELLING = 6  # characters from which a step of a secret path is more than a word like "bot"


class AiohttpHttp:
    """``Http`` with one session of kept-alive connections (see ``transport.contract``).

    Args:
        wall_ns: clock that a ``Retry-After`` date is compared with, ns UTC.
        proxy: ``http://``, ``https://``, ``socks4://`` or ``socks5://`` URL, with ``user:password@`` if needed.
        ssl_context: own TLS context; None is the system's trust store. Certificates are always verified.
        local_address: of this host, from which to connect; None: the system chooses.

    Raises:
        ConfigError: a TLS context that verifies nothing.
    """

    def __init__(
        self,
        wall_ns: Callable[[], int],
        *,
        proxy: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        local_address: str | None = None,
    ) -> None:
        self._wall_ns, self._proxy = wall_ns, proxy
        self._local = None if local_address is None else (local_address, 0)
        self._tls = handshake.tls_context(ssl_context) if ssl_context is not None else None
        self._session: aiohttp.ClientSession | None = None

    async def get(
        self,
        url: str,
        *,
        timeout: float,  # noqa: ASYNC109 - the limit of one request
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """Body of a 200 answer, at most 16 MiB. Follows no redirect.

        Raises:
            HttpFailed: another status, no answer, too large a body, or ``timeout`` seconds have passed.
        """
        return (await self.fetch(url, timeout=timeout, headers=headers)).body

    async def fetch(
        self,
        url: str,
        *,
        timeout: float,  # noqa: ASYNC109 - the limit of one request
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        """As ``get``, with the answer's headers (``HttpFetch``)."""
        import aiohttp  # noqa: PLC0415 - a quarter of a second that only who asks shall pay

        try:
            async with asyncio.timeout(timeout):
                return await self._get(url, headers)
        except TimeoutError:
            raise HttpFailed(url, None, f"no answer within {timeout:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(error, HttpFailed):
                raise
            raise HttpFailed(url, None, self._reason(error)) from None  # the cause may show the proxy's password

    async def post(self, url: Secret, body: bytes, headers: Mapping[str, Secret], *, timeout: float) -> bytes:  # noqa: ASYNC109
        """See ``HttpPost.post``. What it raises has no cause: its locals would hold the address."""
        import aiohttp  # noqa: PLC0415 - as above

        place, answered, reason = _place(url), None, ""
        try:
            async with asyncio.timeout(timeout):
                answered = await self._post(url, body, headers)
        except TimeoutError:
            reason = f"no answer within {timeout:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = _without(self._reason(error), url)
        if answered is None:
            raise HttpFailed(place, None, reason)
        status, names, answer = answered
        if not 200 <= status <= 299:
            loss = handshake.refused(status, names, answer, self._wall_ns()).loss
            said = _without(answer.decode("latin-1"), url).encode("latin-1")
            raise HttpFailed(place, status, loss.reason, loss.retry_after, said)
        return answer

    async def close(self) -> None:
        """Close the kept-alive connections. A later request opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _get(self, url: str, headers: Mapping[str, str] | None) -> Answered:
        request = self._opened().get(url, headers=headers, allow_redirects=False, proxy=self._through)
        async with request as answer:
            if answer.status != 200:
                status, names, body = await _head_of(answer)
                loss = handshake.refused(status, names, body, self._wall_ns()).loss
                raise HttpFailed(url, loss.status, loss.reason, loss.retry_after, loss.body, headers=names)
            return Answered(await self._body(url, answer), _headers_of(answer))

    async def _post(self, url: Secret, body: bytes, headers: Mapping[str, Secret]) -> tuple[int, dict[str, str], bytes]:
        revealed = {name: value.reveal() for name, value in headers.items()}
        request = self._opened().post(
            url.reveal(), data=body, headers=revealed, allow_redirects=False, proxy=self._through
        )
        async with request as answer:
            return await _head_of(answer)

    @property
    def _through(self) -> str | None:
        """The proxy that aiohttp itself speaks to."""
        return self._proxy if self._proxy is not None and not self._proxy.startswith("socks") else None

    def _reason(self, error: Exception) -> str:
        cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
        return handshake.without_credentials(handshake.reason_of(cause), self._proxy)

    async def _body(self, url: str, answer: aiohttp.ClientResponse) -> bytes:
        parts = bytearray()
        async for part in answer.content.iter_any():
            parts += part
            if len(parts) > BODY_LIMIT:
                answer.close()
                raise HttpFailed(url, answer.status, f"an answer of more than {BODY_LIMIT:,} bytes")
        return bytes(parts)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            import aiohttp  # noqa: PLC0415 - as above

            limits: dict[str, Any] = {
                "limit": 8,
                "ssl": self._tls or handshake.tls_context(None),
                "local_addr": self._local,
            }
            if self._proxy is not None and self._proxy.startswith("socks"):
                from tapewire.transport.socks import SocksConnector  # noqa: PLC0415 - it imports aiohttp

                connector: aiohttp.TCPConnector = SocksConnector(self._proxy, **limits)
            else:
                connector = aiohttp.TCPConnector(**limits)
            self._session = aiohttp.ClientSession(
                connector=connector,
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),  # each request has its own
                headers={"User-Agent": "tapewire"},
            )
        return self._session


async def _head_of(answer: aiohttp.ClientResponse) -> tuple[int, dict[str, str], bytes]:
    """Status, headers by their lower-case names, and the first bytes of the body."""
    try:
        body = await answer.content.readexactly(_ERROR_BODY)
    except asyncio.IncompleteReadError as short:
        body = short.partial
    return answer.status, _headers_of(answer), body


def _headers_of(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


def _place(url: Secret) -> str:
    """What may be shown of a secret address: scheme, host and port."""
    parts = urlsplit(url.reveal())
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/…"


def _without(text: str, url: Secret) -> str:
    """The text with whatever it repeats of a secret address blotted out."""
    parts = urlsplit(url.reveal())
    steps = [step for step in parts.path.split("/") if len(step) >= _TELLING]
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    shown = {url.reveal(), path, parts.query, *steps} - {"", "/"}
    for part in sorted({form for one in shown for form in (one, unquote(one))}, key=len, reverse=True):
        text = text.replace(part, "***")
    return text
