"""A misbehaving Upbit on one loopback port: every byte of the WebSocket is written here, so any fault can be made."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from benchmarks.lab.rows import Row

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_KEY_SUFFIX = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
_MAX_PAYLOAD = 1 << 20
_CLOSE_WAIT = 1.0

MARKET = "KRW-BTC"
MARKETS = [{"market": MARKET, "korean_name": "비트코인", "english_name": "Bitcoin"}]
_LEVELS = {"market": MARKET, "quote_currency": "KRW", "tick_size": "1000", "supported_levels": ["0", "10000", "100000"]}
_REST = {"/v1/market/all": MARKETS, "/v1/orderbook/instruments": [_LEVELS]}

#: DEFAULT key → SIMPLE key of a trade (spec/upbit.md 4.2).
_SHORT = {
    "type": "ty", "code": "cd", "timestamp": "tms", "trade_date": "td", "trade_time": "ttm", "trade_timestamp": "ttms",
    "trade_price": "tp", "trade_volume": "tv", "ask_bid": "ab", "prev_closing_price": "pcp", "change": "c",
    "change_price": "cp", "sequential_id": "sid", "best_ask_price": "bap", "best_ask_size": "bas",
    "best_bid_price": "bbp", "best_bid_size": "bbs", "stream_type": "st",
}  # fmt: skip


class LineOfLab:
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

    def end(self) -> None:
        self._writer.close()


class LabServer:
    """Trades of KRW-BTC at ``rate`` a second and one fault, ``fault_after`` seconds after the first request.

    What it saw: ``connects`` (times of handshakes), ``fault_at``, ``last_id`` (of the last trade before the fault).
    """

    def __init__(self, row: Row, *, rate: float = 10.0, fault_after: float = 5.0, lasts: float | None = None) -> None:
        self.row = row
        self.connects: list[float] = []
        self.requests: list[tuple[float, bytes]] = []
        self.fault_at: float | None = None
        self.last_id = 0
        self._interval, self._fault_after = 1 / rate, fault_after
        self._lasts = row.lasts if lasts is None else lasts
        self._lines: set[LineOfLab] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._port = 0
        self._next_id = 17_853_950_437_790_001
        self._script: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._port}/websocket/v1"

    @property
    def rest_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        return self._port

    async def start(self, port: int = 0) -> None:
        self._port = port
        await self._listen()

    async def stop(self) -> None:
        for task in [*self._tasks, *([self._script] if self._script else [])]:
            task.cancel()
        self._deafen()
        for line in list(self._lines):
            line.abort()
        await asyncio.gather(*self._tasks, *([self._script] if self._script else []), return_exceptions=True)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port, reuse_address=True)
        self._port = self._server.sockets[0].getsockname()[1]

    def _deafen(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            path, headers = await _request(reader)
            if "upgrade" in headers.get("connection", "").lower():
                await self._talk(LineOfLab(reader, writer), headers)
            else:
                await _answer(writer, path)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client went away: what the lab wants to know is in ``connects``
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _talk(self, line: LineOfLab, headers: dict[str, str]) -> None:
        self.connects.append(time.monotonic())
        self._lines.add(line)
        pump: asyncio.Task[None] | None = None
        try:
            await line.handshake(headers["sec-websocket-key"])
            async for message in line.messages():
                self.requests.append((time.monotonic(), message))
                if message == b"PING":
                    line.send(b'{"status":"UP"}')
                elif self._accept(line, message) and pump is None:
                    pump = asyncio.create_task(self._trade(line))
        finally:
            self._lines.discard(line)
            if pump is not None:
                pump.cancel()
            line.end()

    def _accept(self, line: LineOfLab, message: bytes) -> bool:
        """Whether this request starts the trades; the row may have another answer."""
        line.simple = b'"SIMPLE' in message
        if self._script is None:
            self._script = asyncio.create_task(self._misbehave())
        if self.row.kind == "refuse":
            line.send(self.row.frames[0])
            return False
        if self.row.kind == "close_each" and self._faulty():
            asyncio.get_running_loop().call_later(0.05, line.close, 1000)
            return False
        return True

    def _faulty(self) -> bool:
        return self.fault_at is not None and time.monotonic() < self.fault_at + self._lasts

    async def _trade(self, line: LineOfLab) -> None:
        while True:
            if not line.silent:
                self._next_id += 1
                line.send(trade(self._next_id, simple=line.simple))
            await asyncio.sleep(self._interval)

    async def _misbehave(self) -> None:
        if self.row.kind != "refuse":
            await asyncio.sleep(self._fault_after)
        self.fault_at, self.last_id = time.monotonic(), self._next_id
        if self.row.down:
            self._deafen()
        strike = self._strikes()
        for line in list(self._lines):
            strike(line)
        if self.row.down:
            await asyncio.sleep(self._lasts)
            await self._listen()

    def _strikes(self) -> Callable[[LineOfLab], None]:
        row = self.row
        if row.kind == "abort":
            return LineOfLab.abort
        if row.kind in ("close", "close_each"):
            return lambda line: line.close(row.code or 1000)
        if row.kind == "frames":
            return self._send_frames
        if row.kind == "silence":
            return lambda line: setattr(line, "silent", True)
        return lambda _: None

    def _send_frames(self, line: LineOfLab) -> None:
        for frame in self.row.frames:
            line.send(frame)


def trade(number: int, *, simple: bool = False) -> bytes:
    """One trade as Upbit writes it, its id ``number``."""
    now = time.time()
    stamp = time.gmtime(now)
    fields: dict[str, Any] = {
        "type": "trade", "code": MARKET, "timestamp": int(now * 1000), "trade_date": time.strftime("%Y-%m-%d", stamp),
        "trade_time": time.strftime("%H:%M:%S", stamp), "trade_timestamp": int(now * 1000),
        "trade_price": 91361000.0 + number % 7 * 1000, "trade_volume": 0.01275549,
        "ask_bid": "ASK" if number % 2 else "BID", "prev_closing_price": 91424000.0, "change": "FALL",
        "change_price": 63000.0, "sequential_id": number, "best_ask_price": 91370000, "best_ask_size": 0.0070459,
        "best_bid_price": 91361000, "best_bid_size": 0.00196362, "stream_type": "REALTIME",
    }  # fmt: skip
    if simple:
        fields = {_SHORT[key]: value for key, value in fields.items()}
    return json.dumps(fields, separators=(",", ":")).encode()


def _head(status: str, *headers: str) -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status}", *headers, "\r\n")).encode()


async def _request(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    return head[0].split(" ")[1].partition("?")[0], headers


async def _answer(writer: asyncio.StreamWriter, path: str) -> None:
    found = path in _REST
    body = json.dumps(_REST.get(path, {"error": {"name": 404, "message": f"no {path} in the lab"}})).encode()
    status = "200 OK" if found else "404 Not Found"
    writer.write(
        _head(status, "Content-Type: application/json", f"Content-Length: {len(body)}", "Connection: close") + body
    )
    await writer.drain()
