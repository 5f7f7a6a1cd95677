"""How a venue's order events are read: which tell an execution, which end an order, what tells one from another."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from tapewire.model.events import MyOrderEvent

_ZERO = Decimal(0)


class OpenOrder(Struct, frozen=True):
    """An order that was open when it was heard of last, and how much of it was ``executed`` by then."""

    uuid: str
    symbol: str
    executed: Decimal


def is_trade(event: MyOrderEvent) -> bool:
    """Whether it tells an execution, in the words of ``MyOrderEvent``."""
    return event.state == "trade"


def mark(event: MyOrderEvent) -> str:
    """What only one event of an order can be: an execution by its id, a state by its name."""
    return event.trade_uuid or event.state if event.state == "trade" else event.state


def with_sums(fill: MyOrderEvent, order: MyOrderEvent, executed: Decimal, _closes: bool) -> MyOrderEvent:  # noqa: FBT001
    """An execution with what was executed up to it, and what was left."""
    prevented = order.prevented_volume or _ZERO
    left = None if order.volume is None else order.volume - executed - prevented
    return replace(fill, executed_volume=executed, remaining_volume=left)


class OrderWords(Struct, frozen=True, kw_only=True):
    """What a venue's order events mean; as it stands, in the words of ``MyOrderEvent`` itself.

    Attributes:
        ends: states after which nothing more comes of an order.
        executes: event → whether it tells an execution, whose size is its ``volume``.
        mark: event → what only this event of its order can be.
        summed: an execution as REST tells it, its order, what was executed up to it, whether it ends the order → the
            event that the stream would have sent.
        repeats: the exchange may send an execution or an end twice; the second is no news.
    """

    ends: frozenset[str] = frozenset({"done", "cancel"})
    executes: Callable[[MyOrderEvent], bool] = is_trade
    mark: Callable[[MyOrderEvent], str] = mark
    summed: Callable[[MyOrderEvent, MyOrderEvent, Decimal, bool], MyOrderEvent] = with_sums
    repeats: bool = False


#: The words of ``MyOrderEvent`` itself.
OWN = OrderWords()
