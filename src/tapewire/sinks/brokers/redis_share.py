"""A member of a group at Redis: what it was given of each stream, what it takes over from the dead (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tapewire.sinks.brokers.redis_holes import START, Id, Stock

Command = tuple[bytes | str | int, ...]

#: Milliseconds after which another member takes over what one was given and was not heard of.
ACK_WAIT = 30_000
#: Seconds between two times that a member says he lives, and looks what others left.
ALIVE = 10.0
#: Messages of one stream that a member may have undone.
UNDONE = 1_000


class Share:
    """The commands of one member, and what they answered.

    Args:
        group: its name.
        member: a name that no other member has.
    """

    def __init__(self, group: str, member: str) -> None:
        self.group, self._member = group, member
        self._undone: dict[str, dict[str, None]] = {}
        self._lost: dict[str, int] = {}
        self._holes: dict[str, tuple[Id, Id | None]] = {}

    @property
    def subjects(self) -> Sequence[str]:
        """What it takes part in."""
        return tuple(self._undone)

    def join(self, subject: str, start: str) -> Command:
        """Make the group of a stream; it answers ``BUSYGROUP`` where it is there."""
        self._undone[subject] = {}
        return ("XGROUP", "CREATE", subject, self.group, start, "MKSTREAM")

    def leave(self, subject: str) -> None:
        """Take part in this one no more."""
        self._undone.pop(subject, None)
        self._lost.pop(subject, None)
        self._holes.pop(subject, None)

    def read(self, most: int, block: int) -> Command | None:
        """What is new, for whoever asks first; nothing of a stream of which too much is undone."""
        names = [name for name, undone in self._undone.items() if len(undone) < UNDONE]
        words = ("XREADGROUP", "GROUP", self.group, self._member, "COUNT", most, "BLOCK", block, "STREAMS")
        return (*words, *names, *(">" for _ in names)) if names else None

    def take(self, subject: str, positions: Iterable[str]) -> None:
        """These were given to us."""
        if subject in self._undone:
            self._undone[subject].update(dict.fromkeys(positions))

    def done(self, subject: str, positions: Sequence[str]) -> Command:
        """They are worked on."""
        self.release(subject, positions)
        return ("XACK", subject, self.group, *positions)

    def release(self, subject: str, positions: Iterable[str]) -> None:
        """We do not hold them any more."""
        for position in positions:
            self._undone.get(subject, {}).pop(position, None)

    def alive(self) -> Iterator[Command]:
        """Say that we still work on what we were given."""
        for subject, undone in self._undone.items():
            if undone:
                yield ("XCLAIM", subject, self.group, self._member, 0, *undone, "JUSTID")

    def inherit(self, subject: str, most: int) -> Command:
        """Take over what members had that are gone."""
        return ("XAUTOCLAIM", subject, self.group, self._member, ACK_WAIT, "0-0", "COUNT", most)

    def misses(self, subject: str, stock: Stock, last: Id, read: int | None) -> bool:
        """Whether something was thrown away, since the look before, that nobody had been given.

        ``last`` and ``read``: the id that the group was given last, and how many entries it was given (None: the server
        does not know), as ``XINFO GROUPS`` tells.
        """
        cut = stock.first is None or stock.first > last  # what was given last is there no more
        behind = last < stock.last
        if behind and not cut:
            return False
        if stock.added is None or read is None:
            return behind and last > START and self._is_news(subject, (last, stock.first))
        lost = stock.added - read - (stock.length if behind else 0)
        before = self._lost.get(subject, 0 if behind else lost)
        self._lost[subject] = lost
        return lost > before

    def _is_news(self, subject: str, hole: tuple[Id, Id | None]) -> bool:
        known, self._holes[subject] = self._holes.get(subject), hole
        return hole != known
