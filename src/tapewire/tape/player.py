"""Plays tapes: lines and a REST client whose far end is what was recorded, at the running loop's time."""

from __future__ import annotations

import asyncio
import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from msgspec import json

from tapewire.config import LineOptions
from tapewire.errors import ConnectFailed, HttpFailed, LineLost, TapeError
from tapewire.model.line import Handshake, Loss
from tapewire.tape.copying import TapeCopy
from tapewire.tape.files import Damage
from tapewire.tape.format import Dialled, Kind, Record, RestAnswer
from tapewire.tape.play_order import play_order
from tapewire.tape.ranks import Ranks, number_in
from tapewire.transport.contract import Answered, LineListener

#: Frames kept for a connection that nobody has dialled yet; one with more is nobody's, and is left out.
FRAMES_MOST = 10_000
#: Answers kept for REST calls that nobody has made yet, by path.
ANSWERS_MOST = 64
#: Records after which everything else gets a turn, where the tape is behind its time.
TURN = 100

_ENDED = Loss("unreachable", None, "the tape has ended")
_MESSAGES: dict[int, bool] = {Kind.RECEIVED_TEXT: True, Kind.RECEIVED_BINARY: False}


class Source(NamedTuple):
    """One tape: where it is, and the hosts that its venue may be dialled at."""

    folder: Path
    hosts: frozenset[str]


class Player:
    """All connections and calls of some tapes, merged by time. One for one replay.

    Args:
        sources: the tapes.
        since_ns, until_ns: what is played (ns UTC, until excluded).
        copy: another tape, to which all that is played goes (of one source only).

    Raises:
        TapeError: there is no tape, or nothing in that time.
    """

    def __init__(
        self, sources: Sequence[Source], *, since_ns: int = 0, until_ns: int = 2**64, copy: TapeCopy | None = None
    ) -> None:
        self._sources = sources
        #: Told the file and the bytes of each block that is behind.
        self.passed: Callable[[Path, int], None] = lambda _file, _bytes: None
        tracks = [
            play_order(number, one.folder, since_ns, until_ns, copy, passed=self._pass)
            for number, one in enumerate(sources)
        ]
        self._records = tracks[0] if len(tracks) == 1 else heapq.merge(*tracks)
        self._first = next(self._records, None)
        if self._first is None:
            raise TapeError(str(sources[0].folder), "nothing is on the tape in that time")
        self.begin_ns = self.now_ns = self._first[0]
        self.damages: list[Damage] = []
        self.records = 0
        self._calls = _Calls()
        self._connections: dict[tuple[int, int], _Connection] = {}
        self._free: list[_Connection] = []
        self._dialling: list[PlayedLine] = []
        self._moved = asyncio.Event()
        self._holding: set[PlayedLine] = set()
        self._ranks = [Ranks(one.folder) for one in sources]
        self.ended = False

    def _pass(self, file: Path, size: int) -> None:
        self.passed(file, size)

    @property
    def left_out(self) -> int:
        """Connections of the tape that nobody dialled."""
        return len(self._free)

    def line(self, options: LineOptions, wall_ns: Callable[[], int]) -> PlayedLine:  # noqa: ARG002 - a ``LineFactory``
        """A line to the next connection of the tape that fits what is dialled."""
        return PlayedLine(self)

    def http(self) -> PlayedHttp:
        """REST as it was answered."""
        return PlayedHttp(self._calls)

    async def play(self) -> None:
        """Play everything, each record at its time on the running loop, whose time now is the tape's beginning."""
        loop, first = asyncio.get_running_loop(), self._first
        began = loop.time()
        while first is not None:
            at_ns, source, _, item = first
            due = began + (at_ns - self.begin_ns) / 1e9
            if due > loop.time():
                await _until(loop, due)
            elif self.records % TURN == 0:
                await asyncio.sleep(0)
            while self._holding:
                self._moved.clear()
                await self._moved.wait()
            self.now_ns = at_ns
            self._take(source, item)
            first = next(self._records, None)
        self.ended = True
        for line in tuple(self._dialling):
            line.answered(_ENDED)

    # What lines say.

    def dialled(self, line: PlayedLine) -> None:
        """A line wants a connection: it gets the next that fits, now or when the tape comes to it."""
        if self.ended:
            line.answered(_ENDED)
            return
        self._dialling.append(line)
        for connection in self._free:
            if self._fits(connection, line):
                self._join(connection, line)
                return

    def gave_up(self, line: PlayedLine) -> None:
        """It wants none any more."""
        if line in self._dialling:
            self._dialling.remove(line)

    def hold(self, line: PlayedLine, *, holding: bool) -> None:
        """Nothing more is played while any line is not read."""
        (self._holding.add if holding else self._holding.discard)(line)
        self._moved.set()

    # What the tape says.

    def _take(self, source: int, item: Record | Damage) -> None:
        if isinstance(item, Damage):
            self.damages.append(item)
            return
        self.records += 1
        key = source, item.connection
        is_text = _MESSAGES.get(item.kind)
        if is_text is not None:
            if (connection := self._connections.get(key)) is not None:
                connection.message(item.payload, is_text, item.at_ns)
        elif item.kind == Kind.DIALLED:
            self._begin(key, json.decode(item.payload, type=Dialled))
        elif item.kind == Kind.OPENED and key in self._connections:
            self._connections[key].answered(json.decode(item.payload, type=Handshake))
        elif item.kind == Kind.LOST and key in self._connections:
            self._lost(key, json.decode(item.payload, type=Loss))
        elif item.kind == Kind.ANSWERED:
            self._calls.answered(json.decode(item.payload, type=RestAnswer))

    def _begin(self, key: tuple[int, int], dialled: Dialled) -> None:
        path = urlsplit(dialled.url).path
        connection = _Connection(key[0], path, self._ranks[key[0]].of(dialled.name))
        self._connections[key] = connection
        for line in self._dialling:
            if self._fits(connection, line):
                self._join(connection, line)
                return
        self._free.append(connection)

    def _lost(self, key: tuple[int, int], loss: Loss) -> None:
        connection = self._connections.pop(key)
        connection.lost(loss)
        if connection in self._free and not connection.opened:
            self._free.remove(connection)  # a dial that failed, and that this client had no need for

    def _fits(self, connection: _Connection, line: PlayedLine) -> bool:
        parts = urlsplit(line.url)
        known = any(parts.netloc in source.hosts for source in self._sources)
        theirs = not known or parts.netloc in self._sources[connection.source].hosts
        ours = None in (connection.rank, line.rank) or connection.rank == line.rank
        return theirs and ours and parts.path == connection.path

    def _join(self, connection: _Connection, line: PlayedLine) -> None:
        self._dialling.remove(line)
        if connection in self._free:
            self._free.remove(connection)
        line.join(connection)


