"""Keeps limits: at most so many in every sliding window, several windows at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tapewire.config import SessionOptions
from tapewire.venues.contract import Facts, Window

#: Added to each window, so that a clock's rounding on either side never makes two windows touch.
MARGIN = 0.001
#: Seconds that what was sent later may catch up with what was sent before it on the way to the exchange, which
#: counts what arrives: a message on an open line, and a dial with its name, TCP and TLS to go through.
MESSAGE_LEEWAY, CONNECT_LEEWAY = 0.1, 0.25


class Limits(NamedTuple):
    """One gate each for all connections to one address: dials, messages, REST calls."""

    connects: Gate
    messages: Gate
    rest_calls: Gate


class Gate:
    """A sliding log of grants. Ask ``next_at`` when to come, and ``take`` a grant before acting.

    Args:
        windows: the limits, all kept at the same time; none: everything is allowed at once.
        leeway: seconds that each window is taken to be longer.
        above: another gate that each grant has to pass and is booked at, too.
    """

    def __init__(self, windows: Sequence[Window], leeway: float = MARGIN, above: Gate | None = None) -> None:
        self._windows, self._leeway, self._above = tuple(windows), leeway, above
        self._log: deque[float] = deque(maxlen=max((window.count for window in windows), default=1))

    def next_at(self, t: float) -> float:
        """Earliest time, ``t`` or later (monotonic seconds), at which one more is within every window."""
        return self._within(t if self._above is None else self._above.next_at(t))

    def take(self, t: float) -> bool:
        """Book one grant at ``t`` if it is due by then; False: it is not, ask ``next_at`` again.

        The question and the booking are one, so that of two who come for the last grant only one gets it.
        """
        if self._within(t) > t or not (self._above is None or self._above.take(t)):
            return False
        self._note(t)
        return True

    def reserve(self, t: float) -> float:
        """Book the earliest grant at ``t`` or later; the time to act (monotonic seconds)."""
        t = self.next_at(t)
        self.book(t)
        return t

    def _within(self, t: float) -> float:
        log = self._log
        for window in self._windows:
            if len(log) >= window.count:
                t = max(t, log[-window.count] + window.seconds + self._leeway)
        return t

    def book(self, t: float) -> None:
        """Note one grant at ``t``; a time before the last grant counts as the last one's."""
        if self._above is not None:
            self._above.book(t)
        self._note(t)

    def _note(self, t: float) -> None:
        self._log.append(max(t, self._log[-1]) if self._log else t)

    def spent(self, t: float, at_least: float = 0.0) -> float:
        """Share of the budget that is used at ``t``, 0 to 1: of the fullest window of ``at_least`` so many seconds."""
        shares = [self._used(window, t) / window.count for window in self._windows if window.seconds >= at_least]
        above = 0.0 if self._above is None else self._above.spent(t, at_least)
        return max(above, *shares, 0.0)

    def left(self, t: float) -> list[tuple[Window, int]]:
        """How many more each window allows at ``t``, those of the gate above first."""
        above = [] if self._above is None else self._above.left(t)
        return above + [(window, window.count - self._used(window, t)) for window in self._windows]

    def _used(self, window: Window, t: float) -> int:
        since = t - window.seconds - self._leeway
        return min(window.count, sum(1 for granted in self._log if granted > since))


def limits_of(facts: Facts, gate: Callable[[Sequence[Window], float], Gate] = Gate) -> Limits:
    """Fresh gates for one address of a venue, each with its leeway; ``gate`` makes them of windows and leeway."""
    return Limits(
        gate(facts.connects, CONNECT_LEEWAY),
        gate(facts.messages, MESSAGE_LEEWAY),
        gate(facts.rest_calls, CONNECT_LEEWAY),
    )


def own_gate(options: SessionOptions, above: Gate) -> Gate:
    """The user's own limits of what is sent on one connection, below the exchange's."""
    limits = ((options.messages_per_second, 1.0), (options.messages_per_minute, 60.0))
    return Gate([Window(count, seconds) for count, seconds in limits if count is not None], MESSAGE_LEEWAY, above)
