"""Marks what a venue sends at once when a stream is asked for, where the venue does not say so itself."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable

from tapewire.hub.listening import Stream
from tapewire.hub.router import Router
from tapewire.model.events import Event, TradeEvent
from tapewire.model.subscription import Subscription


class FirstStates:
    """Knows which streams were asked for and have not come since; the first message of each is its state.

    A trade is one only if it was made before it was asked for: of a market that never traded no state comes, and the
    first trade must reach those who want live ones alone.

    Args:
        marked: the venue marks snapshots itself (``Facts.marks_snapshots``): then nothing is done here.
        rare: kinds that have no snapshot (``Facts.event_kinds``): whatever comes of them is news.
    """

    def __init__(self, *, marked: bool, rare: Collection[str] = ()) -> None:
        self._marked, self._rare = marked, rare
        self._asked: dict[Subscription, int] = {}

    def asked(self, router: Router, live: Container[Subscription], again: Container[Subscription], ns: int) -> None:
        """Streams are asked for at this moment (UTC): those that are not live, those whose state is wished again."""
        for subscription, stream in router.streams.items():
            if subscription in again or subscription not in live:
                comes = not self._marked and subscription.kind not in self._rare  # wished for or not
                if comes:
                    if subscription in self._asked:  # by another request before: it brings one state
                        continue
                    self._asked[subscription] = ns
                router.asked(stream, snapshot=comes or subscription in again or stream.wish.snapshot)

    def clear(self) -> None:
        """Nothing that was asked for will come on this line."""
        self._asked.clear()

    def mark(self, streams: Iterable[Stream], event: Event) -> None:
        """Mark the event, if it is the first of one of its streams."""
        for stream in streams if self._asked else ():
            ns = self._asked.pop(stream.subscription, None)
            if ns is None or event.stream_type is not None:
                continue
            at = event.timestamp
            if not isinstance(event, TradeEvent) or (at is not None and at * 1_000_000 < ns):
                event.stream_type = "SNAPSHOT"
            else:
                stream.wait_less(snapshot=True)  # no state will come: what follows is live
