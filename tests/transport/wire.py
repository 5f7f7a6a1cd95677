"""A server that writes exact bytes: frames as wanted, right or wrong."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

import psutil

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> bytes:
    """One unmasked frame, as a server sends it. ``rsv`` is 4 for RSV1, 2 for RSV2, 1 for RSV3."""
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", first, size) + payload
    if size < 65536:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


def close_frame(code: int, reason: str = "") -> bytes:
    return frame(CLOSE, code.to_bytes(2, "big") + reason.encode())


def answer_101(request: bytes, *extra: str) -> bytes:
    key = next(line for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
    accept = base64.b64encode(hashlib.sha1(key.partition(b":")[2].strip() + GUID).digest()).decode()  # noqa: S324
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    return "\r\n".join([*lines, f"Sec-WebSocket-Accept: {accept}", *extra, "", ""]).encode()


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
        self.reader, self.writer, self.request = reader, writer, request

    def accept(self, *extra: str) -> None:
        self.writer.write(answer_101(self.request, *extra))

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def flood(self, data: bytes) -> int:
        """Write the same bytes until the client is gone, 64 MiB at most; bytes that were taken."""
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 64 * 1024 * 1024 and not self.writer.is_closing():
                self.writer.write(data)
                sent += len(data)
                await self.writer.drain()
                await asyncio.sleep(0)
        return sent

    async def frame(self) -> tuple[int, bytes]:
        """The client's next frame. Raises ``IncompleteReadError`` or ``ConnectionError`` when it is gone."""
        first, second = await self.reader.readexactly(2)
        assert second & 0x80, "a client must mask"
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
        mask = await self.reader.readexactly(4)
        data = await self.reader.readexactly(size)
        return first & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))

    async def gone(self) -> None:
        """Wait until the client has ended the connection."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65536):
                pass

    def reset(self) -> None:
        """Break the connection with an RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Handler = Callable[[Peer], Awaitable[None]]


class Served:
    """A listening server: its port, and the requests it has seen."""

    def __init__(self, server: asyncio.Server) -> None:
        self.server = server
        self.port: int = server.sockets[0].getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}/"
        self.requests: list[bytes] = []


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


Connection = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def listening(
    connection: Connection, tls: ssl.SSLContext | None = None, tasks: set[asyncio.Task[None]] | None = None
) -> AsyncIterator[asyncio.Server]:
    """A server on a free port whose connections all end with it. ``tasks`` are those of its connections."""
    tasks = set() if tasks is None else tasks

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await connection(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client is gone, or the test is over
        finally:
            tasks.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0, ssl=tls)
    try:
        yield server
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await turns()


@contextlib.asynccontextmanager
async def serve(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Served]:
    """Serve each connection, once its request's head has come, with ``handler``."""

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await _head(reader)
        if request:
            served.requests.append(request)
            await handler(Peer(reader, writer, request))

    async with listening(connection, tls) as server:
        served = Served(server)
        yield served


async def turns(count: int = 10) -> None:
    """Let the loop run a few rounds."""
    for _ in range(count):
        await asyncio.sleep(0)


def open_files() -> int:
    return int(psutil.Process().num_fds())


async def settled(files: int, tasks: int) -> None:
    """Wait until no more files are open and no more tasks are running than these."""
    async with asyncio.timeout(5):
        while (open_files(), len(asyncio.all_tasks())) != (files, tasks):  # noqa: ASYNC110 - nobody tells of these
            await asyncio.sleep(0)
