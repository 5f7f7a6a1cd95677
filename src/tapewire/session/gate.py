"""Keeps limits as the exchange counts them, by arrival: at most so many in every sliding window, several at once."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence

from msgspec import Struct

from tapewire.config import SessionOptions
from tapewire.venues.contract import Window

#: Added to each window, so that a clock's rounding on either side never makes two windows touch.
MARGIN = 0.001
#: Seconds until the next look at a gate that waits for answers only: others' answers are told to nobody here.
ASK_AGAIN = 0.02
#: Seconds beyond which no wait is believed: a mistaken one must not silence a program for ever.
LONGEST_WAIT = 3600.0


class Grant(Struct, frozen=True, order=True, array_like=True, gc=False):
    """One grant that was given: when it has arrived at the latest, when it was given, whether its answer is awaited."""

    latest: float
    sent: float
    awaited: bool


class Gate:
    """Grants within sliding windows. Ask ``next_at`` when to come, and ``take`` a grant before acting.

    The exchange counts what arrives, so a grant leaves its window only when that has surely passed since its arrival:
    since the answer (``arrived``), or, as long as none is known, since ``leeway`` after it was given. Nothing is added
    to what is known to have arrived, so a caller whose answers come at once loses nothing.

    Args:
        windows: the limits, all kept at the same time; none: everything is allowed at once.
        leeway: seconds that one may be on its way without a sign of its arrival.
        above: another gate that each grant has to pass and is booked at, too.
    """

    def __init__(self, windows: Sequence[Window], leeway: float = MARGIN, above: Gate | None = None) -> None:
        self._windows, self._leeway, self._above = tuple(windows), leeway, above
        self._longest = max((window.seconds for window in windows), default=0.0)
        self._most = 4 * max((window.count for window in windows), default=0)
        self._grants: list[Grant] = []  # in the order of ``latest``
        self._closed_until = float("-inf")

    @property
    def longest(self) -> float:
        """Seconds of the longest window."""
        return self._longest

    def next_at(self, t: float) -> float:
        """Earliest time, ``t`` or later (monotonic seconds), at which one more is within every window.

        What is still awaited may leave its window earlier than that: ask again when an answer came.
        """
        return self._within(t if self._above is None else self._above.next_at(t))

    def ask_at(self, t: float) -> float:
        """When to ask again, after ``t``: as ``next_at``, but no later than answers that are awaited could bring it."""
        hoped = self._hoped() if self._above is None else t
        return min(self.next_at(t), max(hoped, t + ASK_AGAIN))

    def take(self, t: float) -> bool:
        """Book one grant at ``t`` if it is due by then; False: it is not, ask ``next_at`` again.

        The question and the booking are one, so that of two who come for the last grant only one gets it.
        """
        if self._within(t) > t or not (self._above is None or self._above.take(t)):
            return False
        self._note(t)
        return True

    def book(self, t: float) -> None:
        """Note one grant at ``t`` that was taken without asking."""
        if self._above is not None:
            self._above.book(t)
        self._note(t)

    def arrived(self, sent: float, t: float) -> None:
        """The grant taken at ``sent`` had arrived by ``t``: its answer came, or its failure (monotonic seconds)."""
        if self._above is not None:
            self._above.arrived(sent, t)
        for number, grant in enumerate(self._grants):
            if grant.awaited and grant.sent == sent:
                del self._grants[number]
                insort(self._grants, Grant(t + MARGIN, sent, awaited=False))
                return

    def told(self, sent: float, t: float, left: int, seconds: float) -> None:
        """The answer that came at ``t`` to the grant taken at ``sent`` says how many more ``seconds`` allow.

        Fewer than counted here: somebody else calls, too, and what he used is booked as if it were ours. More are never
        believed. Call it before ``arrived``.
        """
        window = next((one for one in self._windows if one.seconds == seconds), None)
        if window is None:
            return
        on_their_way = sum(grant.awaited and grant.sent > sent for grant in self._grants)
        for _ in range(window.count - self._used(window, t) - max(0, left - on_their_way)):
            self._insert(Grant(t + MARGIN, t, awaited=False), t)

    def close(self, until: float) -> None:
        """No grant before ``until`` (monotonic seconds): the exchange refused one."""
        self._closed_until = max(self._closed_until, until)
        if self._above is not None:
            self._above.close(until)

    def spent(self, t: float, at_least: float = 0.0) -> float:
        """Share of the budget that is used at ``t``, 0 to 1: of the fullest window of ``at_least`` so many seconds."""
        shares = [self._used(window, t) / window.count for window in self._windows if window.seconds >= at_least]
        above = 0.0 if self._above is None else self._above.spent(t, at_least)
        return max(above, *shares, 0.0)

    def left(self, t: float) -> list[tuple[Window, int]]:
        """How many more each window allows at ``t``, those of the gate above first."""
        above = [] if self._above is None else self._above.left(t)
        closed = t < self._closed_until
        return above + [(window, 0 if closed else window.count - self._used(window, t)) for window in self._windows]

    def _within(self, t: float) -> float:
        t, grants = max(t, self._closed_until), self._grants
        for window in self._windows:
            if len(grants) >= window.count:
                t = max(t, grants[-window.count].latest + window.seconds)
        return t

    def _hoped(self) -> float:
        """When one more would be within every window if all that is awaited had arrived as it was sent."""
        times = sorted(grant.sent if grant.awaited else grant.latest for grant in self._grants)
        free = [times[-one.count] + one.seconds for one in self._windows if len(times) >= one.count]
        return max([self._closed_until, *free])

    def _used(self, window: Window, t: float) -> int:
        since = t - window.seconds
        return min(window.count, sum(grant.latest > since for grant in self._grants))

    def _note(self, t: float) -> None:
        self._insert(Grant(t + self._leeway, t, awaited=True), t)

    def _insert(self, grant: Grant, t: float) -> None:
        insort(self._grants, grant)
        gone = sum(one.latest <= t - self._longest for one in self._grants)
        del self._grants[: max(gone, len(self._grants) - self._most)]


def own_gate(options: SessionOptions, above: Gate) -> Gate:
    """The user's own limits of what is sent on one connection, below the exchange's."""
    limits = ((options.messages_per_second, 1.0), (options.messages_per_minute, 60.0))
    return Gate([Window(count, seconds) for count, seconds in limits if count is not None], above=above)
