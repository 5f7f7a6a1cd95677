"""Whether a recording lost a trade in silence: what the exchange made against what is in the files or told as a gap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tapewire.client import decode
from tapewire.model.events import TradeEvent
from tapewire.model.status import Gap
from tapewire.sinks.names import parse_file_name

_TELLING = ("open", "filling", "unfilled")


def recorded_trades(folder: Path, venue: str) -> list[TradeEvent]:
    """Every trade in a recording's files, each file in its order."""
    trades: list[TradeEvent] = []
    for path in sorted(folder.iterdir()):
        parsed = parse_file_name(path.name)
        if parsed is not None and parsed[1] == "trade":
            for line in path.read_bytes().splitlines():
                trades += [event for event in decode(venue, line) if isinstance(event, TradeEvent)]
    return trades


def lost_in_silence(
    made: Sequence[TradeEvent], recorded: Iterable[TradeEvent], gaps: Iterable[Gap]
) -> list[TradeEvent]:
    """Trades made while subscribed that are neither recorded nor inside the bounds of a gap that was told.

    A market counts as subscribed from the first of its trades that was recorded (trades before that were made
    before the subscription reached the exchange).
    """
    have = {(trade.symbol, trade.sequential_id) for trade in recorded}
    spans = _spans(gaps)
    begun: set[str] = set()
    lost = []
    for trade in made:
        if (trade.symbol, trade.sequential_id) in have:
            begun.add(trade.symbol)
        elif trade.symbol in begun and not _covered(trade, spans.get(trade.symbol, ())):
            lost.append(trade)
    return lost


def _spans(gaps: Iterable[Gap]) -> Mapping[str, list[tuple[float, float]]]:
    spans: dict[str, list[tuple[float, float]]] = {}
    for gap in gaps:
        if gap.subscription.kind == "trade" and gap.state in _TELLING:
            begin = gap.last_timestamp if gap.last_timestamp is not None else float("-inf")
            end = gap.first_timestamp if gap.first_timestamp is not None else float("inf")
            spans.setdefault(gap.subscription.symbol, []).append((begin, end))
    return spans


def _covered(trade: TradeEvent, spans: Sequence[tuple[float, float]]) -> bool:
    return any(begin <= (trade.timestamp or 0) <= end for begin, end in spans)
