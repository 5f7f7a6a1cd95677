"""What the last trades of a stream were: one that comes again under the same id is held against it (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from tapewire.model.events import TradeEvent
from tapewire.model.status import TradeBody

#: Trades whose bodies are kept, the newest: with the ids some 57 kB of a busy stream.
KEPT = 128


class Bodies:
    """Price, volume and side of the last trades, one behind the other: three appends cost less than one tuple.

    The newest is on the right, as in the queue of ids that it stands beside.
    """

    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told: deque[Any] = deque(maxlen=3 * KEPT)

    @property
    def keeper(self) -> Callable[[float | str | None], None]:
        """What the short road calls with the price of a new trade, its volume and its side: one after the other."""
        return self._told.append

    def keep(self, event: TradeEvent) -> None:
        """A new trade."""
        self._told.extend((event.trade_price, event.trade_volume, event.ask_bid))

    def skip(self) -> None:
        """A trade of which the id alone is known."""
        self._told.extend((None, None, None))

    def other_than(self, event: TradeEvent, ids: Sequence[int | None]) -> TradeBody | None:
        """What came under this trade's id before, if that was another; None: the same, or it is not known any more."""
        for age, number in enumerate(reversed(ids)):
            at = len(self._told) - 3 * (age + 1)
            if at < 0:
                return None
            if number == event.sequential_id:
                before = TradeBody(*islice(self._told, at, at + 3))
                return None if before in (body_of(event), TradeBody()) else before
        return None


def body_of(event: TradeEvent) -> TradeBody:
    """What a trade is, its id aside."""
    return TradeBody(event.trade_price, event.trade_volume, event.ask_bid)
