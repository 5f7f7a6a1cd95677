"""When the line is to be dialled, how long after a loss, and when dialling again is of no use."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from tapewire.config import FeedOptions
from tapewire.model.line import Loss
from tapewire.session.backoff import Backoff
from tapewire.session.blocks import LIMITED
from tapewire.session.gate import Gate
from tapewire.venues.contract import Facts, side_url

#: A refused key: the token may have been at fault (its nonce, a clock), so one more is tried (RELIABILITY.md D4).
UNAUTHORIZED = 401


class Dialling:
    """The dials of one connection.

    Args:
        facts, side: whom it calls, and which of the venue's sides.
        options: the address in place of the venue's, and the session's options.
        gate: the connection limit, shared by all connections of a process.
        random: gives a float in [0, 1) at each call (jitter).
    """

    def __init__(self, facts: Facts, side: str, options: FeedOptions, gate: Gate, random: Callable[[], float]) -> None:
        self.url = side_url(options.url or facts.url, facts.sides[side])
        self._signed, self._fatal = side in facts.signed_sides, facts.fatal_statuses
        self._gate, self._backoff = gate, Backoff(options.session, random)
        self._stable_after = options.session.stable_after
        self._at = float("-inf")
        self._opened_at: float | None = None
        self._lost_at, self._was_open = 0.0, False
        self._begun_at: float | None = None
        self._asked_at = float("-inf")
        self._alive = self._one_token_refused = False
        #: Dials since the start, or since the line was last stable.
        self.count = 0

    @property
    def next_at(self) -> float:
        """When the next dial is due, or its turn to be asked for (monotonic seconds)."""
        return self._gate.ask_at(max(self._at, self._asked_at))

    @property
    def failures(self) -> int:
        """Losses in a row without a stable line between them."""
        return self._backoff.failures

    def begin(self, t: float) -> bool:
        """Whether a dial is due; then it counts as begun."""
        if t < self._at:
            return False
        self._asked_at = t
        if not self._gate.take(t):
            return False
        self._begun_at = t
        self.count += 1
        return True

    def opened(self, t: float) -> None:
        """The dial succeeded."""
        self._opened_at, self._alive = t, False
        self._answered(t)

    def accepted(self) -> None:
        """The key was taken, or none is asked for."""
        self._one_token_refused = False

    def alive(self) -> None:
        """The line brought what it is there for."""
        self._alive = True

    def closed(self, t: float) -> None:
        """There is no line any more. One that was up long enough, with data, makes the next delay the first again."""
        self._answered(t)
        opened_at, self._opened_at = self._opened_at, None
        self._was_open = opened_at is not None
        if opened_at is not None and self._alive and t - opened_at >= self._stable_after:
            self._backoff.stable()
            self.count = 0

    def again(self, t: float, loss: Loss, *, counts: bool) -> float | None:
        """Seconds until the dial after ``loss``; None: trying again cannot mend it, or was tried often enough.

        ``counts=False``: the loss was the expected end of a refused request.
        """
        if self._is_final(loss):
            return None
        self._lost_at = self._lost_at if self._backoff.failures else t
        elapsed = inf if self._was_open else t - self._lost_at
        delay = self._backoff.delay(loss, counts=counts, elapsed=elapsed)
        if delay is None:
            return None
        self._at = t + delay
        if loss.status in LIMITED:
            self._gate.close(t + self._backoff.floor(loss))
        return self.next_at - t

    def _answered(self, t: float) -> None:
        """What was dialled has arrived by now, or never will."""
        if self._begun_at is not None:
            self._gate.arrived(self._begun_at, t)
            self._begun_at = None

    def _is_final(self, loss: Loss) -> bool:
        if loss.status not in self._fatal:
            return False
        if loss.status != UNAUTHORIZED or not self._signed:
            return True
        again, self._one_token_refused = self._one_token_refused, True
        return again
