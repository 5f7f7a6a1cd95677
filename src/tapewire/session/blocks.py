"""How long nothing is asked after a refusal over the limits: 429 the window, 418 what it says, or longer each time."""

from __future__ import annotations

from tapewire.session.gate import LONGEST_WAIT

TOO_MANY, BLOCKED = 429, 418
#: Statuses of a refusal over the limits (spec/upbit.md 7.3).
LIMITED = frozenset({TOO_MANY, BLOCKED})
#: Seconds of the first block whose length is not told; each one more that follows is taken to be twice as long.
FIRST_BLOCK = 30.0


class Blocks:
    """The blocks of one address or account."""

    def __init__(self) -> None:
        self._length, self._until = 0.0, float("-inf")

    def wait(self, t: float, status: int, stated: float | None, window: float) -> float:
        """Seconds to wait from ``t`` on.

        Args:
            t: when the refusal came (monotonic seconds).
            status: 429 or 418.
            stated: seconds that the refusal says, None: it says none.
            window: seconds of the longest window of what was refused.
        """
        if status != BLOCKED:
            return min(window if stated is None else max(stated, 0.0), LONGEST_WAIT)
        if t > self._until + LONGEST_WAIT:
            self._length = 0.0
        if stated is not None:
            self._until = max(self._until, t + min(max(stated, 0.0), LONGEST_WAIT))
        elif t >= self._until:
            self._length = min(2 * self._length or FIRST_BLOCK, LONGEST_WAIT)
            self._until = t + self._length
        return self._until - t