class _Connection:
    """One recorded connection: what came on it waits until a line has joined."""

    def __init__(self, source: int, path: str, rank: int | None) -> None:
        self.source, self.path, self.rank = source, path, rank
        self.answer: Handshake | Loss | None = None
        self.loss: Loss | None = None
        self.line: PlayedLine | None = None
        self.waiting: deque[tuple[bytes, bool, int]] = deque(maxlen=FRAMES_MOST)

    @property
    def opened(self) -> bool:
        return isinstance(self.answer, Handshake)

    def answered(self, answer: Handshake | Loss) -> None:
        self.answer = answer
        if self.line is not None:
            self.line.answered(answer)

    def message(self, payload: bytes, is_text: bool, at_ns: int) -> None:  # noqa: FBT001 - as on_message
        if self.line is None or not self.line.tell(payload, is_text, at_ns):
            self.waiting.append((payload, is_text, at_ns))

    def lost(self, loss: Loss) -> None:
        if self.answer is None:
            self.answered(loss)
            return
        self.loss = loss
        if self.line is not None:
            self.line.lost()


class PlayedLine:
    """A ``Line`` to a recorded connection (see ``transport.contract``). What is sent on it goes nowhere."""

    def __init__(self, player: Player) -> None:
        self._player = player
        self.url = ""
        self.rank: int | None = None
        self._loop: asyncio.AbstractEventLoop
        self._listener: LineListener | None = None
        self._answer: asyncio.Future[Handshake | Loss] | None = None
        self._connection: _Connection | None = None
        self._live = False

    def be(self, name: str) -> None:
        """See ``NamedLine.be``. The connections of a replay are numbered from 1."""
        number = number_in(name)
        self.rank = None if number is None else number - 1

    async def open(self, url: str, headers: Mapping[str, str], listener: LineListener) -> Handshake:  # noqa: ARG002
        """See ``Line.open``. It takes until the tape tells of the answer."""
        self._loop = asyncio.get_running_loop()
        self.url, self._answer = url, self._loop.create_future()
        self._player.dialled(self)
        try:
            answer = await self._answer
        except BaseException:
            self._player.gave_up(self)
            raise
        if isinstance(answer, Loss):
            raise ConnectFailed(answer)
        self._listener = listener
        self._loop.call_soon(self._start)
        return Handshake(url, answer.compression, answer.seconds)

    def join(self, connection: _Connection) -> None:
        """This is its connection."""
        self._connection, connection.line = connection, self
        if connection.answer is not None:
            self.answered(connection.answer)

    def answered(self, answer: Handshake | Loss) -> None:
        """The dial has succeeded, or failed."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)

    def tell(self, payload: bytes, is_text: bool, at_ns: int) -> bool:  # noqa: FBT001 - as on_message
        """One message; False: it has to wait."""
        if not self._live or self._listener is None:
            return False
        self._listener.on_message(payload, is_text, at_ns)
        return True

    def lost(self) -> None:
        """The connection is over; the end of the recording is not, the line just stays silent."""
        loss = None if self._connection is None else self._connection.loss
        if self._live and loss is not None and loss.cause != "stopped":
            self._end(loss)

    def send(self, payload: bytes, *, is_text: bool = True) -> None:  # noqa: ARG002 - the tape knows the answer
        """See ``Line.send``. Raises LineLost."""
        if self._listener is None:
            raise LineLost

    def ping(self, payload: bytes = b"") -> None:
        """See ``Line.ping``: the tape's connection lives as long as it lived, so it is answered."""
        self.send(payload)
        self._loop.call_soon(self._pong, payload)

    def hold(self, holding: bool) -> None:  # noqa: FBT001 - on or off
        """See ``Line.hold``."""
        self._player.hold(self, holding=holding)

    def close(self, loss: Loss, *, graceful: bool = True) -> None:  # noqa: ARG002 - nobody is there to be asked
        """See ``Line.close``."""
        if self._listener is not None:
            self._loop.call_soon(self._end, loss)

    def _start(self) -> None:
        self._live = True
        connection = self._connection
        while connection is not None and connection.waiting and self._listener is not None:
            self._listener.on_message(*connection.waiting.popleft())
        self.lost()

    def _pong(self, payload: bytes) -> None:
        if self._listener is not None:
            self._listener.on_pong(payload)

    def _end(self, loss: Loss) -> None:
        listener, self._listener, self._live = self._listener, None, False
        self._player.hold(self, holding=False)
        if listener is not None:
            listener.on_lost(loss)


