"""The feed's own events as lines for people: gaps that come together are told in few lines."""

from __future__ import annotations

from tapewire.apps.cli.terminal import Styled, feed_line, gap_lines
from tapewire.model.events import Event
from tapewire.model.status import FeedEvent, Gap, Rejected
from tapewire.sinks.contract import Item

#: Seconds in which the gaps of one loss are collected (each stream's ends with its own first message).
_TOGETHER = 0.5


class News:
    """Hears every event of a stream, in order, and gives back the lines that are due."""

    def __init__(self) -> None:
        self._gaps: list[Gap] = []
        self._since = 0.0
        self._refused: set[tuple[str, tuple[str, ...]]] = set()

    def hear(self, item: Item, now: float) -> list[Styled]:
        """Lines to show now; ``now`` in monotonic seconds."""
        if isinstance(item, Gap):
            self._since = self._since if self._gaps else now
            self._gaps.append(item)
            return []
        if isinstance(item, Event):
            return self.late(now)
        return [] if self._is_told(item) else [*self.due(), feed_line(item)]

    def late(self, now: float) -> list[Styled]:
        """What was held back for long enough."""
        return self.due() if self._gaps and now - self._since >= _TOGETHER else []

    def due(self) -> list[Styled]:
        """What was held back until now."""
        gaps, self._gaps = self._gaps, []
        return gap_lines(gaps) if gaps else []

    def _is_told(self, item: FeedEvent) -> bool:
        """A market that is refused is refused for each of its types: one line is enough."""
        if not isinstance(item, Rejected):
            self._refused.clear()
            return False
        words = item.message, tuple(subscription.symbol for subscription in item.subscriptions)
        if words in self._refused:
            return bool(item.subscriptions)
        self._refused.add(words)
        return False
