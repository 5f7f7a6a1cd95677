"""The simulated exchange on one TCP port: WebSocket and REST, with real faults on real connections."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import struct
import zlib
from collections.abc import Awaitable, Callable
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, Protocol

from aiohttp import WSMsgType, web

from tapewire.sim.link import Unreachable
from tapewire.sim.peer import Exchange, Peer
from tapewire.venues.exchange import Caller, HttpAnswer, HttpCall

_log = logging.getLogger(__name__)
_BACKLOG = 32 * 1024 * 1024  # bytes a client may leave unread before it is cut
_LARGEST = 64 * 1024  # bytes of one request of a client
_GOODBYE = 2.0  # seconds to wait for the answer to a close frame
_TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x81, 0x82, 0x88, 0x89, 0x8A
_DEFLATED = 0x40
_WANTS_RESET = struct.pack("ii", 1, 0)


class Host(Protocol):
    """The simulator behind the port."""

    @property
    def exchange(self) -> Exchange: ...
    @property
    def now(self) -> float: ...
    def receive(self, peer: Peer, payload: bytes, *, is_text: bool) -> None: ...
    def ponged(self, peer: Peer, payload: bytes) -> None: ...
    def wake(self) -> None: ...


#: Turns of the loop from a connection that the system accepted to one that the server knows.
_TURNS = 4


class Sockets:
    """The port of one simulator."""

    def __init__(self, simulator: Host, *, compression: bool, ssl_context: ssl.SSLContext | None = None) -> None:
        self._simulator, self._compression, self._ssl = simulator, compression, ssl_context
        app = web.Application(middlewares=[_constant_errors], client_max_size=_LARGEST)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
        self._server: asyncio.Server | None = None
        self._place: tuple[str, int] = ("", 0)
        self._back: asyncio.Task[None] | None = None
        self._links: set[_SocketLink] = set()

    async def listen(self, host: str, port: int) -> int:
        """Listen; the port that was got."""
        await self._runner.setup()
        try:
            await self._open(host, port)
        except BaseException:
            await self._runner.cleanup()
            raise
        return self._place[1]

    async def stop(self) -> None:
        """Stop listening and break what is open."""
        if self._back is not None:
            self._back.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._back
        if self._server is not None:
            self._server.close()
        for _ in range(_TURNS):  # whom the port had let in already becomes a connection, which the runner then closes
            await asyncio.sleep(0)
        for link in list(self._links):
            link.abort(reset=False)
        await self._runner.cleanup()

    def leave(self, until: float) -> None:
        """Refuse TCP connections until a moment of the loop's time."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        loop = asyncio.get_running_loop()
        self._back = loop.create_task(self._return(until - loop.time()))

    async def _return(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._open(*self._place)

    async def _open(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        server = self._runner.server
        assert server is not None  # noqa: S101 - setup() has run
        self._server = await loop.create_server(server, host, port, ssl=self._ssl)
        self._place = (host, self._server.sockets[0].getsockname()[1])

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        simulator = self._simulator
        headers = {name.lower(): value for name, value in request.headers.items()}
        address = request.remote or ""
        if "websocket" in headers.get("upgrade", "").lower():
            answer = simulator.exchange.dial(simulator.now, request.path, headers, address)
            return await self._serve(request, answer) if isinstance(answer, Caller) else _response(request, answer)
        body = await request.read()
        call = HttpCall(request.path, request.rel_url.raw_query_string, headers, address, request.method, body)
        response = _response(request, simulator.exchange.http(simulator.now, call))
        simulator.wake()
        return response

    async def _serve(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        simulator = self._simulator
        socket = web.WebSocketResponse(
            autoping=False, autoclose=False, compress=self._compression, max_msg_size=_LARGEST, timeout=0.1
        )
        try:
            await socket.prepare(request)
        except ConnectionResetError:  # it left before we answered: nobody gets this
            return web.Response(status=503)
        transport = request.transport
        if transport is None:  # it left while we answered
            return socket
        link = _SocketLink(transport, socket)
        self._links.add(link)
        peer = simulator.exchange.accept(simulator.now, link, caller)
        simulator.wake()
        try:
            while True:
                message = await socket.receive()
                if message.type is WSMsgType.TEXT:
                    simulator.receive(peer, message.data.encode(), is_text=True)
                elif message.type is WSMsgType.BINARY:
                    simulator.receive(peer, message.data, is_text=False)
                elif message.type is WSMsgType.PING:
                    peer.pinged(simulator.now)
                    link.pong(message.data)
                elif message.type is WSMsgType.PONG:
                    simulator.ponged(peer, message.data)
                else:
                    break
            link.goodbye(message)
        finally:
            peer.lost()
            self._links.discard(link)
            link.end()
        return socket


class _SocketLink:
    """One accepted WebSocket as the exchange holds it: frames are written raw, many in one write."""

    def __init__(self, transport: asyncio.Transport, socket: web.WebSocketResponse) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._frames: list[bytes] = []
        self._deflate = _deflater(socket)
        self._frozen = self._closed = False

    def send(self, payload: bytes, *, is_text: bool) -> None:
        if self._deflate is not None:
            self._put(_frame((_TEXT if is_text else _BINARY) | _DEFLATED, self._deflate(payload)))
        else:
            self._put(_frame(_TEXT if is_text else _BINARY, payload))

    def ping(self, payload: bytes) -> None:
        self._put(_frame(_PING, payload))

    def pong(self, payload: bytes) -> None:
        self._put(_frame(_PONG, payload))

    def close(self, code: int, reason: str) -> None:
        self._put(_frame(_CLOSE, struct.pack("!H", code) + reason.encode()[:123]))
        self._closed = True
        self._loop.call_later(_GOODBYE, self.end)

    def goodbye(self, message: Any) -> None:
        """The client closed, answered our close, or is gone."""
        if message.type is WSMsgType.CLOSE and not self._closed:
            self._put(_frame(_CLOSE, struct.pack("!H", message.data) if message.data else b""))
        self._flush()

    def abort(self, *, reset: bool) -> None:
        self._flush()
        self._closed = True
        if reset:
            with contextlib.suppress(OSError):  # the client was faster
                self._transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, _WANTS_RESET)
        self._transport.abort()

    def freeze(self) -> None:
        self._flush()
        self._frozen = True
        self._transport.pause_reading()

    def cut(self, payload: bytes) -> None:
        frame = _frame(_BINARY, payload)
        self._put(frame[: len(frame) // 2])
        self._closed = True
        self.end()

    def end(self) -> None:
        """Close the connection after what was written."""
        if self._frozen:
            return
        self._flush()
        self._transport.close()

    def _put(self, data: bytes) -> None:
        if self._closed or self._frozen:
            return
        if not self._frames:
            self._loop.call_soon(self._flush)
        self._frames.append(data)

    def _flush(self) -> None:
        frames, self._frames = self._frames, []
        if not frames or self._frozen or self._transport.is_closing():
            return
        self._transport.write(b"".join(frames))
        if self._transport.get_write_buffer_size() > _BACKLOG:
            self._transport.abort()


def _frame(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return b"%c%c%b" % (first, size, payload)
    if size < 65_536:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


def _deflater(socket: web.WebSocketResponse) -> Callable[[bytes], bytes] | None:
    """What the handshake agreed on for our direction."""
    if not socket.compress:
        return None
    forget = "server_no_context_takeover" in socket.headers.get("Sec-WebSocket-Extensions", "")
    bits = -int(socket.compress)
    kept = zlib.compressobj(wbits=bits)

    def deflate(payload: bytes) -> bytes:
        squeeze = zlib.compressobj(wbits=bits) if forget else kept
        return (squeeze.compress(payload) + squeeze.flush(zlib.Z_SYNC_FLUSH))[:-4]

    return deflate


def _response(request: web.Request, answer: HttpAnswer | Unreachable) -> web.Response:
    if isinstance(answer, Unreachable):
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=503)
    return web.Response(status=answer.status, body=answer.body, headers=dict(answer.headers))


@web.middleware
async def _constant_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """No exception's text reaches strangers."""
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception:
        _log.exception("the simulator failed to answer %s", request.path)
        return web.Response(status=500, body=b"Internal Server Error")
