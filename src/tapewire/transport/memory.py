"""A line without a socket: two ends joined inside the process, on the running loop's time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tapewire.config import LineOptions
from tapewire.errors import ConnectFailed, LineLost
from tapewire.model.line import Handshake, Loss
from tapewire.transport import handshake, message
from tapewire.transport.contract import LineListener
from tapewire.transport.message import MessageLayer, Violation
from tapewire.transport.telling import report

_UNREAD_LIMIT = 16 * 1024 * 1024
_RESET = Loss("reset", message.ABNORMAL, "the connection broke without a close frame")


class _Pipe:
    """One direction: what is put in comes out in order, in a later turn of the loop, never within the call."""

    __slots__ = ("_before", "_held", "_items", "_loop", "_planned", "_started", "frozen", "unread")

    def __init__(self, loop: asyncio.AbstractEventLoop, before: Callable[[], None]) -> None:
        self._loop, self._before = loop, before
        self._items: deque[tuple[int, Callable[..., None], tuple[Any, ...]]] = deque()
        self._started = self._held = self._planned = False
        self.frozen = False
        self.unread = 0  # bytes

    def put(self, tell: Callable[..., None], *values: Any, size: int = 0) -> None:
        """Bring it: ``tell(*values)`` is called at the other end."""
        if not self.frozen:
            self._items.append((size, tell, values))
            self.unread += size
            self._plan()

    def start(self) -> None:
        """Nothing comes out before this."""
        self._started = True
        self._plan()

    def hold(self, holding: bool) -> None:  # noqa: FBT001 - on or off
        """Nothing comes out meanwhile."""
        self._held = holding
        self._plan()

    def freeze(self) -> None:
        """What is in it and whatever is put in from now on is gone."""
        self.frozen = True
        self._items.clear()
        self.unread = 0

    def _plan(self) -> None:
        if self._items and self._started and not self._held and not self._planned:
            self._planned = True
            self._loop.call_soon(self._run)

    def _run(self) -> None:
        """Hand on what is here now, as one read of a socket would; what it causes comes in the next turn."""
        self._before()
        for _ in range(len(self._items)):
            if self._held or not self._items:  # held or frozen by what was told
                break
            size, tell, values = self._items.popleft()
            self.unread -= size
            try:
                tell(*values)
            except Exception as error:
                report(self._loop, error)
        self._planned = False
        self._plan()


def _nothing(*_: object) -> None:
    """What an end without a callback does."""


class FarEnd:
    """The server's end of one dial: answer it with ``accept`` or ``refuse``, now or later.

    Attributes:
        url: what was dialled.
        headers: request headers, names as the client wrote them.
        on_message: called with (payload, is_text) for each message of the client.
        on_ping: called with the payload of each ping; it is answered of itself while ``auto_pong`` is true.
        on_pong: called with the payload of each answer to ``ping``.
        on_lost: called exactly once after ``accept``, whoever ended it: ``closed`` after a close frame of either
            end, else ``reset``. After ``freeze`` it comes when the client gives up.
        auto_pong: answer pings.
    """

    def __init__(self, url: str, headers: Mapping[str, str], line: MemoryLine) -> None:
        self.url, self.headers = url, headers
        self.on_message: Callable[[bytes, bool], None] = _nothing
        self.on_ping: Callable[[bytes], None] = _nothing
        self.on_pong: Callable[[bytes], None] = _nothing
        self.on_lost: Callable[[Loss], None] = _nothing
        self.auto_pong = True
        self._line = line
        self._loop = asyncio.get_running_loop()
        self._inbox = _Pipe(self._loop, _nothing)
        self._answered = self._lost = self._said_bye = False

    @property
    def open(self) -> bool:
        """Accepted, and neither end has ended it."""
        return self._answered and not self._lost and not self._said_bye

    def accept(self, compression: str | None = None) -> bool:
        """Answer 101. False: the dial was given up meanwhile, and nothing will come of it."""
        self._answered = self._answer(Handshake(self.url, compression))
        if self._answered:
            self._inbox.start()
        return self._answered

    def refuse(self, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b"") -> None:
        """Answer with another status than 101."""
        names = {name.lower(): value for name, value in headers}
        self._answer(handshake.refused(status, names, body, self._line.wall_ns()))

    def unreachable(self, reason: str = "connection refused") -> None:
        """Let the dial fail as if nobody listened there."""
        self._answer(ConnectFailed(Loss("unreachable", None, f"{handshake.endpoint(self.url)}: {reason}")))

    def _answer(self, answer: Handshake | ConnectFailed) -> bool:
        return self._line.answered(answer)

    def send(self, payload: bytes, is_text: bool = False) -> None:  # noqa: FBT001, FBT002 - one word says it
        """Send one message; a frozen or ended line takes it and forgets it, as a socket's buffer would.

        A client that leaves more than 16 MiB unread is cut, as any server would.
        """
        if self.open:
            self._line.inbox.put(self._line.take_message, payload, is_text, size=len(payload))
            if self._line.inbox.unread > _UNREAD_LIMIT:
                self.abort()

    def ping(self, payload: bytes = b"") -> None:
        """Send a ping; its answer comes to ``on_pong``."""
        if self.open:
            self._line.inbox.put(self._line.take_ping, payload)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Send a close frame; everything sent before it arrives before it. A second call does nothing."""
        if self.open:
            self._said_bye = True
            loss = Loss("closed", code, reason)
            self._line.inbox.put(self._line.take_close, loss)
            if self._inbox.frozen:
                self._loop.call_soon(self._end, loss)

    def abort(self) -> None:
        """Break the connection without a close frame; what was sent before still arrives. Also ends a frozen one."""
        if self._answered and not self._lost:
            self._said_bye = True
            self._line.inbox.put(self._line.take_loss, _RESET)
            self._loop.call_soon(self._end, _RESET)

    def freeze(self) -> None:
        """Half-open from now on: everything vanishes both ways, what is under way too, and no end is told."""
        self._inbox.freeze()
        self._line.inbox.freeze()

    # -- what the line's side does ----------------------------------------------------------------------------

    def deliver(self, kind: str, *values: Any) -> None:
        """Bring what the client sent: a ``message``, ``ping``, ``pong`` or ``close``."""
        self._inbox.put(getattr(self, f"_take_{kind}"), *values)

    def gone(self) -> None:
        """The client's connection is gone without a close frame."""
        if self._inbox.frozen:
            self._loop.call_soon(self._end, _RESET)
        else:
            self._inbox.put(self._end, _RESET)

    def _take_message(self, payload: bytes, is_text: bool) -> None:  # noqa: FBT001 - as on_message
        if not self._lost:
            self.on_message(payload, is_text)

    def _take_ping(self, payload: bytes) -> None:
        if self.open and self.auto_pong:
            self._line.inbox.put(self._line.take_pong, payload)
        if not self._lost:
            self.on_ping(payload)

    def _take_pong(self, payload: bytes) -> None:
        if not self._lost:
            self.on_pong(payload)

    def _take_close(self, loss: Loss) -> None:
        if not self._said_bye:
            self._line.inbox.put(self._line.take_close, loss)
        self._end(loss)

    def _end(self, loss: Loss) -> None:
        if self._answered and not self._lost:
            self._lost = True
            self.on_lost(loss)


