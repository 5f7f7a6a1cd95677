"""A way to the exchange that is slow: so many bytes a second, or byte by byte and late."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random
from urllib.parse import urlsplit, urlunsplit

from tests.network.namespace import for_seconds

#: Hands on what came from the exchange.
Pace = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Throttle:
    """So many bytes a second, as long as there is a limit. What waits stays with the sender, as behind a thin line."""

    def __init__(self) -> None:
        self.limit: int | None = None

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(2048):
            if self.limit is not None:
                await for_seconds(len(data) / self.limit)
            writer.write(data)
            await writer.drain()


class ByteByByte:
    """Each byte a write of its own, each read 0.1 to 0.3 s late; in order, as TCP is."""

    def __init__(self, seed: int) -> None:
        self._draw = Random(seed).uniform

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        handing = asyncio.create_task(self._hand_on(late, writer))
        try:
            while data := await reader.read(65_536):
                late.put_nowait((loop.time() + self._draw(0.1, 0.3), data))
            late.put_nowait((0.0, b""))
            await handing
        finally:
            handing.cancel()

    async def _hand_on(self, late: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while (item := await late.get())[1]:
            due, data = item
            await for_seconds(max(due - loop.time(), 0.0))
            for number in range(len(data)):
                writer.write(data[number : number + 1])
                await writer.drain()


@asynccontextmanager
async def way_to(url: str, pace: Pace) -> AsyncIterator[str]:
    """An address that leads to ``url``; what comes back goes through ``pace``."""
    parts = urlsplit(url)
    relays: set[asyncio.Task[None]] = set()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        relays.add(task)
        there, far = await asyncio.open_connection(parts.hostname, parts.port, limit=4096)
        connection: socket.socket = writer.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        asking = asyncio.create_task(_copy(reader, far))
        try:
            await pace(there, writer)
        except OSError:  # either end is gone
            pass
        finally:
            asking.cancel()
            far.close()
            writer.close()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield urlunsplit(parts._replace(netloc=f"127.0.0.1:{port}"))
    finally:
        server.close()
        for task in relays:
            task.cancel()
        await asyncio.gather(*relays, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
