"""How long to wait before the next dial: growing, spread by chance, never sooner than the exchange asked."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from tapewire.config import SessionOptions
from tapewire.model.line import Loss
from tapewire.session.gate import LONGEST_WAIT

#: Seconds to wait at least after 429 without ``Retry-After``: "stop until the next second" (spec/upbit.md 7.3).
TOO_MANY = 1.0


class Backoff:
    """Counts losses in a row and turns each into a delay.

    Args:
        options: base, factor, cap, jitter, max_retries.
        random: gives a float in [0, 1) at each call.
    """

    def __init__(self, options: SessionOptions, random: Callable[[], float]) -> None:
        self._options, self._random = options, random
        self._step = 0.0
        #: Losses in a row without a stable line between them.
        self.failures = 0

    def stable(self) -> None:
        """The line was up long enough, with data: the next delay is the first again."""
        self.failures, self._step = 0, 0.0

    def delay(self, loss: Loss, *, counts: bool = True, elapsed: float = inf) -> float | None:
        """Seconds from this loss to the next dial; None: the tries are used up.

        ``counts=False`` keeps the present step: the loss was the expected end of a refused request. ``elapsed``:
        seconds for which the exchange has been away. Chance draws from no longer than that: short draws let the steps
        grow faster than time, and nobody shall wait a quarter of a minute for an outage of eight seconds. (One that is
        there and ends every line has no such claim.)
        """
        if counts or not self.failures:
            self._grow()
        limit = self._options.max_retries
        if limit is not None and self.failures > limit:
            return None
        spread = min(self._step, max(elapsed, self._options.backoff_base))
        drawn = spread * self._random() if self._options.jitter else self._step
        return max(drawn, self.floor(loss))

    def _grow(self) -> None:
        options = self._options
        self._step = min(
            self._step * options.backoff_factor if self.failures else options.backoff_base, options.backoff_cap
        )
        self.failures += 1

    def floor(self, loss: Loss) -> float:
        """Seconds after this loss in which the exchange wants no dial."""
        if loss.retry_after is not None:
            return min(loss.retry_after, LONGEST_WAIT)
        if loss.status == 418:  # a temporary block; its length is not told
            return self._options.backoff_cap
        return TOO_MANY if loss.status == 429 else 0.0
