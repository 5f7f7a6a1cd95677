"""Single HTTP requests to bytes, over aiohttp (imported at the first request)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tapewire.errors import HttpFailed
from tapewire.transport import handshake

if TYPE_CHECKING:
    import aiohttp

BODY_LIMIT = 16 * 1024 * 1024  # bytes of one answer
_ERROR_BODY = 2048


class AiohttpHttp:
    """``Http`` with one session of kept-alive connections (see ``transport.contract``).

    Args:
        wall_ns: clock that a ``Retry-After`` date is compared with, ns UTC.
        proxy: ``http://``, ``https://``, ``socks4://`` or ``socks5://`` URL, with ``user:password@`` if needed.
        ssl_context: own TLS context; None is the system's trust store. Certificates are always verified.

    Raises:
        ConfigError: a TLS context that verifies nothing.
    """

    def __init__(
        self, wall_ns: Callable[[], int], *, proxy: str | None = None, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self._wall_ns, self._proxy = wall_ns, proxy
        self._tls = handshake.tls_context(ssl_context) if ssl_context is not None else None
        self._session: aiohttp.ClientSession | None = None

    async def get(self, url: str, *, timeout: float) -> bytes:  # noqa: ASYNC109 - the limit of one request
        """Body of a 200 answer, at most 16 MiB. Follows no redirect.

        Raises:
            HttpFailed: another status, no answer, too large a body, or ``timeout`` seconds have passed.
        """
        import aiohttp  # noqa: PLC0415 - a quarter of a second that only who asks shall pay

        try:
            async with asyncio.timeout(timeout):
                return await self._get(url)
        except TimeoutError:
            raise HttpFailed(url, None, f"no answer within {timeout:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(error, HttpFailed):
                raise
            cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
            reason = handshake.without_credentials(handshake.reason_of(cause), self._proxy)
            raise HttpFailed(url, None, reason) from None  # the cause may show the proxy's password

    async def close(self) -> None:
        """Close the kept-alive connections. A later request opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _get(self, url: str) -> bytes:
        through = self._proxy if self._proxy is not None and not self._proxy.startswith("socks") else None
        async with self._opened().get(url, allow_redirects=False, proxy=through) as answer:
            if answer.status != 200:
                names = {name.lower(): value for name, value in answer.headers.items()}
                try:
                    body = await answer.content.readexactly(_ERROR_BODY)
                except asyncio.IncompleteReadError as short:
                    body = short.partial
                loss = handshake.refused(answer.status, names, body, self._wall_ns()).loss
                raise HttpFailed(url, loss.status, loss.reason, loss.retry_after, loss.body)
            return await self._body(url, answer)

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

            limits: dict[str, Any] = {"limit": 8, "ssl": self._tls or handshake.tls_context(None)}
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
