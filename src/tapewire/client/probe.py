"""Looks whether an exchange answers: connects, asks for signs of life, subscribes nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import Literal

from msgspec import Struct

from tapewire.client.lines import real_ports
from tapewire.client.snapshots import check_timeout
from tapewire.config import FeedOptions
from tapewire.errors import FeedError, LineLost, Rejected, TimedOut
from tapewire.model.line import Loss
from tapewire.profiles import with_changes
from tapewire.runtime.clock import LoopClock
from tapewire.transport.contract import Line, LineFactory
from tapewire.venues.contract import Venue, side_url
from tapewire.venues.registry import get_venue

#: Signs that wait to be read; an exchange that sends more of them has said enough.
_WAITING = 100


class Sign(Struct, frozen=True):
    """One sign of life.

    Attributes:
        kind: ``connected`` (the handshake), ``up`` (the answer to the text, and each one that follows unasked) or
            ``pong`` (the answer to a PING frame).
        seconds: the handshake's time, the time since the question or since the last ``up``, the round trip.
        url: the address reached; ``connected`` only.
    """

    kind: Literal["connected", "up", "pong"]
    seconds: float
    url: str = ""


async def probe(
    venue: str = "upbit",
    *,
    url: str | None = None,
    text: bool = True,
    interval: float = 1.0,
    timeout: float = 15.0,  # noqa: ASYNC109 - the user's limit
    options: FeedOptions | None = None,
    line_factory: LineFactory | None = None,
    wall_ns: Callable[[], int] | None = None,
) -> AsyncGenerator[Sign, None]:
    """Connect and yield signs of life until the iterator is closed. Sends no subscription and never reconnects.

    Args:
        venue: whom to ask.
        url: WebSocket address in place of the venue's.
        text: send the venue's text message (Upbit: ``PING``, once; it is answered at once and then every 10 s,
            spec section 6; OKX: ``ping``, again and again); False: send PING frames.
        interval: seconds between an answer and the next question.
        timeout: seconds to wait for each sign; more than the ten between two of the exchange's.
        options: how the line is made.
        line_factory: lines in place of real sockets (the simulator's, in tests).
        wall_ns: clock in place of the real one, ns UTC.

    Raises:
        ConnectFailed: no line could be had.
        LineLost: the line ended.
        Rejected: the exchange answered with an error.
        TimedOut: no sign came in time.
        ConfigError, UnknownName: a wrong option or venue.
    """
    check_timeout(timeout)
    check_timeout(interval, "interval")
    value = get_venue(venue)
    chosen = with_changes(options or FeedOptions(), {} if url is None else {"url": url})
    address = side_url(value.address(chosen.url), value.facts.sides["public"])
    now_ns = wall_ns or LoopClock().wall_ns  # a loop's own clock may count in whole milliseconds (uvloop's does)
    make_line = line_factory or real_ports(chosen, now_ns)[0]
    ear, line = _Ear(value, now_ns), make_line(chosen.line, now_ns)
    handshake = await line.open(address, {}, ear)
    try:
        yield Sign("connected", handshake.seconds, handshake.url)
        again = interval if value.facts.keep_alive == "text" else None
        said = value.facts.text_ping
        asked = _text(line, ear, said, timeout, again) if text else _frames(line, ear, interval, timeout)
        async with contextlib.aclosing(asked) as signs:
            async for sign in signs:
                yield sign
    finally:
        line.close(Loss("stopped"))
        await ear.ended(chosen.line.close_timeout + 1.0)


class _Ear:
    """A ``LineListener`` that hears only signs of life, errors and the end."""

    def __init__(self, venue: Venue, now_ns: Callable[[], int]) -> None:
        self.now_ns = now_ns
        self._venue = venue
        self._codec = venue.codec("DEFAULT", "float", False)
        self._heard: asyncio.Queue[tuple[str, bytes, int]] = asyncio.Queue(_WAITING)
        self._error: FeedError | None = None
        self._lost = asyncio.Event()

    def on_message(self, payload: bytes, is_text: bool, received_ns: int) -> None:  # noqa: ARG002, FBT001
        for control in self._codec.read(payload, received_ns).controls:
            if control.kind == "alive":
                self._put("up", b"")
            elif control.kind == "error":
                self._fail(Rejected(self._venue.name, control.name, control.message))

    def on_pong(self, payload: bytes) -> None:
        self._put("pong", payload)

    def on_lost(self, loss: Loss) -> None:
        self._lost.set()
        self._fail(LineLost(loss))

    async def next(self, kind: str, seconds: float) -> tuple[bytes, int]:
        """Payload and moment (ns) of the next sign of this kind. Raises what ended the talk, or TimedOut."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    if self._error is not None and self._heard.empty():
                        raise self._error
                    heard, payload, moment = await self._heard.get()
                    if heard == kind:
                        return payload, moment
        except TimeoutError as error:
            if isinstance(error, FeedError):
                raise
            raise TimedOut(f"{self._venue.name}: a sign of life", seconds) from None

    async def rest(self, seconds: float) -> None:
        """Let time pass. Raises what ended the talk meanwhile."""
        with contextlib.suppress(TimedOut):
            await self.next("", seconds)

    async def ended(self, seconds: float) -> None:
        """Wait until the line is closed, so long at the most."""
        waiting = asyncio.ensure_future(self._lost.wait())
        await asyncio.wait([waiting], timeout=seconds)
        waiting.cancel()

    def _fail(self, error: FeedError) -> None:
        self._error = self._error or error
        self._put("end", b"")

    def _put(self, kind: str, payload: bytes) -> None:
        if not self._heard.full():  # then there is enough to wake who waits, and the end is seen after it
            self._heard.put_nowait((kind, payload, self.now_ns()))


async def _text(
    line: Line, ear: _Ear, question: bytes, seconds: float, again: float | None
) -> AsyncGenerator[Sign, None]:
    """``again``: seconds after an answer until the next question; None: more answers come unasked."""
    before = ear.now_ns()
    line.send(question)
    while True:
        _, moment = await ear.next("up", seconds)
        yield Sign("up", _seconds(before, moment))
        before = moment
        if again is not None:
            await ear.rest(again)
            before = ear.now_ns()
            line.send(question)


async def _frames(line: Line, ear: _Ear, interval: float, seconds: float) -> AsyncGenerator[Sign, None]:
    number = 0
    while True:
        number, sent = number + 1, ear.now_ns()
        question = str(number).encode()
        line.ping(question)
        while True:
            answer, moment = await ear.next("pong", seconds)
            if answer == question:
                break
        yield Sign("pong", _seconds(sent, moment))
        await ear.rest(interval)


def _seconds(before_ns: int, ns: int) -> float:
    """Never less than none: the wall clock may have been set back in between."""
    return max(0, ns - before_ns) / 1e9
