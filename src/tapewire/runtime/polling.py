"""The last way: asks REST again and again for the streams of a pool that have no line, one owned task for all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from typing import Any, TypeVar

from msgspec.structs import replace

from tapewire.config import FeedOptions
from tapewire.errors import DecodeError, HttpFailed, VenueError
from tapewire.hub.listening import REMEMBERED_TRADES
from tapewire.model.events import Event
from tapewire.model.status import FeedEvent
from tapewire.model.subscription import Subscription
from tapewire.runtime.account import KINDS as ACCOUNT_KINDS
from tapewire.runtime.clock import Clock
from tapewire.runtime.observe import log_fields, logger
from tapewire.runtime.persistence import CALL_TIMEOUT, FINAL_STATUSES
from tapewire.runtime.rest import Rest
from tapewire.runtime.standby import Connection, Entry, Standby
from tapewire.runtime.turns import Rank
from tapewire.session.polled import Candles, States, Told, Trades, Unfinished
from tapewire.session.polling import Manner, Plan, Room
from tapewire.venues.contract import Venue

#: Seconds between two readings of an account at least: each takes several calls.
ACCOUNT_EVERY = 5.0
#: Seconds until the plan is looked at again: what others leave of a limit may have changed.
LOOK_AGAIN = 1.0

#: A stream of one connection. Of an account, all are read together.
Key = tuple[Standby, Subscription]
Kind = TypeVar("Kind", bound=Event)


class Polling:
    """All streams of one pool that are polled.

    Attributes:
        after: seconds without a stream after which REST is asked in its place.
        delivered: messages that polling told so far.
    """

    def __init__(
        self, venue: Venue, options: FeedOptions, rest: Rest, clock: Clock, publish: Callable[[FeedEvent], None]
    ) -> None:
        self.after = inf if options.poll_after is None else options.poll_after
        self.delivered = 0
        self.publish = publish
        self._venue, self._options, self._rest, self._clock = venue, options, rest, clock
        self._standbys: list[Standby] = []
        self._plan: Plan[Key] = Plan(self._room)
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.Handle | None = None
        self._woken = asyncio.Event()

    def standby(self, connection: Connection) -> Standby:
        """Whom the driver of a connection tells the facts."""
        standby = Standby(self, connection, self._clock)
        self._standbys.append(standby)
        return standby

    def leave(self, standby: Standby) -> None:
        """Its connection has ended."""
        if standby in self._standbys:
            self._standbys.remove(standby)
            standby.stop()

    def kill(self) -> None:
        """End at once, without a word."""
        self._standbys.clear()
        self._pause()
        if self._timer is not None:
            self._timer.cancel()

    # What the stand-ins ask.

    def look(self) -> None:
        """A stream came, was lost or is due: see what is to be polled now."""
        t = self._clock.now().t
        for standby in self._standbys:
            if fresh := standby.begin(t):
                for stream in fresh:
                    self._plan.add(t, _key(standby, stream), self._manner(standby, stream))
                standby.began(fresh)
        self._wake(t)

    def closed(self, standby: Standby, stream: Subscription) -> None:
        """It is not polled any more."""
        if stream.kind not in ACCOUNT_KINDS or not any(other.kind in ACCOUNT_KINDS for other in standby.open):
            self._plan.drop(_key(standby, stream))
        if not self._plan:
            self._pause()

    def pollable(self, stream: Subscription) -> bool:
        """Whether REST can tell what this stream would."""
        if stream.kind in ACCOUNT_KINDS:
            account = self._venue.account
            return account is not None and stream.kind in account.kinds and self._options.recover
        if stream.kind in ("trade", "candle"):
            return self._venue.history is not None and (stream.kind == "trade" or not stream.detail)
        return stream.kind in self._venue.polls

    def down(self, side: str) -> float | None:
        """Since when the connections of a side that are polled bring nothing; None: one does, or none is polled."""
        downs = [standby.blind.down for standby in self._standbys if standby.open and standby.side == side]
        return None if not downs or None in downs else max(down for down in downs if down is not None)

    def dress(self, event: Any) -> Any:
        """An event as it is delivered: with its mark, our time, and the message that the stream would have sent."""
        told = replace(event, received_ns=self._clock.wall_ns(), polled=True)
        history = self._venue.history
        return replace(told, raw=history.frame(told)) if history is not None and self._options.keep_raw else told

    def interval(self, standby: Standby, streams: Iterable[Subscription]) -> float:
        """Seconds between two answers of one of them, the slowest."""
        return self._plan.interval_of([_key(standby, stream) for stream in streams], self._clock.now().t)

    # The task.

    def _wake(self, t: float) -> None:
        """There may be something to do, now or later."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (due := min((standby.blind.next_due(t) for standby in self._standbys), default=inf)) < inf:
            self._timer = self._clock.call_at(due, self.look)
        if self._plan and self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"poll {self._venue.name}")
        self._woken.set()

    def _pause(self) -> None:
        """Nothing is polled: a call that waits for its turn is not made any more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    async def _run(self) -> None:
        own = asyncio.current_task()
        while self._plan and self._task is own:
            t = self._clock.now().t
            if batch := self._plan.next(t):
                await self._turn(batch)
            else:
                await self._sleep(min(self._plan.deadline(t), t + LOOK_AGAIN))

    async def _sleep(self, until: float) -> None:
        self._woken.clear()
        timer = self._clock.call_at(until, self._woken.set)
        try:
            await self._woken.wait()
        finally:
            timer.cancel()

    async def _turn(self, batch: Sequence[Key]) -> None:
        """One call, and what it tells."""
        asked = [(standby, stream, standby.open[stream]) for standby, stream in batch if stream in standby.open]
        try:
            await self._ask(asked or [(*batch[0], None)])
        except HttpFailed as failed:
            self._failed(batch, self._words(failed), failed.retry_after or 0.0, final=failed.status in FINAL_STATUSES)
        except VenueError as unread:
            self._failed(batch, str(unread))
        except Exception as error:  # a fault of ours must neither be repeated without a pause nor end all polling
            fields = log_fields("polling_failed", self._venue.name)
            logger.exception("%s: polling failed", self._venue.name, extra=fields)
            self._failed(batch, repr(error))

    async def _ask(self, batch: Sequence[tuple[Standby, Subscription, Entry | None]]) -> None:
        standby, stream, entry = batch[0]
        if entry is None:
            self._ask_account(standby)
        elif isinstance(entry.asks, Trades):
            await self._ask_trades(standby, stream, entry, entry.asks)
        elif isinstance(entry.asks, Candles):
            await self._ask_candles(standby, stream, entry, entry.asks)
        else:
            await self._ask_states([(one, subscription, asked) for one, subscription, asked in batch if asked])

    async def _ask_states(self, batch: Sequence[tuple[Standby, Subscription, Entry]]) -> None:
        poll = self._venue.polls[batch[0][1].kind]
        streams = tuple(dict.fromkeys(stream for _, stream, _ in batch))
        body = await self._get(poll.request(streams))
        events = {event.symbol: event for event in poll.read(streams, body, self._options.numbers)}
        missing = [(standby, stream) for standby, stream, _ in batch if stream.symbol not in events]
        if missing:
            names = ", ".join(sorted({stream.symbol for _, stream in missing}))
            self._failed(missing, f"the answer says nothing of {names}", final=True)
        for standby, stream, entry in batch:
            if stream.symbol in events and isinstance(entry.asks, States) and standby.open.get(stream) is entry:
                self._told(standby, stream, entry, entry.asks.answer(events[stream.symbol]))

    async def _ask_trades(self, standby: Standby, stream: Subscription, entry: Entry, asks: Trades) -> None:
        history = self._venue.history
        assert history is not None  # noqa: S101 - ``pollable`` said so
        body = await self._get(history.trades_request(stream.symbol, *asks.request))
        page = self._of(stream, body, history.read_trades(stream.symbol, body, self._options.numbers))
        if standby.open.get(stream) is not entry:
            return
        known, forgot = entry.stream.known, len(entry.stream.recent_ids or ()) >= REMEMBERED_TRADES
        now_ms = self._clock.wall_ns() // 1_000_000
        told = asks.answer(page, known if known is not None else set(), now_ms, forgot=forgot)
        self._finish(standby, stream, entry, told)

    async def _ask_candles(self, standby: Standby, stream: Subscription, entry: Entry, asks: Candles) -> None:
        history, unit = self._venue.history, stream.unit or ""
        assert history is not None  # noqa: S101 - ``pollable`` said so
        body = await self._get(history.candles_request(stream.symbol, unit, asks.request))
        page = self._of(stream, body, history.read_candles(stream.symbol, unit, body, self._options.numbers))
        if standby.open.get(stream) is entry:
            self._finish(standby, stream, entry, asks.answer(page))

    def _ask_account(self, standby: Standby) -> None:
        """Its reading is a task of its own: it takes many calls, and persists."""
        if (watch := standby.watch) is None:
            return

        def told(counts: Counter[Subscription], complete: Mapping[str, bool], error: str) -> None:
            self.delivered += counts.total()
            if error:
                standby.failed([stream for stream in standby.open if stream.kind in ACCOUNT_KINDS], error)
            else:
                standby.account_told(counts, complete)

        watch.poll(standby.since_ns(ACCOUNT_KINDS), told)

    def _finish(self, standby: Standby, stream: Subscription, entry: Entry, told: Told | Unfinished) -> None:
        if isinstance(told, Told):
            self._told(standby, stream, entry, told)
        elif told == "more":
            self._plan.again(self._clock.now().t, _key(standby, stream))

    def _told(self, standby: Standby, stream: Subscription, entry: Entry, told: Told) -> None:
        self._plan.answered((_key(standby, stream),))
        self.delivered += standby.told(stream, entry, told)

    async def _get(self, path: str) -> bytes:
        return await self._rest.get(path, timeout=CALL_TIMEOUT, rank=Rank.POLLING)

    def _failed(self, batch: Sequence[Key], error: str, at_least: float = 0.0, *, final: bool = False) -> None:
        t = self._clock.now().t
        if not final or self._plan.refused(t, batch):
            for standby in {standby: None for standby, _ in batch}:
                standby.failed([stream for one, stream in batch if one is standby], error)
        if not final:
            self._plan.failed(t, batch, at_least)

    def _words(self, failed: HttpFailed) -> str:
        """Why a call failed, without its address: many fail for the same reason."""
        if failed.status is None:
            return failed.reason
        read = self._venue.read_refusal
        said = None if read is None else read(failed.body)
        return f"HTTP {failed.status}{f': {said.message}' if said is not None and said.message else ''}"

    def _of(self, stream: Subscription, body: bytes, page: list[Kind]) -> list[Kind]:
        """The page, if it is this market's."""
        if any(event.symbol != stream.symbol for event in page):
            raise DecodeError(self._venue.name, f"nothing of {stream.symbol}, but of another market", body)
        return page

    def _manner(self, standby: Standby, stream: Subscription) -> Manner:
        """How a stream is asked."""
        venue, history = self._venue, self._venue.history
        if stream.kind in ACCOUNT_KINDS and venue.account is not None:
            return Manner(self._rest.group(venue.account.balances.address), _key(standby, stream), every=ACCOUNT_EVERY)
        if stream.kind == "trade" and history is not None:
            return Manner(self._rest.group(history.trades_request(stream.symbol, None, 0)), (standby, stream))
        if stream.kind == "candle" and history is not None:
            path = history.candles_request(stream.symbol, stream.unit or "", None)
            return Manner(self._rest.group(path), (standby, stream))
        poll = venue.polls[stream.kind]
        return Manner(self._rest.group(poll.request((stream,))), (stream.kind, poll.alike(stream)), poll.most)

    def _room(self, group: str, t: float) -> Room:
        gate = self._rest.gate(group)
        open_at = t if gate.next_at(t) <= t else gate.ask_at(t)
        return Room(gate.left(t), open_at)


def _key(standby: Standby, stream: Subscription) -> Key:
    """What has one turn: a stream, or all of an account together."""
    return standby, (Subscription("account", "") if stream.kind in ACCOUNT_KINDS else stream)
