"""What an account's stream of positions told, held against what REST knows: those that changed, or were closed."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from tapewire.model.positions import PositionEvent

_ZERO = Decimal(0)


class Positions:
    """One account's positions. ``complete``: all that there were when the stream began are known."""

    def __init__(self) -> None:
        self.complete = False
        self._known: dict[str, PositionEvent] = {}
        self._marks: dict[str, PositionEvent] = {}
        self._fresh: set[str] = set()

    def state(self) -> list[PositionEvent]:
        """For another process: each position as it was told last."""
        return list(self._known.values())

    def resume(self, positions: Iterable[PositionEvent]) -> None:
        """Begin where another process ended, which knew all that there were."""
        self.complete = True
        self._known = {_name(one): one for one in positions}

    def told(self, event: PositionEvent) -> bool:
        """The stream tells this; True: this very state was delivered already, recovered from REST."""
        name = _name(event)
        mark = self._marks.pop(name, None)
        self._fresh.add(name)
        self._keep(event)
        return mark is not None and event.updated_at is not None and _state(mark) == _state(event)

    def ask(self) -> None:
        """REST is asked now: what the stream tells from here on is not older than its answer."""
        self._fresh.clear()

    def learn(self, positions: Iterable[PositionEvent]) -> None:
        """How positions stand as the stream begins."""
        for one in positions:
            if _name(one) not in self._fresh:
                self._keep(one)

    def missed(self, positions: Iterable[PositionEvent]) -> list[PositionEvent]:
        """Of REST's answer what the stream did not tell; a position that the answer leaves out is closed."""
        open_ones = {_name(one): one for one in positions}
        closed = [_closed(known) for name, known in self._known.items() if name not in open_ones]
        news = [one for one in (*open_ones.values(), *closed) if self._is_news(one)]
        self.learn((*open_ones.values(), *closed))
        for one in news:
            self._keep(one)
            self._marks[_name(one)] = one
        return news

    def _keep(self, event: PositionEvent) -> None:
        if event.position:
            self._known[_name(event)] = event
        else:
            self._known.pop(_name(event), None)

    def _is_news(self, event: PositionEvent) -> bool:
        name = _name(event)
        if name in self._fresh:
            return False
        known = self._known.get(name)
        return self.complete if known is None else _size(known) != _size(event)


def _name(event: PositionEvent) -> str:
    return event.position_id or f"{event.symbol} {event.position_side} {event.margin_mode}"


def _size(event: PositionEvent) -> tuple[Decimal | None, Decimal | None]:
    """What trades change; prices and profits change all the time."""
    return event.position, event.avg_price


def _state(event: PositionEvent) -> tuple[object, ...]:
    return (*_size(event), event.updated_at)


def _closed(known: PositionEvent) -> PositionEvent:
    return PositionEvent(
        venue=known.venue, symbol=known.symbol, position_id=known.position_id, market_type=known.market_type,
        margin_mode=known.margin_mode, position_side=known.position_side, currency=known.currency, position=_ZERO,
    )  # fmt: skip
