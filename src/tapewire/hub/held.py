"""Live events of one stream that wait until what was missed before them is delivered (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container
from decimal import Decimal
from math import inf
from typing import Any, Protocol

from tapewire.hub.calls import hand_over
from tapewire.model.events import Event, MyOrderEvent, TradeEvent

#: Events that wait at most; with one more all are delivered, and what was missed comes after them.
HELD_MOST = 10_000
#: Seconds that any of them waits at most, likewise.
HELD_SECONDS = 30.0

_Failed = Callable[[Any, BaseException], None]


_Made = tuple[float, int]
_LAST: _Made = (inf, 0)
_NOTHING = Decimal(0)


class Holding(Protocol):
    """A stream (``hub.router.Stream``)."""

    held: Held | None

    @property
    def listeners(self) -> Container[Any]: ...


class Held:
    """What waits in one stream, which has this as its ``held`` until it is let go. ``holes``: that are waited for."""

    def __init__(self, stream: Holding) -> None:
        self._stream = stream
        self._waiting: deque[tuple[Any, Event, _Failed]] = deque()
        self._oldest = _LAST  # of the trades that wait
        self.holes = 0

    def put(self, listener: Any, event: Event, failed: _Failed) -> None:
        """Let a live event wait for its listener; of what somebody wants to see once (a snapshot) nothing waits."""
        if listener.preference == "snapshot_only":
            hand_over(listener, event, failed)
            return
        self._oldest = min(self._oldest, _made(event))
        self._waiting.append((listener, event, failed))
        self._bound()

    def put_missed(self, listener: Any, event: Event, failed: _Failed) -> None:
        """Deliver what was missed. REST may know a trade that was made after one that waits: it waits behind that."""
        if isinstance(event, MyOrderEvent):
            self._put_order(listener, event, failed)
            return
        made = _made(event)
        if made < self._oldest or not isinstance(event, TradeEvent):
            hand_over(listener, event, failed)
            return
        place = len(self._waiting)
        while place and _made(self._waiting[place - 1][1]) > made:
            place -= 1
        self._waiting.insert(place, (listener, event, failed))
        self._bound()

    def _put_order(self, listener: Any, event: MyOrderEvent, failed: _Failed) -> None:
        """Deliver what an order missed; if something of it waits: before the executions that came live, or behind all.

        REST may know what came after those: then its sum is more than theirs, or it is no execution, but the end.
        """
        ours = [
            (place, one) for place, (whose, one, _) in enumerate(self._waiting)
            if whose is listener and isinstance(one, MyOrderEvent) and one.uuid == event.uuid
        ]  # fmt: skip
        if not ours:
            hand_over(listener, event, failed)
            return
        last, newest = ours[-1]
        behind = event.trade_uuid is None or _executed(event) > _executed(newest)
        live = last + 1 if behind else next((at for at, one in ours if not one.recovered and _executed(one)), last + 1)
        self._waiting.insert(live, (listener, event, failed))
        self._bound()

    def _bound(self) -> None:
        if len(self._waiting) > HELD_MOST:
            self.let_go()

    def filled(self) -> None:
        """One hole less is waited for."""
        self.holes -= 1
        if not self.holes:
            self.let_go()

    def let_go(self) -> None:
        """Deliver everything that waits to those who still listen; nothing waits here from now on."""
        if self._stream.held is self:
            self._stream.held = None
        while self._waiting:
            listener, event, failed = self._waiting.popleft()
            if listener in self._stream.listeners:
                hand_over(listener, event, failed)


def _executed(event: MyOrderEvent) -> Decimal:
    return event.executed_volume or _NOTHING


def _made(event: Event) -> _Made:
    """When a trade was executed, and its id; of all else: never."""
    return (event.trade_timestamp or 0, event.sequential_id or 0) if isinstance(event, TradeEvent) else _LAST
