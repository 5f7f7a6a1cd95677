"""The part of the client that asks REST: any path, the past of a market, the present state of many, within limits."""

from __future__ import annotations

from collections.abc import Sequence

from tapewire.client.keys import check_key
from tapewire.config import Credentials, FeedOptions
from tapewire.errors import UsageError
from tapewire.model.events import CandleEvent, Event, TradeEvent
from tapewire.model.subscription import Subscription
from tapewire.runtime.pool import Pool
from tapewire.venues.contract import History, StatePoll, Venue


class Asking:
    """What ``WebSocketClient`` asks once by REST. Each call waits for its turn in the exchange's limits."""

    venue: Venue
    options: FeedOptions

    @property
    def _pool(self) -> Pool:
        raise NotImplementedError

    @property
    def _credentials(self) -> Credentials | None:
        raise NotImplementedError

    async def rest_signed(self, path: str, timeout: float = 10.0) -> bytes:  # noqa: ASYNC109 - the user's limit
        """As ``rest``, with the client's key, such as ``/v1/accounts``; nothing is ordered or changed by a GET.

        Args:
            path: with its query, percent-encoded; all values of a name that repeats stand together.
            timeout: seconds of the call, from its turn on.

        Raises:
            CredentialsError: the client has no key.
            UsageError: the venue has no such calls.
            HttpFailed: as of ``rest``.
        """
        check_key(self.venue.facts, self._credentials, f"are needed for {path.partition('?')[0]}")
        return await self._pool.ask(path, timeout, self._credentials)

    async def rest(self, path: str, timeout: float = 10.0) -> bytes:  # noqa: ASYNC109 - the user's limit
        """The body of the venue's answer to ``GET path``, such as ``/v1/market/all``; no key is shown.

        Args:
            path: with its query, percent-encoded.
            timeout: seconds of the call, from its turn on.

        Raises:
            HttpFailed: another status than 200 (``status``, ``body``), no answer, or the time limit.
        """
        return await self._pool.ask(path, timeout)

    async def past_trades(self, symbol: str, older_than: int | None = None) -> list[TradeEvent]:
        """One page of the newest trades of a market, newest first.

        Args:
            symbol: the market.
            older_than: only trades before the one of this id.

        Raises:
            UsageError: the venue tells nothing of the past. HttpFailed, DecodeError: no answer, or none that is one.
        """
        history = self._history()
        body = await self.rest(history.trades_request(symbol, older_than, 0))
        return history.read_trades(symbol, body, self.options.numbers)

    async def past_candles(self, symbol: str, unit: str, before_ms: int | None = None) -> list[CandleEvent]:
        """One page of candles, newest first; the running one is among them where the venue tells it.

        Args:
            symbol: the market.
            unit: as of ``Subscription.unit``.
            before_ms: only windows that began before this (Unix ms, UTC).

        Raises:
            UsageError: the venue tells nothing of the past. HttpFailed, DecodeError: no answer, or none that is one.
        """
        history = self._history()
        body = await self.rest(history.candles_request(symbol, unit, before_ms))
        return history.read_candles(symbol, unit, body, self.options.numbers)

    async def present(self, streams: Sequence[Subscription]) -> list[Event]:
        """The present state of streams of one kind (tickers, order books), in as few calls as the venue takes.

        What the venue leaves out of its answer is left out here.

        Raises:
            UsageError: the venue cannot be asked for this kind. HttpFailed, DecodeError: as above.
        """
        found: list[Event] = []
        for poll, group in self._groups(streams):
            found += poll.read(group, await self.rest(poll.request(group)), self.options.numbers)
        return found

    def _groups(self, streams: Sequence[Subscription]) -> list[tuple[StatePoll, list[Subscription]]]:
        """Streams that one call can ask for."""
        alike: dict[tuple[str, object], list[Subscription]] = {}
        for stream in streams:
            poll = self.venue.polls.get(stream.kind)
            if poll is None:
                raise UsageError(f"{self.venue.name}: REST does not tell the state of {stream.kind}")
            alike.setdefault((stream.kind, poll.alike(stream)), []).append(stream)
        groups = []
        for (kind, _), members in alike.items():
            poll = self.venue.polls[kind]
            groups += [(poll, members[at : at + poll.most]) for at in range(0, len(members), poll.most)]
        return groups

    def _history(self) -> History:
        if self.venue.history is None:
            raise UsageError(f"{self.venue.name}: REST tells nothing of the past")
        return self.venue.history
