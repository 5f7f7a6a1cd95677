"""What metrics and health know of one connection beyond its machine and its router: times, errors, samples."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from tapewire.hub.router import Router
from tapewire.model.events import Event
from tapewire.model.status import Connected, Disconnected, FeedEvent, Gap, Recovered, Rejected, Stale
from tapewire.model.subscription import Subscription
from tapewire.runtime.clock import Clock
from tapewire.venues.contract import Control, Facts

#: Samples kept for the latency figures of one connection.
LATENCY_SAMPLES = 4096
#: Looks kept for the rate of messages, and the least seconds between two of them.
_LOOKS, _LOOK_EVERY = 11, 0.9


def total_of(router: Router) -> int:
    """Data messages of a connection so far."""
    return sum(stream.count for stream in router.streams.values()) + sum(router.retired.values())


class Carried(Protocol):
    """Bytes received and sent."""

    @property
    def received(self) -> int: ...
    @property
    def sent(self) -> int: ...


class Notes:
    """Kept by a driver; times are monotonic seconds. Its hooks cost next to nothing: a few calls a second.

    Args:
        clock: as a driver has it.
        facts: of the venue: how it is pinged, whose time stamps say when a message was sent.
    """

    def __init__(self, clock: Clock, facts: Facts) -> None:
        self._clock, self._text_ping, self._undated = clock, facts.text_ping, facts.undated
        self.first_opened: float | None = None
        self.connected: float | None = None
        self.down_since: float | None = None
        self.better: float | None = None
        self.errors = 0
        self.last_error: str | None = None
        self.last_error_at: float | None = None
        self.sent = self.words = 0
        self.has_asked = False  # on the present line
        self.last_data: float | None = None
        self.last_realtime: float | None = None  # data that came by themselves, not as a snapshot
        self.last_ping: float | None = None
        self.last_pong: float | None = None
        self.latencies: deque[float] = deque(maxlen=LATENCY_SAMPLES)
        self.handling: deque[float] = deque(maxlen=LATENCY_SAMPLES)
        #: Streams beyond their rhythm, with the time of their last message.
        self.stale: dict[Subscription, float] = {}
        #: Since when each stream is wanted.
        self.wanted: dict[Subscription, float] = {}
        self._snapshots = self._realtime = 0
        self._looks: deque[tuple[float, int]] = deque(maxlen=_LOOKS)
        self._traffic: Callable[[], Carried | None] | None = None
        self._carried_before: tuple[int, int] = (0, 0)
        self._carried: tuple[int, int] | None = None

    # What the driver tells.

    def want(self, streams: Iterable[Subscription]) -> None:
        """The whole new set of streams."""
        t, before = self._clock.now().t, self.wanted
        self.wanted = {stream: before.get(stream, t) for stream in streams}
        if self.stale:
            self.stale = {stream: at for stream, at in self.stale.items() if stream in self.wanted}
        if not self.wanted:
            self.down_since = None
        elif self.connected is None and self.down_since is None:
            self.down_since = t

    def publish(self, event: FeedEvent) -> None:
        """The machine told something."""
        t = self._clock.now().t
        match event:
            case Connected():
                self.connected, self.down_since = t, None
                self.first_opened = t if self.first_opened is None else self.first_opened
                self.better = t
            case Disconnected():
                self._disconnected(event, t)
            case Stale(over=False):
                self.stale[event.subscription] = t - event.silent
            case Stale():
                self.stale.pop(event.subscription, None)
                self.better = t
            case Recovered() | Gap():
                self.better = t
            case Rejected():
                self.last_error, self.last_error_at = f"{event.name}: {event.message}", t

    def sending(self, payload: bytes) -> None:
        """One message goes out."""
        self.sent += 1
        if payload == self._text_ping:
            self.last_ping = self._clock.now().t
        else:
            self.has_asked = True

    def pinging(self) -> None:
        """A PING frame goes out."""
        self.sent += 1
        self.last_ping = self._clock.now().t

    def word(self, control: Control) -> None:
        """The exchange's own word came."""
        self.words += 1
        if control.kind == "alive":
            self.alive()

    def alive(self) -> None:
        """The answer to a ping came."""
        self.last_pong = self._clock.now().t

    def delivered(self, event: Event) -> None:
        """A message of the careful road was handed to its callbacks, which have returned."""
        now = self._clock.now()
        self.last_data = now.t
        self._snapshots += event.stream_type == "SNAPSHOT"
        if not event.received_ns:
            return
        self.handling.append((now.ns - event.received_ns) / 1e6)
        if event.timestamp is None or event.stream_type == "SNAPSHOT":  # a snapshot may be of any age
            return
        if event.kind not in self._undated:
            self.latencies.append(event.received_ns / 1e6 - event.timestamp)

    def look(self, total: int) -> None:
        """So many data messages came until now."""
        now = self._clock.now()
        if total - self._snapshots > self._realtime:
            self._realtime, self.last_realtime = total - self._snapshots, now.t
        if not self._looks or total > self._looks[-1][1]:
            self.last_data = now.t if total else self.last_data
        if not self._looks or now.t - self._looks[-1][0] >= _LOOK_EVERY:
            self._looks.append((now.t, total))
        self._weigh()

    def opened(self, line: object) -> None:
        """A new line; one that can say what it carries has ``traffic`` (transport.traffic)."""
        self.has_asked = False
        self._traffic = getattr(line, "traffic", None)
        self._carried_before = self._carried or (0, 0)

    def lost(self) -> None:
        """The line is gone."""
        self._weigh()
        self._traffic = None

    # What is asked.

    @property
    def carried(self) -> tuple[int, int] | None:
        """Bytes received and sent over all lines; None: not known."""
        self._weigh()
        return self._carried

    @property
    def last_alive(self) -> float | None:
        """Data or pong."""
        return max((t for t in (self.last_data, self.last_pong) if t is not None), default=None)

    def rate(self, total: int) -> float:
        """Data messages a second, since the oldest look that is kept."""
        if not self._looks:
            return 0.0
        t, count = self._looks[0]
        seconds = self._clock.now().t - t
        return (total - count) / seconds if seconds > 0 else 0.0

    def _disconnected(self, event: Disconnected, t: float) -> None:
        self.connected = None
        if event.loss.cause != "stopped":
            self.errors += 1
            self.last_error, self.last_error_at = str(event.loss), t
        if self.wanted and self.down_since is None:
            self.down_since = t

    def _weigh(self) -> None:
        now = self._traffic() if self._traffic is not None else None
        if now is not None:
            before = self._carried_before
            self._carried = before[0] + now.received, before[1] + now.sent
