"""What a line is: open, send, ping, close (and hold); and what it tells its listener."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol, runtime_checkable

from tapewire.config import LineOptions, Secret
from tapewire.model.line import Handshake, Loss


class LineListener(Protocol):
    """Whom a line tells what came. Called on the event loop's thread, never concurrently.

    ``on_message`` is the hot path: one whole, valid message (fragments joined, inflated, UTF-8 checked when
    it is text, within the size limits). ``received_ns`` is the wall clock in ns UTC, taken once a socket read.
    What it raises goes to the loop's exception handler and never costs the line.
    ``on_lost`` comes exactly once after a successful ``open``, whoever ended the line.
    A listener may also have ``dispatch`` (``transport.dispatch``): the parts that its ``on_message`` is made
    of, for a line that takes these steps itself; and ``keeper``, which such a line must give each message first.
    """

    def on_message(self, payload: bytes, is_text: bool, received_ns: int) -> None: ...  # noqa: FBT001
    def on_pong(self, payload: bytes) -> None: ...
    def on_lost(self, loss: Loss) -> None: ...


class Growing(Protocol):
    """What knows which list is added to: none, or another one, as soon as something else came in between."""

    growing: list[bytes] | None

    def end(self) -> None:
        """What was begun is whole."""
        ...


class Keeper(NamedTuple):
    """Whom a line that takes the short road gives its messages to keep.

    Attributes:
        runs: shared by all lines.
        begin: (is it text, received_ns) → a list for the messages of one socket read, as long as ``runs.growing`` is
            that list; ``runs.end`` is to be called when it is over.
    """

    runs: Growing
    begin: Callable[[bool, int], list[bytes]]


class Line(Protocol):
    """One WebSocket connection of a client; made for one ``open`` and not used again after it was lost."""

    async def open(self, url: str, headers: Mapping[str, str], listener: LineListener) -> Handshake:
        """Connect and shake hands within ``connect_timeout``. Sends no ``Origin`` header, follows no redirect.

        Raises:
            ConnectFailed: with the ``Loss`` (``refused`` with status, Retry-After and body, or ``unreachable``).
        """
        ...

    def send(self, payload: bytes, *, is_text: bool = True) -> None:
        """Send one message; buffered, returns at once.

        Raises:
            LineLost: the line is not open.
        """
        ...

    def ping(self, payload: bytes = b"") -> None:
        """Send a PING frame (at most 125 bytes); its answer comes to ``on_pong``. Raises as ``send``."""
        ...

    def hold(self, holding: bool) -> None:  # noqa: FBT001 - on or off
        """Stop (True) or go on (False) reading from the socket; what was read already may still come."""
        ...

    def close(self, loss: Loss, *, graceful: bool = True) -> None:
        """End the line; ``on_lost(loss)`` follows with this very loss.

        Graceful: a close frame (``loss.code``, or 1000) is sent first and the answer awaited for
        ``close_timeout`` seconds; otherwise the connection is cut at once. A second call does nothing.
        """
        ...


@runtime_checkable
class NamedLine(Protocol):
    """A line that wants to know whose it is: one on a tape, or of one."""

    def be(self, name: str) -> None:
        """It belongs to the connection of this name; told before ``open``."""
        ...


#: Makes a fresh line for each dial. ``wall_ns`` is the clock for ``received_ns``.
LineFactory = Callable[[LineOptions, Callable[[], int]], Line]


class Answered(NamedTuple):
    """A 200 answer; its headers by their names in lower case."""

    body: bytes
    headers: Mapping[str, str]


class Http(Protocol):
    """Single HTTP requests to bytes."""

    async def get(
        self,
        url: str,
        *,
        timeout: float,  # noqa: ASYNC109 - the limit of one request
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """Body of a 200 answer. Follows no redirect to another host. ``headers`` sign a call, and are never shown.

        Raises:
            HttpFailed: any other status (with Retry-After and body), no answer, or the time limit.
        """
        ...

    async def close(self) -> None: ...


@runtime_checkable
class HttpFetch(Http, Protocol):
    """An ``Http`` that also gives the answer's headers; of one that does not, only refusals tell of its limits."""

    async def fetch(
        self,
        url: str,
        *,
        timeout: float,  # noqa: ASYNC109 - the limit of one request
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        """As ``get``, with the answer's headers.

        Raises:
            HttpFailed: as ``get``; with the answer's headers, if there was one.
        """
        ...


class HttpPost(Protocol):
    """Single HTTP posts to an address that is a secret itself (a webhook's)."""

    async def post(self, url: Secret, body: bytes, headers: Mapping[str, Secret], *, timeout: float) -> bytes:  # noqa: ASYNC109
        """Body (2 KiB at most) of an answer from 200 to 299. Follows no redirect.

        Raises:
            HttpFailed: any other status (with Retry-After and body), no answer, or ``timeout`` seconds have passed. It
                shows scheme and host of the address only.
        """
        ...

    async def close(self) -> None: ...
