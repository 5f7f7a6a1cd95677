"""The part of the client that needs a key: orders, balances, announcements, indicators; and what the exchange holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tapewire.client.handle import Handle, as_symbols
from tapewire.client.snapshots import check_timeout
from tapewire.config import MailboxOptions
from tapewire.errors import SubscriptionError, TimedOut
from tapewire.model.events import (
    AnnouncementEvent,
    IndicatorEvent,
    IndicatorSignalEvent,
    MyAssetEvent,
    MyOrderEvent,
)
from tapewire.model.status import FeedEvent, Listed
from tapewire.model.subscription import StreamPreference, Subscription, as_detail
from tapewire.runtime.pool import Pool

Symbols = str | Iterable[str]


class Private:
    """What ``WebSocketClient`` hears only with a key. Its connections stand beside the public one.

    These streams are sent when something happens, and may be silent for hours: the line's keep-alive proves that it
    lives. They have no snapshot (spec/upbit.md 4.5 to 4.9).
    """

    name: str

    @property
    def _pool(self) -> Pool:
        raise NotImplementedError

    async def subscribe(
        self,
        subscriptions: Iterable[Subscription],
        callback: Callable[[Any], Any],
        stream_preference: StreamPreference = "both",
        *,
        mailbox: MailboxOptions | None = None,
    ) -> Handle:
        raise NotImplementedError

    async def subscribe_my_order(
        self,
        symbols: Symbols | Callable[[MyOrderEvent], Any] = (),
        callback: Callable[[MyOrderEvent], Any] | None = None,
        *,
        mailbox: MailboxOptions | None = None,
    ) -> Handle:
        """Call ``callback`` with each ``MyOrderEvent`` of these symbols; of every market if none are named.

        ``subscribe_my_order(callback)`` is short for all markets.

        Raises:
            CredentialsError: the client has no key; nothing was connected.
            SubscriptionError: as ``subscribe_ticker``.
        """
        hear = symbols if callable(symbols) else callback
        if hear is None:
            raise SubscriptionError("callback", None, "a function that takes one event")
        codes = [] if callable(symbols) else as_symbols(symbols)
        return await self.subscribe([Subscription("myOrder", code) for code in codes or [""]], hear, mailbox=mailbox)

    async def subscribe_my_asset(
        self, callback: Callable[[MyAssetEvent], Any], *, mailbox: MailboxOptions | None = None
    ) -> Handle:
        """Call ``callback`` with each ``MyAssetEvent``: balances that changed.

        The first use of the stream by an account may be silent for minutes (spec/upbit.md 4.6).
        """
        return await self.subscribe([Subscription("myAsset", "")], callback, mailbox=mailbox)

    async def subscribe_announcement(
        self,
        callback: Callable[[AnnouncementEvent], Any],
        *,
        categories: Sequence[str] = (),
        include_body: bool = False,
        mailbox: MailboxOptions | None = None,
    ) -> Handle:
        """Call ``callback`` with each notice of the exchange, of these categories (none: of all)."""
        choice: dict[str, Any] = {}
        if categories:
            choice["categories"] = sorted({categories} if isinstance(categories, str) else set(categories))
        if include_body:
            choice["include_body"] = True
        wanted = Subscription("announcement", "", detail=as_detail(choice) if choice else "")
        return await self.subscribe([wanted], callback, mailbox=mailbox)

    async def subscribe_indicator(
        self,
        symbols: Symbols,
        callback: Callable[[IndicatorEvent], Any],
        *,
        timeframe: str,
        indicators: Sequence[Mapping[str, Any]],
        mailbox: MailboxOptions | None = None,
    ) -> Handle:
        """Call ``callback`` with each value of these indicators at each close of a candle of ``timeframe``.

        Args:
            symbols: one code or several.
            callback: as of ``subscribe_ticker``.
            timeframe: ``5m``, ``15m``, ``60m``, ``240m`` or ``1d``.
            indicators: as the exchange words them: ``{"type": "rsi", "params": {"period": 14}}`` (spec/upbit.md 4.8).
            mailbox: as of ``subscribe_ticker``.
        """
        wanted = _indicators("indicator", symbols, timeframe, indicators)
        return await self.subscribe(wanted, callback, mailbox=mailbox)

    async def subscribe_indicator_signal(
        self,
        symbols: Symbols,
        callback: Callable[[IndicatorSignalEvent], Any],
        *,
        timeframe: str,
        indicators: Sequence[Mapping[str, Any]],
        mailbox: MailboxOptions | None = None,
    ) -> Handle:
        """As ``subscribe_indicator``, whenever a condition becomes true.

        Each of ``indicators`` also says its ``trigger``, and ``event_params`` where the trigger needs them
        (spec/upbit.md 4.9).
        """
        wanted = _indicators("indicator_signal", symbols, timeframe, indicators)
        return await self.subscribe(wanted, callback, mailbox=mailbox)

    async def list_subscriptions(
        self,
        timeout: float = 5.0,  # noqa: ASYNC109 - the user's limit
    ) -> list[Listed]:
        """Ask the exchange what it holds, for each connection of this client: one ``Listed`` each.

        A difference from what is wanted is told there and mended at once. The question counts against the message
        limit; the streams' format stays as it is.

        Raises:
            TimedOut: names the connections that did not answer within ``timeout`` seconds.
        """
        check_timeout(timeout)
        answers: dict[str, Listed] = {}
        complete = asyncio.Event()
        pool = self._pool
        waiting: set[str] = set()

        def hear(event: FeedEvent) -> None:
            if isinstance(event, Listed):
                answers[event.connection] = event
                if waiting <= answers.keys():
                    complete.set()

        pool.feed_listeners.append(hear)
        try:
            waiting.update(pool.inquire())
            if waiting:
                async with asyncio.timeout(timeout):
                    await complete.wait()
        except TimeoutError:
            silent = ", ".join(sorted(waiting - answers.keys()))
            raise TimedOut(f"{self.name}: list of subscriptions from {silent}", timeout) from None
        finally:
            pool.feed_listeners.remove(hear)
        return [answers[name] for name in sorted(waiting)]


def _indicators(
    kind: str, symbols: Symbols, timeframe: str, indicators: Sequence[Mapping[str, Any]]
) -> list[Subscription]:
    if isinstance(indicators, Mapping):
        indicators = [indicators]
    if not indicators:
        raise SubscriptionError("indicators", indicators, 'at least one, such as {"type": "rsi", "params": {…}}')
    details = [as_detail(_whole(indicator)) for indicator in indicators]
    codes = as_symbols(symbols)
    return [Subscription(kind, code, unit=timeframe, detail=detail) for code in codes for detail in details]


def _whole(indicator: object) -> dict[str, Any]:
    """As events word it: the parameters always, a signal's own ones only if there are any."""
    if not isinstance(indicator, Mapping) or "type" not in indicator:
        raise SubscriptionError("indicators", indicator, 'such as {"type": "rsi", "params": {"period": 14}}')
    said = {"params": {}} | dict(indicator)
    return {key: value for key, value in said.items() if key != "event_params" or value}
