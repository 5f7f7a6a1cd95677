"""The exchange's side of the talk, spoken by a gateway: what local programs may ask, from streams that are held (pure).

``Venue.serving()`` makes a ``Serving``. A simulated exchange (``venues.exchange``) makes up its market; here the market
is the real one, as an upstream client hears it.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from typing import Protocol

from tapewire.model.events import Event
from tapewire.model.market import Market
from tapewire.model.subscription import Subscription, Wish
from tapewire.venues.exchange import Answer, HttpAnswer, HttpCall, SimKey


class Keys(Protocol):
    """The gateway's tokens as keys of an exchange, for one program that shows one."""

    @property
    def is_open(self) -> bool:
        """There are no tokens: whatever key is shown is good."""
        ...

    @property
    def address(self) -> str:
        """Where the program is."""
        ...

    @property
    def now_ms(self) -> int:
        """Unix ms, by which signatures expire."""
        ...

    def find(self, access_key: str) -> SimKey | None:
        """The key of that name; None: there is none that is good now. Without permissions it may hear nothing."""
        ...

    def failed(self) -> None:
        """What was shown is no good: many of those block an address."""
        ...


class HeldStreams(Protocol):
    """What the gateway has of the real exchange."""

    @property
    def markets(self) -> Mapping[str, Market]:
        """Everything that is listed, by symbol."""
        ...

    def latest(self, stream: Subscription) -> Event | None:
        """The newest event of a stream, None when there is none (yet)."""
        ...

    def refused(self, stream: Subscription) -> tuple[str, str] | None:
        """The exchange's name and words for its refusal of a stream to the gateway; None: it has not refused it."""
        ...

    def book(self, stream: Subscription) -> BookCopy | None:
        """The copy of what is told by changes (``Serving.book_copy``), None when it is not whole."""
        ...


class BookCopy(Protocol):
    """What is told by changes, in the exchange's own words, for programs that join later: a book, an account."""

    @property
    def is_whole(self) -> bool: ...

    def hear(self, event: Event) -> None:
        """One more message of the stream (``Event.raw``)."""
        ...

    def snapshot(self) -> bytes:
        """The frame that tells all of it, as after a subscription."""
        ...


class Visitor(Protocol):
    """The talk with one local program. Times are seconds of any clock that does not jump."""

    @property
    def deadline(self) -> float | None:
        """When ``advance`` wants to be called."""
        ...

    def wishes(self, payload: bytes) -> list[Wish]:
        """The streams that a message asks for; none for one that asks for nothing, or will be refused."""
        ...

    def receive(self, now: float, payload: bytes, *, is_text: bool) -> Answer:
        """What is said to a message, its streams being held as far as they can be."""
        ...

    def holds(self) -> Collection[Subscription]:
        """The streams whose events it is to hear now."""
        ...

    def forget(self, stream: Subscription) -> None:
        """The exchange refused it to the gateway: it is held no more."""
        ...

    def tell(self, stream: Subscription, event: Event, cache: dict[object, bytes]) -> list[bytes]:
        """Frames of one event of a stream; ``cache`` is shared by all visitors for this event."""
        ...

    def shape(self, stream: Subscription) -> Hashable:
        """Programs of the same shape are told the same of a stream; None: it is told like nobody else.

        What ``receive`` has not changed since stays as it is.
        """
        ...

    def hands_on(self, stream: Subscription) -> bool:
        """Whether ``tell`` gives ``Event.raw`` alone of each realtime event that came by WebSocket.

        Alike for all of one shape; what ``receive`` has not changed since stays as it is.
        """
        ...

    def advance(self, now: float) -> list[bytes]:
        """Frames that are due by time alone."""
        ...

    def error(self, name: str, message: str = "") -> Answer:
        """The exchange's word for a refusal."""
        ...


class Serving(Protocol):
    """One exchange's own side: its doors and its talk.

    ``paths``: WebSocket path → side. ``keyed``: those paths where a key of the exchange's form is shown, in the
    handshake or in a message. ``too_many``: its word for too many messages; ``key_refused``: for a
    key that is not taken. ``private_reads``: REST paths of an account's own, read with a key. ``restores``: each
    ``Event.raw`` holds one event, and all of it: to read it again gives the same event.
    """

    paths: Mapping[str, str]
    keyed: frozenset[str]
    is_text: bool
    too_many: str
    key_refused: str
    restores: bool
    private_reads: frozenset[str]

    def visitor(self, held: HeldStreams, side: str, keys: Keys) -> Visitor:
        """The talk on a new connection."""
        ...

    def admit(self, path: str, headers: Mapping[str, str], keys: Keys) -> HttpAnswer | None:
        """Why a handshake at a path of ``keyed`` is refused; None: it is not."""
        ...

    def admit_call(self, call: HttpCall, keys: Keys) -> HttpAnswer | None:
        """Why a read of ``private_reads`` is refused; None: it is not."""
        ...

    def closed(self, headers: Mapping[str, str]) -> HttpAnswer:
        """The answer at a path of ``keyed`` where the operator serves none of them: no key is good."""
        ...

    def forwards(self, path: str) -> bool:
        """Whether a REST path is one of its public reads, which need no key and change nothing."""
        ...

    def book_copy(self, stream: Subscription) -> BookCopy | None:
        """What keeps a copy of a stream that is told by changes; None: its events are whole, or have no state."""
        ...
