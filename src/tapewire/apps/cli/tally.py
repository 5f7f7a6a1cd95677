"""Counts what a stream brought, for status lines and summaries."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

from tapewire.apps.cli.terminal import kind_of
from tapewire.model.events import Event
from tapewire.model.frame_run import FrameRun
from tapewire.model.status import Connected, Disconnected, FeedEvent, Gap, Lagged, Quarantined, Taping
from tapewire.model.subscription import Subscription
from tapewire.sinks.contract import Item

_MISSED = ("open", "filling", "unfilled")
_SAMPLES = 100_000  # the newest latencies kept


class Tally:
    """Figures of one stream so far.

    Attributes:
        gaps: the newest state of each row of the gap ledger.
        connected: connections that are open now, at the end those that we closed ourselves.
        disk: why a tape could not be written, each reason once, in their order; disk_now: why it cannot, "": it can.
        connect_ns, last_error_ns: when the newest connection was made and the newest loss was, ns UTC, 0: never.

    Args:
        counted: events that somebody else counts, by kind: those that come in ``FrameRun``s.
    """

    def __init__(self, counted: Callable[[], Counter[str]] = Counter) -> None:
        self._heard: Counter[str] = Counter()
        self._counted = counted
        self.gaps: dict[tuple[Subscription, int], Gap] = {}
        self.connected: set[str] = set()
        self.reconnects = 0
        self.connect_ns = 0
        self.last_error: str | None = None
        self.last_error_ns = 0
        self.disk: dict[str, None] = {}
        self.disk_now = ""
        self.dropped = 0
        self.quarantined = 0
        self._latencies: deque[float] = deque(maxlen=_SAMPLES)

    @property
    def received(self) -> Counter[str]:
        """Events by kind (``trade``, ``candle.1s``)."""
        return self._heard + self._counted()

    @property
    def total(self) -> int:
        """Events of all kinds."""
        return self.received.total()

    @property
    def missed(self) -> list[Gap]:
        """Gaps in which messages may be missing."""
        return [gap for gap in self.gaps.values() if gap.state in _MISSED]

    def latency_ms(self, share: float) -> float | None:
        """That share of the realtime events (0.5: half) came within so many milliseconds of the venue's time stamp."""
        ordered = sorted(self._latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else None

    def add(self, item: Item | FrameRun) -> None:
        """Count one event; of frames only the latency of one is taken."""
        if isinstance(item, FrameRun):
            if item.sample is not None:
                self._time(item.sample)
        elif isinstance(item, Event):
            self._heard[kind_of(item)] += 1
            self._time(item)
        else:
            self._step(item)

    def _time(self, event: Event) -> None:
        if event.stream_type == "REALTIME" and event.timestamp is not None and not (event.recovered or event.polled):
            self._latencies.append(event.received_ns / 1e6 - event.timestamp)

    def _step(self, event: FeedEvent) -> None:
        match event:
            case Connected():
                self.connected.add(event.connection)
                self.reconnects += event.reconnect > 0
                self.connect_ns = event.at_ns
            case Disconnected() if event.loss.cause != "stopped":  # that is us, at the end
                self.connected.discard(event.connection)
                self.last_error, self.last_error_ns = str(event.loss), event.at_ns
            case Gap():
                self.gaps[event.subscription, event.from_ns] = event
            case Lagged():
                self.dropped += event.dropped
            case Taping():
                self.disk |= {event.reason: None} if event.reason else {}
                self.disk_now = event.reason
            case Quarantined():
                self.quarantined += 1
            case _:
                pass
