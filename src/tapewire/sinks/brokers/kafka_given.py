"""What a member of a group was given of one partition, and from where another would go on in its place (pure)."""

from __future__ import annotations

#: Messages of one partition that a member may have undone.
UNDONE = 1_000


class Given:
    """How far a partition was read, and what of it is not done.

    Args:
        position: offset at which reading begins. told: what the cluster knows as the group's place; None: nothing.
    """

    __slots__ = ("_sent", "_told", "_undone", "is_paused", "position")

    def __init__(self, position: int, told: int | None) -> None:
        self.position = position
        self._told = self._sent = told
        self._undone: dict[int, None] = {}  # in their order
        self.is_paused = False

    @property
    def is_full(self) -> bool:
        """Whether so much is undone that no more is to be read."""
        return len(self._undone) >= UNDONE

    @property
    def is_done(self) -> bool:
        """Whether all that was given was worked on."""
        return not self._undone

    def jump(self, offset: int) -> int:
        """How many messages are missing before this one; less than 0: the log is another one, of the same name."""
        return offset - self.position

    def read(self, offset: int, *, wanted: bool) -> None:
        """A message was read; one that nobody here wants is passed over."""
        self.position = offset + 1
        if wanted:
            self._undone[offset] = None

    def done(self, offset: int) -> None:
        """It was worked on."""
        self._undone.pop(offset, None)

    def due(self, *, at_once: bool = False) -> int | None:
        """Where another would go on, if it is to be sent; ``at_once``: though it was sent, while there is no answer."""
        place = next(iter(self._undone), self.position)
        return None if place == (self._told if at_once else self._sent) else place

    def send(self, place: int) -> None:
        """The cluster is being told."""
        self._sent = place

    def answered(self, place: int, *, taken: bool) -> None:
        """It has it; or it has not, and is to be told again."""
        if taken:
            self._told = place
        else:
            self._sent = None
