"""Drives the real client through a seeded trial on virtual time and accounts for every trade."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
from msgspec import Struct

from tapewire.client import WebSocketClient
from tapewire.config import Credentials, FeedOptions, Secret
from tapewire.errors import ConfigError
from tapewire.model.book import DepthOrderbookEvent
from tapewire.model.events import CandleEvent, Event, MyOrderEvent, TradeEvent
from tapewire.model.status import FeedEvent, Gap, Recovered, Subscribed
from tapewire.runtime.clock import LoopClock
from tapewire.runtime.manager import WebSocketManager
from tapewire.sim.faults import FaultPlan
from tapewire.sim.scenario import DEMO_KEY, Scenario
from tapewire.sim.server import Simulator
from tapewire.testing.account_truth import AccountTruth
from tapewire.testing.book_truth import BookTruth
from tapewire.testing.cast import UNIT, cast
from tapewire.testing.clock import VirtualTimeLoop, elapse, run_virtual
from tapewire.testing.lone_faults import LoneFaults
from tapewire.testing.oracle import Account, account
from tapewire.testing.other_streams import judge_candles, judge_orders
from tapewire.testing.weather import single_line_weather, weather
from tapewire.transport.contract import Http, LineFactory

#: Messages a second of the market: busy enough that each outage costs trades.
RATE = 1.5
HOUR = 3600.0
#: Levels of a kept book: of 400 the story is the same, and takes three times as long.
BOOK_DEPTH = 60
#: Of the windows of the candle that is judged as many are read at each report as fit into three of them.
WINDOWS = 32
#: Seconds between two orders of the account.
CUSTOMER = 60.0
#: Seconds of peace at the end in which everything must come right, and as many more until it has, at the most.
CALM, LONGEST_CALM = 900.0, 7_200.0
#: Seconds in which the last trades that count may still arrive.
LAST = 15.0
#: Seconds between two reports of how far a trial is.
STEP = 600.0


class Proof(Struct, frozen=True, kw_only=True, tag_field="type", tag="proof"):
    """What a trial came to.

    Attributes:
        venue: whose simulated exchange.
        seed, hours: which, and how long on the exchange's clock.
        redundancy: lines that carried the same; with more than one the faults hit one line at a time.
        made: trades made while subscribed.
        live, recovered, polled: those delivered as they happened, those asked for by REST after a loss, and those asked
            for while there was no line.
        duplicates: trades delivered more than once.
        lost: trades never delivered although the exchange still had them.
        undetected: trades never delivered and within no gap that was told.
        candles, candles_wrong: windows of one stream of candles, and those that did not end as the exchange's own did.
        books, books_wrong: kept books that were delivered, and those that were not the exchange's own at that number,
            or crossed; books_behind: markets whose last book was older than the exchange's at the end.
        orders, orders_missed, orders_twice: orders that ended, and those whose end was never told, or more than once.
        fills, fills_missed, fills_twice: executions of the account, where they have a stream of their own, and those
            never told, or more than once.
        holdings, holdings_wrong: balances and positions at the end, in each stream that tells them, and those that
            were told otherwise last.
        overruns: limits overrun, as the exchange counted.
        reconnects: lines that were lost and came back; gaps: interrupted public streams; unfilled: gaps of any
            that stayed.
        slowest_return: seconds from the loss of a line to data of all its streams, the worst.
        slowest_fill: seconds from the loss to the delivery of all trades that were missed, the worst.
        digest: SHA-256 of all that was delivered and told: the same seed gives the same.
    """

    seed: int
    hours: float
    made: int
    live: int
    recovered: int
    polled: int
    duplicates: int
    lost: int
    undetected: int
    candles: int
    candles_wrong: int
    orders: int
    orders_missed: int
    orders_twice: int
    overruns: int
    reconnects: int
    gaps: int
    unfilled: int
    slowest_return: float
    slowest_fill: float
    digest: str
    redundancy: int = 1
    venue: str = "upbit"
    books: int = 0
    books_wrong: int = 0
    books_behind: int = 0
    fills: int = 0
    fills_missed: int = 0
    fills_twice: int = 0
    holdings: int = 0
    holdings_wrong: int = 0

    @property
    def broken(self) -> list[str]:
        """The promises that were not kept, in words; none: all were."""
        counts = {
            "delivered twice": self.duplicates, "lost": self.lost, "lost without a word": self.undetected,
            "limits overrun": self.overruns, "candles wrong": self.candles_wrong,
            "books wrong": self.books_wrong, "books behind at the end": self.books_behind,
            "fills missed": self.fills_missed, "fills told twice": self.fills_twice,
            "balances or positions wrong at the end": self.holdings_wrong,
            "ends of orders missed": self.orders_missed, "ends of orders told twice": self.orders_twice,
            "had to be recovered although a line stood": self.recovered if self.redundancy > 1 else 0,
        }  # fmt: skip
        broken = [f"{count:,} {words}" for words, count in counts.items() if count]
        return broken + ([] if self.live + self.recovered + self.polled else ["nothing was delivered"])


def prove(
    seed: int, hours: float, progress: Callable[[float], None] | None = None, *, venue: str = "upbit", **options: Any
) -> Proof:
    """One trial from beginning to end; it takes a few seconds for a day.

    Args:
        seed: of the market, of the faults and of every draw of the client: the same seed, the same trial.
        hours: how long the faults last on the exchange's clock.
        progress: told now and then the share that is done, 0 to 1.
        venue: whose simulated exchange.
        **options: of the client, by their names, beside the defaults. With ``redundancy`` of 2 or more faults hit one
            line at a time, so that nothing needs to be recovered.

    Raises:
        ConfigError: ``hours`` is not more than 0, the venue cannot be simulated, or an option is impossible.
        UnknownName: there is no such venue.
    """
    if not 0 < hours < float("inf"):
        raise ConfigError("hours", hours, "more than 0, and a number")
    return run_virtual(_Trial(seed, hours, progress or _nobody, venue, options).run())


class _Trial:
    """One client at one exchange."""

    def __init__(
        self, seed: int, hours: float, progress: Callable[[float], None], venue: str, options: dict[str, Any]
    ) -> None:
        self._seed, self._hours, self._progress, self._options = seed, hours, progress, options
        self._cast = parts = cast(venue)
        draw = Random(f"weather {seed}").random  # noqa: S311 - repeatable by seed, nothing secret
        self._redundancy = FeedOptions(redundancy=options.get("redundancy", 1)).redundancy
        kept = bool(parts.books)
        alone, faults = (
            single_line_weather(draw, kept_books=kept) if self._redundancy > 1 else ((), weather(draw, kept_books=kept))
        )
        scenario = Scenario(
            venue=venue, seed=seed, markets=parts.markets, rate=RATE, faults=faults, customer=CUSTOMER,
            depth=BOOK_DEPTH if kept else None,
        )  # fmt: skip
        self._simulator = Simulator(scenario)
        self._lone = LoneFaults(self._simulator, alone, draw)
        self._made: list[TradeEvent] = []
        self._trades: list[TradeEvent] = []
        self._rows: list[Gap] = []
        self._candles: list[CandleEvent] = []
        self._windows: dict[str, CandleEvent] = {}
        self._orders: list[MyOrderEvent] = []
        self._orders_since: int | None = None
        trader = Random(f"trader {seed}").random  # noqa: S311 - as above
        self._account = AccountTruth(parts, self._simulator, trader, self._hear)
        self._truth: BookTruth
        self._slowest_return = 0.0
        self._digest = hashlib.sha256()

    async def run(self) -> Proof:
        """Subscribe, let the time pass, let everything come right, judge."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)  # noqa: S101 - run_virtual made it
        numbers = iter(range(10**9))
        draw = Random(f"client {self._seed}").random  # noqa: S311 - as above
        manager = WebSocketManager(
            self._ports, clock=LoopClock(loop.wall_ns), draw=draw, ticket=lambda: f"t{next(numbers)}"
        )
        try:
            self._truth = BookTruth(self._simulator.exchange, self._cast.venue, self._cast.books)
            async with self._client(manager) as client:
                client.subscribe_feed(self._told)
                await self._subscribe(client)
                await self._pass()
                figures = client.statistics()
        finally:
            await self._simulator.stop()
            manager.kill()
        return self._judge(figures.reconnects)

    def _client(self, manager: WebSocketManager) -> WebSocketClient:
        phrase = Secret(DEMO_KEY.phrase) if self._cast.venue.facts.passphrase else None
        key = Credentials(Secret(DEMO_KEY.access_key), DEMO_KEY.secret_key, phrase)
        return WebSocketClient(
            "proof", self._cast.venue.name, manager=manager, credentials=key if self._cast.private else None,
            **self._options,
        )  # fmt: skip

    async def _subscribe(self, client: WebSocketClient) -> None:
        parts = self._cast
        await client.subscribe_trade(parts.markets, self._trade)
        await client.subscribe(list(parts.states), self._hear)
        if parts.books:
            await client.subscribe(list(parts.books), self._book)
        await client.subscribe_candle(parts.markets[0], self._candle, unit=UNIT)
        if parts.private:
            await client.subscribe_my_order(self._order)
            await self._account.subscribe(client)

    def _ports(self, _options: FeedOptions, _wall_ns: Callable[[], int]) -> tuple[LineFactory, Http]:
        return self._simulator.lines(), self._simulator.http()

    def _hear(self, event: Event) -> None:
        self._digest.update(msgspec.json.encode(event))

    def _trade(self, event: TradeEvent) -> None:
        self._trades.append(event)
        self._hear(event)

    def _candle(self, event: CandleEvent) -> None:
        self._candles.append(event)
        self._hear(event)

    def _book(self, event: Event) -> None:
        assert isinstance(event, DepthOrderbookEvent)  # noqa: S101 - the stream is kept
        self._truth.judge(event)
        self._digest.update(f"{event.symbol} {event.timestamp} {event.sequence}".encode())

    def _order(self, event: MyOrderEvent) -> None:
        self._orders.append(event)
        self._hear(event)

    def _told(self, event: FeedEvent) -> None:
        self._digest.update(msgspec.json.encode(event))
        self._account.told(event)
        if isinstance(event, Subscribed) and self._orders_since is None:
            private = any(stream.kind == "myOrder" for stream in event.subscriptions)
            self._orders_since = self._simulator.exchange.market.now_ms + 1 if private else None
        if isinstance(event, Gap):
            self._rows.append(event)
        elif isinstance(event, Recovered):
            self._slowest_return = max(self._slowest_return, event.seconds)

    async def _pass(self) -> None:
        """The time with faults and the calm after it; then what was made counts, and may still arrive."""
        simulator, end = self._simulator, self._hours * HOUR
        meanwhile = {
            asyncio.create_task(self._lone.run(), name="faults of one line"),
            asyncio.create_task(self._account.trade(), name="trade contracts"),
        }
        while simulator.now < end:
            await elapse(min(STEP, end - simulator.now))
            self._collect()
            self._progress(min(1.0, simulator.now / end))
        for task in meanwhile:
            task.cancel()
        await asyncio.wait(meanwhile)
        for task in meanwhile:
            if not task.cancelled():
                task.result()
        simulator.exchange.faults = FaultPlan((), lambda: 0.0)
        simulator.slow(0)
        calm = CALM
        await elapse(CALM)
        while calm < LONGEST_CALM and self._unsettled():
            await elapse(STEP)
            calm += STEP
        self._collect()
        await elapse(LAST)
        await self._account.settle()

    def _unsettled(self) -> bool:
        return any(gap.state in {"open", "filling"} for gap in self._ledger())

    def _ledger(self) -> list[Gap]:
        return list({(gap.subscription, gap.from_ns): gap for gap in self._rows}.values())

    def _collect(self) -> None:
        """Take the exchange's log: it keeps the last 200,000 trades only."""
        log = self._simulator.exchange.market.trades_made
        while log:
            self._made.append(log.popleft())
        market = self._simulator.exchange.market
        for candle in market.candles(self._cast.markets[0], UNIT, market.now_ms, WINDOWS)[1:]:  # the first goes on
            self._windows[candle.candle_date_time_utc or ""] = candle

    def _judge(self, reconnects: int) -> Proof:
        venue, exchange, since = self._cast.venue, self._simulator.exchange.venue, self._orders_since
        counted = venue.history is not None and venue.history.ids_ascend
        found: Account = account(self._made, self._trades, self._rows, counted=counted)
        candles = judge_candles(self._windows, self._candles, closed=self._cast.closed)
        made = self._simulator.orders() if since is not None else ()
        orders = judge_orders(made, self._orders, since or 0, exchange.told_order)
        ledger = self._ledger()
        fills = [(gap.at_ns - gap.from_ns) / 1e9 for gap in ledger if gap.state == "filled"]
        return Proof(
            seed=self._seed,
            hours=self._hours,
            made=found.made,
            live=found.live,
            recovered=found.recovered,
            polled=found.polled,
            duplicates=len(found.doubled),
            lost=len(found.lost),
            undetected=len(found.undetected),
            candles=candles.judged,
            candles_wrong=len(candles.wrong),
            orders=orders.ended,
            orders_missed=len(orders.missed),
            orders_twice=len(orders.twice),
            overruns=len(self._simulator.violations),
            reconnects=reconnects,
            gaps=sum(gap.subscription.kind not in ("myOrder", *self._cast.held) for gap in ledger),
            unfilled=sum(gap.state in {"open", "filling", "unfilled"} for gap in ledger),
            slowest_return=round(self._slowest_return, 3),
            slowest_fill=round(max(fills, default=0.0), 3),
            digest=self._digest.hexdigest(),
            redundancy=self._redundancy,
            venue=venue.name,
            books=self._truth.judged,
            books_wrong=self._truth.wrong,
            books_behind=len(self._truth.behind),
            **self._account.figures(),
        )


def _nobody(_share: float) -> None:
    """Nobody asks how far it is."""
