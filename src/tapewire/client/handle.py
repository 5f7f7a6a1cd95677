"""One subscribe call and what became of it: its symbols, its listener on each, its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from tapewire.client.keys import check_key
from tapewire.config import Credentials
from tapewire.errors import ConfigError, FeedError, SubscriptionError, TimedOut, UsageError
from tapewire.hub.calls import Take
from tapewire.hub.listening import Listener
from tapewire.model.status import FeedEvent, Rejected
from tapewire.model.subscription import StreamPreference, Subscription
from tapewire.runtime.pool import Place, Pool

PREFERENCES = ("both", "snapshot_only", "realtime_only")


class Handle:
    """What a ``subscribe_…`` call gives back: add and remove symbols while running, unsubscribe, see errors.

    Attributes:
        rejected: symbol → why it was refused (before sending, or by the exchange). The others go on. Of a symbol
            that is refused for several kinds it is the first reason; ``refused`` has each stream's own.
        refused: the same by subscription.
        error: what ended the whole handle (the connection gave up), None while it lives.
        finished: only snapshots were wanted, and all have come: the handle has ended.
    """

    def __init__(
        self,
        name: str,
        pool: Pool,
        template: Subscription,
        preference: StreamPreference,
        credentials: Credentials | None = None,
    ) -> None:
        if preference not in PREFERENCES:
            raise ConfigError("stream_preference", preference, " or ".join(f'"{one}"' for one in PREFERENCES))
        self.name = name
        self.rejected: dict[str, FeedError] = {}
        self.refused: dict[Subscription, FeedError] = {}
        self.error: FeedError | None = None
        self.finished = False
        self._pool = pool
        self._template = template
        self._preference: StreamPreference = preference
        self._credentials = credentials
        self._listeners: dict[Subscription, Listener] = {}
        self._deliver_of: Callable[[Subscription], Callable[[Any], object]] | None = None
        self._ended: Callable[[FeedError | None], None] | None = None
        self._take_of: Callable[[Subscription], Take | None] = lambda _subscription: None
        self._changed = asyncio.Event()

    def bind(self, deliver: Callable[[Any], object], ended: Callable[[FeedError | None], None]) -> None:
        """Say where events go and who is told of the end (called once by the client)."""
        self.bind_each(lambda _subscription: deliver, ended)

    def bind_each(
        self,
        deliver_of: Callable[[Subscription], Callable[[Any], object]],
        ended: Callable[[FeedError | None], None],
        *,
        take_of: Callable[[Subscription], Take | None] = lambda _subscription: None,
    ) -> None:
        """As ``bind``, where each stream's events go a way of their own.

        ``take_of``: of a stream whose way is made now (see ``Listener``).
        """
        self._deliver_of, self._ended, self._take_of = deliver_of, ended, take_of

    @property
    def symbols(self) -> list[str]:
        """Symbols subscribed now, in the order they were added."""
        return list(dict.fromkeys(subscription.symbol for subscription in self._listeners))

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        return tuple(self._listeners)

    async def add(self, symbols: str | Iterable[str]) -> None:
        """Subscribe more symbols. A bad one does not block the others: it is told in ``rejected``.

        Raises:
            SubscriptionError: none of the symbols can be subscribed; names field, value and what would be right.
        """
        await self.add_subscriptions([replace(self._template, symbol=symbol) for symbol in as_symbols(symbols)])

    async def add_subscriptions(self, wanted: Sequence[Subscription]) -> None:
        """As ``add``, for whole subscriptions."""
        self._deliver_to()
        if not wanted:
            raise SubscriptionError("symbols", [], "at least one market code, such as KRW-BTC")
        self._check_sides(wanted)
        new = [subscription for subscription in dict.fromkeys(wanted) if subscription not in self._listeners]
        refused = await self._pool.check(new)
        for subscription, error in refused.items():
            self._reject(subscription, error)
        if refused and len(refused) == len(new):
            raise next(iter(refused.values()))
        deliver_of = self._deliver_to()  # it may have ended while the list of markets was asked for
        for subscription in new:
            if subscription not in refused and subscription not in self._listeners:
                listener = self._listener(subscription, deliver_of(subscription))
                self._listeners[subscription] = listener
                self._pool.add(subscription, listener, self._stream_ended)

    async def remove(self, symbols: str | Iterable[str]) -> None:
        """Unsubscribe these symbols; the others go on. Unknown ones are a SubscriptionError."""
        for symbol in as_symbols(symbols):
            leaving = [subscription for subscription in self._listeners if subscription.symbol == symbol]
            if not leaving:
                known = ", ".join(self.symbols) or "none is"
                raise SubscriptionError("symbol", symbol, f"one that is subscribed here ({known})")
            for subscription in leaving:
                self._pool.remove(subscription, self._listeners.pop(subscription))

    async def unsubscribe(self) -> None:
        """Give all symbols back. A second call does nothing."""
        self.end()

    def end(self, error: FeedError | None = None) -> None:
        """As ``unsubscribe``, without waiting and with the error that ended it."""
        listeners, self._listeners = self._listeners, {}
        for subscription, listener in listeners.items():
            self._pool.remove(subscription, listener)
        ended, self._ended, self._deliver_of = self._ended, None, None
        self.error = self.error or error
        self._changed.set()
        if ended is not None:
            ended(error)

    async def live(self, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - the user's limit
        """Wait until every symbol is confirmed: data came, or nothing spoke against it for the quiet time.

        A symbol of which only the snapshot was wanted is done when that came.

        Raises:
            TimedOut: not all were within ``timeout`` seconds.
            FeedError: the handle was ended by this error.
            UsageError: the handle was unsubscribed.
        """
        self._pool.feed_listeners.append(self._hear)
        try:
            async with asyncio.timeout(timeout):
                while not self._is_live():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            waiting = [str(place[1]) for place in self.places() if not self._pool.is_live(place)]
            raise TimedOut(f"{self.name}: {', '.join(waiting[:5])}{' …' if waiting[5:] else ''}", timeout) from None
        finally:
            self._pool.feed_listeners.remove(self._hear)

    def hold(self, holding: bool) -> None:  # noqa: FBT001
        """Stop or go on reading the lines of these streams (``block`` rule)."""
        self._pool.hold(self, self.places(), holding=holding)

    def callback_failed(self, error: BaseException, *, last: bool = False) -> None:
        """The async callback raised: count it and tell it; the ``last`` one always."""
        self._pool.callback_failed(self.name, error, last=last)

    def places(self) -> list[Place]:
        """Its streams as the pool knows them."""
        return [(listener.account, subscription) for subscription, listener in self._listeners.items()]

    def _listener(self, subscription: Subscription, deliver: Callable[[Any], object]) -> Listener:
        venue, facts = self._pool.venue, self._pool.venue.facts
        account = self._credentials if venue.side(subscription) in facts.signed_sides else None
        preference = "realtime_only" if subscription.kind in facts.event_kinds else self._preference
        return Listener(self.name, deliver, preference, account, take=self._take_of(subscription))

    def _check_sides(self, wanted: Sequence[Subscription]) -> None:
        """Refuse at once what no request could mend: a missing key, the snapshot of what has none."""
        venue, facts = self._pool.venue, self._pool.venue.facts
        for subscription in wanted:
            kind = subscription.kind
            if kind in facts.event_kinds and self._preference == "snapshot_only":
                raise SubscriptionError(
                    "stream_preference", "snapshot_only", f'"both" or "realtime_only": {kind} has no snapshot'
                )
            if venue.side(subscription) in facts.signed_sides and self._pool.options.source is None:
                check_key(facts, self._credentials, f"are needed for {kind}")

    def _deliver_to(self) -> Callable[[Subscription], Callable[[Any], object]]:
        if self._deliver_of is None:
            raise self.error or UsageError(f"{self.name}: the handle has been unsubscribed")
        return self._deliver_of

    def _is_live(self) -> bool:
        if not self.finished:
            self._deliver_to()
        return all(map(self._pool.is_live, self.places()))

    def _hear(self, _event: FeedEvent) -> None:
        self._changed.set()

    def _reject(self, subscription: Subscription, error: FeedError) -> None:
        self._note_refusal(subscription, error)
        self._pool.publish(
            Rejected(
                venue=self._pool.venue.name,
                connection="",
                at_ns=self._pool.wall_ns(),
                name=type(error).__name__,
                message=str(error),
                subscriptions=(subscription,),
                final=False,
            )
        )

    def _note_refusal(self, subscription: Subscription, error: FeedError) -> None:
        self.rejected.setdefault(subscription.symbol, error)
        self.refused[subscription] = error

    def _stream_ended(self, subscription: Subscription, error: FeedError | None) -> None:
        self._listeners.pop(subscription, None)
        if error is not None:
            self._note_refusal(subscription, error)
        self._changed.set()
        if not self._listeners:
            self.finished = error is None
            self.end(error)


def as_subscriptions(subscriptions: object) -> list[Subscription]:
    """A list of subscriptions; a single one is a list of one.

    Raises:
        SubscriptionError: it is something else, such as a symbol.
    """
    if isinstance(subscriptions, Subscription):
        return [subscriptions]
    what = 'Subscription("trade", "KRW-BTC") and the like; with codes alone use trades(), subscribe_trade() …'
    if isinstance(subscriptions, str | bytes) or not isinstance(subscriptions, Iterable):
        raise SubscriptionError("subscriptions", subscriptions, f"a list of {what}")
    found = list(subscriptions)
    for one in found:
        if not isinstance(one, Subscription):
            raise SubscriptionError("subscription", one, what)
    return found


def as_symbols(symbols: object) -> list[str]:
    """A list of symbols without doubles; a single string is one symbol, not its letters.

    Raises:
        SubscriptionError: it is neither a string nor a collection of strings.
    """
    if isinstance(symbols, str):
        return [symbols]
    if isinstance(symbols, bytes) or not isinstance(symbols, Iterable):
        raise SubscriptionError("symbols", symbols, "a market code such as KRW-BTC, or a list of them")
    found = list(dict.fromkeys(symbols))
    for symbol in found:
        if not isinstance(symbol, str):
            raise SubscriptionError("symbol", symbol, "a market code such as KRW-BTC")
    return found
