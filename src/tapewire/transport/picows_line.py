"""The default line: picows' frame parser with our message layer, limits and reasons of loss around it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable, Mapping
from typing import Any

from picows import (
    WSError,
    WSFrame,
    WSHandshakeError,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    ws_connect,
)
from picows.picows import WSCloseHandshake
from picows.url import WSParsedURL
from python_socks import ProxyError

from tapewire.config import LineOptions
from tapewire.errors import ConnectFailed, LineLost
from tapewire.model.line import Handshake, Loss
from tapewire.transport import handshake, message
from tapewire.transport.contract import LineListener
from tapewire.transport.dial import Dial
from tapewire.transport.dispatch import Dispatch
from tapewire.transport.loop_errors import without_false_reports
from tapewire.transport.message import MessageLayer, Violation
from tapewire.transport.quiet import CappedLogger
from tapewire.transport.telling import Telling, hold_reading

_BINARY, _TEXT = WSMsgType.BINARY, WSMsgType.TEXT
_FAILURES = (OSError, EOFError, WSError, ProxyError, ValueError)  # anything else is a fault of ours
#: Bytes in the largest ping, pong or close frame that picows lets through (RFC 6455 section 5.5).
CONTROL_MAX = 125
_UNSENT_LIMIT = 16 * 1024 * 1024  # bytes the far end may leave unread before it counts as gone


class PicowsLine(WSListener):
    """A ``Line`` over picows (see ``transport.contract``).

    Args:
        options: limits, time limits, proxy, compression, TLS.
        wall_ns: clock for ``received_ns``, ns UTC; asked once a socket read.
    """

    __slots__ = (
        "_accepted", "_close_sent", "_closing", "_compression", "_decode", "_dial", "_failed", "_has_dispatch",
        "_layer", "_limit", "_listener", "_loop", "_loss", "_options", "_plain", "_received_ns", "_stamped",
        "_tables", "_taken", "_telling", "_timer", "_transport", "_unread", "_wall_ns",
    )  # fmt: skip

    def __init__(self, options: LineOptions, wall_ns: Callable[[], int]) -> None:
        self._options, self._wall_ns = options, wall_ns
        self._limit = message.wire_limit(options)
        self._layer = MessageLayer(options)
        self._compression: str | None = None
        self._dial = Dial(options.local_address)
        self._loop: asyncio.AbstractEventLoop
        self._listener: LineListener | None = None
        self._has_dispatch = False
        self._decode: Callable[[bytes], Any]
        self._tables: Mapping[type, tuple[type, Mapping[str, Any]]]
        self._failed: Callable[[Callable[[Any], object], Exception], None]
        self._unread: Mapping[bytes, Any]
        self._taken: Callable[[bytes, int], bool]
        self._transport: WSTransport | None = None
        self._telling: Telling
        self._plain = False  # a dispatch, started, no fragment pending, not lost: what most frames need to know
        self._accepted = False
        self._close_sent = False
        self._closing = False  # our close frame went out first and its answer has not come
        self._loss: Loss | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stamped = False
        self._received_ns = 0

    # -- opening -----------------------------------------------------------------------------------------------

    async def open(self, url: str, headers: Mapping[str, str], listener: LineListener) -> Handshake:
        """See ``Line.open``. Messages and the loss are told only after this has returned."""
        handshake.once(self._listener or self._loss)
        where = handshake.endpoint(url)
        context = handshake.tls_context(self._options.ssl_context)
        extra = handshake.request_headers(self._options, headers)
        self._loop = asyncio.get_running_loop()
        self._telling = Telling(self._loop)
        self._listener = listener
        self._take_dispatch(listener)
        began = self._loop.time()
        try:
            async with asyncio.timeout(self._options.connect_timeout) as limit:
                with without_false_reports(self._loop) if url.startswith("wss:") else contextlib.nullcontext():
                    await self._connect(url, extra, context)
            if not self._accepted:  # picows returns as if all were well
                raise ConnectionResetError  # noqa: TRY301 - told as every other failure below
        except BaseException as error:
            self._give_up()
            if isinstance(error, _FAILURES):
                raise self._failure(error, where, late=limit.expired()) from None  # the cause may show a password
            raise
        self._loop.call_soon(self._start)
        return Handshake(url, self._compression, self._loop.time() - began)

    def _take_dispatch(self, listener: LineListener) -> None:
        """The short road, if it is of this line's form; else every message takes the listener's ``on_message``."""
        dispatch = getattr(listener, "dispatch", None)
        if isinstance(dispatch, Dispatch) and getattr(listener, "keeper", None) is None:
            self._decode, self._tables, _, self._failed, self._unread, _ = dispatch
            self._taken = dispatch.taken()
            self._has_dispatch = True

    async def _connect(self, url: str, extra: list[tuple[str, str]], context: ssl.SSLContext) -> None:
        options = self._options
        if options.compression is not None:
            extra.append(("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"))
        await ws_connect(
            self._accept,
            url,
            ssl_context=context,
            disconnect_on_exception=False,
            websocket_handshake_timeout=None,  # the limit of open() holds for all steps together
            logger_name=CappedLogger("tapewire.transport.picows", logging.DEBUG, self._parser_failed),
            enable_auto_pong=False,  # pings are counted, so they must come to on_ws_frame
            max_frame_size=self._limit,
            extra_headers=extra,
            max_redirects=0,
            proxy_ssl_context=context if (options.proxy or "").startswith("https:") else None,
            proxy=options.proxy and options.proxy.replace("socks5h://", "socks5://", 1),
            socket_factory=self._dial_to,
        )

    async def _dial_to(self, address: WSParsedURL) -> Any:
        return await self._dial.connect(address.host, address.port)

    def _accept(self, _request: WSUpgradeRequest, response: WSUpgradeResponse) -> WSListener:
        """Called by picows with a valid 101 answer; what it raises fails ``open``."""
        if self._loss is not None:
            raise WSHandshakeError("given up")
        try:
            inflater = message.negotiated(
                response.headers.get("sec-websocket-extensions"), offered=self._options.compression is not None
            )
        except ValueError as error:
            raise WSHandshakeError(str(error)) from None
        if inflater is not None:
            self._layer, self._compression = MessageLayer(self._options, inflater), "deflate"
        self._accepted = True
        return self

    def _failure(self, error: Exception, where: str, *, late: bool) -> ConnectFailed:
        if late:
            error = TimeoutError(f"no answer within {self._options.connect_timeout:g} s, while {self._dial.stage}")
        if isinstance(error, WSHandshakeError) and error.raw_header:
            answer = handshake.refused_raw(error.raw_header, error.raw_body or b"", self._wall_ns())
            if answer is not None:
                return answer
        return handshake.unreachable(error, self._options, where)

    def _give_up(self) -> None:
        self._loss = Loss("stopped")
        self._plain, self._listener = False, None
        self._dial.hang_up()
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    def _start(self) -> None:
        """Tell what came before ``open`` had returned, then let the rest through."""
        self._telling.start()
        self._plain = self._has_dispatch and not (self._loss or self._layer.partial)

    # -- receiving ---------------------------------------------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The handshake is done (picows)."""
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """One frame came (picows). Most are whole messages, and this is all the way they go.

        Too large a frame never comes here: picows tells of it when it reads the header (``_parser_failed``).
        Of what RFC 6455 forbids, the short way lets two things pass, each only where the payload is a whole event
        of a settled stream: a continuation of nothing, and a text frame with bad UTF-8 in a field that nobody reads.
        """
        if not self._stamped:  # the first frame of a socket read: the others come in the same turn of the loop
            self._stamped = True
            self._received_ns = self._wall_ns()
            self._loop.call_soon(self._turn_over)
        if self._plain and frame.fin and not (frame.rsv1 or frame.rsv2 or frame.rsv3):
            payload = frame.get_payload_as_bytes()
            if len(payload) > CONTROL_MAX:  # data; frame.msg_type would say more, for 4 % of all that a message costs
                if self._unread and self._taken(payload, self._received_ns):
                    return
                decode = self._decode  # CPython 3.11 calls what a slot holds faster once it is read
                try:  # as Dispatch.on_message
                    event = decode(payload)
                    public, streams = self._tables[type(event)]
                    stream = streams[event.symbol]
                except Exception:  # whatever is not plain data of a settled stream
                    stream = None
                if stream is not None:
                    event.__class__ = public
                    event.received_ns = self._received_ns
                    stream.last = event.timestamp
                    stream.count += 1
                    deliver = stream.deliver
                    try:
                        deliver(event)
                    except Exception as error:  # a user's callback may raise anything; the feed goes on
                        self._failed(stream.deliver, error)
                    return
        self._other(transport, frame)

    def _turn_over(self) -> None:
        self._stamped = False

    def _other(self, transport: WSTransport, frame: WSFrame) -> None:
        if self._loss is not None and not self._closing:
            return  # cut, or the far end has said good-bye: what picows still holds does not count
        try:
            self._take(transport, frame)
        except Violation as violation:
            self._cut(violation.loss, violation.loss.code)

    def _take(self, transport: WSTransport, frame: WSFrame) -> None:
        opcode = frame.msg_type.value
        rsv23 = bool(frame.rsv2 or frame.rsv3)
        if opcode >= message.CLOSE:
            self._layer.control(self._loop.time(), rsv=bool(frame.rsv1) or rsv23)
            self._control(transport, opcode, frame.get_payload_as_bytes())
            return
        if frame.payload_size > self._limit:
            raise message.too_big(self._options)
        whole = self._layer.data(
            opcode, frame.get_payload_as_bytes(), fin=bool(frame.fin), rsv1=bool(frame.rsv1), rsv23=rsv23
        )
        self._plain = self._has_dispatch and not (self._telling.holding or self._loss or self._layer.partial)
        if whole is not None and self._listener is not None:
            self._telling.tell(self._listener.on_message, *whole, self._received_ns)

    def _control(self, transport: WSTransport, opcode: int, payload: bytes) -> None:
        if opcode == message.PING:
            if self._loss is None:  # after our close frame nothing may follow
                transport.send_pong(payload)
        elif opcode == message.PONG:
            if self._listener is not None:
                self._telling.tell(self._listener.on_pong, payload)
        else:
            self._far_end_closed(transport, message.read_close(payload))

    def _far_end_closed(self, transport: WSTransport, loss: Loss) -> None:
        self._plain = False
        if self._loss is None:
            self._loss = loss
            self._send_close(transport, loss.code)
        self._closing = False
        transport.disconnect()
        self._cut_after(self._options.close_timeout)

    # -- sending -----------------------------------------------------------------------------------------------

    def send(self, payload: bytes, *, is_text: bool = True) -> None:
        """See ``Line.send``."""
        self._writable().send(_TEXT if is_text else _BINARY, payload)

    def ping(self, payload: bytes = b"") -> None:
        """See ``Line.ping``."""
        message.check_ping(payload)
        self._writable().send_ping(payload)

    def _writable(self) -> WSTransport:
        if self._transport is None or self._loss is not None:
            raise LineLost(self._loss)
        unsent = self._transport.underlying_transport.get_write_buffer_size()
        if unsent > _UNSENT_LIMIT:
            self._cut(Loss("reset", message.ABNORMAL, f"the far end reads nothing: {unsent:,} bytes unsent"), None)
            raise LineLost(self._loss)
        return self._transport

    # -- ending ------------------------------------------------------------------------------------------------

    def hold(self, holding: bool) -> None:  # noqa: FBT001 - on or off
        """See ``Line.hold``."""
        if self._transport is not None and self._loss is None:
            hold_reading(self._transport.underlying_transport, holding)

    def close(self, loss: Loss, *, graceful: bool = True) -> None:
        """See ``Line.close``. After a graceful one, messages that come before the answer are still delivered."""
        if self._transport is None or self._loss is not None:
            return
        self.hold(False)  # what answers the close frame must be read
        if not graceful:
            self._cut(loss, None)
            return
        self._loss, self._closing, self._plain = loss, True, False
        self._send_close(self._transport, loss.code)
        self._cut_after(self._options.close_timeout)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The connection is gone (picows)."""
        self._plain, self._transport = False, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._loss is None:
            self._loss = _parser_loss(transport) or Loss(
                "reset", message.ABNORMAL, "the connection broke without a close frame"
            )
        listener, self._listener = self._listener, None
        if listener is not None:
            self._telling.tell(listener.on_lost, self._loss)

    def _cut(self, loss: Loss, code: int | None) -> None:
        """End it now; with a close frame of ``code`` if the socket takes it at once."""
        if self._loss is None or self._closing:
            self._loss = self._loss or loss
            self._plain = self._closing = False
            if self._transport is not None:
                if code is not None:
                    self._send_close(self._transport, code)
                self._transport.disconnect(graceful=False)

    def _cut_after(self, seconds: float) -> None:
        if self._timer is None and self._transport is not None:
            self._timer = self._loop.call_later(seconds, self._transport.disconnect, False)

    def _send_close(self, transport: WSTransport, code: int | None) -> None:
        if not (self._close_sent or transport.is_close_frame_sent):
            self._close_sent = True
            transport.send(WSMsgType.CLOSE, message.close_payload(code))

    def _parser_failed(self) -> None:
        # picows ends the line itself, but 10 ms later and reading on till then: a 4 GiB frame would cost 22 MB.
        self._plain = False
        self._loop.call_soon(self._cut_by_parser)

    def _cut_by_parser(self) -> None:
        transport = self._transport
        loss = _parser_loss(transport) if transport is not None else None
        if loss is not None:
            self._cut(loss, None)


def _parser_loss(transport: WSTransport) -> Loss | None:
    """The violation for which picows' parser sent a close frame of its own accord (we never use ``send_close``)."""
    ours: WSCloseHandshake | None = transport.close_handshake  # None until a close frame, whatever the stub says
    if ours is None or ours.sent is None:
        return None
    return Loss("protocol", int(ours.sent.code.value), ours.sent.reason)
