"""How OKX's order events are read: which tell an execution, which end an order (spec/okx.md A7.1)."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from tapewire.model.events import MyOrderEvent
from tapewire.venues.contract import OrderWords

_ENDS = frozenset({"filled", "canceled", "mmp_canceled"})
_TRADED = frozenset({"partially_filled", "filled"})


def executes(event: MyOrderEvent) -> bool:
    """Whether it tells an execution: it has a trade's id (section A7.1)."""
    return event.trade_uuid is not None and event.state in _TRADED


def mark(event: MyOrderEvent) -> str:
    """An execution by its trade, an end by its name; what may come again (an order is amended) by its time."""
    if executes(event):
        return str(event.trade_uuid)
    return event.state if event.state in _ENDS else f"{event.state} {event.timestamp}"


def with_sums(fill: MyOrderEvent, order: MyOrderEvent, executed: Decimal, closes: bool) -> MyOrderEvent:  # noqa: FBT001
    """An execution as the stream tells it: the last one is the end, but of an order that spends an amount (A7.1)."""
    spends = order.fields.get("tgtCcy") == "quote_ccy"
    filled = closes and order.state == "filled" and not spends
    return replace(fill, executed_volume=executed, state="filled" if filled else "partially_filled")


#: A message may repeat (section A7.1, idempotence).
WORDS = OrderWords(ends=_ENDS, executes=executes, mark=mark, summed=with_sums, repeats=True)
