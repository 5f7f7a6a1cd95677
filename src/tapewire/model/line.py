"""What can be said of a line (one WebSocket connection): how it opened and why it was lost."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

LossCause = Literal[
    "closed",  # the far end sent a close frame (its code, 1000 included: a loss like any other)
    "reset",  # the connection broke without a close frame
    "ping_timeout",  # no pong in time
    "refused",  # the handshake was answered with another status than 101
    "unreachable",  # name resolution, TCP, TLS or proxy failed, or the handshake timed out
    "protocol",  # the far end broke the WebSocket protocol or a size limit
    "stale",  # alive by pong, but the data stopped
    "lagging",  # behind another line that carries the same streams
    "stopped",  # we closed it because nobody wants it any more
]


class Loss(Struct, frozen=True):
    """Why a line is gone or could not be had. Holds no secret: header values are never put in.

    Attributes:
        cause: see ``LossCause``.
        code: WebSocket close code (1006 when none was received), None before a handshake was done.
        reason: human text, from the close frame or the operating system.
        status: HTTP status of a refused handshake.
        retry_after: seconds the server asked to wait, from ``Retry-After``.
        body: first 2,048 bytes of the refused handshake's body.
    """

    cause: LossCause
    code: int | None = None
    reason: str = ""
    status: int | None = None
    retry_after: float | None = None
    body: bytes = b""

    def __str__(self) -> str:
        """One line for people: ``closed (1001 going away)``, ``refused (429, retry after 3 s)``."""
        facts = [str(fact) for fact in (self.status, self.code, self.reason) if fact not in (None, "")]
        if self.retry_after is not None:
            facts.append(f"retry after {self.retry_after:g} s")
        return f"{self.cause} ({' '.join(facts)})" if facts else self.cause


class Handshake(Struct, frozen=True):
    """How a line opened: the address reached, the compression agreed, seconds it took."""

    url: str
    compression: str | None = None
    seconds: float = 0.0
