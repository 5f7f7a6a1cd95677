"""Frames on their way to files of lines: a lane for each place, filled piece by piece and emptied file by file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from msgspec import json, structs

from tapewire.model.events import CandleEvent, Event, IndicatorEvent
from tapewire.model.frame_run import FrameRun, Keep
from tapewire.model.subscription import Subscription
from tapewire.sinks.files.layout import Layout, Place, Slot
from tapewire.sinks.files.lines import one_line

#: Kinds whose events are of their subscription's market, always.
_OF_ONE_MARKET = frozenset({"ticker", "trade", "orderbook", "candle"})
_Take = Callable[[Place, list[bytes], int, Slot], None]


class _Lane:
    """Lines of one kind on their way to one place."""

    __slots__ = ("count", "place", "taken", "texts")

    def __init__(self, place: Place) -> None:
        self.place = place
        self.texts: list[bytes] = []
        self.taken = self.count = 0  # lines that it has now, and those that it handed over

    def keep(self, text: bytes, count: int) -> None:
        """Take some."""
        self.texts.append(text)
        self.taken += count


class Lanes:
    """A ``FrameTaker`` for the files of a layout. ``deal`` and ``empty`` are the writing thread's, the rest the feed's.

    Args:
        layout: says which place is whose.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._lanes: dict[tuple[str, Place], _Lane] = {}

    def keep(self, venue: str, subscription: Subscription) -> Keep | None:
        """See ``FrameTaker.keep``."""
        kind, symbol = subscription.kind, subscription.symbol
        if kind not in _OF_ONE_MARKET or not symbol:
            return None
        return self._lane(venue, kind, symbol, subscription.unit).keep

    def keep_of(self, event: Event) -> Keep:
        """See ``FrameTaker.keep_of``."""
        unit = event.unit if isinstance(event, CandleEvent | IndicatorEvent) else None
        return self._lane(event.venue, event.kind, event.symbol, unit).keep

    def frame_of(self, event: Event) -> bytes:
        """See ``FrameTaker.frame_of``: the frame as one line, or the event as ours."""
        raw = event.raw
        if raw is None:
            return json.encode(event)
        return one_line(raw) or json.encode(structs.replace(event, raw=None))

    def until(self, at_ns: int) -> int:
        """See ``FrameTaker.until``."""
        return self._layout.slot(at_ns).end_ns

    def deal(self, runs: Iterable[FrameRun], slot: Callable[[int], Slot], take: _Take) -> None:
        """Hand all frames over, as lines of their places.

        Args:
            runs: in their order.
            slot: the span of a moment, ns UTC.
            take: gets the lines of one place and span, and how many they are.
        """
        current: Slot | None = None
        for run in runs:
            found = slot(run.at_ns)
            if current is not None and found != current:
                self._empty(current, take)
            run.deal()
            current = found
        if current is not None:
            self._empty(current, take)

    def counts(self) -> Counter[str]:
        """Lines handed over so far, by kind (``trade``, ``candle.1s``)."""
        counted: Counter[str] = Counter()
        for (kind, _), lane in tuple(self._lanes.items()):
            counted[kind] += lane.count
        return counted

    def _empty(self, slot: Slot, take: _Take) -> None:
        for lane in tuple(self._lanes.values()):
            if lane.texts:
                texts, lane.texts = lane.texts, []
                taken, lane.taken = lane.taken, 0
                lane.count += taken
                take(lane.place, texts, taken, slot)

    def _lane(self, venue: str, kind: str, symbol: str, unit: str | None) -> _Lane:
        place = self._layout.place(venue, kind, symbol, unit if kind == "candle" else None)
        key = f"{kind}.{unit}" if unit else kind, place
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(place)
        return lane
