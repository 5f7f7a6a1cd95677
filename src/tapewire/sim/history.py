"""The published trades of one market that REST still knows (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from tapewire.model.events import TradeEvent


class History:
    """Trades in the order in which they were published: one that is told late stands among younger ones.

    Args:
        size: how many are kept; the oldest go.
    """

    def __init__(self, size: int) -> None:
        self._trades: deque[TradeEvent] = deque(maxlen=size)

    def extend(self, trades: Iterable[TradeEvent]) -> None:
        """They are published now."""
        self._trades.extend(trades)

    def newest(self, wanted: Callable[[TradeEvent], bool], count: int) -> list[TradeEvent]:
        """Of those that are wanted ``count`` at most, newest first by (execution, id)."""
        found: list[TradeEvent] = []
        oldest = 0
        for trade in reversed(self._trades):
            if (trade.timestamp or 0) < oldest:
                break  # all that was published before was executed before
            if wanted(trade):
                found.append(trade)
                if len(found) == count:
                    oldest = min(_executed(one)[0] for one in found)
        return sorted(found, key=_executed, reverse=True)[:count]


def _executed(trade: TradeEvent) -> tuple[int, int]:
    return trade.trade_timestamp or 0, trade.sequential_id or 0
