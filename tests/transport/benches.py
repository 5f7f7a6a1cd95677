"""The three lines, each with a far end that the conformance kit can drive in the same words."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

from tapewire.config import LineOptions
from tapewire.model.line import Loss
from tapewire.transport.contract import Line, LineFactory
from tapewire.transport.memory import FarEnd, MemoryLine
from tapewire.transport.picows_line import PicowsLine
from tapewire.transport.websockets_line import WebsocketsLine

from . import wire

NOW_NS = 1_700_000_000_000_000_000
SOCKET_LINES: dict[str, LineFactory] = {"picows": PicowsLine, "websockets": WebsocketsLine}


def wall_ns() -> int:
    return NOW_NS


class Recorder:
    """A listener that keeps what it was told, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.stamps: list[int] = []
        self._queue: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()

    def on_message(self, payload: bytes, is_text: bool, received_ns: int) -> None:
        assert type(payload) is bytes
        self.stamps.append(received_ns)
        self._tell("message", payload, is_text)

    def on_pong(self, payload: bytes) -> None:
        self._tell("pong", payload)

    def on_lost(self, loss: Loss) -> None:
        self._tell("lost", loss)

    def _tell(self, *what: Any) -> None:
        self.told.append(what)
        self._queue.put_nowait(what)

    async def next(self) -> tuple[Any, ...]:
        async with asyncio.timeout(5):
            return await self._queue.get()

    async def lost(self) -> Loss:
        """The loss, once it has been told; everything else on the way is left in ``told``."""
        while True:
            what, *values = await self.next()
            if what == "lost":
                assert isinstance(values[0], Loss)
                return values[0]

    @property
    def messages(self) -> list[bytes]:
        return [what[1] for what in self.told if what[0] == "message"]


class Far(Protocol):
    """The far end, driven by a test; ``next`` gives ``(kind, payload)`` of what the client sent."""

    def accept(self) -> object: ...
    def refuse(self, status: int, headers: tuple[tuple[str, str], ...] = (), body: bytes = b"") -> None: ...
    def send(self, payload: bytes, is_text: bool = False) -> None: ...
    def ping(self, payload: bytes) -> None: ...
    def close(self, code: int, reason: str = "") -> None: ...
    def abort(self) -> None: ...
    async def next(self) -> tuple[str, bytes]: ...


class SocketFar:
    """Far end on a raw socket; answers pings and close frames as a server must."""

    NAMES = {wire.TEXT: "text", wire.BINARY: "binary", wire.PING: "ping", wire.PONG: "pong", wire.CLOSE: "close"}

    def __init__(self, peer: wire.Peer) -> None:
        self.peer = peer
        self.mute = self._bye = False
        self._queue: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()

    def accept(self) -> None:
        self.peer.accept()

    def refuse(self, status: int, headers: tuple[tuple[str, str], ...] = (), body: bytes = b"") -> None:
        lines = [f"HTTP/1.1 {status} No", *(f"{name}: {value}" for name, value in headers)]
        self.peer.write("\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body)

    def send(self, payload: bytes, is_text: bool = False) -> None:
        self.peer.write(wire.frame(wire.TEXT if is_text else wire.BINARY, payload))

    def ping(self, payload: bytes) -> None:
        self.peer.write(wire.frame(wire.PING, payload))

    def close(self, code: int, reason: str = "") -> None:
        self._bye = True
        self.peer.write(wire.close_frame(code, reason))

    def abort(self) -> None:
        self.peer.writer.transport.abort()

    async def next(self) -> tuple[str, bytes]:
        async with asyncio.timeout(5):
            return await self._queue.get()

    async def run(self) -> None:
        try:
            while True:
                opcode, payload = await self.peer.frame()
                self._queue.put_nowait((self.NAMES[opcode], payload))
                if self.mute:
                    continue
                if opcode == wire.PING:
                    self.peer.write(wire.frame(wire.PONG, payload))
                elif opcode == wire.CLOSE:
                    if not self._bye:
                        self.peer.write(wire.frame(wire.CLOSE, payload))
                    return
        finally:
            self._queue.put_nowait(("lost", b""))


class MemoryFar:
    """Far end of a memory line."""

    def __init__(self, end: FarEnd) -> None:
        self.end = end
        self._queue: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        end.on_message = lambda payload, is_text: self._queue.put_nowait(("text" if is_text else "binary", payload))
        end.on_ping = lambda payload: self._queue.put_nowait(("ping", payload))
        end.on_pong = lambda payload: self._queue.put_nowait(("pong", payload))
        end.on_lost = self._lost
        self._bye = False

    def _lost(self, loss: Loss) -> None:
        if loss.cause == "closed":
            self._queue.put_nowait(("close", (loss.code or 1000).to_bytes(2, "big")))
        self._queue.put_nowait(("lost", b""))

    def accept(self) -> None:
        self.end.accept()

    def refuse(self, status: int, headers: tuple[tuple[str, str], ...] = (), body: bytes = b"") -> None:
        self.end.refuse(status, headers, body)

    def send(self, payload: bytes, is_text: bool = False) -> None:
        self.end.send(payload, is_text)

    def ping(self, payload: bytes) -> None:
        self.end.ping(payload)

    def close(self, code: int, reason: str = "") -> None:
        self.end.close(code, reason)

    def abort(self) -> None:
        self.end.abort()

    async def next(self) -> tuple[str, bytes]:
        async with asyncio.timeout(5):
            return await self._queue.get()


class Bench:
    """One kind of line with the server it dials. ``on_dial`` answers each dial; by default it accepts."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.url = ""
        self.factory: LineFactory
        self.on_dial: Callable[[Far], object] = lambda far: far.accept()
        self._fars: asyncio.Queue[Far] = asyncio.Queue()

    def line(self, **options: Any) -> Line:
        return self.factory(LineOptions(**options), wall_ns)

    def dialled(self, far: Far) -> None:
        self.on_dial(far)
        self._fars.put_nowait(far)

    async def far(self) -> Far:
        async with asyncio.timeout(5):
            return await self._fars.get()

    async def connected(self, listener: Recorder, **options: Any) -> tuple[Line, Far]:
        line = self.line(**options)
        await line.open(self.url, {}, listener)
        return line, await self.far()


@contextlib.asynccontextmanager
async def socket_bench(name: str) -> AsyncIterator[Bench]:
    bench = Bench(name)
    bench.factory = SOCKET_LINES[name]

    async def handler(peer: wire.Peer) -> None:
        far = SocketFar(peer)
        bench.dialled(far)
        await far.run()

    async with wire.serve(handler) as served:
        bench.url = served.url
        yield bench


@contextlib.asynccontextmanager
async def memory_bench() -> AsyncIterator[Bench]:
    bench = Bench("memory")
    bench.url = "ws://memory/"
    bench.factory = lambda options, clock: MemoryLine(lambda end: bench.dialled(MemoryFar(end)), options, clock)
    yield bench
    await wire.turns()