class MemoryLine:
    """A ``Line`` to whatever ``connect`` makes of the far end (see ``transport.contract``).

    Args:
        connect: called by ``open`` with the server's end; accepts or refuses it, at once or later.
        options: its limits and time limits hold as on a socket, on the loop's time.
        wall_ns: clock for ``received_ns``, ns UTC; asked once a turn of the loop.
    """

    def __init__(self, connect: Callable[[FarEnd], None], options: LineOptions, wall_ns: Callable[[], int]) -> None:
        self._connect, self._options, self.wall_ns = connect, options, wall_ns
        self._layer = MessageLayer(options)
        self._loop: asyncio.AbstractEventLoop
        self._listener: LineListener
        self.inbox: _Pipe
        self._far: FarEnd | None = None
        self._answer: asyncio.Future[Handshake] | None = None
        self._loss: Loss | None = None
        self._told = self._closing = False
        self._timer: asyncio.TimerHandle | None = None
        self._received_ns = 0

    async def open(self, url: str, headers: Mapping[str, str], listener: LineListener) -> Handshake:
        """See ``Line.open``. Messages and the loss are told only after this has returned."""
        handshake.once(self._answer)
        where = handshake.endpoint(url)
        merged = dict(handshake.request_headers(self._options, headers))
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self.inbox = _Pipe(self._loop, self._stamp)
        self._answer = self._loop.create_future()
        far = FarEnd(url, merged, self)
        began = self._loop.time()
        self._connect(far)
        try:
            async with asyncio.timeout(self._options.connect_timeout):
                opened = await self._answer
        except BaseException as error:
            self._loss, self._told = Loss("stopped"), True
            far.gone()
            if isinstance(error, TimeoutError):
                late = TimeoutError(f"no answer within {self._options.connect_timeout:g} s")
                raise handshake.unreachable(late, self._options, where) from None
            raise
        self._far = far
        self.inbox.start()
        return Handshake(url, opened.compression, self._loop.time() - began)

    def send(self, payload: bytes, *, is_text: bool = True) -> None:
        """See ``Line.send``."""
        self._reach().deliver("message", bytes(payload), is_text)

    def ping(self, payload: bytes = b"") -> None:
        """See ``Line.ping``."""
        message.check_ping(payload)
        self._reach().deliver("ping", payload)

    def _reach(self) -> FarEnd:
        if self._far is None or self._loss is not None:
            raise LineLost(self._loss)
        return self._far

    def hold(self, holding: bool) -> None:  # noqa: FBT001 - on or off
        """See ``Line.hold``."""
        if self._far is not None and self._loss is None:
            self.inbox.hold(holding)

    def close(self, loss: Loss, *, graceful: bool = True) -> None:
        """See ``Line.close``. After a graceful one, messages that come before the answer are still delivered."""
        if self._far is None or self._loss is not None:
            return
        self.inbox.hold(False)  # what answers the close frame must be read
        if not graceful:
            self._cut(loss)
            return
        self._loss, self._closing = loss, True
        self._far.deliver("close", message.read_close(message.close_payload(loss.code)))
        self._timer = self._loop.call_later(self._options.close_timeout, self._cut, loss)

    # -- what the far end's side does -------------------------------------------------------------------------

    def answered(self, answer: Handshake | ConnectFailed) -> bool:
        """The far end's answer to the dial; False when nobody waits for it any more."""
        if self._answer is None or self._answer.done():
            return False
        if isinstance(answer, ConnectFailed):
            self._answer.set_exception(answer)
        else:
            self._answer.set_result(answer)
        return True

    def take_message(self, payload: bytes, is_text: bool) -> None:  # noqa: FBT001 - as on_message
        """One message of the far end's has arrived."""
        opcode = message.TEXT if is_text else message.BINARY
        try:
            whole = self._hears() and self._layer.data(opcode, payload, fin=True, rsv1=False, rsv23=False)
        except Violation as violation:
            self._cut(violation.loss)
            return
        if whole:
            self._listener.on_message(*whole, self._received_ns)

    def take_ping(self, payload: bytes) -> None:
        """A ping of the far end's has arrived."""
        if self._counted() and self._loss is None and self._far is not None:
            self._far.deliver("pong", payload)

    def take_pong(self, payload: bytes) -> None:
        """The answer to a ping of ours has arrived."""
        if self._counted():
            self._listener.on_pong(payload)

    def take_close(self, loss: Loss) -> None:
        """The far end's close frame has arrived, its own or its answer to ours."""
        if self._loss is None and self._far is not None:
            self._far.deliver("close", loss)
        self.take_loss(loss)

    def take_loss(self, loss: Loss) -> None:
        """The connection is gone; what was decided before counts."""
        self._loss = self._loss or loss
        self._closing = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._told:
            self._told = True
            self._listener.on_lost(self._loss)

    def _hears(self) -> bool:
        return self._loss is None or self._closing

    def _counted(self) -> bool:
        if not self._hears():
            return False
        try:
            self._layer.control(self._loop.time())
        except Violation as violation:
            self._cut(violation.loss)
            return False
        return True

    def _cut(self, loss: Loss) -> None:
        self._loss = self._loss or loss
        self._closing = False
        if self._far is not None:
            self._far.gone()
        self._loop.call_soon(self._tell_loss)

    def _tell_loss(self) -> None:
        try:
            self.take_loss(_RESET)
        except Exception as error:
            report(self._loop, error)

    def _stamp(self) -> None:
        self._received_ns = self.wall_ns()
