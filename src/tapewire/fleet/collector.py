"""One member of a fleet at work: carries its share to the broker, takes over, hands over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from math import inf
from typing import NamedTuple

from msgspec.structs import replace

from tapewire.client import WebSocketClient
from tapewire.client.open_stream import OpenStream
from tapewire.config import MailboxOptions
from tapewire.errors import FeedError, SubscriptionError
from tapewire.fleet.account import AccountCarrier, AccountOptions
from tapewire.fleet.lease import Bucket
from tapewire.fleet.membership import Membership, Tell
from tapewire.fleet.shares import Steps, steps
from tapewire.fleet.stored import Stored
from tapewire.fleet.stories import Stories
from tapewire.fleet.words import Counts, FleetOptions, Plan, Seat, State
from tapewire.model.reached import Reached
from tapewire.model.status import Gap
from tapewire.model.subscription import Subscription
from tapewire.sinks.brokers.link import Away
from tapewire.sinks.brokers.sink import BrokerSink
from tapewire.sinks.contract import Item
from tapewire.sinks.runner import RunnerOptions, SinkRunner

#: Events that may wait for the sink; then the oldest go, told as ``Lagged``.
_MAILBOX = MailboxOptions(size=200_000, rule="drop_oldest")
_RUNNER = RunnerOptions(write_timeout=inf, close_timeout=8.0)
#: Seconds between two looks at what is live; symbols of which the broker is asked at once.
_LOOK, _AT_ONCE = 0.2, 16
#: Kinds of which REST tells what was missed.
_FILLED = frozenset({"trade", "candle"})
#: Rows of gaps that are not over yet, or cost nothing.
_NO_GAP = frozenset({"filling", "nothing_missed"})
#: Seconds until the venue's list of markets is read again.
_LISTING_EVERY = 300.0


class Private(NamedTuple):
    """An account to be carried, and where to: its own stream at the broker, its subjects' prefix, a sink for both."""

    account: AccountOptions
    sink: BrokerSink
    stream: str
    prefix: str


