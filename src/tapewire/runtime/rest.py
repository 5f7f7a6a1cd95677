"""REST of one venue at one address: each call within the exchange's limits, whoever makes it."""

from __future__ import annotations

from tapewire.config import FeedOptions
from tapewire.runtime.clock import Clock
from tapewire.session.gate import Gate
from tapewire.transport.contract import Http
from tapewire.venues.contract import Venue


class Rest:
    """Calls wait for their turn: all of them pass one gate, whatever the exchange's group for their path."""

    def __init__(self, venue: Venue, options: FeedOptions, http: Http, clock: Clock, gate: Gate) -> None:
        self._venue, self._options, self._http, self._clock, self._gate = venue, options, http, clock, gate

    @property
    def url(self) -> str:
        """The REST address: as set, or beside the WebSocket address that was set, or the venue's own."""
        if self._options.rest_url is not None:
            return self._options.rest_url.rstrip("/")
        if self._options.url is None:
            return self._venue.facts.rest_url
        scheme, rest = self._options.url.split("://", 1)
        return f"{'https' if scheme == 'wss' else 'http'}://{rest.split('/', 1)[0]}"

    async def get(self, path: str, *, timeout: float) -> bytes:  # noqa: ASYNC109 - the limit of one call
        """Body of a 200 answer; ``timeout`` counts from the call's turn on. Raises HttpFailed."""
        await self._clock.until(self._gate.reserve(self._clock.now().t))
        return await self._http.get(self.url + path, timeout=timeout)

    async def close(self) -> None:
        """Give the connections back; the next call opens them anew."""
        await self._http.close()
