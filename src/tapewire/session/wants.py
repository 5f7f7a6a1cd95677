"""The wanted set: what the subscribers wish, less what was refused for good and the snapshots they have had."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tapewire.model.subscription import Subscription, Wish


class Wants:
    """Wishes by stream, in the order given.

    ``standing`` is the part that a request is to name.
    """

    def __init__(self) -> None:
        self._wishes: dict[Subscription, Wish] = {}
        self._refused: set[Subscription] = set()
        self._served: set[Subscription] = set()
        self.standing: dict[Subscription, Wish] = {}

    def __bool__(self) -> bool:
        return bool(self.standing)

    def replace(self, wishes: Mapping[Subscription, Wish]) -> tuple[list[Subscription], list[Subscription]]:
        """Take a complete new set. Returns the streams that left, and those that now want a snapshot too."""
        old, self._wishes = self._wishes, dict(wishes)
        left = [stream for stream in old if stream not in wishes]
        joined = [s for s, wish in wishes.items() if s in old and wish.snapshot and not old[s].snapshot]
        self._refused.intersection_update(wishes)
        self._served = {s for s in self._served if s in wishes and not wishes[s].realtime}
        self._settle()
        return left, joined

    def refuse(self, stream: Subscription) -> None:
        """The exchange will not have it: it stands no longer until it was removed and added again."""
        self._refused.add(stream)
        self._settle()

    def serve(self, stream: Subscription) -> bool:
        """Its snapshot came. True if that was all it wished: then it stands no longer."""
        wish = self.standing.get(stream)
        if wish is None or wish.realtime:
            return False
        self._served.add(stream)
        del self.standing[stream]
        return True

    def renew(self, streams: Iterable[Subscription]) -> list[Subscription]:
        """Somebody new wishes their snapshots. Returns those of them that stand."""
        wished = list(streams)
        self._served.difference_update(wished)
        self._settle()
        return [stream for stream in wished if stream in self.standing]

    def _settle(self) -> None:
        gone = self._refused | self._served
        self.standing = {stream: wish for stream, wish in self._wishes.items() if stream not in gone}