class Collector:
    """One collector.

    Args:
        client: of the venue.
        sink: to NATS.
        bucket: the fleet's.
        plan: what the fleet carries. options: how this one belongs to it.
        streams_of: the streams of one symbol.
        host: where it runs, for people.
        window: seconds for which the broker drops doubles.
        wall_ns: the time (ns UTC).
        hear: told of each event that came. tell: of each step: a style (``green``, ``yellow``, ``red``) and words.
        private: the account whose key the client has, if it is to be carried.
    """

    def __init__(
        self, client: WebSocketClient, sink: BrokerSink, bucket: Bucket, plan: Plan, options: FleetOptions, *,
        streams_of: Callable[[str], list[Subscription]], host: str, window: float, wall_ns: Callable[[], int],
        hear: Callable[[Item], None], tell: Tell, private: Private | None = None,
    ) -> None:  # fmt: skip
        self._client, self._sink, self._plan, self._options = client, sink, plan, options
        self._streams_of, self._wall_ns, self._hear, self._tell = streams_of, wall_ns, hear, tell
        self._membership = Membership(bucket, options, tell)
        self._stored = Stored(
            lambda: bucket.js, stream=plan.stream, prefix=plan.prefix, venue=plan.venue, window=window
        )
        self._state = State(name=options.name, plan=plan, host=host, since_ns=wall_ns())
        self._stream: OpenStream = client.open_stream(mailbox=_MAILBOX, news_only=("trade",))
        self._asked: dict[str, list[Subscription]] = {}
        self._refused: set[str] = set()
        self._symbols: list[str] = []
        self._listed_at = -inf
        self._gaps = self._unfilled = 0
        self._private = private
        self._account = None if private is None else self._carrier(private, bucket, window)

    @property
    def state(self) -> State:
        """What it tells the others now."""
        live = self._stream.live
        carries = sorted(symbol for symbol, streams in self._asked.items() if live.issuperset(streams))
        return replace(
            self._state, asked=len(self._asked), carries=tuple(carries), accounts=self._seats(), counts=self._counts()
        )

    async def run(self, stop: Callable[[], Awaitable[None]]) -> None:
        """Until ``stop()``, awaited, returns; then what it carries is handed over, written and flushed.

        Raises:
            ConfigError: the fleet carries something else; its name is taken; no market fits.
            SinkError, FeedError: it cannot go on.
        """
        await self._list(asyncio.get_running_loop().time())
        runners = [SinkRunner(sink, options=_RUNNER) for sink in self._sinks]
        sources = [self._source(), *([] if self._account is None else [self._account.source()])]
        feeding = {
            asyncio.create_task(runner.run(source), name="feeding the broker")
            for runner, source in zip(runners, sources, strict=True)
        }
        living = asyncio.create_task(self._live(runners, stop), name="living in a fleet")
        try:
            await asyncio.wait({*feeding, living}, return_when=asyncio.FIRST_COMPLETED)
            await self._stream.aclose()
            if self._account is not None:
                await self._account.close()
            if living.done():
                living.result()
            await asyncio.gather(*feeding)
        finally:
            for task in (living, *feeding):
                task.cancel()
            await asyncio.wait({living, *feeding})
            await self._membership.leave()

    @property
    def _sinks(self) -> list[BrokerSink]:
        return [self._sink, *([] if self._private is None else [self._private.sink])]

    @property
    def _holds_any(self) -> bool:
        return bool(self._asked) or (self._account is not None and self._account.asked)

    def _carrier(self, private: Private, bucket: Bucket, window: float) -> AccountCarrier:
        options = self._options
        stories = Stories(
            lambda: bucket.js, bucket=options.stories, replicas=options.replicas, account=private.account.name,
            stream=private.stream, prefix=private.prefix,
        )  # fmt: skip
        stored = Stored(
            lambda: bucket.js, stream=private.stream, prefix=private.prefix, venue=self._plan.venue, window=window,
            order_ids="mark",
        )  # fmt: skip
        stream = self._client.open_stream(mailbox=_MAILBOX)
        return AccountCarrier(
            private.account, stream, stories, stored,
            figures=lambda: private.sink.figures, wall_ns=self._wall_ns, hear=self._hear, tell=self._tell,
        )  # fmt: skip

    def _seats(self) -> dict[str, Seat]:
        if self._private is None or self._account is None:
            return {}
        return {self._private.account.name: self._account.seat}

    async def _live(self, runners: Sequence[SinkRunner], stop: Callable[[], Awaitable[None]]) -> None:
        for runner in runners:
            await runner.opened.wait()
        loop, told = asyncio.get_running_loop(), self._state
        stopping, acting = asyncio.ensure_future(stop()), asyncio.ensure_future(self._act(loop.time()))
        ends_at = inf
        try:
            while self._holds_any or not self._state.leaving:
                if stopping.done() and not self._state.leaving:
                    self._state = replace(self._state, leaving=True)
                    self._tell("yellow", f"leaving: {len(self._asked)} symbols are handed over")
                    ends_at = loop.time() + self._options.handover
                now = self.state
                changed = (now.carries, now.accounts, now.leaving) != (told.carries, told.accounts, told.leaving)
                told = now
                await self._membership.beat(loop.time(), now, changed=changed)
                if acting.done():
                    acting.result()
                    acting = asyncio.ensure_future(self._act(loop.time()))
                if loop.time() >= ends_at:
                    self._tell("red", f"nobody took over {self._held} in {self._options.handover:g} s")
                    break
                await asyncio.wait({acting} if stopping.done() else {stopping}, timeout=_LOOK)
        finally:
            for task in (stopping, acting):
                task.cancel()
            await asyncio.wait({stopping, acting})

    async def _act(self, t: float) -> None:
        """Take what is ours, give up what others carry: only while it is known who the others are."""
        if not self._membership.sees(t):
            return
        if not self._state.leaving and t - self._listed_at >= _LISTING_EVERY:
            await self._relist(t)
        members = [self.state.member, *(one.member for one in self._membership.others)]
        symbols = [symbol for symbol in self._symbols if symbol not in self._refused]
        todo = steps(self._options.name, self._asked, members, symbols, self._plan.copies)
        if todo.release:
            await self._release(todo.release)
        if todo.take:
            await self._take(todo)
        if self._account is not None and self._private is not None:
            name = self._private.account.name
            holders = [state.holder(name) for state in (self.state, *self._membership.others)]
            await self._account.act(self._options.name, [one for one in holders if one is not None], t)

    async def _release(self, symbols: Sequence[str]) -> None:
        for symbol in symbols:
            self._asked.pop(symbol, None)
        await self._stream.remove(symbols)
        self._tell("green", f"gave up {_some(symbols)}: others carry {'it' if len(symbols) == 1 else 'them'}")

    async def _take(self, todo: Steps) -> None:
        """Begin where the broker's newest event stands, so that what nobody carried is filled by REST, or told.

        Where nothing stands, at this moment: another member may bring the first events, and die, before ours is live.
        """
        taken: list[str] = []
        await self._stored.learn()
        for start in range(0, len(todo.take), _AT_ONCE):
            some = todo.take[start : start + _AT_ONCE]
            found = await asyncio.gather(*(self._begin(symbol, orphan=symbol in todo.orphans) for symbol in some))
            taken += [symbol for symbol, begun in zip(some, found, strict=True) if begun]
        if taken:
            orphans = [symbol for symbol in taken if symbol in todo.orphans]
            words = f", {len(orphans)} of which nobody carried" if orphans else ""
            self._tell("green", f"carries {_some(taken)}{words}")

    async def _begin(self, symbol: str, *, orphan: bool) -> bool:
        streams, asked_ns = self._streams_of(symbol), self._wall_ns()
        known = streams if orphan else [one for one in streams if one.kind in _FILLED]
        nothing = {one: Reached(one, asked_ns, asked_ns // 1_000_000) for one in known if one.kind in _FILLED}
        try:
            found = [await self._stored.reached(one) or nothing.get(one) for one in known]
        except Away:  # asked again with the next look
            return False
        return await self._add(symbol, streams, [one for one in found if one is not None])

    async def _add(self, symbol: str, streams: list[Subscription], reached: Sequence[Reached]) -> bool:
        try:
            await self._stream.add(streams, reached)
        except SubscriptionError as error:
            self._refused.add(symbol)
            self._tell("red", f"{symbol} cannot be carried: {error}")
            return False
        self._asked[symbol] = streams
        return True

    async def _list(self, t: float) -> None:
        self._symbols = self._plan.symbols([market.symbol for market in await self._client.markets()])
        self._listed_at = t

    async def _relist(self, t: float) -> None:
        """Markets come and go; what is carried is carried on when the exchange does not tell."""
        self._listed_at, before = t, set(self._symbols)
        try:
            await self._list(t)
        except FeedError as error:
            self._tell("yellow", f"the list of markets could not be read again: {error}")
            return
        self._refused.clear()
        for word, changed in (("new", set(self._symbols) - before), ("gone", before - set(self._symbols))):
            if changed:
                self._tell("yellow", f"{word}: {_some(sorted(changed))}")

    async def _source(self) -> AsyncIterator[Item]:
        async for item in self._stream:
            if isinstance(item, Gap) and self._is_private(item.subscription):
                continue  # told where the account's events are
            self._hear(item)
            if isinstance(item, Gap) and item.state not in _NO_GAP:
                self._gaps += 1
                self._unfilled += item.state == "unfilled"
            if await self._stored.is_new(item, self._wall_ns()):
                yield item

    @property
    def _held(self) -> str:
        account = self._account is not None and self._account.asked
        return ", ".join([*self._asked, *(f"account {name}" for name in self._seats() if account)])

    def _is_private(self, subscription: Subscription) -> bool:
        return self._private is not None and subscription in self._private.account.streams

    def _counts(self) -> Counts:
        figures, statistics = self._sink.figures, self._client.statistics()
        lag = statistics.latency_ms
        return Counts(
            first=figures.confirmed - figures.known, second=figures.known,
            waiting=sum(sink.figures.waiting for sink in self._sinks),
            spooled=figures.spooled, gaps=self._gaps, unfilled=self._unfilled, reconnects=statistics.reconnects,
            losses=figures.losses, fenced=self._membership.fenced, lag_ms=None if lag is None else round(lag.p50, 1),
        )  # fmt: skip


def _some(symbols: Sequence[str]) -> str:
    shown = ", ".join(symbols[:6])
    return shown if len(symbols) <= 6 else f"{len(symbols)} symbols ({shown} …)"
