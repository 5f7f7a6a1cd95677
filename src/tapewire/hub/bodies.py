"""What the last trades of a stream were: one that comes again under the same id is held against it (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from tapewire.model.events import TradeEvent
from tapewire.model.status import TradeBody

#: Trades whose bodies are kept, the newest: with the ids some 57 kB of a busy stream.
KEPT = 128


class Bodies:
    """Price, volume and side of the last trades, each in a queue of its own: three appends cost less than one tuple.

    The newest is on the right, as in the queue of ids that it stands beside.
    """

    __slots__ = ("_prices", "_sides", "_volumes")

    def __init__(self) -> None:
        self._prices: deque[float | None] = deque(maxlen=KEPT)
        self._volumes: deque[float | None] = deque(maxlen=KEPT)
        self._sides: deque[str | None] = deque(maxlen=KEPT)

    @property
    def keepers(self) -> tuple[Callable[[float | None], None], Callable[[float | None], None], Callable[..., None]]:
        """What the short road calls with price, volume and side of a new trade."""
        return self._prices.append, self._volumes.append, self._sides.append

    def keep(self, event: TradeEvent) -> None:
        """A new trade."""
        self._prices.append(event.trade_price)
        self._volumes.append(event.trade_volume)
        self._sides.append(event.ask_bid)

    def skip(self) -> None:
        """A trade of which the id alone is known."""
        for queue in (self._prices, self._volumes, self._sides):
            queue.append(None)

    def other_than(self, event: TradeEvent, ids: Sequence[int | None]) -> TradeBody | None:
        """What came under this trade's id before, if that was another; None: the same, or it is not known any more."""
        for age, number in enumerate(reversed(ids)):
            if age >= len(self._prices):
                return None
            if number == event.sequential_id:
                before = TradeBody(self._prices[-1 - age], self._volumes[-1 - age], self._sides[-1 - age])
                return None if before in (body_of(event), TradeBody()) else before
        return None


def body_of(event: TradeEvent) -> TradeBody:
    """What a trade is, its id aside."""
    return TradeBody(event.trade_price, event.trade_volume, event.ask_bid)
