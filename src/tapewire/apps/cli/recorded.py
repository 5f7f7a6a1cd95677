"""Reads the trades out of a recording's files, so that each can be accounted for."""

from __future__ import annotations

from pathlib import Path

from tapewire.client import decode
from tapewire.model.events import TradeEvent
from tapewire.sinks.files.reading import lines_of, recorded_lines


def recorded_trades(folder: Path, venue: str) -> list[TradeEvent]:
    """Every trade in a recording's files, each file in its order."""
    trades: list[TradeEvent] = []
    for path, found in recorded_lines(folder):
        if found.place.kind == "trade":
            for line in lines_of(path):
                trades += [event for event in decode(venue, line) if isinstance(event, TradeEvent)]
    return trades
