"""The names of the v6 guide that stand beside the client: its manager, its shortcuts, its errors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from tapewire.client.front import WebSocketClient
from tapewire.client.keys import as_credentials
from tapewire.client.lines import real_ports
from tapewire.errors import AuthenticationFailed, FeedError, Lagging, LineLost, TransportError, UsageError
from tapewire.model.events import TickerEvent
from tapewire.runtime.manager import WebSocketManager, running_manager

#: The guide's errors and what they are here (docs/from-v6.md).
WebSocketException = FeedError
WebSocketConnectionError = TransportError
AuthenticationError = AuthenticationFailed
BackpressureError = Lagging
RecoveryError = LineLost


async def get_global_websocket_manager() -> WebSocketManager:
    """The manager that all clients of the running event loop share; made when it is first asked for."""
    return running_manager(real_ports)


def get_websocket_manager() -> WebSocketManager:
    """As ``get_global_websocket_manager``, without ``await``.

    Raises:
        UsageError: no event loop is running.
    """
    if asyncio._get_running_loop() is None:  # noqa: SLF001 - its one way to ask without an error
        raise UsageError("each event loop has a manager of its own: ask for it inside an async function")
    return running_manager(real_ports)


def create_websocket_client(name: str = "tapewire", venue: str = "upbit", **options: Any) -> WebSocketClient:
    """As ``WebSocketClient(name, venue, …)``."""
    _wrap_key(options)
    return WebSocketClient(name, venue, **options)


async def quick_ticker_subscription(
    symbols: str | Iterable[str],
    callback: Callable[[TickerEvent], Any],
    name: str = "quick_ticker",
    venue: str = "upbit",
    **options: Any,
) -> WebSocketClient:
    """A new client with one subscription to tickers. Keep it: a client that nobody holds ends its subscriptions.

    Raises:
        SubscriptionError: none of the symbols can be subscribed.
    """
    _wrap_key(options)
    client = WebSocketClient(name, venue, **options)
    try:
        await client.subscribe_ticker(symbols, callback)
    except BaseException:
        await client.cleanup()
        raise
    return client


def _wrap_key(options: dict[str, Any]) -> None:
    """Put plain keys out of sight: a traceback that shows locals shows the options too."""
    parts = options.pop("access_key", None), options.pop("secret_key", None), options.pop("passphrase", None)
    try:
        options["credentials"] = as_credentials(*parts[:2], options.get("credentials"), parts[2])
    finally:
        del parts
