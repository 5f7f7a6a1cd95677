"""Reads the recordings of killed recorders in the layouts that are more than lines in a folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec

from tapewire.client.converting import LineReader
from tapewire.client.tables import kinds_of, read_parquet
from tapewire.model.events import Event, TradeEvent
from tapewire.model.status import Gap
from tapewire.sinks.files.reading import is_misc, lines_of, recorded_lines
from tests.chaos.recorders import Recording


def read_recording(folder: Path) -> Recording:
    """Every line and every column; each is decoded, and no frame is damaged."""
    events: list[Event] = []
    gaps: list[Gap] = []
    others, reader = 0, LineReader("upbit")
    for one in recorded_lines(folder):
        for line in lines_of(one.path, _damaged):
            if not is_misc(one):
                events += reader.read(line)
                continue
            others += 1
            gaps += [msgspec.json.decode(line, type=Gap)] if line.startswith(b'{"type":"gap"') else []
    for kind in kinds_of(folder):
        events += read_parquet(folder, kind, form="events")
    names = Counter(type(event).__name__ for event in events)
    trades = [event for event in events if isinstance(event, TradeEvent)]
    return Recording(names, trades, gaps, len(events) + others)


def _damaged(reason: str) -> None:
    raise AssertionError(reason)
