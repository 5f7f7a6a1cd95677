"""The doors through which a client hears: ``/v1/stream`` (WebSocket) and ``/v1/events`` (server-sent events)."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from aiohttp import web

from tapewire.apps.gateway.backlog import Backlog
from tapewire.apps.gateway.fanout import Fanout
from tapewire.apps.gateway.membership import Member
from tapewire.apps.gateway.outlet import Outlet
from tapewire.apps.gateway.problems import Problem
from tapewire.apps.gateway.server import SCOPES_KEY
from tapewire.apps.gateway.settings import GatewayOptions
from tapewire.apps.gateway.sockets import FAILED, POLICY, Socket, Switching
from tapewire.apps.gateway.wishes import Message, read_message, read_query

_log = logging.getLogger(__name__)

#: Messages of a client that wait to be obeyed at most.
_WAITING = 100
#: Seconds of silence after which a line of server-sent events says that it lives.
_COMMENT_EVERY = 15.0


class Rate:
    """At most so many within any second."""

    def __init__(self, most: int) -> None:
        self._times: deque[float] = deque(maxlen=most)

    def over(self, now: float) -> bool:
        """Count one; whether it was one too many."""
        times = self._times
        over = len(times) == times.maxlen and now - times[0] < 1.0
        times.append(now)
        return over


class Doors:
    """Both of them.

    Args:
        fanout: who hears what.
        options: of the gateway.
    """

    def __init__(self, fanout: Fanout, options: GatewayOptions) -> None:
        self._fanout, self._options = fanout, options
        self.sockets: set[Socket] = set()
        self.members: set[Member] = set()
        self._loop = asyncio.get_running_loop()

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """``/v1/stream``."""
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise Problem("bad_request", "this door speaks WebSocket")
        commands: asyncio.Queue[Message | Problem] = asyncio.Queue(_WAITING)
        rate = Rate(self._options.commands)
        switching = Switching(request)
        opened: list[Socket] = []

        def hear(payload: bytes, _is_text: bool) -> None:
            if rate.over(self._loop.time()) or commands.full():
                opened[0].close(POLICY, "too many messages")
                return
            try:
                commands.put_nowait(read_message(payload))
            except Problem as problem:
                commands.put_nowait(problem)

        socket = await switching.open(request, self._options.most_message, hear, opened.append)
        if socket is not None:
            await self._serve(socket, commands, private="private" in request[SCOPES_KEY])
        return switching

    async def _serve(self, socket: Socket, commands: asyncio.Queue[Message | Problem], *, private: bool) -> None:
        member = self._member(socket, "websocket", private=private)
        self.sockets.add(socket)
        obeying = self._loop.create_task(self._obey(member, socket, commands), name="gateway client")
        try:
            await socket.closed.wait()
        finally:
            obeying.cancel()
            await asyncio.wait({obeying})
            self._leave(member)
            self.sockets.discard(socket)

    async def _obey(self, member: Member, socket: Socket, commands: asyncio.Queue[Message | Problem]) -> None:
        try:
            while True:
                command = await commands.get()
                if isinstance(command, Problem):
                    self._fanout.say(member.outlet, "error", command.facts)
                else:
                    await member.obey(command)
        except Exception:
            _log.exception("the gateway failed to obey a message")
            socket.close(FAILED, "the gateway failed")

    async def events(self, request: web.Request) -> web.StreamResponse:
        """``/v1/events``."""
        message = read_query(request.query.items())
        last = request.headers.get("Last-Event-ID")
        if last is not None:
            message = Message(message.subscribe, (), message.news, message.interval, last)
        response = _Endless(headers={"Content-Type": "text/event-stream", "Connection": "close"})
        await response.prepare(request)
        transport = request.transport
        if transport is None:
            return response
        line = _Line(transport)
        member = self._member(line, "sse", private="private" in request[SCOPES_KEY])
        try:
            await member.obey(message)
            while not transport.is_closing():
                await asyncio.sleep(_COMMENT_EVERY)
                line.comment()
        finally:
            self._leave(member)
        return response

    def close(self) -> None:
        """Say goodbye to everybody."""
        for socket in tuple(self.sockets):
            socket.close(1001, "the gateway stops")

    def _member(self, sink: Socket | _Line, form: str, *, private: bool) -> Member:
        backlog = Backlog(self._options.backlog_bytes, self._options.backlog_seconds)
        outlet = Outlet(sink, "sse" if form == "sse" else "websocket", self._fanout.pump, backlog)
        member = Member(outlet, self._fanout, self._options, private=private and self._options.private)
        self.members.add(member)
        return member

    def _leave(self, member: Member) -> None:
        member.leave()
        member.outlet.close()
        self.members.discard(member)


class _Endless(web.StreamResponse):
    """An answer whose end is the connection's: what is written goes out as it is."""

    _length_check = False

    async def write_eof(self, data: bytes = b"") -> None:  # noqa: ARG002 - it has none
        self._eof_sent = True


class _Line:
    """A connection of server-sent events, as an outlet needs it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        transport.set_write_buffer_limits(high=1 << 30)
        self._wrote = False

    def write(self, data: bytes) -> None:
        """Whole events."""
        if not self._transport.is_closing():
            self._wrote = True
            self._transport.write(data)

    def unsent(self) -> int:
        """Bytes that the system has not taken."""
        return self._transport.get_write_buffer_size()

    def cut(self) -> None:
        """It is too slow."""
        self._transport.abort()

    def comment(self) -> None:
        """A sign of life, if nothing else was one."""
        if not self._wrote and not self._transport.is_closing():
            self._transport.write(b": alive\n\n")
        self._wrote = False
