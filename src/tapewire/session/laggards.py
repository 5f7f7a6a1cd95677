"""Which of several lines is so far behind the others that it is to be replaced, and when that can be judged at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

#: Seconds between two looks at the lines.
LOOK = 1.0


class Laggards:
    """Looks once a second.

    While lines are held (not read), and when the process itself slept, each line has a backlog of its own: nobody can
    say which is behind until that was read.

    Args:
        most: seconds that a line may be behind; None: as much as it likes.
        patience: seconds that reading a backlog may take.
    """

    def __init__(self, most: float | None, patience: float) -> None:
        self._most, self._patience = most, patience
        self._holders: set[object] = set()
        self._looked: float | None = None
        self._blind_until = float("-inf")

    def hold(self, t: float, holder: object, *, holding: bool) -> None:
        """The lines are not read for somebody any more, or again."""
        if holding:
            self._holders.add(holder)
        elif holder in self._holders:
            self._holders.discard(holder)
            self._blind_until = t + self._patience

    def can_tell(self, t: float) -> bool:
        """A look at ``t`` (monotonic seconds): whether what the lines brought says anything of them."""
        if self._looked is not None and t - self._looked > 2 * LOOK:
            self._blind_until = t + self._patience
        self._looked = t
        return not self._holders and t >= self._blind_until

    def find(self, behind: Sequence[float], spared: Callable[[int], bool]) -> int | None:
        """The line to be replaced, if one alone is too far behind.

        Args:
            behind: seconds that each line is behind the others.
            spared: whether a line alone carries something; then it stays.
        """
        if self._most is None:
            return None
        late = [line for line, seconds in enumerate(behind) if seconds > self._most]
        return late[0] if len(late) == 1 and not spared(late[0]) else None
