"""The feed's thread stands still for moments, so that a thread which writes what it brought can catch up."""

from __future__ import annotations

import threading
from collections.abc import Callable

try:
    from resource import RUSAGE_SELF, getrusage
except ImportError:  # Windows

    def _worked() -> float:
        """The system does not tell."""
        return 0.0
else:

    def _worked() -> float:
        """Seconds of CPU that this process has had."""
        usage = getrusage(RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime


#: Bytes that may wait while the other thread writes, before the event loop gives way to it. A thread that has to ask
#: for Python's lock again and again waits 5 ms each time, while a loop that is always busy never lets go of it.
BEHIND = 8 * 1024 * 1024
#: Seconds that it does so at least and at most: for as long as it went on before, in a busy loop one turn.
GIVE_WAY, GIVE_WAY_MOST = 0.02, 0.1
#: Seconds that it goes on in between; of no use, that grows to so many.
GO_ON, GO_ON_MOST = 0.02, 1.0
#: Share of a time in which a thread worked if it was held up by us and not by a disk.
_SOME = 0.2


class RightOfWay:
    """Of one writing thread over the one that brings it something. ``begin`` and ``end`` may be called on either."""

    def __init__(self) -> None:
        self._free = threading.Event()
        self._free.set()
        self._stood_ns, self._go_on, self._most = 0, 0.0, GIVE_WAY

    def begin(self) -> None:
        """There is something to write."""
        self._free.clear()

    def end(self) -> None:
        """What there was is written, or was refused."""
        self._free.set()

    def give(self, seconds: float) -> bool:
        """Stand still until the writing has ended, ``seconds`` at most, so that it has Python's lock and a core.

        Returns:
            Whether it made use of that: it ended, or worked for some of the time. One that hangs at a disk does not.
        """
        before = _worked()
        return self._free.wait(seconds) or _worked() - before > seconds * _SOME

    def give_at_times(self, now_ns: Callable[[], int]) -> bool | None:
        """As ``give``, for half of the time at most: as long as it went on since the last time, within
        ``GIVE_WAY`` and ``GIVE_WAY_MOST`` seconds, and not again before ``GO_ON``. When it was of no use, as the
        disk is what holds the other up, it is done for ``GIVE_WAY`` only and ever more seldom.

        Args:
            now_ns: a clock, ns; it may be set.

        Returns:
            As of ``give``; None: it is not time.
        """
        went_on = abs(now_ns() - self._stood_ns) / 1e9
        if went_on < self._go_on:
            return None
        is_of_use = self.give(min(max(went_on, GIVE_WAY), self._most))
        self._most = GIVE_WAY_MOST if is_of_use else GIVE_WAY
        self._go_on = GO_ON if is_of_use else min(max(self._go_on, GO_ON) * 2, GO_ON_MOST)
        self._stood_ns = now_ns()
        return is_of_use
