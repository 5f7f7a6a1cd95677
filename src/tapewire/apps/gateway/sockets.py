"""The server's side of one WebSocket: the handshake, whole frames out, messages in, and its end."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Callable
from typing import Any

from aiohttp import web

from tapewire.apps.gateway import frames
from tapewire.apps.gateway.frames import close_frame, framed
from tapewire.apps.gateway.problems import Problem
from tapewire.apps.gateway.wire import CLOSE, PING, Reader, Said, Violation, close_payload

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#: Seconds to wait for the client's answer to a close frame.
_GOODBYE = 1.0
#: Seconds of silence after which a client is asked for a sign of life, and after which it is cut.
ASK_AFTER, CUT_AFTER = 30.0, 90.0
TOO_SLOW, GOING_AWAY, POLICY, FAILED = 1013, 1001, 1008, 1011

#: Called with each message of a client: its bytes, and whether it is text.
Hear = Callable[[bytes, bool], None]


class Socket:
    """One accepted connection.

    Args:
        transport: its TCP connection.
        most: bytes of one message of the client.
        hear: called with each message, ``is_text`` beside it.

    Attributes:
        write: takes whole frames; after the good-bye and the end it does nothing.
        unsent: bytes that the system has not taken.
        closed: set when nothing more comes.
        why: close code of the end, for the counters: ours or the client's.
    """

    def __init__(self, transport: asyncio.Transport, most: int, hear: Hear) -> None:
        self._transport, self._hear, self._reader = transport, hear, Reader(most)
        self._loop = asyncio.get_running_loop()
        self._said_goodbye = False
        self.write: Callable[[bytes], object] = transport.write
        self.unsent: Callable[[], int] = transport.get_write_buffer_size
        self.closed = asyncio.Event()
        self.why = 1006
        self._heard_at = self._loop.time()
        self._timer = self._loop.call_later(ASK_AFTER, self._look)

    # -- what the outlet needs ----------------------------------------------------------------------------------

    def cut(self) -> None:
        """It is too slow."""
        self.close(TOO_SLOW, "too slow")

    def close(self, code: int, reason: str) -> None:
        """Say goodbye; what the client has not taken a second later it never gets."""
        if not self._said_goodbye:
            self.write(close_frame(code, reason))
            self._say_goodbye()
            self.why = code
            self._loop.call_later(_GOODBYE, self._transport.abort)

    # -- what aiohttp calls: the protocol of a payload parser ---------------------------------------------------

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Bytes of the client."""
        now = self._heard_at = self._loop.time()
        try:
            for said in self._reader.feed(data, now):
                self._take(said)
        except Violation as violation:
            self.close(violation.loss.code or 1002, violation.loss.reason)
            self._transport.pause_reading()
        return False, b""

    def feed_eof(self) -> None:
        """The connection is gone."""
        self._timer.cancel()
        self.write = _nothing
        self.closed.set()

    def _say_goodbye(self) -> None:
        self._said_goodbye, self.write = True, _nothing

    def _take(self, said: Said) -> None:
        if said.opcode <= 2:
            if not self._said_goodbye:
                self._hear(said.payload, said.opcode == 1)
        elif said.opcode == CLOSE:
            if not self._said_goodbye:
                self.why = said.code
                self.write(framed(close_payload(said.code), frames.CLOSE))
            self._say_goodbye()
            self._transport.close()
        elif said.opcode == PING:
            self.write(framed(said.payload, frames.PONG))

    def _look(self) -> None:
        silent = self._loop.time() - self._heard_at
        if silent >= CUT_AFTER:
            self.close(GOING_AWAY, "no sign of life")
            return
        if silent >= ASK_AFTER:
            self.write(framed(b"", frames.PING))
        self._timer = self._loop.call_later(ASK_AFTER, self._look)


def _nothing(_data: bytes) -> None:
    """Nobody is there any more."""


class Switching(web.StreamResponse):
    """The answer 101, after which the connection is a ``Socket``'s."""

    _length_check = False

    def __init__(self, request: web.Request) -> None:
        super().__init__(status=101, headers=_accepted(request))

    async def open(
        self, request: web.Request, most: int, hear: Hear, opened: Callable[[Socket], object] = lambda _: None
    ) -> Socket | None:
        """Send it; None: the client has left meanwhile.

        Args:
            request: of the handshake.
            most: bytes of one message of the client.
            hear: called with each message.
            opened: told of the socket before anything is heard.
        """
        try:
            await self.prepare(request)
        except ConnectionResetError:
            return None
        transport: Any = request.transport
        if transport is None:
            return None
        transport.set_write_buffer_limits(high=1 << 30)  # what is unsent is looked at, and never waited for
        socket = Socket(transport, most, hear)
        opened(socket)
        request.protocol.set_parser(socket)  # type: ignore[arg-type] # it is fed as aiohttp's own readers are
        request.protocol.keep_alive(False)
        return socket

    async def write_eof(self, data: bytes = b"") -> None:  # noqa: ARG002 - a switch has no body
        self._eof_sent = True


def _accepted(request: web.Request) -> dict[str, str]:
    """Headers of the answer. Raises Problem for what is no handshake."""
    headers = request.headers
    if (
        headers.get("Sec-WebSocket-Version", "").strip() != "13"
        or "upgrade" not in headers.get("Connection", "").lower()
    ):
        raise Problem("bad_request", "this door speaks WebSocket, version 13")
    key = headers.get("Sec-WebSocket-Key", "")
    try:
        whole = len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        whole = False
    if not whole:
        raise Problem("bad_request", "Sec-WebSocket-Key is no key")
    accept = base64.b64encode(hashlib.sha1(key.encode() + _GUID).digest()).decode()  # noqa: S324 - RFC 6455 says so
    return {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept}