class _Calls:
    """REST calls and recorded answers: of a path, the n-th call gets the n-th answer, when the tape has come to it."""

    def __init__(self) -> None:
        self._asked: defaultdict[str, deque[asyncio.Future[RestAnswer]]] = defaultdict(deque)
        self._ready: defaultdict[str, deque[RestAnswer]] = defaultdict(lambda: deque(maxlen=ANSWERS_MOST))
        self._last: dict[str, RestAnswer] = {}

    def answered(self, answer: RestAnswer) -> None:
        self._last[answer.path] = answer
        asked = self._asked[answer.path]
        while asked:
            call = asked.popleft()
            if not call.done():
                call.set_result(answer)
                return
        self._ready[answer.path].append(answer)

    async def ask(self, path: str, seconds: float) -> RestAnswer | None:
        """The answer; None: the tape has none within the time of a call, and had none before."""
        if self._ready[path]:
            return self._ready[path].popleft()
        call: asyncio.Future[RestAnswer] = asyncio.get_running_loop().create_future()
        self._asked[path].append(call)
        try:
            async with asyncio.timeout(seconds):
                return await call
        except TimeoutError:
            return self._last.get(path)


class PlayedHttp:
    """REST as the tape tells it (``transport.contract.HttpFetch``)."""

    def __init__(self, calls: _Calls) -> None:
        self._calls = calls

    async def get(self, url: str, *, timeout: float, headers: Mapping[str, str] | None = None) -> bytes:  # noqa: ASYNC109
        """See ``Http.get``."""
        return (await self.fetch(url, timeout=timeout, headers=headers)).body

    async def fetch(
        self,
        url: str,
        *,
        timeout: float,  # noqa: ASYNC109 - as ``HttpFetch.fetch``
        headers: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> Answered:
        """See ``HttpFetch.fetch``."""
        parts = urlsplit(url)
        answer = await self._calls.ask(f"{parts.path}?{parts.query}" if parts.query else parts.path, timeout)
        if answer is None:
            raise HttpFailed(url, None, "no answer to this is on the tape")
        if answer.status != 200:
            raise HttpFailed(url, answer.status, answer.reason, answer.retry_after, answer.body)
        return Answered(answer.body, {})

    async def close(self) -> None:
        """See ``Http.close``."""


async def _until(loop: asyncio.AbstractEventLoop, due: float) -> None:
    reached = loop.create_future()
    timer = loop.call_at(due, reached.set_result, None)
    try:
        await reached
    finally:
        timer.cancel()
