"""Which messages are timed for the latency figures: now and then one of each stream."""

from __future__ import annotations

from collections.abc import Iterator

from tapewire.hub.listening import Stream
from tapewire.hub.router import Router

#: Streams whose next message is timed at each turn.
STREAMS = 4


class Sampling:
    """Goes round all streams of one connection; what takes the careful road is timed."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._round: Iterator[Stream] = iter(())

    def turn(self) -> None:
        """Let the next message of a few streams take the careful road."""
        for _ in range(STREAMS):
            stream = next(self._round, None)
            if stream is None:
                self._round = iter(tuple(self._router.streams.values()))
                return
            if self._router.is_hot(stream):
                self._router.chill(stream)
