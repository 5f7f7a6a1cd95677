"""The part of the client that says how things stand: what is subscribed, whether it is connected, what is left."""

from __future__ import annotations

from msgspec import Struct

from tapewire.client.component import Component
from tapewire.errors import SubscriptionError
from tapewire.runtime.pool import Pool
from tapewire.venues.contract import Venue


class LimitStatus(Struct, frozen=True):
    """One of the exchange's limits: at most ``count`` in any ``seconds``, of which ``left`` may be used now.

    Attributes:
        group: which of them: a group of REST calls, ``account`` for dials with a key, else ``""``.
        wait: seconds until one more may go; 0.0: at once.
    """

    count: int
    seconds: float
    left: int
    group: str = ""
    wait: float = 0.0


class Standing:
    """What ``WebSocketClient`` says of itself."""

    venue: Venue
    _component: Component

    @property
    def _pool(self) -> Pool:
        raise NotImplementedError

    @property
    def is_active(self) -> bool:
        """It was not closed by ``cleanup``."""
        return not self._component.closed

    @property
    def is_connected(self) -> bool:
        """Something is subscribed, and every connection that its streams come from is open now."""
        places = self._component.places()
        return bool(places) and all(map(self._pool.is_open, places))

    @property
    def uptime_seconds(self) -> float:
        """Seconds since the client was first used; 0 before that and after ``cleanup``."""
        component = self._component
        return 0.0 if component.loop is None or component.closed else component.loop.time() - component.used_since

    def get_subscription_count(self) -> int:
        """Distinct streams that this client is subscribed to now."""
        return len({subscription for _, subscription in self._component.places()})

    def get_subscribed_symbols(self, kind: str | None = None) -> list[str]:
        """Symbols subscribed now, in the order they came: of all kinds or of one.

        Raises:
            SubscriptionError: the venue has no such kind.
        """
        if kind is not None and kind not in self.venue.facts.kinds:
            raise SubscriptionError("kind", kind, " or ".join(self.venue.facts.kinds))
        found = [one for _, one in self._component.places() if kind in (None, one.kind)]
        return list(dict.fromkeys(one.symbol for one in found))

    def get_rate_limiter_status(self) -> dict[str, list[LimitStatus]]:
        """What is left of the exchange's limits, which all clients of the process share at this address.

        Returns:
            ``connects``, ``messages`` (sent to the exchange) and ``rest_calls``, each with its windows.
        """
        found: dict[str, list[LimitStatus]] = {}
        for name, group, window, left, wait in self._pool.limits_left():
            found.setdefault(name, []).append(LimitStatus(window.count, window.seconds, left, group, wait))
        return found
