"""What a source is: a broker that is heard in the exchange's place; and what its address may ask for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from msgspec import Struct

from tapewire.errors import ConfigError
from tapewire.sinks.brokers.address import without_options
from tapewire.sinks.brokers.subjects import check_prefix

_OWN = ("prefix", "stream", "since", "sequence", "group")
_GROUP = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Received(Struct, frozen=True):
    """One message of the broker. ``position`` is where it stands there: to go on behind it."""

    subject: str
    headers: Mapping[str, str]
    payload: bytes
    position: str


class Missed(Struct, frozen=True):
    """The broker threw away messages of this subject that were not heard yet.

    ``from_ns``, ``to_ns``: between which times of the broker they stood (ns UTC), as well as it is known.
    """

    subject: str
    from_ns: int | None = None
    to_ns: int | None = None


class Begin(Struct, frozen=True):
    """Where a subject begins: behind a position, at a time (ns UTC) or number; with nothing: at its first message."""

    after: str | None = None
    since_ns: int | None = None
    sequence: int | None = None


class Source(Protocol):
    """One broker's client, used by one task; connected anew after every loss.

    No loss may be silent: neither one of the line (a client that comes back by itself would hide it) nor one of
    messages that were thrown away while we were slow or away.

    Attributes:
        shown: the address for people.
    """

    shown: str

    async def connect(self) -> None:
        """Connect. Raises Away, NotLetIn; nothing is left open then."""
        ...

    async def latest(self, subjects: Sequence[str]) -> Sequence[Received]:
        """The newest message of each subject that has one. Raises Away."""
        ...

    async def follow(self, begins: Mapping[str, Begin]) -> frozenset[str]:
        """Hear these subjects, too. Returns those of which something is gone already, or may be. Raises Away."""
        ...

    async def leave(self, subjects: Iterable[str]) -> None:
        """Hear these no more. Raises Away."""
        ...

    async def receive(self) -> Sequence[Received | Missed]:
        """What comes next, each subject's in their order; waits for it, and may be cancelled. Raises Away.

        What the broker threw away before it could be heard is told here, too, on a line that lives (``Missed``).
        """
        ...

    async def close(self) -> None:
        """Let go of the line; never raises."""
        ...


@runtime_checkable
class Lister(Source, Protocol):
    """A source whose broker can say what it has."""

    async def subjects(self, prefix: str) -> Sequence[str]:
        """Every subject that begins so and has messages. Raises Away."""
        ...


@runtime_checkable
class SharedSource(Source, Protocol):
    """A source of which several programs can share the messages: a group, each message to one of its members.

    Attributes:
        keeps_history: whether a group can begin with what is stored (``since``, ``sequence``).
    """

    keeps_history: bool

    async def share(self, begins: Mapping[str, Begin], group: str) -> frozenset[str]:
        """Take part in these subjects, too; ``receive`` gives the messages that are ours. Raises Away, NotLetIn.

        A message that its member does not call ``done`` comes again, to any member, half a minute after the member was
        last heard of; as long as he lives, he keeps what he was given.

        Args:
            begins: where a group begins that does not exist yet; with nothing: with what comes from now on.
            group: its name.

        Returns:
            those of which something is gone already, or may be.
        """
        ...

    async def done(self, messages: Sequence[Received]) -> None:
        """These were worked on: nobody gets them again. Raises Away."""
        ...

    def release(self, messages: Sequence[Received]) -> None:
        """Nobody here will work on these: another member may have them."""
        ...


#: Makes a source for an address (without the options below) and the name of what it reads there.
SourceFactory = Callable[[str, str], Source]


class Wanted(Struct, frozen=True):
    """What an address asks for behind its ``?``.

    Attributes:
        address: without it.
        prefix: of the subjects. stream: name of NATS's.
        since: seconds ago, or ``2026-11-21T10:00:00Z``: history from there on, before what is live. sequence: as a
            number of NATS's stream.
        group: its members share the messages, each goes to one of them.
    """

    address: str
    prefix: str = "md"
    stream: str = "md"
    since: str = ""
    sequence: int | None = None
    group: str = ""

    def begin(self, now_ns: int) -> Begin:
        """Where history begins, at this time (ns UTC)."""
        if not self.since:
            return Begin(sequence=self.sequence)
        return Begin(since_ns=_time_of(self.since, now_ns))


def read_wanted(text: str) -> Wanted:
    """An address with what it asks for. Raises ConfigError."""
    address, own = without_options(text, _OWN)
    if not own.get("sequence", "0").isdigit():
        raise ConfigError("sequence", own["sequence"], "a whole number")
    sequence = int(own["sequence"]) if "sequence" in own else None
    if "since" in own:
        _time_of(own["since"], 0)
    if not _GROUP.fullmatch(own.get("group", "x")):
        raise ConfigError("group", own["group"], "letters, digits, - and _, 64 at most")
    return Wanted(
        address, check_prefix(own.get("prefix", "md")), own.get("stream", "md"), own.get("since", ""), sequence,
        own.get("group", ""),
    )  # fmt: skip


def _time_of(since: str, now_ns: int) -> int:
    try:
        if since.replace(".", "", 1).isdigit():
            return now_ns - int(float(since) * 1e9)
        when = datetime.fromisoformat(since)
    except ValueError:
        when = None
    if when is None or when.tzinfo is None:
        raise ConfigError("since", since, "seconds ago, or a time with its zone (2026-11-21T10:00:00Z)")
    return int(when.timestamp() * 1e9)
