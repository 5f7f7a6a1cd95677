"""What the exchange can do to a line, and what it writes down about clients (pure)."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from msgspec import Struct


class Link(Protocol):
    """The line to one client, as the exchange holds it. None of these raises; all do nothing on a line that is gone."""

    def send(self, payload: bytes, *, is_text: bool) -> None: ...
    def ping(self, payload: bytes) -> None: ...
    def close(self, code: int, reason: str) -> None: ...
    def abort(self, *, reset: bool) -> None: ...
    def freeze(self) -> None: ...
    def cut(self, payload: bytes) -> None: ...


class Violation(Struct, frozen=True):
    """A limit broken by a client: when, which limit, on which connection (0: before there was one)."""

    at: float
    what: str
    connection: int


class Pinged(Struct):
    """A PING frame sent to a client: when, on which connection, and when its pong came (None: not, or not yet)."""

    at: float
    connection: int
    payload: bytes
    answered: float | None = None


class Unreachable(Struct, frozen=True):
    """Nobody listens: the dial fails without an answer."""


class Sent(NamedTuple):
    """One message of a client."""

    at: float
    connection: int
    payload: bytes
