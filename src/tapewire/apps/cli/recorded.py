"""Reads the trades out of a recording's files, so that each can be accounted for."""

from __future__ import annotations

from pathlib import Path

from tapewire.client import decode
from tapewire.model.events import TradeEvent
from tapewire.sinks.names import parse_file_name


def recorded_trades(folder: Path, venue: str) -> list[TradeEvent]:
    """Every trade in a recording's files, each file in its order."""
    trades: list[TradeEvent] = []
    for path in sorted(folder.iterdir()):
        parsed = parse_file_name(path.name)
        if parsed is not None and parsed[1] == "trade":
            for line in path.read_bytes().splitlines():
                trades += [event for event in decode(venue, line) if isinstance(event, TradeEvent)]
    return trades
