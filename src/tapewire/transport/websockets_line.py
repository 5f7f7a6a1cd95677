"""The second line, over the ``websockets`` library: one maintainer's work is never the only way to a feed."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Mapping
from typing import Any

from python_socks import ProxyError

from tapewire.config import LineOptions
from tapewire.errors import ConfigError, ConnectFailed, LineLost
from tapewire.model.line import Handshake, Loss
from tapewire.transport import handshake, message
from tapewire.transport.contract import LineListener
from tapewire.transport.message import MessageLayer, Violation
from tapewire.transport.quiet import CappedLogger
from tapewire.transport.telling import Telling, hold_reading
from tapewire.transport.traffic import Traffic, traffic_of

try:
    from websockets.asyncio.client import ClientConnection, connect
    from websockets.asyncio.connection import broadcast
    from websockets.exceptions import InvalidStatus, WebSocketException
    from websockets.frames import Frame
    from websockets.http11 import Response
    from websockets.protocol import Event, State
except ImportError as error:  # pragma: no cover - tried in a process of its own
    raise ConfigError("transport", "websockets", "one that is installed: pip install 'tapewire[websockets]'") from error

_FAILURES = (OSError, EOFError, WebSocketException, ProxyError, ValueError)  # anything else is a fault of ours
_UNSENT_LIMIT = 16 * 1024 * 1024  # bytes the far end may leave unread before it counts as gone


class _Dial(connect):
    """``connect`` that takes a redirect for what it is: a refusal."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class _Connection(ClientConnection):
    """Hands frames to its line as they come, past the library's own queue and tasks."""

    def __init__(self, line: WebsocketsLine, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._line = line

    def data_received(self, data: bytes) -> None:
        self._line.read_begins()
        super().data_received(data)
        self._line.read_ended(self)

    def process_event(self, event: Event) -> None:
        if isinstance(event, Frame):
            self._line.take(self, event)
        else:
            super().process_event(event)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.protocol.parser_exc is not None:  # its frames lead back to this connection: nobody would be freed
            self.protocol.parser_exc.__traceback__ = None
        self._line.gone(exc)


class WebsocketsLine:
    """A ``Line`` over ``websockets`` (see ``transport.contract``).

    Args:
        options: limits, time limits, proxy, compression, TLS.
        wall_ns: clock for ``received_ns``, ns UTC; asked once a socket read.
    """

    def __init__(self, options: LineOptions, wall_ns: Callable[[], int]) -> None:
        self._options, self._wall_ns = options, wall_ns
        self._layer = MessageLayer(options)
        self._loop: asyncio.AbstractEventLoop
        self._telling: Telling
        self._listener: LineListener | None = None
        self._connection: ClientConnection | None = None
        self._carried: Traffic | None = None
        self._loss: Loss | None = None
        self._closing = False  # our close frame went out first and its answer has not come
        self._timer: asyncio.TimerHandle | None = None
        self._received_ns = 0

    # -- opening -----------------------------------------------------------------------------------------------

    async def open(self, url: str, headers: Mapping[str, str], listener: LineListener) -> Handshake:
        """See ``Line.open``. Messages and the loss are told only after this has returned."""
        handshake.once(self._listener or self._loss)
        where = handshake.endpoint(url)
        dial = self._dial(url, handshake.request_headers(self._options, headers))
        self._loop = asyncio.get_running_loop()
        self._telling = Telling(self._loop)
        self._listener = listener
        began = self._loop.time()
        try:
            async with asyncio.timeout(self._options.connect_timeout) as limit:
                connection = await dial
        except BaseException as error:
            self._listener, self._loss = None, Loss("stopped")
            if isinstance(error, _FAILURES):
                raise self._failure(error, where, late=limit.expired()) from None  # the cause may show a password
            raise
        if self._loss is None:
            self._connection = connection
        self._loop.call_soon(self._telling.start)
        compression = "deflate" if connection.protocol.extensions else None
        return Handshake(url, compression, self._loop.time() - began)

    def _dial(self, url: str, headers: list[tuple[str, str]]) -> connect:
        options = self._options
        context = handshake.tls_context(options.ssl_context)
        more: dict[str, Any] = {"ssl": context} if url.startswith("wss:") else {}
        if (options.proxy or "").startswith("https:"):
            more["proxy_ssl"] = context
        if options.local_address is not None:
            more["local_addr"] = (options.local_address, 0)
        # socks5h: the proxy looks the name up, as it does for the other line.
        proxy = options.proxy and options.proxy.replace("socks5://", "socks5h://", 1)
        return _Dial(
            url,
            origin=None,
            compression=options.compression,
            additional_headers=headers,
            user_agent_header=None,  # among the headers
            proxy=proxy,
            open_timeout=None,  # the limit of open() holds for all steps together
            ping_interval=None,
            max_size=options.max_message,
            logger=CappedLogger("tapewire.transport.websockets", logging.INFO),
            create_connection=functools.partial(_Connection, self),  # type: ignore[arg-type] # makes one
            **more,
        )

    def _failure(self, error: Exception, where: str, *, late: bool) -> ConnectFailed:
        if late:
            error = TimeoutError(f"no answer within {self._options.connect_timeout:g} s")
        if isinstance(error, InvalidStatus):
            answer: Response = error.response
            names = {name.lower(): value for name, value in answer.headers.raw_items()}
            return handshake.refused(answer.status_code, names, bytes(answer.body or b""), self._wall_ns())
        return handshake.unreachable(error, self._options, where)

    # -- receiving ---------------------------------------------------------------------------------------------

    def read_begins(self) -> None:
        """A socket read is about to be parsed."""
        self._received_ns = self._wall_ns()

    def take(self, connection: ClientConnection, frame: Frame) -> None:
        """One frame came, checked by the library as far as it goes."""
        if self._loss is not None and not self._closing:
            return  # cut, or the far end has said good-bye
        try:
            self._take(connection, frame)
        except Violation as violation:
            self._cut(connection, violation.loss, violation.loss.code)

    def _take(self, connection: ClientConnection, frame: Frame) -> None:
        opcode, payload = int(frame.opcode), bytes(frame.data)
        if opcode < message.CLOSE:
            whole = self._layer.data(opcode, payload, fin=frame.fin, rsv1=False, rsv23=False)
            if whole is not None and self._listener is not None:
                self._telling.tell(self._listener.on_message, *whole, self._received_ns)
            return
        self._layer.control(self._loop.time())
        if opcode == message.PONG and self._listener is not None:
            self._telling.tell(self._listener.on_pong, payload)
        elif opcode == message.CLOSE:
            self._loss = self._loss or message.read_close(payload)
            self._closing = False
            connection.transport.close()
            self._cut_after(connection)

    def read_ended(self, connection: ClientConnection) -> None:
        """A socket read was parsed: see whether the library found a violation."""
        ours = connection.protocol.close_sent
        if connection.protocol.parser_exc is not None and ours is not None:
            self._cut(connection, Loss("protocol", ours.code, ours.reason), None)

    # -- sending -----------------------------------------------------------------------------------------------

    def send(self, payload: bytes, *, is_text: bool = True) -> None:
        """See ``Line.send``."""
        broadcast([self._writable()], payload, text=is_text)  # the library's way to send without a task

    def ping(self, payload: bytes = b"") -> None:
        """See ``Line.ping``."""
        message.check_ping(payload)
        connection = self._writable()
        connection.protocol.send_ping(payload)
        connection.send_data()

    def _writable(self) -> ClientConnection:
        if self._connection is None or self._loss is not None:
            raise LineLost(self._loss)
        unsent = self._connection.transport.get_write_buffer_size()
        if unsent > _UNSENT_LIMIT:
            loss = Loss("reset", message.ABNORMAL, f"the far end reads nothing: {unsent:,} bytes unsent")
            self._cut(self._connection, loss, None)
            raise LineLost(self._loss)
        return self._connection

    # -- ending ------------------------------------------------------------------------------------------------

    def hold(self, holding: bool) -> None:  # noqa: FBT001 - on or off
        """See ``Line.hold``."""
        if self._connection is not None and self._loss is None:
            hold_reading(self._connection.transport, holding)

    def close(self, loss: Loss, *, graceful: bool = True) -> None:
        """See ``Line.close``. After a graceful one, messages that come before the answer are still delivered."""
        connection = self._connection
        if connection is None or self._loss is not None:
            return
        self.hold(False)  # what answers the close frame must be read
        if not graceful:
            self._cut(connection, loss, None)
            return
        self._loss, self._closing = loss, True
        _send_close(connection, loss.code)
        self._cut_after(connection)

    def gone(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._carried = self.traffic()
        self._connection = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        reason = f": {handshake.first_line(str(error))}" if error is not None else ""
        self._loss = self._loss or Loss(
            "reset", message.ABNORMAL, f"the connection broke without a close frame{reason}"
        )
        listener, self._listener = self._listener, None
        if listener is not None:
            self._telling.tell(listener.on_lost, self._loss)

    def traffic(self) -> Traffic | None:
        """Bytes so far, also after the end; None where the system does not say."""
        if self._connection is None:
            return self._carried
        return traffic_of(self._connection.transport.get_extra_info("socket"))

    def _cut(self, connection: ClientConnection, loss: Loss, code: int | None) -> None:
        """End it now; with a close frame of ``code`` if the socket takes it at once."""
        if self._loss is None or self._closing:
            self._loss = self._loss or loss
            self._closing = False
            if code is not None:
                _send_close(connection, code)
            connection.transport.abort()

    def _cut_after(self, connection: ClientConnection) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(self._options.close_timeout, connection.transport.abort)


def _send_close(connection: ClientConnection, code: int | None) -> None:
    if connection.protocol.state is State.OPEN:
        connection.protocol.send_close(int.from_bytes(message.close_payload(code), "big"))
        connection.send_data()
