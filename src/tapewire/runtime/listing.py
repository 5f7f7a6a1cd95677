"""The venue's list of markets, asked by REST when it is needed, and what it says of a subscription."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping

import msgspec

from tapewire.config import FeedOptions
from tapewire.errors import HttpFailed, SubscriptionError, VenueError
from tapewire.model.market import Market
from tapewire.model.subscription import Subscription
from tapewire.runtime.clock import Clock
from tapewire.runtime.observe import log_fields, logger
from tapewire.runtime.rest import Rest
from tapewire.venues.contract import Venue

#: Seconds a REST call for the list of markets may take; the subscription waits for it.
MARKETS_TIMEOUT = 3.0
#: Seconds after a call that failed in which nobody waits for another one.
RETRY_AFTER = 10.0
#: Seconds after which an unknown symbol makes the list of markets be asked again (it may be newly listed).
MARKETS_MAX_AGE = 60.0
#: Subscriptions that are remembered as good, at most; the others are looked at each time.
MOST_GOOD = 100_000


class Listing:
    """The markets of one venue at one address. One REST call at a time, whoever asks."""

    def __init__(self, venue: Venue, options: FeedOptions, rest: Rest, clock: Clock) -> None:
        self._venue, self._options, self._rest, self._clock = venue, options, rest, clock
        self._markets: dict[str, Market] | None = None
        #: What was found good by the present list: two hundred clients ask for the same thousand streams.
        self._good: set[Subscription] = set()
        self._asked_at = self._failed_at = float("-inf")
        self._asking = asyncio.Lock()
        self._askers, self._closing = 0, False

    async def check(self, subscriptions: Iterable[Subscription]) -> dict[Subscription, SubscriptionError]:
        """What the exchange would refuse or answer with silence, with the reason for each."""
        wanted = [subscription for subscription in subscriptions if subscription not in self._good]
        refused = self._refused(wanted, None)
        rest = [subscription for subscription in wanted if subscription not in refused]
        if not self._options.validate or not rest:
            return refused
        markets = await self._known(rest)
        if markets is None:
            return refused
        rest = [subscription for subscription in rest if subscription not in self._good]  # others asked meanwhile
        unlisted = self._refused(rest, markets)
        if markets is self._markets and len(self._good) < MOST_GOOD:
            self._good.update(subscription for subscription in rest if subscription not in unlisted)
        return refused | unlisted

    async def markets(self) -> dict[str, Market]:
        """The venue's markets by symbol, asked now. Raises HttpFailed or DecodeError."""
        async with self._turn():
            return await self._ask()

    async def close(self) -> None:
        """Give the REST connections back: now, or when those who are asking have their answers."""
        self._closing = self._askers > 0
        if not self._closing:
            await self._rest.close()

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        self._askers += 1
        try:
            async with self._asking:
                yield
        finally:
            self._askers -= 1
            if self._closing and not self._askers:
                self._closing = False
                await self._rest.close()

    async def _ask(self) -> dict[str, Market]:
        self._asked_at = self._clock.now().t
        listed: list[Market] = []
        for path in (self._venue.markets_request, *self._venue.more_markets):
            listed += self._venue.read_markets(await self._rest.get(path, timeout=MARKETS_TIMEOUT))
        self._good.clear()
        self._markets = {market.symbol: market for market in listed}
        return self._markets

    async def _known(self, subscriptions: list[Subscription]) -> Mapping[str, Market] | None:
        async with self._turn():
            if self._clock.now().t - self._failed_at < RETRY_AFTER:
                return self._markets  # who waited beside the one who was told does not wait as long again
            try:
                if self._is_due(subscriptions):
                    await self._ask()
                await self._add_levels({s.symbol for s in subscriptions if s.level})
            except (HttpFailed, VenueError) as error:
                self._failed_at = self._clock.now().t
                logger.warning(
                    "%s: symbols are not checked against the list of markets: %s", self._venue.name, error,
                    extra=log_fields("markets_failed", self._venue.name),
                )  # fmt: skip
            return self._markets

    def _is_due(self, subscriptions: list[Subscription]) -> bool:
        old = self._clock.now().t - self._asked_at > MARKETS_MAX_AGE
        if self._markets is None:
            return True
        return old and any(subscription.symbol not in self._markets for subscription in subscriptions)

    async def _add_levels(self, symbols: set[str]) -> None:
        markets = self._markets or {}
        missing = sorted(s for s in symbols if s in markets and markets[s].levels is None)
        if not missing or self._venue.levels_request is None or self._venue.read_levels is None:
            return
        body = await self._rest.get(self._venue.levels_request(missing), timeout=MARKETS_TIMEOUT)
        for symbol, levels in self._venue.read_levels(body).items():
            if symbol in markets:
                markets[symbol] = msgspec.structs.replace(markets[symbol], levels=levels)

    def _refused(
        self, subscriptions: list[Subscription], markets: Mapping[str, Market] | None
    ) -> dict[Subscription, SubscriptionError]:
        refused = {}
        for subscription in subscriptions:
            try:
                self._venue.check(subscription, markets)
            except SubscriptionError as error:
                refused[subscription] = error
        return refused
