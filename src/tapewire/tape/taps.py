"""Taps: a line and a REST client that let everything pass and keep it on a tape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from tapewire.config import LineOptions
from tapewire.credentials import HiddenBytes
from tapewire.errors import ConnectFailed, HttpFailed
from tapewire.model.line import Handshake, Loss
from tapewire.tape.format import Dialled, Kind, RestAnswer
from tapewire.tape.recorder import Recorder
from tapewire.transport.contract import Answered, Http, HttpFetch, Keeper, Line, LineFactory, LineListener

#: What stands on the tape for a message that shows a key (a login).
HIDDEN = b'"***"'


def tapped_lines(make_line: LineFactory, recorder: Recorder) -> LineFactory:
    """Lines as ``make_line`` makes them, with all that goes over them kept."""

    def make(options: LineOptions, wall_ns: Callable[[], int]) -> Line:
        return TappedLine(make_line(options, wall_ns), recorder, wall_ns)

    return make


class TappedLine:
    """One connection: each message is kept before it is delivered."""

    def __init__(self, line: Line, recorder: Recorder, wall_ns: Callable[[], int]) -> None:
        self._line, self._recorder, self._wall_ns = line, recorder, wall_ns
        self._number = 0
        self._name = ""

    def be(self, name: str) -> None:
        """See ``NamedLine.be``."""
        self._name = name

    async def open(self, url: str, headers: Mapping[str, str], listener: LineListener) -> Handshake:
        """See ``Line.open``. Raises TapeError too: the tape cannot be written at all."""
        self._recorder.open()
        self._number = self._recorder.connection()
        self._recorder.note(Kind.DIALLED, self._number, Dialled(url, self._name))
        try:
            handshake = await self._line.open(url, headers, _Tap(listener, self._recorder, self._number, self._wall_ns))
        except ConnectFailed as failed:
            self._recorder.note(Kind.LOST, self._number, failed.loss)
            raise
        self._recorder.note(Kind.OPENED, self._number, handshake)
        return handshake

    def send(self, payload: bytes, *, is_text: bool = True) -> None:
        """See ``Line.send``."""
        self._line.send(payload, is_text=is_text)
        shown = HIDDEN if isinstance(payload, HiddenBytes) else payload
        kind = Kind.SENT_TEXT if is_text else Kind.SENT_BINARY
        self._recorder.put(kind, self._number, self._wall_ns(), shown)

    def ping(self, payload: bytes = b"") -> None:
        """See ``Line.ping``."""
        self._line.ping(payload)
        self._recorder.put(Kind.PING, self._number, self._wall_ns(), payload)

    def hold(self, holding: bool) -> None:  # noqa: FBT001 - as ``Line.hold``
        """See ``Line.hold``."""
        self._line.hold(holding)

    def close(self, loss: Loss, *, graceful: bool = True) -> None:
        """See ``Line.close``."""
        self._line.close(loss, graceful=graceful)

    def traffic(self) -> Any:
        """What the line itself says that it carried; None: it cannot say."""
        ask = getattr(self._line, "traffic", None)
        return None if ask is None else ask()


class _Tap:
    """Hears a line before its listener does; a line that takes the short road gives its messages to ``keeper``."""

    __slots__ = ("_listener", "_number", "_recorder", "_tell", "_wall_ns", "dispatch", "keeper")

    def __init__(self, listener: LineListener, recorder: Recorder, number: int, wall_ns: Callable[[], int]) -> None:
        self._listener, self._tell = listener, listener.on_message
        self._recorder, self._number, self._wall_ns = recorder, number, wall_ns
        self.dispatch = getattr(listener, "dispatch", None)
        self.keeper = Keeper(recorder, self._begin)

    def _begin(self, is_text: bool, received_ns: int) -> list[bytes]:  # noqa: FBT001
        kind = Kind.RECEIVED_TEXT if is_text else Kind.RECEIVED_BINARY
        return self._recorder.begin(kind, self._number, received_ns)

    def on_message(self, payload: bytes, is_text: bool, received_ns: int) -> None:  # noqa: FBT001
        kind = Kind.RECEIVED_TEXT if is_text else Kind.RECEIVED_BINARY
        self._recorder.put(kind, self._number, received_ns, payload)
        self._tell(payload, is_text, received_ns)

    def on_pong(self, payload: bytes) -> None:
        self._recorder.put(Kind.PONG, self._number, self._wall_ns(), payload)
        self._listener.on_pong(payload)

    def on_lost(self, loss: Loss) -> None:
        self._recorder.note(Kind.LOST, self._number, loss)
        self._listener.on_lost(loss)


class TappedHttp:
    """REST calls, with each answer kept; of the headers that sign a call, and those of its answer, nothing is."""

    def __init__(self, http: Http, recorder: Recorder) -> None:
        self._http, self._recorder = http, recorder

    async def get(
        self,
        url: str,
        *,
        timeout: float,  # noqa: ASYNC109 - as ``Http.get``
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """See ``Http.get``."""
        return (await self.fetch(url, timeout=timeout, headers=headers)).body

    async def fetch(
        self,
        url: str,
        *,
        timeout: float,  # noqa: ASYNC109 - as ``HttpFetch.fetch``
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        """See ``HttpFetch.fetch``. Raises TapeError too: the tape cannot be written at all."""
        self._recorder.open()
        try:
            answered = await self._fetch(url, timeout, headers)
        except HttpFailed as failed:
            self._keep(RestAnswer(_path(url), failed.status, failed.body, failed.reason, failed.retry_after))
            raise
        self._keep(RestAnswer(_path(url), 200, answered.body))
        return answered

    async def close(self) -> None:
        """See ``Http.close``. The tape goes on: it ends with its feed."""
        await self._http.close()

    async def _fetch(self, url: str, timeout: float, headers: Mapping[str, str] | None) -> Answered:  # noqa: ASYNC109
        if isinstance(self._http, HttpFetch):
            return await self._http.fetch(url, timeout=timeout, headers=headers)
        return Answered(await self._http.get(url, timeout=timeout, headers=headers), {})

    def _keep(self, answer: RestAnswer) -> None:
        self._recorder.note(Kind.ANSWERED, 0, answer)


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
