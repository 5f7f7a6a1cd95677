"""Judges a feed of trades: what the exchange made against what was delivered or told as missing (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

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


def account(made: Sequence[TradeEvent], delivered: Iterable[TradeEvent], gaps: Iterable[Gap]) -> Account:
    """Judge one subscriber.

    A market counts as subscribed from the first of its trades that was delivered: what was made before that was made
    before the subscription reached the exchange. If that one is older than all of ``made``, it is so from the start.

    Args:
        made: every trade the exchange published, in order.
        delivered: what the subscriber was given, in order.
        gaps: every row of the gap ledger that was told, in order; of one that came again its last state counts.
    """
    first: dict[str, Key] = {}
    ways: dict[Key, str] = {}
    doubled: list[Key] = []
    for trade in delivered:
        key = trade.symbol, trade.sequential_id
        first.setdefault(trade.symbol, key)
        if key in ways:
            doubled.append(key)
        else:
            ways[key] = "polled" if trade.polled else "recovered" if trade.recovered else "live"
    window = _subscribed(made, first)
    lost = tuple(trade for trade in window if (trade.symbol, trade.sequential_id) not in ways)
    spans = _spans(gaps)
    came = Counter(ways.get((trade.symbol, trade.sequential_id)) for trade in window)
    return Account(
        made=len(window),
        live=came["live"],
        recovered=came["recovered"],
        polled=came["polled"],
        doubled=tuple(doubled),
        lost=lost,
        undetected=tuple(trade for trade in lost if not _covered(trade, spans.get(trade.symbol, ()))),
    )


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
