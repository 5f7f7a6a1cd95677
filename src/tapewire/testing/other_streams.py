"""Judges what was heard of candles, orders and fills: against the exchange's own (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from tapewire.model.events import CandleEvent, MyOrderEvent
from tapewire.model.positions import FillEvent
from tapewire.venues.trading import Order

#: Milliseconds between two messages of a stream of candles (spec/upbit.md 4.4): the last state may not be sent.
SPACING_MS = 1_000
_ENDS = ("done", "cancel")
#: An execution of an order: its market, the order's id, the trade's.
Execution = tuple[str, str, int]


class CandleAccount(Struct, frozen=True, kw_only=True):
    """``judged``: windows that began after the first heard one; ``wrong``: starts of those whose last message was not
    the exchange's final state, or that never came.
    """

    judged: int
    wrong: tuple[str, ...]


class OrderAccount(Struct, frozen=True, kw_only=True):
    """``ended``: orders made since that ended; ``missed``: those whose end was not told; ``twice``: more than once."""

    ended: int
    missed: tuple[str, ...]
    twice: tuple[str, ...]


class FillAccount(Struct, frozen=True, kw_only=True):
    """``made``: executions since; ``missed``: those that were not told; ``twice``: told more than once."""

    made: int
    missed: tuple[Execution, ...]
    twice: tuple[Execution, ...]


def judge_candles(
    made: Mapping[str, CandleEvent], heard: Iterable[CandleEvent], *, closed: bool = False
) -> CandleAccount:
    """Of one stream.

    Args:
        made: the exchange's windows that are over, by their start (ISO 8601, UTC).
        heard: what the subscriber was given, in order; of each window the last wins.
        closed: the exchange tells how each window ended, so that nothing of it may be missing; else windows without a
            trade are not told.
    """
    last: dict[str, CandleEvent] = {}
    first = ""
    for candle in heard:
        start = candle.candle_date_time_utc or ""
        first = first or start
        if not (start in last and last[start].final and not candle.final):
            last[start] = candle
    due = {
        start: candle
        for start, candle in made.items()
        if first and start > first and (closed or candle.candle_acc_trade_volume != 0)
    }
    differs = (lambda one, other: _state(one) != _state(other)) if closed else _differs
    wrong = (start for start, candle in due.items() if start not in last or differs(last[start], candle))
    return CandleAccount(judged=len(due), wrong=tuple(sorted(wrong)))


def _differs(heard: CandleEvent, made: CandleEvent) -> bool:
    """What a stream leaves out at the end of a window nobody can hear.

    A change soon after a message waits for the next one, and so does one that is published late: of what happened in a
    window's last moments the message would be the next window's.
    """
    changed, told = made.timestamp or 0, heard.timestamp or 0
    unheard = told <= changed and (changed - told <= SPACING_MS or _end_ms(made) - changed <= SPACING_MS)
    return _state(heard) != _state(made) and (heard.final or not unheard)


def _end_ms(candle: CandleEvent) -> int:
    """When its window ends (Unix ms, UTC)."""
    start = datetime.fromisoformat(f"{candle.candle_date_time_utc}+00:00")
    unit = candle.unit or "1s"
    return round(start.timestamp() * 1000) + int(unit[:-1]) * {"s": 1_000, "m": 60_000}[unit[-1]]


def judge_orders(
    made: Sequence[Order], heard: Iterable[MyOrderEvent], since_ms: int, named: Callable[[Order], tuple[str, str]]
) -> OrderAccount:
    """Of one account: ends of orders that were made since (Unix ms, UTC).

    Args:
        made: the exchange's orders.
        heard: what the subscriber was given.
        since_ms: when its stream was live.
        named: an order → its id and state as the exchange tells them (``VenueExchange.told_order``).
    """
    ended = [(named(order), order.ms) for order in made if order.state in _ENDS]
    ends = {end for end, _ in ended}
    told = Counter(end for event in heard if (end := (event.uuid, event.state)) in ends)
    due = {end for end, ms in ended if ms >= since_ms}
    return OrderAccount(
        ended=len(due),
        missed=tuple(sorted(uuid for uuid, state in due if (uuid, state) not in told)),
        twice=tuple(sorted(uuid for (uuid, _), count in told.items() if count > 1)),
    )


def judge_fills(
    made: Sequence[Order],
    heard: Mapping[Execution, int],
    since_ms: int,
    named: Callable[[Order], tuple[str, str]],
) -> FillAccount:
    """Of one account: executions since.

    Args:
        made: the exchange's orders.
        heard: how often each execution was told.
        since_ms: when its stream was live (Unix ms, UTC).
        named: as of ``judge_orders``.
    """
    due = {
        (order.asked.symbol, named(order)[0], fill.trade)
        for order in made
        for fill in order.fills
        if fill.ms >= since_ms
    }
    return FillAccount(
        made=len(due),
        missed=tuple(sorted(due - heard.keys())),
        twice=tuple(sorted(one for one, count in heard.items() if count > 1)),
    )


def matches_of(event: FillEvent) -> list[Execution]:
    """The executions that a fill stands for: the last one gives it its id."""
    last = event.sequential_id or 0
    return [(event.symbol, event.uuid, last - back) for back in range(event.count or 1)]


def _state(candle: CandleEvent) -> tuple[float | None, ...]:
    return (
        candle.opening_price, candle.high_price, candle.low_price, candle.trade_price, candle.candle_acc_trade_volume,
    )  # fmt: skip
