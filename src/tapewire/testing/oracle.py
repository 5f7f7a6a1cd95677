"""Judges a feed of trades: what the exchange made against what was delivered or told as missing (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from tapewire.model.events import TradeEvent
from tapewire.model.status import Gap

#: A trade of an exchange: its market and its id there (ids repeat across markets).
Key = tuple[str, int | None]

_TELLING = ("open", "filling", "unfilled")


class Account(Struct, frozen=True, kw_only=True):
    """What became of every trade that was made while its market was subscribed.

    Attributes:
        made: trades made.
        live, recovered, polled: those that came by themselves, those that were asked for after a loss, and those that
            were asked for while there was no line.
        doubled: deliveries of trades that had been delivered before.
        lost: trades that were not delivered.
        undetected: those of the lost that no told gap covers, in the order they were made.
    """

    made: int
    live: int
    recovered: int
    polled: int
    doubled: tuple[Key, ...]
    lost: tuple[TradeEvent, ...]
    undetected: tuple[TradeEvent, ...]


def account(
    made: Sequence[TradeEvent], delivered: Iterable[TradeEvent], gaps: Iterable[Gap], *, counted: bool = False
) -> Account:
    """Judge one subscriber.

    A market counts as subscribed from the first of its trades that was delivered: what was made before that was made
    before the subscription reached the exchange. If that one is older than all of ``made``, it is so from the start.

    Args:
        made: every trade the exchange published, in order.
        delivered: what the subscriber was given, in order.
        gaps: every row of the gap ledger that was told, in order; of one that came again its last state counts.
        counted: ids count the matches of a market one by one, so that a trade stands for all since the one before it
            (``TradeEvent.count``): it was delivered when each of them was, together or singly.
    """
    first: dict[str, Key] = {}
    ways: dict[Key, str] = {}
    doubled: list[Key] = []
    for trade in delivered:
        first.setdefault(trade.symbol, (trade.symbol, trade.sequential_id))
        for key in _matches(trade, trade.count or 1):
            if key in ways:
                doubled.append(key)
            else:
                ways[key] = "polled" if trade.polled else "recovered" if trade.recovered else "live"
    window = _subscribed(made, first)
    counts = _counts(window) if counted else [1] * len(window)
    came = [_way(ways, trade, count) for trade, count in zip(window, counts, strict=True)]
    lost = tuple(trade for trade, way in zip(window, came, strict=True) if way is None)
    spans = _spans(gaps)
    sums = Counter(came)
    return Account(
        made=len(window),
        live=sums["live"],
        recovered=sums["recovered"],
        polled=sums["polled"],
        doubled=tuple(doubled),
        lost=lost,
        undetected=tuple(trade for trade in lost if not _covered(trade, spans.get(trade.symbol, ()))),
    )


def _matches(trade: TradeEvent, count: int) -> Iterator[Key]:
    """The matches that a trade stands for, the last of which it is named after."""
    last = trade.sequential_id
    if last is None or count == 1:
        yield trade.symbol, last
    else:
        yield from ((trade.symbol, last - back) for back in reversed(range(count)))


def _counts(window: Sequence[TradeEvent]) -> list[int]:
    """How many matches each stands for: those since the one before; of a market's first only its last counts."""
    last: dict[str, int] = {}
    counts = []
    for trade in window:
        number = trade.sequential_id or 0
        counts.append(max(1, number - last.get(trade.symbol, number - 1)))
        last[trade.symbol] = number
    return counts


def _way(ways: Mapping[Key, str], trade: TradeEvent, count: int) -> str | None:
    """How it was delivered: the worst way of its matches; None: one of them never was."""
    found = {ways.get(key) for key in _matches(trade, count)}
    return None if None in found else next(way for way in ("polled", "recovered", "live") if way in found)


def _subscribed(made: Sequence[TradeEvent], first: Mapping[str, Key]) -> list[TradeEvent]:
    known = {(trade.symbol, trade.sequential_id) for trade in made}
    begun = {symbol for symbol, key in first.items() if key not in known}
    window = []
    for trade in made:
        if first.get(trade.symbol) == (trade.symbol, trade.sequential_id):
            begun.add(trade.symbol)
        if trade.symbol in begun:
            window.append(trade)
    return window


def _spans(gaps: Iterable[Gap]) -> Mapping[str, list[tuple[float, float]]]:
    """The bounds (ms of the exchange) within which trades are said to be missing, by market."""
    rows = {(gap.subscription, gap.from_ns): gap for gap in gaps if gap.subscription.kind == "trade"}
    spans: dict[str, list[tuple[float, float]]] = {}
    for gap in rows.values():
        if gap.state in _TELLING:
            begin = gap.last_timestamp if gap.last_timestamp is not None else float("-inf")
            end = gap.first_timestamp if gap.first_timestamp is not None else float("inf")
            spans.setdefault(gap.subscription.symbol, []).append((begin, end))
    return spans


def _covered(trade: TradeEvent, spans: Sequence[tuple[float, float]]) -> bool:
    return any(begin <= (trade.timestamp or 0) <= end for begin, end in spans)
