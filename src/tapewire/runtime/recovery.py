"""Fills the holes in streams of trades and candles by REST, beside the live feed: one task for each hole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar
from weakref import WeakSet

from msgspec.structs import replace

from tapewire.config import FeedOptions
from tapewire.errors import DecodeError, HttpFailed, VenueError
from tapewire.hub.held import Held
from tapewire.hub.listening import REMEMBERED_TRADES, Listener, Stream
from tapewire.hub.router import Router
from tapewire.model.events import CandleEvent, Event
from tapewire.model.status import FeedEvent, Gap
from tapewire.runtime.account import AccountWatch, Told
from tapewire.runtime.clock import Clock
from tapewire.runtime.observe import logger
from tapewire.runtime.persistence import NotWanted, Persistence
from tapewire.runtime.rest import Rest
from tapewire.runtime.signing import Signer
from tapewire.session.candle_fill import CandleFill
from tapewire.session.fill import TradeFill
from tapewire.venues.contract import History, Venue

#: Seconds after the last page in which doubles are still looked out for: REST may know a trade before it comes live.
SETTLE = 5.0
#: Trades delivered while a hole is being filled; with more of them it is given up (a REST that fails for hours).
MOST_KNOWN = 1_000_000
#: Candles of one hole; of a longer one the newest are delivered (a day of seconds).
MOST_CANDLES = 86_400

Kind = TypeVar("Kind", bound=Event)


class Hearing(Protocol):
    """The connection whose stream has a hole."""

    def hears(self, stream: Stream) -> bool: ...

    def fill(self, stream: Stream, missed: Sequence[Event]) -> int: ...

    def filled(self, stream: Stream, held: Held | None) -> None: ...

    def whole(self, stream: Stream) -> None: ...


class Fill(Protocol):
    """Which page is asked next, and what in it is new (``session.fill``, ``session.candle_fill``)."""

    done: bool
    complete: bool
    rounds: int

    @property
    def reached_ms(self) -> int | None: ...

    def answer(self, page: Sequence[Any], /) -> None: ...

    def missed(self) -> Sequence[Event]: ...


class Job(NamedTuple):
    """One hole as a task sees it.

    ``not_before_ms``: when the exchange can tell everything (Unix ms, UTC); ``settle``: seconds after the last page in
    which doubles are still looked out for.
    """

    fill: Fill
    path: Callable[[], str]
    read: Callable[[bytes], Sequence[Event]]
    too_many: Callable[[], bool]
    not_before_ms: int | None = None
    settle: float = 0.0


class Recovery:
    """All holes of one pool. ``publish`` tells what became of each: the row of the ledger once more."""

    def __init__(
        self, venue: Venue, options: FeedOptions, rest: Rest, clock: Clock, publish: Callable[[FeedEvent], None]
    ) -> None:
        self._venue, self._options, self._clock, self._publish = venue, options, clock, publish
        self._tasks: set[asyncio.Task[None]] = set()
        self._watches: WeakSet[AccountWatch] = WeakSet()
        self._persistence = Persistence(venue.name, rest, clock)

    @property
    def before(self) -> bool:
        """Whether live events wait for those that were missed before them."""
        return self._options.recovery_order == "before"

    def takes(self, gap: Gap) -> bool:
        """Whether this hole can be filled at all."""
        if self._venue.history is None or not self._options.recover:
            return False
        if gap.subscription.kind == "candle" and gap.state == "full_state" and not gap.subscription.detail:
            return self._candle_fill(self._venue.history, gap) is not None
        # where nothing seems to be missed, a trade published late may have come just then
        return gap.subscription.kind == "trade" and gap.state in ("unfilled", "nothing_missed")

    def begin(self, hearing: Hearing, stream: Stream, gap: Gap) -> None:
        """Fill this hole; ``stream`` looks out for doubles already (``Router.hole``)."""
        assert self._venue.history is not None  # noqa: S101 - ``takes`` said so
        describe = self._trades if gap.subscription.kind == "trade" else self._candles
        job = describe(self._venue.history, stream, gap)
        task = asyncio.create_task(self._fill(hearing, stream, gap, job), name=f"fill {gap.subscription}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def watch(
        self,
        router: Router,
        signer: Signer,
        failed: Callable[[Listener, BaseException], None],
        over: Callable[[Gap], None],
    ) -> AccountWatch | None:
        """Who looks after the account's orders and balances on one connection; None: they cannot be asked.

        ``over``: told of each hole that is filled or will not be, before anybody else.
        """
        if self._venue.account is None or not self._options.recover:
            return None

        def publish(event: FeedEvent) -> None:
            if isinstance(event, Gap):
                over(event)
            self._publish(event)

        tell = Told(publish, failed)
        watch = AccountWatch(self._venue, self._options, signer, self._persistence, self._clock, router, tell)
        self._watches.add(watch)
        return watch

    @property
    def open(self) -> int:
        """Holes that are being filled."""
        return len(self._tasks)

    def kill(self) -> None:
        """Give up at once."""
        for task in tuple(self._tasks):
            task.cancel()
        for watch in self._watches:
            watch.kill()

    async def _fill(self, hearing: Hearing, stream: Stream, gap: Gap, job: Job) -> None:
        recovered, held = 0, stream.held
        try:
            recovered = await self._read(hearing, stream, job)
        except NotWanted:
            pass  # told below as it stands
        except (VenueError, HttpFailed) as error:
            logger.error("%s: %s cannot be filled: %s", self._venue.name, gap.subscription, error)
        except Exception:  # a fault of ours: the stream must not be looked at message by message for ever
            logger.exception("%s: %s cannot be filled", self._venue.name, gap.subscription)
        finally:
            hearing.filled(stream, held)
            self._tell(gap, job.fill, recovered)
        await self._persistence.pause(job.settle)
        hearing.whole(stream)

    async def _read(self, hearing: Hearing, stream: Stream, job: Job) -> int:
        fill = job.fill
        if job.not_before_ms is not None:
            await self._persistence.pause(job.not_before_ms / 1000 - self._clock.wall_ns() / 1e9)
        while not fill.done and hearing.hears(stream) and not job.too_many():
            path, rounds = job.path(), fill.rounds
            fill.answer(await self._persistence.ask(path, job.read, lambda: hearing.hears(stream)))
            if fill.rounds > rounds:
                await self._persistence.pause(2**rounds)
        return hearing.fill(stream, [self._marked(event) for event in fill.missed()])

    def _trades(self, history: History, stream: Stream, gap: Gap) -> Job:
        known = stream.known if stream.known is not None else set[int]()
        since = gap.last_timestamp if gap.last_timestamp is not None else gap.from_ns // 1_000_000
        now_ms = self._clock.wall_ns() // 1_000_000
        sides = (gap.last_id, gap.last_timestamp), (gap.first_id, gap.first_timestamp)
        after = min(known, default=gap.last_id) if history.ids_ascend else None
        forgot = len(stream.recent_ids or ()) >= REMEMBERED_TRADES
        fill = TradeFill(known, since, now_ms, days=history.trades_days, sides=sides, forgot=forgot, after=after)
        symbol = gap.subscription.symbol
        return Job(
            fill,
            path=lambda: history.trades_request(symbol, *fill.request),
            read=lambda body: self._of(symbol, body, history.read_trades(symbol, body, self._options.numbers)),
            too_many=lambda: len(known) >= MOST_KNOWN,
            settle=SETTLE,
        )

    def _candles(self, history: History, _stream: Stream, gap: Gap) -> Job:
        symbol, unit = gap.subscription.symbol, gap.subscription.unit or ""
        fill = self._candle_fill(history, gap)
        assert fill is not None  # noqa: S101 - ``takes`` said so
        return Job(
            fill,
            path=lambda: history.candles_request(symbol, unit, fill.request),
            read=lambda body: self._of(symbol, body, history.read_candles(symbol, unit, body, self._options.numbers)),
            too_many=lambda: len(fill.missed()) >= MOST_CANDLES,
            not_before_ms=fill.not_before_ms,
        )

    @staticmethod
    def _candle_fill(history: History, gap: Gap) -> CandleFill | None:
        unit, last, first = gap.subscription.unit, gap.last_timestamp, gap.first_timestamp
        if unit is None or last is None or first is None:
            return None
        start = None if history.window is None else partial(history.window, unit)
        fill = CandleFill(unit, last, first, start=start, late_ms=history.candles_late_ms)
        return None if fill.done else fill

    def _of(self, symbol: str, body: bytes, page: list[Kind]) -> list[Kind]:
        """The page, if it is this market's."""
        if any(event.symbol != symbol for event in page):
            raise DecodeError(self._venue.name, f"nothing of {symbol}, but of another market", body)
        return page

    def _marked(self, event: Event) -> Event:
        """As it is delivered: with its mark, our time, and the message that the stream would have sent."""
        told = replace(event, received_ns=self._clock.wall_ns(), recovered=True)
        if isinstance(told, CandleEvent):
            told = replace(told, final=True)
        history = self._venue.history
        return replace(told, raw=history.frame(told)) if history is not None and self._options.keep_raw else told

    def _tell(self, gap: Gap, fill: Fill, recovered: int) -> None:
        if gap.state == "nothing_missed" and fill.complete and not recovered:
            return
        state = "filled" if fill.complete else "unfilled"
        first = gap.first_timestamp if fill.complete or fill.reached_ms is None else fill.reached_ms
        now_ns = self._clock.wall_ns()
        self._publish(replace(gap, at_ns=now_ns, state=state, recovered=recovered, first_timestamp=first))
