"""Delivers what REST told in a stream's place, so that each listener gets what its preference asks for (pure)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from tapewire.hub.calls import hand_over
from tapewire.hub.listening import Listener, Stream
from tapewire.model.events import CandleEvent, Event, TradeEvent

Failed = Callable[[Listener, BaseException], None]
#: The last touch on an event before it is handed on: our time, the raw message.
Dress = Callable[[Any], Any]


class Polled:
    """Stands in a stream (``Stream.polled``) while REST is asked in its place, and until its line is ahead of REST.

    ``at_ms``: time stamp of the newest state that REST told (Unix ms, UTC).
    """

    __slots__ = ("at_ms",)

    def __init__(self) -> None:
        self.at_ms: int | None = None

    def knows(self, event: Event) -> bool:
        """Whether a line brings a state that REST told already, or an older one."""
        if isinstance(event, TradeEvent | CandleEvent) or event.timestamp is None or self.at_ms is None:
            return False  # of one window many states may have one time stamp
        return event.timestamp <= self.at_ms


def deliver(stream: Stream, events: Sequence[Event], newest: Event | None, dress: Dress, failed: Failed) -> int:
    """Hand on what is new, and ``newest`` as a snapshot to those who wait for one; returns how many messages.

    Nothing here counts as a message of the line.
    """
    states = not isinstance(newest, TradeEvent)
    shown = show(stream, newest, dress, failed) if states and newest is not None else ()
    count = sum(_tell(stream, event, () if event is not newest else shown, dress, failed) for event in events)
    if newest is not None and not states:
        show(stream, newest, dress, failed)
    if stream.polled is not None and newest is not None and newest.timestamp is not None:
        stream.polled.at_ms = max(stream.polled.at_ms or 0, newest.timestamp)
    return count


def show(stream: Stream, event: Event, dress: Dress, failed: Failed) -> Collection[Listener]:
    """Give a snapshot to those who wait for one and have heard nothing yet; returns them."""
    waiting = [listener for listener in stream.listeners if _waits(listener, stream.count)]
    if not waiting:
        return ()
    told = dress(replace(event, stream_type="SNAPSHOT"))
    seen_at = stream.seen_at(event.sequential_id) if isinstance(event, TradeEvent) else 0
    if not seen_at:
        _count(stream, event)
        seen_at = stream.count
    for listener in waiting:
        listener.joined = seen_at - 1
        listener.finished = listener.preference == "snapshot_only"
        stream.need(listener, snapshot=False)
    _hand_over(stream, waiting, told, failed)
    return waiting


def late(stream: Stream, event: Event, failed: Failed) -> None:
    """A line brings a state that REST told already: only for those who have heard nothing."""
    stream.count += 1
    if event.stream_type != "SNAPSHOT":
        return
    waiting = [listener for listener in stream.listeners if _waits(listener, stream.count - 1)]
    for listener in tuple(stream.listeners):
        if listener.needs_snapshot:
            stream.need(listener, snapshot=False)
            listener.finished = listener.preference == "snapshot_only"
    _hand_over(stream, waiting, event, failed)


def _tell(stream: Stream, event: Event, but: Collection[Listener], dress: Dress, failed: Failed) -> int:
    """As the line would have brought it, to all but those who got it as a snapshot."""
    if isinstance(event, TradeEvent) and stream.doubles(event):
        return 0
    if not but:
        _count(stream, event)
    ears = [listener for listener in stream.listeners if listener.wants_realtime and listener not in but]
    _hand_over(stream, ears, dress(event), failed)
    return 1


def _hand_over(stream: Stream, ears: Iterable[Listener], event: Event, failed: Failed) -> None:
    for listener in ears:
        if listener in stream.listeners:  # a callback may have taken it off
            (hand_over if stream.held is None else stream.held.put)(listener, event, failed)


def _count(stream: Stream, event: Event) -> None:
    stream.count, stream.base = stream.count + 1, stream.base + 1
    stream.last = event.timestamp
    if isinstance(event, TradeEvent):
        stream.remember(event)


def _waits(listener: Listener, count: int) -> bool:
    """Whether it has heard nothing since the stream's message number ``count``, and wants to."""
    if not listener.needs_snapshot:
        return False
    return listener.preference == "snapshot_only" or listener.joined == count
