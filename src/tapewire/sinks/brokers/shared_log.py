"""One log of a broker in which many subjects stand: how far it was read, and which of it is wanted (pure)."""

from __future__ import annotations

from collections.abc import Iterator

#: Messages at the end of a log that are looked through for the newest of a subject: so many, then ten times as many.
_FIRST_LOOK, LOOK_BACK = 100, 100_000


class SharedLog:
    """A partition of a Kafka topic, or a RabbitMQ stream. Who joins later and wants what was read already has the log
    read again from there; the others hear nothing twice.
    """

    __slots__ = ("_next", "position")

    def __init__(self) -> None:
        self._next: dict[str, int] = {}
        self.position: int | None = None
        """Where reading goes on; None: nothing was read yet."""

    def __bool__(self) -> bool:
        return bool(self._next)

    def follow(self, subject: str, offset: int) -> bool:
        """Hear a subject from an offset on. Returns whether the log is to be read from there, not from where it is."""
        self._next[subject] = offset
        if self.position is not None and self.position <= offset:
            return False
        self.position = offset
        return True

    def leave(self, subject: str) -> None:
        """Hear it no more."""
        self._next.pop(subject, None)

    def jump(self, offset: int) -> int:
        """How many messages are missing before this one; less than 0: the log is another one, of the same name."""
        return 0 if self.position is None else offset - self.position

    @property
    def subjects(self) -> tuple[str, ...]:
        """Those that are followed."""
        return tuple(self._next)

    def take(self, subject: str, offset: int) -> bool:
        """A message was read. Returns whether it is wanted, and was not heard before."""
        self.position = offset + 1
        wanted = self._next.get(subject)
        if wanted is None or offset < wanted:
            return False
        self._next[subject] = offset + 1
        return True


def look_back(low: int, high: int) -> Iterator[tuple[int, int]]:
    """Spans ``(first, behind the last)`` of a log from its end to its beginning, each reaching back ten times as far
    as the one before, at most ``LOOK_BACK`` messages.
    """
    end, reach = high, _FIRST_LOOK
    while end > low and reach <= LOOK_BACK:
        start = max(low, high - reach)
        yield start, end
        end, reach = start, reach * 10
