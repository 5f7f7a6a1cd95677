"""Losses of one line in a row: how soon the next attempt, and what of them is worth telling (pure)."""

from __future__ import annotations

from typing import Literal

#: Seconds before the first attempt to connect again, and at most before another; each is twice the one before.
PAUSE, PAUSE_MOST = 0.1, 2.0
#: Seconds that a line lives, and brings what there is to bring, if it is one that holds.
HOLDS = 2.0
#: Losses in a row of lines that did not hold, each of which is told; the next is told as the last, then it is quiet.
TOLD = 3

Telling = Literal["each", "last", "quiet"]


class Losses:
    """A broker may let us in each time and store nothing (RabbitMQ: a stream without its coordinator), or lose the line
    at once each time. It is asked as rarely as one that is away, and does not fill the log.
    """

    def __init__(self) -> None:
        self._pause = PAUSE
        self._row = 0  # losses since a line held
        self._back_at = 0.0
        self._before = self._at_first = -1  # confirmed at the last loss, and at the first of the row

    @property
    def telling(self) -> Telling:
        """How much of the last loss, and of the return after it, is worth telling."""
        if self._row <= TOLD:
            return "each"
        return "last" if self._row == TOLD + 1 else "quiet"

    @property
    def again(self) -> bool:
        """The line before the last loss did not hold."""
        return self._row > 1

    def back(self, now: float) -> None:
        """There is a line."""
        self._back_at = now

    def lost(self, now: float, confirmed: int, *, idle: bool) -> None:
        """It is lost; ``confirmed``: events so far, by all lines; ``idle``: none was on its way."""
        if (idle or confirmed > self._before) and now - self._back_at >= HOLDS:
            self._end_row()
        if not self._row:
            self._at_first = confirmed
        self._row += 1
        self._before = confirmed

    def next_pause(self) -> float:
        """Seconds before the next attempt."""
        pause, self._pause = self._pause, min(self._pause * 2, PAUSE_MOST)
        return pause

    def mended(self, now: float, confirmed: int) -> bool:
        """Whether a row that is quiet is over: nothing was confirmed in it, and now some is, or this line holds."""
        if self._row <= TOLD or confirmed == self._before:
            return False
        if self._at_first == self._before or now - self._back_at >= HOLDS:
            self._end_row()
            return True
        return False

    def _end_row(self) -> None:
        self._row, self._pause = 0, PAUSE
