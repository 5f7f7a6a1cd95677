"""What a sink of lines keeps of an event until it is written: the frame, and which file it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from tapewire.model.events import CandleEvent, Event
from tapewire.sinks.files.lines import one_line

_BRACE = 0x7B


class Condensed(Struct, gc=False):
    """One frame of one event. ``form``: the event's class; ``unit``: of a candle."""

    form: type[Event]
    venue: str
    symbol: str
    unit: str | None
    line: bytes
    received_ns: int


def condensing(put: Callable[[Any], None]) -> Callable[[Any], None]:
    """``put`` for the frames of events, each as one line; for what has none, the item itself.

    A decoded order book takes twice the memory of its frame, in hundreds of pieces: to keep it costs more than all the
    rest of recording.
    """

    def deliver(item: Any) -> None:
        raw = item.raw
        if raw is None:
            put(item)
            return
        if not (raw.isascii() and raw[0] == _BRACE) or b"\n" in raw or b"\r" in raw:
            raw = one_line(raw)
            if raw is None:
                put(item)
                return
        form = item.__class__
        unit = item.unit if form is CandleEvent else None
        put(Condensed(form, item.venue, item.symbol, unit, raw, item.received_ns))

    return deliver
