"""Lets aiohttp reach servers through a SOCKS proxy, which it cannot of itself."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from python_socks import ProxyError
from python_socks.async_.asyncio import Proxy

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler


class _ProxyResolves(AbstractResolver):
    """Looks nothing up: the proxy does."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host=host, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        pass


class SocksConnector(aiohttp.TCPConnector):
    """A connector whose every TCP connection is made by the proxy.

    Args:
        proxy: ``socks4://`` or ``socks5://`` URL (``socks5h://`` is the same: the proxy looks names up).
        options: as for ``aiohttp.TCPConnector``.
    """

    def __init__(self, proxy: str, **options: Any) -> None:
        super().__init__(resolver=_ProxyResolves(), use_dns_cache=False, **options)
        self._proxy = Proxy.from_url(proxy.replace("socks5h://", "socks5://", 1), rdns=True)
        self._local = options.get("local_addr")

    async def _wrap_create_connection(
        self, *args: Any, req: aiohttp.ClientRequest, **kwargs: Any
    ) -> tuple[Any, ResponseHandler]:
        # The one place where aiohttp makes its sockets; no public way leads here (aiohttp 3.14).
        for direct in ("addr_infos", "timeout", "client_error"):
            kwargs.pop(direct, None)
        try:
            sock = await self._proxy.connect(
                dest_host=req.url.host or "", dest_port=req.url.port or 443, local_addr=self._local
            )
        except ProxyError as error:
            raise OSError(f"the proxy refused: {error}") from None
        return await self._loop.create_connection(*args, **kwargs, sock=sock)
