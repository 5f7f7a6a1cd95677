"""The client: what the user's program touches."""

from __future__ import annotations

import weakref
from functools import cache
from types import TracebackType
from typing import Any, Self

from tapewire.client.alerted import Alerted
from tapewire.client.asking import Asking
from tapewire.client.callbacks import Callbacks
from tapewire.client.component import Component, Ears, dropped
from tapewire.client.ear import Ear
from tapewire.client.handle import Handle
from tapewire.client.iterators import Iterators
from tapewire.client.keeping import Keeping
from tapewire.client.keys import as_credentials
from tapewire.client.latest import DataPool
from tapewire.client.observing import Observing
from tapewire.client.private import Private
from tapewire.client.sinking import Sinking
from tapewire.client.snapshots import Snapshots
from tapewire.client.standing import Standing
from tapewire.config import Credentials, FeedOptions, Secret
from tapewire.errors import DecodeError, UsageError
from tapewire.model.events import Event
from tapewire.model.market import Market
from tapewire.profiles import with_changes
from tapewire.runtime.manager import WebSocketManager, knows_the_way
from tapewire.runtime.observe import Statistics
from tapewire.runtime.pool import Pool
from tapewire.transport.contract import Http, LineFactory
from tapewire.venues.contract import Codec
from tapewire.venues.registry import get_venue


class WebSocketClient(Callbacks, Iterators, Snapshots, Private, Standing, Keeping, Alerted, Asking, Observing, Sinking):
    """One component of the user's program. Works with ``async with``, or without and a final ``cleanup()``.

    Args:
        name: shows in logs, feed events and statistics.
        venue: ``upbit``, ``upbit-sg``, ``upbit-id``, ``upbit-th`` or any installed venue.
        url: WebSocket address in place of the venue's: a simulator, a gateway, a served recording.
        rest_url: REST address; by default beside ``url``, or the venue's own.
        access_key, secret_key: the API key, for what is the account's own (``subscribe_my_order`` …), with its
            ``passphrase`` where the venue has one (OKX); or all as ``credentials``. Sent only to the host of the venue
            (or of ``url``), as a token or signature that is new for each connection.
        options: all options; further keyword arguments replace single fields of it and of its ``line`` and
            ``session`` (``format="SIMPLE"``, ``ping_interval=10``).
        manager: the connections to share; by default all clients of one event loop share one.
        line_factory, http: transports in place of real sockets (the simulator's, in tests).

    Raises:
        UnknownName: no such venue is installed.
        ConfigError: an option has a value that is impossible, or that this venue has not; the exchange has ended this
            venue and no ``url`` is given.
    """

    def __init__(
        self,
        name: str = "tapewire",
        venue: str = "upbit",
        *,
        url: str | None = None,
        rest_url: str | None = None,
        access_key: str | Secret | None = None,
        secret_key: str | Secret | None = None,
        passphrase: str | Secret | None = None,
        credentials: Credentials | None = None,
        options: FeedOptions | None = None,
        manager: WebSocketManager | None = None,
        line_factory: LineFactory | None = None,
        http: Http | None = None,
        **changes: Any,
    ) -> None:
        try:
            credentials = as_credentials(access_key, secret_key, credentials, passphrase)
        finally:
            del access_key, secret_key, passphrase  # a traceback that shows locals shows no key
        self.name = name
        self.venue = get_venue(venue)
        addresses = {name: given for name, given in (("url", url), ("rest_url", rest_url)) if given is not None}
        self.options = with_changes(options or FeedOptions(), addresses | changes)
        self.venue.permit(self.options)
        elsewhere = manager or line_factory or self.options.source or knows_the_way()
        if not elsewhere:
            self.venue.address(self.options.url)
        self._ears, self._kept = Ears(), DataPool()
        self._feed_ears: list[Ear] = []
        self._component = Component(
            name, self.venue, self.options, credentials, manager, (line_factory, http), self._ears
        )
        weakref.finalize(self, dropped, self._component).atexit = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.cleanup()

    async def unsubscribe(self, handle: Handle) -> None:
        """As ``handle.unsubscribe()``."""
        await handle.unsubscribe()

    async def markets(self) -> list[Market]:
        """Everything the venue lists. Raises HttpFailed (no answer) or DecodeError."""
        return list((await self._pool.markets()).values())

    def statistics(self) -> Statistics:
        """What the connections of this client (and of those that share them) did so far; also after ``cleanup``."""
        return self._component.statistics()

    async def cleanup(self) -> None:
        """Give every subscription back, let async callbacks finish what was received, close: within 5 s.

        A connection that other clients use stays open. A second call does nothing.
        """
        if not self._component.closed:
            await self._end_alerts(self._component.close)
            self._feed_ears.clear()
            if self._component.loop is not None:
                self._component.manager.unregister_component(self)

    def give_back(self) -> None:
        """End every subscription at once; the client can be used further."""
        self._component.give_back()

    def use(self, manager: WebSocketManager) -> None:
        """Share this manager's connections. Raises UsageError when it shares another's."""
        self._component.use(manager)

    @property
    def handles(self) -> tuple[Handle, ...]:
        """Its subscribe calls that have not ended, in their order."""
        return tuple(self._component.handles)

    @property
    def _credentials(self) -> Credentials | None:
        return self._component.key

    @property
    def _pool(self) -> Pool:
        if not self._component.closed:
            self._component.manager.register_component(self)
        return self._component.pool


def decode(venue: str, payload: bytes, received_ns: int = 0) -> list[Event]:
    """Read one WebSocket payload of ``venue``, whatever its format; pure.

    Returns:
        The market events in it, in order; an empty list for the exchange's own words (status, error, lists).

    Raises:
        DecodeError: the payload, or an element of it, cannot be read.
        UnknownName: no such venue is installed.
        UsageError: ``payload`` is no bytes (a text message: ``text.encode()``).
    """
    if not isinstance(payload, bytes):
        raise UsageError(f"payload is {type(payload).__name__}; it must be the bytes of one message")
    reading = _codec(venue).read(payload, received_ns)
    if reading.quarantined:
        first = reading.quarantined[0]
        raise DecodeError(venue, first.reason, first.payload)
    return list(reading.events)


async def markets(venue: str = "upbit", *, url: str | None = None, rest_url: str | None = None) -> list[Market]:
    """Everything ``venue`` lists: symbol, base, quote, names. Raises HttpFailed or DecodeError."""
    async with WebSocketClient("markets", venue, url=url, rest_url=rest_url) as client:
        return await client.markets()


@cache
def _codec(venue: str) -> Codec:
    return get_venue(venue).codec("DEFAULT", "float", False)
