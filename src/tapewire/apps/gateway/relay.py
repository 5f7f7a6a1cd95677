"""One stream of the exchange on its way to the local programs that hold it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

from tapewire.apps.gateway.frames import LONGER, framed
from tapewire.apps.gateway.outlet import Outlet
from tapewire.model.events import Event
from tapewire.model.subscription import Subscription
from tapewire.venues.serving import Visitor


class Visiting(Protocol):
    """A local program, as far as it is told of a stream."""

    @property
    def talk(self) -> Visitor: ...
    @property
    def outlet(self) -> Outlet: ...
    def __hash__(self) -> int: ...


class Relay:
    """One stream on its way to the visitors that hold it: those of one shape are told together."""

    __slots__ = ("_first", "_groups", "_key", "_only", "_raw", "_stream", "_visits")

    def __init__(self, stream: Subscription, first: int, *, conflates: bool) -> None:
        self._stream, self._first = stream, first
        self._key = stream if conflates else None
        self._visits: dict[Visiting, None] = {}
        self._raw: bytes | None = None
        #: One visitor of each shape, whether it hears frames as they came, and the ways out to all of that shape.
        self._groups: list[tuple[Visitor, bool, list[Outlet]]] | None = None
        #: The way out where there is but one, and frames go on as they came.
        self._only: Outlet | None = None

    def renew(self, visit: Visiting) -> None:
        """A visitor holds it, or what it hears of it may have changed."""
        self._visits[visit] = None
        self._groups = self._only = None

    def remove(self, visit: Visiting) -> None:
        """A visitor holds it no more."""
        self._visits.pop(visit, None)
        self._groups = self._only = None

    def hear(self, event: Event) -> None:
        """An event of the exchange."""
        raw = event.raw
        if event.stream_type != "REALTIME" or event.recovered or event.polled:
            raw = None
        again = raw is not None and raw is self._raw  # a frame of several events
        self._raw = raw
        only = self._only
        if only is None or raw is None:
            self._tell(event, raw, again=again)
        elif not again:
            size = len(raw)
            only.put(
                self._key, LONGER(self._first, 126, size) + raw if 126 <= size < 65_536 else framed(raw, self._first)
            )

    def _tell(self, event: Event, raw: bytes | None, *, again: bool) -> None:
        """One of each shape is asked for all of it."""
        if self._groups is None:
            self._groups, self._only = self._grouped()
        cache: dict[object, bytes] = {}
        for talk, as_came, outlets in self._groups:
            if not as_came or raw is None:
                frames = [framed(payload, self._first) for payload in talk.tell(self._stream, event, cache)]
            else:
                frames = [] if again else [framed(raw, self._first)]
            for frame in frames:
                for outlet in outlets:
                    outlet.put(self._key, frame)

    def _grouped(self) -> tuple[list[tuple[Visitor, bool, list[Outlet]]], Outlet | None]:
        """Those of one shape together; and the only one of all that hears frames as they came."""
        groups: dict[Hashable, tuple[Visitor, bool, list[Outlet]]] = {}
        for visit in self._visits:
            talk, shape = visit.talk, visit.talk.shape(self._stream)
            known = groups.get(visit if shape is None else shape)
            if known is None:
                known = groups[visit if shape is None else shape] = (talk, talk.hands_on(self._stream), [])
            known[2].append(visit.outlet)
        found = list(groups.values())
        alone = len(self._visits) == 1 and found[0][1]
        return found, found[0][2][0] if alone else None
