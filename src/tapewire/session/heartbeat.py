"""Is the line alive? Asks for a sign of life at an interval and says when the answer is overdue."""

from __future__ import annotations


class Heartbeat:
    """The clock of one line's pings. One question is open at a time.

    Args:
        interval: seconds between questions.
        timeout: seconds to wait for an answer.
        t: when the line opened, monotonic seconds.
    """

    def __init__(self, interval: float, timeout: float, t: float) -> None:
        self._interval, self._timeout = interval, timeout
        self._next = t + interval
        self._overdue: float | None = None
        self._number = 0

    @property
    def deadline(self) -> float:
        """When the answer is overdue, or else when the next question is due."""
        return self._next if self._overdue is None else self._overdue

    @property
    def waiting(self) -> bool:
        """Whether a question is open."""
        return self._overdue is not None

    def due(self, t: float) -> bool:
        """Whether a question is to be sent now."""
        return self._overdue is None and t >= self._next

    def expired(self, t: float) -> bool:
        """Whether the answer did not come in time."""
        return self._overdue is not None and t >= self._overdue

    def ask(self, t: float) -> bytes:
        """Note that a question goes out now and give its payload, a new one each time (at most 125 bytes).

        The next one is due an interval from now, however late this one is: a process that was stopped for
        minutes sends one ping, not all that it missed.
        """
        self._number += 1
        self._next, self._overdue = t + self._interval, t + self._timeout
        return self._payload()

    def answer(self, payload: bytes) -> None:
        """A PONG came; one that does not answer the open question says nothing."""
        if payload == self._payload():
            self.alive()

    def ask_anew(self, t: float) -> None:
        """Nobody listened for the answer: the open question is forgotten, the next one due at ``t``."""
        self._next, self._overdue = t, None

    def alive(self) -> None:
        """A sign of life that needs no matching payload."""
        self._overdue = None

    def _payload(self) -> bytes:
        return b"tapewire-%d" % self._number
