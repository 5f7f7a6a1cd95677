"""The streams of one line of several: what they bring goes to the streams that the subscribers hear (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tapewire.hub.calls import Callback
from tapewire.hub.listening import Listener, Stream
from tapewire.hub.router import Router
from tapewire.model.events import Event
from tapewire.model.subscription import Subscription, Wish


class Relayed(Stream):
    """A stream of one line. It wishes what the stream behind it wishes, of trades the snapshot in any case.

    The trade that a snapshot shows proves what the other lines brought while this one was away.
    """

    __slots__ = ("front",)

    def __init__(self, front: Stream) -> None:
        super().__init__(front.subscription, drops=False)
        self.front = front

    @property
    def wish(self) -> Wish:
        """What to ask the exchange for."""
        wish = self.front.wish
        return Wish(
            wish.subscription, snapshot=wish.snapshot or wish.subscription.kind == "trade", realtime=wish.realtime
        )

    @property
    def awaits_snapshot(self) -> bool:
        """Whether the next snapshot is anybody's."""
        return self.front.awaits_snapshot


class Relay(Router):
    """A router without listeners.

    Args:
        classes: as of ``Router``.
        ear: what the short road calls for a stream that subscribers hear.
        careful: the careful road, for such a stream and one event.
        wire_name, is_kept: as of ``Router``.
    """

    def __init__(
        self,
        classes: Mapping[type, tuple[type[Event], str, str | None]],
        ear: Callable[[Stream], Callback],
        careful: Callable[[Stream, Event], None],
        wire_name: Callable[[Subscription], str] | None,
        is_kept: Callable[[Subscription], bool],
    ) -> None:
        super().__init__(classes, _nobody_failed, drop_doubles=False, wire_name=wire_name, is_kept=is_kept)
        self._ear, self._careful = ear, careful

    def follow(self, fronts: Mapping[Subscription, Stream]) -> None:
        """The whole new set of streams that subscribers hear."""
        for subscription, stream in tuple(self.streams.items()):
            if fronts.get(subscription) is not stream.front:  # type: ignore[attr-defined] # all are Relayed
                self.chill(stream)
                self._close(stream)
        for subscription, front in fronts.items():
            if subscription not in self.streams:
                self.chill(self._open(Relayed(front)))

    def _hear(self, stream: Stream, event: Event, _failed: Callable[[Listener, BaseException], None]) -> None:
        stream.count += 1
        self._careful(stream.front, event)  # type: ignore[attr-defined] # all are Relayed

    def _refresh(self, stream: Stream) -> None:
        stream.deliver = self._ear(stream.front)  # type: ignore[attr-defined] # all are Relayed
        stream.changed = False


def _nobody_failed(callback: Callback, error: BaseException) -> None:
    """A relay calls no subscriber: whoever fails here is ours."""
    raise AssertionError(f"{callback!r} is called by a relay") from error
