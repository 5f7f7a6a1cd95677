"""At most so many come in within any second, and the others wait for their turn (pure)."""

from __future__ import annotations

#: Of those that may come in within a second: how many at once, and how many at an even pace behind them. What is left
#: is for the way to the clients, on which turns draw together.
_AT_ONCE, _EVENLY = 0.1, 0.8


class Turnstile:
    """Tells who comes when he may go through.

    A gateway that was restarted is run at by all its clients at once. Most of them know neither jitter nor a wait that
    grows; so they are let in one after the other, and nobody is sent away.

    Args:
        most: within any second.
        patience: seconds that somebody may have to wait.
    """

    def __init__(self, most: int, patience: float) -> None:
        self._pause = 1.0 / max(1.0, most * _EVENLY)
        self._ahead = self._pause * (max(1, int(most * _AT_ONCE)) - 1)
        self._patience = patience
        self._next = float("-inf")  # when the next turn is due, were all at an even pace

    def enter(self, now: float) -> float | None:
        """Take a turn.

        Args:
            now: monotonic seconds.

        Returns:
            Seconds until then; None: that would be too long, and none was taken.
        """
        due = max(self._next, now - self._ahead)
        wait = max(0.0, due - now)
        if wait > self._patience:
            return None
        self._next = due + self._pause
        return wait
