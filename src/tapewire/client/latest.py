"""The newest events of each stream, kept for who asks for them: what is not asked for costs nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from tapewire.errors import ConfigError, UsageError
from tapewire.model.events import Event

#: (kind, unit of candles and indicators, symbol)
Key = tuple[str, str | None, str]


def key_of(event: Event) -> Key:
    """Which stream an event is of."""
    return event.kind, getattr(event, "unit", None), event.symbol


def key(kind: str, symbol: str, unit: str | None = None) -> Key:
    """Which stream a question is about."""
    return kind, unit, symbol


class DataPool:
    """Up to ``depth`` newest events of each stream of the kinds that are kept."""

    def __init__(self) -> None:
        self.kinds: frozenset[str] = frozenset()
        self._depth = 1
        self._events: dict[Key, deque[Event]] = {}

    def keep(self, kinds: Iterable[str], depth: int) -> None:
        """Keep these kinds from now on, beside those that are kept already."""
        if isinstance(depth, bool) or depth < 1:
            raise ConfigError("history", depth, "a whole number of events, 1 or more")
        if self.kinds and depth != self._depth:
            raise UsageError(f"history is {self._depth} already; one client keeps one number of events for all kinds")
        self.kinds |= frozenset(kinds)
        self._depth = depth

    def keeping(self, deliver: Callable[[Any], Any], kinds: Iterable[str]) -> Callable[[Any], Any]:
        """``deliver`` itself, or, if one of its kinds is kept, a function that keeps each event and calls it."""
        if self.kinds.isdisjoint(kinds):
            return deliver
        events, kept_kinds, depth = self._events, self.kinds, self._depth

        def keep(event: Event) -> Any:
            if event.kind in kept_kinds:
                at = key_of(event)
                kept = events.get(at)
                if kept is None:
                    kept = events[at] = deque(maxlen=depth)
                kept.append(event)
            return deliver(event)

        return keep

    def history(self, at: Key) -> list[Event]:
        """What is kept of one stream, oldest first."""
        return list(self._events.get(at, ()))

    def latest(self, at: Key) -> Event | None:
        """The newest event of one stream, None when none came."""
        kept = self._events.get(at)
        return kept[-1] if kept else None

    def symbols(self) -> list[str]:
        """Of which something is kept."""
        return sorted({symbol for _, _, symbol in self._events})

    def forget(self, before_ns: int) -> int:
        """Drop the streams whose newest event was received before ``before_ns`` (ns UTC). Returns how many."""
        old = [at for at, kept in self._events.items() if kept[-1].received_ns < before_ns]
        for at in old:
            del self._events[at]
        return len(old)
