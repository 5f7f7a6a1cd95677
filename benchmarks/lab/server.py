"""A misbehaving Upbit on one loopback port: every byte of the WebSocket is written here, so any fault can be made."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import socket
import struct
from collections.abc import AsyncIterator

from benchmarks.lab.misbehaviour import REST, Misbehaviour

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_KEY_SUFFIX = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
_MAX_PAYLOAD = 1 << 20
_CLOSE_WAIT = 1.0


class SocketLine:
    """The server's end of one WebSocket connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.silent = False
        self.simple = False
        self.closing = False

    async def handshake(self, key: str) -> None:
        accept = base64.b64encode(hashlib.sha1(key.encode() + _KEY_SUFFIX).digest()).decode()
        self._writer.write(
            _head(
                "101 Switching Protocols",
                "Upgrade: websocket",
                "Connection: Upgrade",
                f"Sec-WebSocket-Accept: {accept}",
            )
        )
        await self._writer.drain()

    def send(self, payload: bytes, opcode: int = BINARY) -> None:
        """One whole frame. A line that is closing or gone takes nothing more."""
        if self.closing or self._writer.is_closing():
            return
        size = len(payload)
        head = bytes([0x80 | opcode, size]) if size < 126 else struct.pack("!BBH", 0x80 | opcode, 126, size)
        self._writer.write(head + payload)

    async def messages(self) -> AsyncIterator[bytes]:
        """The client's messages until it is gone; pings and closes are answered here."""
        parts: list[bytes] = []
        while True:
            try:
                final, opcode, payload = await self._frame()
            except (OSError, asyncio.IncompleteReadError):
                return
            if opcode == PING:
                self.send(payload, PONG)
            elif opcode == CLOSE:
                self.send(payload[:2], CLOSE)
                return
            elif opcode != PONG:
                parts.append(payload)
                if final:
                    yield b"".join(parts)
                    parts.clear()

    async def _frame(self) -> tuple[bool, int, bytes]:
        first, second = await self._reader.readexactly(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", await self._reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self._reader.readexactly(8))
        if not second & 0x80 or size > _MAX_PAYLOAD:
            raise OSError("a client's frame must be masked and of a sane size")
        mask = await self._reader.readexactly(4)
        body = await self._reader.readexactly(size)
        return bool(first & 0x80), first & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(body))

    def abort(self) -> None:
        """A reset (RST) in place of an orderly end."""
        self.closing = True
        with contextlib.suppress(OSError):  # the peer may be gone already
            self._writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
        self._writer.transport.abort()

    def close(self, code: int) -> None:
        """A close frame; the socket goes when the client answered, or a second later."""
        self.send(struct.pack("!H", code), CLOSE)
        self.closing = True
        asyncio.get_running_loop().call_later(_CLOSE_WAIT, self._writer.close)


class LabServer(Misbehaviour):
    """The misbehaving exchange on one port of 127.0.0.1, WebSocket and REST."""

    _server: asyncio.Server | None = None
    port = 0

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/websocket/v1"

    @property
    def rest_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._serving: set[asyncio.Task[None]] = set()
        await self.listen()

    async def stop(self) -> None:
        await self.deafen()
        await super().stop()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, reuse_address=True)
        self.port = self._server.sockets[0].getsockname()[1]

    async def deafen(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            path, headers = await _request(reader)
            if "upgrade" in headers.get("connection", "").lower():
                await self._talk(SocketLine(reader, writer), headers)
            else:
                await _answer(writer, path)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client went away: what the lab wants to know is in ``connects``
        finally:
            self._serving.discard(task)
            writer.close()

    async def _talk(self, line: SocketLine, headers: dict[str, str]) -> None:
        self.connected(line)
        try:
            await line.handshake(headers["sec-websocket-key"])
            async for message in line.messages():
                self.hear(line, message)
        finally:
            self.gone(line)


def _head(status: str, *headers: str) -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status}", *headers, "\r\n")).encode()


async def _request(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    return head[0].split(" ")[1].partition("?")[0], headers


async def _answer(writer: asyncio.StreamWriter, path: str) -> None:
    found = path in REST
    body = json.dumps(REST.get(path, {"error": {"name": 404, "message": f"no {path} in the lab"}})).encode()
    status = "200 OK" if found else "404 Not Found"
    writer.write(
        _head(status, "Content-Type: application/json", f"Content-Length: {len(body)}", "Connection: close") + body
    )
    await writer.drain()
