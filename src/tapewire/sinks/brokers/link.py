"""What one broker must be able to do: connect, take a group of messages, close; and how it says no."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from tapewire.sinks.brokers.letters import Message


class Refused(Struct, frozen=True):
    """The broker will never take this message (too large, no such place); ``reason`` holds no secret."""

    reason: str


class Unconfirmed(Struct, frozen=True):
    """The broker did not confirm this message; it may have it or not. It is to be sent again."""

    reason: str


class Known(Struct, frozen=True):
    """The broker confirmed that it has this message: by its id it had it before."""


KNOWN = Known()
#: What became of one message; None: the broker confirmed that it has it.
Verdict = Refused | Unconfirmed | Known | None


class Away(Exception):
    """The broker cannot be reached, or the line to it is lost. The text names no secret."""


class NotLetIn(Exception):
    """The broker is there and refuses us: credentials, rights, a place that cannot be what it must be."""


class Link(Protocol):
    """One broker's client. It is connected anew after every loss; it does not do so by itself.

    Attributes:
        in_order: of each subject, messages are stored in their order, and none behind one that was not, whichever of
            the calls of ``send`` that are under way they came with.
        groups: calls of ``send`` that may be under way at once, none with a subject of another's unless ``in_order``
            (1, where a link has no such attribute). When one raises, the others are cancelled, and the line is made
            anew.
    """

    in_order: bool

    async def connect(self) -> None:
        """Connect, and make what is needed there (a stream) if it is absent.

        Raises:
            Away, NotLetIn: and nothing is left open.
        """
        ...

    async def send(self, group: Sequence[Message]) -> Sequence[Verdict]:
        """Send all of a group and wait until the broker has answered each; it may be cancelled.

        Raises:
            Away: nothing is known of any of them.
        """
        ...

    async def close(self) -> None:
        """Let go of the line, whatever state it is in; never raises for one that is broken."""
        ...
