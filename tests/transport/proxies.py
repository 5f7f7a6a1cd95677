"""Small proxies for tests: HTTP CONNECT, SOCKS4 and SOCKS5, with and without credentials."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator

from .wire import listening


class ProxyServer:
    """A proxy of one kind. ``asked`` holds the (host, port) of every connection wanted; every name is this machine.

    ``callers`` are the addresses that they were wanted from.
    """

    def __init__(self, scheme: str, user: str | None = None, password: str = "") -> None:
        self.scheme, self.user, self.password = scheme, user, password
        self.asked: list[tuple[str, int]] = []
        self.callers: list[str] = []
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def url(self, credentials: str | None = None) -> str:
        return f"{self.scheme}://{credentials + '@' if credentials else ''}127.0.0.1:{self.port}"

    @contextlib.asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[ProxyServer]:
        kinds = {"http": self._connect, "https": self._connect, "socks4": self._socks4, "socks5": self._socks5}
        async with listening(kinds[self.scheme], tls, tasks=self._tasks) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self

    def kill(self) -> None:
        """Break every connection through the proxy."""
        for task in list(self._tasks):
            task.cancel()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if self.user is not None:
            wanted = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            if f"Proxy-Authorization: Basic {wanted}" not in head:
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return await writer.drain()
        method, target, _ = head.split("\r\n")[0].split(" ")
        assert method == "CONNECT", "a plain request through the proxy"
        host, _, port = target.rpartition(":")
        await self._relay(reader, writer, host, int(port), b"HTTP/1.1 200 Connected\r\n\r\n")
        return None

    async def _socks4(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, _, port, *address = struct.unpack("!BBHBBBB", await reader.readexactly(8))
        await reader.readuntil(b"\0")
        await self._relay(reader, writer, ".".join(map(str, address)), port, b"\0\x5a" + bytes(6))

    async def _socks5(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        method = 2 if self.user is not None else 0
        if method not in methods:
            writer.write(b"\x05\xff")
            return await writer.drain()
        writer.write(bytes([5, method]))
        if method == 2 and not await self._socks5_login(reader, writer):
            return None
        _, _, _, kind = await reader.readexactly(4)
        raw = await reader.readexactly(4 if kind == 1 else (await reader.readexactly(1))[0])
        (port,) = struct.unpack("!H", await reader.readexactly(2))
        host = ".".join(map(str, raw)) if kind == 1 else raw.decode()
        await self._relay(reader, writer, host, port, b"\x05\0\0\x01" + bytes(6))
        return None

    async def _socks5_login(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await reader.readexactly(1)
        user = await reader.readexactly((await reader.readexactly(1))[0])
        password = await reader.readexactly((await reader.readexactly(1))[0])
        welcome = (user.decode(), password.decode()) == (self.user, self.password)
        writer.write(b"\x01\0" if welcome else b"\x01\x01")
        await writer.drain()
        return welcome

    async def _relay(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int, welcome: bytes
    ) -> None:
        self.callers.append(writer.get_extra_info("peername")[0])
        self.asked.append((host, port))
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(welcome)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(reader, far_writer))
                group.create_task(_copy(far_reader, writer))
        finally:
            far_writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()
