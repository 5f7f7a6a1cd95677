"""The part of the client that remembers: the newest events of each stream, for whoever asks later."""

from __future__ import annotations

from collections.abc import Iterable

from tapewire.client.books import BookView
from tapewire.client.component import Component
from tapewire.client.handle import as_symbols
from tapewire.client.latest import DataPool, Key, key
from tapewire.errors import SubscriptionError, UsageError
from tapewire.model.events import Event
from tapewire.runtime.pool import Pool
from tapewire.venues.contract import Venue

#: Units that a question without one is about.
_USUAL_UNITS = {"candle": "1s"}


class Keeping(BookView):
    """What ``WebSocketClient`` keeps, if asked: an event that stays costs a fifth more than one that goes."""

    name: str
    venue: Venue
    _component: Component
    _kept: DataPool

    @property
    def _pool(self) -> Pool:
        raise NotImplementedError

    def keep_latest(self, *kinds: str, history: int = 100) -> None:
        """Keep the newest ``history`` events of each stream that is subscribed from now on.

        Args:
            kinds: ``"ticker"``, ``"trade"`` …; none: every kind.
            history: events of each stream.

        Raises:
            SubscriptionError: the venue has no such kind.
            ConfigError: ``history`` is no number of events.
            UsageError: one of these kinds is subscribed already: its events would be missing.
        """
        chosen = kinds or self.venue.facts.kinds
        for kind in chosen:
            self._check(kind)
        late = sorted({one.kind for _, one in self._component.places()} & {*chosen} - self._kept.kinds)
        if late:
            raise UsageError(f"{self.name}: {', '.join(late)} is subscribed already; call keep_latest() before")
        self._kept.keep(chosen, history)

    def latest(self, symbol: str, kind: str = "ticker", *, unit: str | None = None) -> Event | None:
        """The newest event of one stream, None when none came yet. Never waits.

        ``unit`` is that of a candle (``1s`` if none is named) or the time frame of an indicator. Of an order book that
        is not the exchange's any more (``Stale`` tells why) there is none either, until it was fetched anew.

        Raises:
            SubscriptionError: the venue has no such kind.
            UsageError: this kind is not kept.
        """
        at = self._key(symbol, kind, unit)
        return None if kind == "orderbook" and self.book_is_spoilt(symbol) else self._kept.latest(at)

    def get_latest_data(self, symbol: str, kind: str = "ticker", *, unit: str | None = None) -> Event | None:
        """As ``latest``."""
        return self.latest(symbol, kind, unit=unit)

    def get_multiple_latest_data(
        self, symbols: str | Iterable[str], kind: str = "ticker", *, unit: str | None = None
    ) -> dict[str, Event]:
        """The newest event of each of these symbols of which one came."""
        found = {symbol: self.latest(symbol, kind, unit=unit) for symbol in as_symbols(symbols)}
        return {symbol: event for symbol, event in found.items() if event is not None}

    def get_data_history(
        self, symbol: str, kind: str = "ticker", *, unit: str | None = None, limit: int | None = None
    ) -> list[Event]:
        """What is kept of one stream, oldest first: all of it, or the newest ``limit``."""
        events = self._kept.history(self._key(symbol, kind, unit))
        return events if limit is None else events[len(events) - min(limit, len(events)) :]

    def get_active_symbols(self) -> list[str]:
        """Of which something is kept, sorted."""
        return self._kept.symbols()

    def cleanup_inactive_data(self, max_age: float = 3600.0) -> int:
        """Forget streams of which nothing came for ``max_age`` seconds. Returns how many they were."""
        return self._kept.forget(self._pool.wall_ns() - int(max_age * 1e9))

    def _key(self, symbol: str, kind: str, unit: str | None) -> Key:
        self._check(kind)
        if kind not in self._kept.kinds:
            raise UsageError(f"{self.name}: {kind} is not kept; call keep_latest({kind!r}) before subscribing")
        return key(kind, symbol, unit or _USUAL_UNITS.get(kind))

    def _check(self, kind: str) -> None:
        if kind not in self.venue.facts.kinds:
            raise SubscriptionError("kind", kind, " or ".join(self.venue.facts.kinds))
