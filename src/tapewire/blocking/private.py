"""The part of the blocking client that needs a key, and what it says of how it stands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from tapewire import client
from tapewire.blocking.handle import Handle, Latest
from tapewire.blocking.thread import PATIENCE, LoopThread
from tapewire.client.handle import as_symbols
from tapewire.client.standing import LimitStatus
from tapewire.errors import SubscriptionError
from tapewire.model.events import AnnouncementEvent, IndicatorEvent, IndicatorSignalEvent, MyAssetEvent, MyOrderEvent
from tapewire.model.health import HealthStatus
from tapewire.model.status import Listed

Symbols = str | Iterable[str]


class Private:
    """What the blocking client hears only with a key, and how it stands; more words stand at the asyncio client."""

    _client: client.WebSocketClient

    def _handle(self, latest: Latest, subscribe: Callable[[], Awaitable[client.Handle]]) -> Handle:
        raise NotImplementedError

    def _running(self) -> LoopThread:
        raise NotImplementedError

    def subscribe_my_order(
        self,
        symbols: Symbols | Callable[[MyOrderEvent], Any] = (),
        callback: Callable[[MyOrderEvent], Any] | None = None,
    ) -> Handle:
        """Call ``callback`` with each ``MyOrderEvent`` of these symbols; of every market if none are named.

        ``subscribe_my_order(callback)`` is short for all markets.

        Raises:
            CredentialsError: the client has no key; nothing was connected.
            SubscriptionError, UsageError: as ``subscribe_ticker``.
        """
        hear = symbols if callable(symbols) else callback
        if hear is None:
            raise SubscriptionError("callback", None, "a function that takes one event")
        codes, latest = [] if callable(symbols) else as_symbols(symbols), Latest(hear)
        return self._handle(latest, lambda: self._client.subscribe_my_order(codes, latest.hear))

    def subscribe_my_asset(self, callback: Callable[[MyAssetEvent], Any] | None = None) -> Handle:
        """Call ``callback`` with each ``MyAssetEvent``: balances that changed. Raises as ``subscribe_my_order``."""
        latest = Latest(callback)
        return self._handle(latest, lambda: self._client.subscribe_my_asset(latest.hear))

    def subscribe_announcement(
        self,
        callback: Callable[[AnnouncementEvent], Any] | None = None,
        *,
        categories: Sequence[str] = (),
        include_body: bool = False,
    ) -> Handle:
        """Call ``callback`` with each notice of the exchange, of these categories (none: of all)."""
        latest, subscribe = Latest(callback), self._client.subscribe_announcement
        return self._handle(latest, lambda: subscribe(latest.hear, categories=categories, include_body=include_body))

    def subscribe_indicator(
        self,
        symbols: Symbols,
        callback: Callable[[IndicatorEvent], Any] | None = None,
        *,
        timeframe: str,
        indicators: Sequence[Mapping[str, Any]],
    ) -> Handle:
        """Call ``callback`` with each value of these indicators at each close of a candle of ``timeframe``."""
        codes, latest, subscribe = as_symbols(symbols), Latest(callback), self._client.subscribe_indicator
        return self._handle(latest, lambda: subscribe(codes, latest.hear, timeframe=timeframe, indicators=indicators))

    def subscribe_indicator_signal(
        self,
        symbols: Symbols,
        callback: Callable[[IndicatorSignalEvent], Any] | None = None,
        *,
        timeframe: str,
        indicators: Sequence[Mapping[str, Any]],
    ) -> Handle:
        """As ``subscribe_indicator``, whenever a condition becomes true."""
        codes, latest, subscribe = as_symbols(symbols), Latest(callback), self._client.subscribe_indicator_signal
        return self._handle(latest, lambda: subscribe(codes, latest.hear, timeframe=timeframe, indicators=indicators))

    def list_subscriptions(self, timeout: float = 5.0) -> list[Listed]:
        """Ask the exchange what it holds, for each connection; a difference is told there and mended at once.

        Raises:
            TimedOut: names the connections that did not answer within ``timeout`` seconds.
        """
        ask = self._client.list_subscriptions
        return self._running().run("list_subscriptions", lambda: ask(timeout), timeout + PATIENCE)

    @property
    def is_active(self) -> bool:
        """It was not closed."""
        return self._client.is_active

    @property
    def is_connected(self) -> bool:
        """Something is subscribed, and every connection that its streams come from is open now."""
        return self._running().do("is_connected", lambda: self._client.is_connected)

    def get_health_status(self) -> HealthStatus:
        """How well its connections are, why, and since when."""
        return self._running().do("get_health_status", self._client.get_health_status)

    def get_subscription_count(self) -> int:
        """Distinct streams subscribed now."""
        return self._running().do("get_subscription_count", self._client.get_subscription_count)

    def get_subscribed_symbols(self, kind: str | None = None) -> list[str]:
        """Symbols subscribed now, of all kinds or of one. Raises SubscriptionError: the venue has no such kind."""
        return self._running().do("get_subscribed_symbols", lambda: self._client.get_subscribed_symbols(kind))

    def get_rate_limiter_status(self) -> dict[str, list[LimitStatus]]:
        """What is left of the exchange's limits: ``connects``, ``messages``, ``rest_calls``, each with its windows."""
        return self._running().do("get_rate_limiter_status", self._client.get_rate_limiter_status)
