"""Which streams of several lines are not to be relied on: those that are so on every line that carries them."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable

from msgspec.structs import replace

from tapewire.model.status import Stale
from tapewire.model.subscription import Subscription


class StaleStreams:
    """What the lines of a group say of their streams, and what is told of it: each begin has its end.

    Args:
        lines: how many there are.
        carriers: the lines on which a stream is confirmed now.
        tell: hears what is true of the group.
        wall_ns: the time, ns UTC.
    """

    def __init__(
        self,
        lines: int,
        carriers: Callable[[Subscription], frozenset[int]],
        tell: Callable[[Stale], None],
        wall_ns: Callable[[], int],
    ) -> None:
        self._lines: list[dict[Subscription, Stale]] = [{} for _ in range(lines)]
        self._carriers, self._tell, self._wall_ns = carriers, tell, wall_ns
        self._told: dict[Subscription, Stale] = {}

    def hear(self, line: int, event: Stale) -> None:
        """One line says that a stream is stale on it, or no longer."""
        subscription = event.subscription
        if event.over:
            self._lines[line].pop(subscription, None)
        else:
            self._lines[line][subscription] = event
        begun, stale = self._told.get(subscription), self._is_stale(subscription)
        if stale and begun is None:
            self._begin(event)
        elif begun is not None and not stale:
            self._end(begin=begun, end=event if event.cause == begun.cause else None)

    def judge(self, subscriptions: Iterable[Subscription]) -> None:
        """Other lines carry these streams than before. One that none carries is as it was: a gap tells of it."""
        for subscription in subscriptions:
            begun, stale = self._told.get(subscription), self._is_stale(subscription)
            if begun is not None and not stale and self._carriers(subscription):
                self._end(begin=begun)
            elif begun is None and stale:
                self._begin(next(said[subscription] for said in self._lines if subscription in said))

    def lost(self, line: int) -> None:
        """The line is gone: it says nothing of any stream."""
        self._lines[line].clear()

    def follow(self, wanted: Container[Subscription]) -> None:
        """The whole new set of streams: of those that nobody wants any more nothing is to be told."""
        for said in (*self._lines, self._told):
            for subscription in [one for one in said if one not in wanted]:
                del said[subscription]

    def _is_stale(self, subscription: Subscription) -> bool:
        carriers = self._carriers(subscription)
        return bool(carriers) and all(subscription in self._lines[line] for line in carriers)

    def _begin(self, event: Stale) -> None:
        self._told[event.subscription] = event
        self._tell(event)

    def _end(self, *, begin: Stale, end: Stale | None = None) -> None:
        del self._told[begin.subscription]
        now = self._wall_ns()
        seconds = begin.silent + (now - begin.at_ns) / 1e9
        self._tell(end or replace(begin, at_ns=now, over=True, silent=seconds))
