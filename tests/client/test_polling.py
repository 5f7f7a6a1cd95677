"""Where no WebSocket can be had, REST is asked in its place: nothing is lost or doubled at either change-over."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping

import pytest

from tapewire import WebSocketClient, decode
from tapewire.config import LineOptions
from tapewire.errors import TimedOut
from tapewire.model.events import (
    CandleEvent,
    Event,
    MyAssetEvent,
    MyOrderEvent,
    OrderbookEvent,
    TickerEvent,
    TradeEvent,
)
from tapewire.model.line import Loss
from tapewire.model.status import Disconnected, Gap, Polling
from tapewire.model.subscription import Subscription
from tapewire.runtime.clock import LoopClock
from tapewire.runtime.manager import WebSocketManager
from tapewire.testing.oracle import account
from tapewire.transport.contract import Answered, Http, HttpFetch, Line
from tapewire.transport.memory import FarEnd, MemoryLine
from tests.client.stage import Stage, play, trades
from tests.client.test_account_recovery import KEY, happened, held, newest, told_of
from tests.sizes import figure, size

#: What breaks the line at 40 s and refuses any other for a minute, while REST lives.
AWAY = ("abort@40", "refuse:503:retry=12@40x5")
MARKETS = ("KRW-BTC", "KRW-ETH")
STREAMS = [
    *(Subscription(kind, symbol) for kind in ("ticker", "trade", "orderbook") for symbol in MARKETS),
]
CANDLES = [Subscription("candle", "KRW-BTC", unit="1s"), Subscription("candle", "KRW-ETH", unit="1m")]


class Overheard:
    """REST as it is, and what it was asked."""

    def __init__(self, http: Http) -> None:
        assert isinstance(http, HttpFetch)
        self._http = http
        self.asked: list[str] = []

    async def get(self, url: str, *, timeout: float, headers: Mapping[str, str] | None = None) -> bytes:  # noqa: ASYNC109
        return (await self.fetch(url, timeout=timeout, headers=headers)).body

    async def fetch(self, url: str, *, timeout: float, headers: Mapping[str, str] | None = None) -> Answered:  # noqa: ASYNC109
        self.asked.append(url)
        return await self._http.fetch(url, timeout=timeout, headers=headers)

    async def close(self) -> None:
        await self._http.close()


def overhear(stage: Stage) -> list[str]:
    """Every REST address that is asked from now on."""
    asked: list[str] = []

    def between(http: Http) -> Http:
        overheard = Overheard(http)
        overheard.asked = asked
        return overheard

    stage.between = between
    return asked


async def through(stage: Stage, seconds: float, streams: list[Subscription]) -> list[Event]:
    """What a client hears in so many seconds."""
    heard: list[Event] = []
    async with stage.client(poll_after=10.0, recover=True) as client:
        await client.subscribe(streams, heard.append)
        await stage.after(seconds)
        polled = sum(event.polled for event in heard)
        assert client.statistics().polled == polled
        assert client.get_health_status().status == "healthy"
    return heard


def in_order(events: list[Event]) -> bool:
    """Whether the states of each market come with time stamps that rise, each once."""
    by_stream: dict[tuple[str, str, str], list[int]] = {}
    for event in events:
        if not isinstance(event, TradeEvent | CandleEvent):
            by_stream.setdefault((type(event).__name__, event.symbol, ""), []).append(event.timestamp or 0)
    return all(times == sorted(times) for times in by_stream.values())


@pytest.mark.parametrize("seed", range(3))
def test_no_trade_is_lost_or_doubled_at_either_change_over(seed: int) -> None:
    async def story(stage: Stage) -> None:
        heard = await through(stage, 130, STREAMS)
        found = account(stage.simulator.trades, trades(heard), stage.told(Gap))
        assert (len(found.lost), found.doubled, found.undetected) == (0, (), ())
        assert min(found.polled, found.live) > 20
        kinds = {type(event) for event in heard if event.polled}
        assert kinds == {TickerEvent, TradeEvent, OrderbookEvent}
        assert in_order(heard)

    play(story, seed=seed, faults=AWAY)


def test_what_is_polled_is_told_as_an_event_and_in_health_and_in_the_ledger() -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with stage.client(poll_after=10.0, recover=True) as client:
            await client.subscribe_trade("KRW-BTC", heard.append)
            await client.subscribe_ticker("KRW-BTC", heard.append)
            await stage.after(60)
            [begun] = stage.told(Polling)
            assert begun.subscriptions == (Subscription("ticker", "KRW-BTC"), Subscription("trade", "KRW-BTC"))
            assert (begun.cause, begun.interval, begun.error, begun.over) == ("refused", 1.0, "", False)
            health = client.get_health_status()
            assert health.status == "degraded"
            [reason] = health.reasons
            assert reason.text == (
                "trade KRW-BTC, ticker KRW-BTC: polling: REST is asked in place of WebSocket "
                "(refused (503 Service Unavailable retry after 12 s))"
            )
            [row] = stage.told(Gap)
            assert (row.subscription.kind, row.state, row.cause, row.polled) == ("trade", "filled", "reset", True)
            assert row.first_timestamp is not None
            early = [one for one in trades(heard) if one.polled and (one.timestamp or 0) <= row.first_timestamp]
            assert row.recovered == len(early)
            await stage.after(80)
            assert client.get_health_status().status == "healthy"
        over = stage.told(Polling)[-1]
        assert (over.over, set(over.subscriptions)) == (True, set(begun.subscriptions))
        trade_rows = [gap for gap in stage.told(Gap) if gap.subscription.kind == "trade"]
        assert [(gap.state, gap.polled) for gap in trade_rows] == [
            ("filled", True),
            ("filling", False),
            ("filled", False),
        ]
        polled = [trade for trade in trades(heard) if trade.polled]
        assert trade_rows[1].last_id == polled[-1].sequential_id, (
            "the hole at the return begins at the last polled trade"
        )
        assert trade_rows[1].from_ns > row.to_ns  # type: ignore[operator]
        [ticker_row] = [gap for gap in stage.told(Gap) if gap.subscription.kind == "ticker"]
        assert (ticker_row.state, ticker_row.from_ns) == ("full_state", row.from_ns)

    play(story, faults=AWAY)


def test_candles_end_once_and_only_as_rest_told_them() -> None:
    async def story(stage: Stage) -> None:
        heard = [
            event
            for event in await through(stage, 130, CANDLES)
            if isinstance(event, CandleEvent) and event.unit == "1s"
        ]
        final = [candle.candle_date_time_utc or "" for candle in heard if candle.final]
        assert final == sorted(set(final)), "each window ends once, in order"
        assert len([candle for candle in heard if candle.final and candle.polled]) > 30
        market = stage.simulator.exchange.market
        made = {one.candle_date_time_utc: one for one in market.candles("KRW-BTC", "1s", market.now_ms, 400)}
        span = [start for start in made if final[0] <= (start or "") <= final[-1]]
        assert set(final) == set(span), "no window of the outage is missing"
        for candle in (one for one in heard if one.final):
            true = made[candle.candle_date_time_utc]
            assert (candle.trade_price, candle.candle_acc_trade_volume) == (
                true.trade_price, true.candle_acc_trade_volume,
            )  # fmt: skip

    play(story, faults=AWAY)


@pytest.mark.parametrize(
    ("faults", "cause"),
    [
        (AWAY, "refused"),
        (("abort@40", "close-after-subscribe:after=0@40x40"), "closed"),
    ],
    ids=["refused", "accepted, then closed"],
)
def test_every_way_of_having_no_stream_is_one(faults: tuple[str, ...], cause: str) -> None:
    async def story(stage: Stage) -> None:
        heard: list[TradeEvent] = []
        async with stage.client(poll_after=10.0, recover=True) as client:
            await client.subscribe_trade("KRW-BTC", heard.append)
            await stage.after(200)
        found = account(stage.simulator.trades, heard, stage.told(Gap))
        assert (len(found.lost), found.doubled) == (0, ())
        assert found.polled > 10
        assert stage.told(Polling)[0].cause == cause
        assert stage.told(Polling)[-1].over

    play(story, faults=faults, rate=4.0)


def test_a_line_that_is_accepted_and_stays_silent_is_none() -> None:
    """It answers pings, and never a request."""

    async def story(stage: Stage) -> None:
        heard: list[Event] = []

        def accept(far: FarEnd) -> None:
            far.accept()

        def lines(options: LineOptions, wall_ns: Callable[[], int]) -> Line:
            return MemoryLine(accept, options, wall_ns)

        manager = WebSocketManager(lambda *_: (lines, stage.simulator.http()), clock=LoopClock(stage.loop.wall_ns))
        alone = WebSocketClient("alone", manager=manager, poll_after=10.0)
        alone.subscribe_feed(stage.feed.append)
        async with alone as client:
            await client.subscribe(STREAMS, heard.append)
            await stage.after(60)
            until = len(stage.simulator.trades)
            await stage.after(5)
            [begun] = stage.told(Polling)
            assert begun.cause == "stale"
            assert client.get_health_status().status == "degraded"
        assert {type(event) for event in heard} == {TickerEvent, TradeEvent, OrderbookEvent}
        assert all(event.polled for event in heard)
        found = account(stage.simulator.trades[:until], trades(heard), ())
        assert (len(found.lost), found.doubled) == (0, ())

    play(story)


def test_a_program_that_never_had_a_line_gets_snapshots_and_what_comes_after() -> None:
    async def story(stage: Stage) -> None:
        heard: dict[str, list[Event]] = {"both": [], "realtime_only": [], "snapshot_only": []}
        async with stage.client(poll_after=10.0, recover=True) as client:
            for preference, events in heard.items():
                for kind in ("ticker", "trade"):
                    subscribe = getattr(client, f"subscribe_{kind}")
                    await subscribe("KRW-BTC", events.append, stream_preference=preference)
            await stage.after(60)
            assert client.get_health_status().status == "degraded"
            await stage.after(200)
        begun = [(type(event).__name__, event.stream_type, event.polled) for event in heard["snapshot_only"]]
        assert sorted(begun) == [("TickerEvent", "SNAPSHOT", True), ("TradeEvent", "SNAPSHOT", True)]
        for preference in ("both", "realtime_only"):
            polled = [event for event in heard[preference] if event.polled]
            snapshots = Counter(type(event).__name__ for event in polled if event.stream_type == "SNAPSHOT")
            assert snapshots == ({} if preference == "realtime_only" else {"TickerEvent": 1, "TradeEvent": 1})
            assert Counter(type(event).__name__ for event in polled)["TradeEvent"] > 20
            ids = [trade.sequential_id or 0 for trade in trades(heard[preference])]
            made = [trade.sequential_id or 0 for trade in stage.simulator.trades if trade.symbol == "KRW-BTC"]
            assert sorted(ids) == sorted(number for number in made if number >= min(ids))
        rows = [gap for gap in stage.told(Gap) if gap.subscription.kind == "trade"]
        assert {gap.state for gap in rows} <= {"filling", "filled", "nothing_missed"}
        assert all(gap.last_id is not None for gap in rows), "there is one: it begins at the last polled trade"

    play(story, faults=("refuse:503:retry=12@0x10",), rate=3.0)


def test_a_snapshot_is_answered_while_others_are_polled() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client(poll_after=10.0) as client:
            await client.subscribe_ticker("KRW-BTC", lambda _event: None)
            await stage.after(60)
            [ticker] = await client.ticker_snapshot("KRW-BTC")
            [other] = await client.ticker_snapshot("KRW-ETH")
            [book] = await client.orderbook_snapshot("KRW-ETH", depth=5)
            [trade] = await client.trade_snapshot("KRW-XRP")
            [candle] = await client.candle_snapshot("KRW-XRP", unit="1m")
        answers = (ticker, other, book, trade, candle)
        assert all(event.polled and event.stream_type == "SNAPSHOT" for event in answers)
        assert [event.symbol for event in answers] == ["KRW-BTC", "KRW-ETH", "KRW-ETH", "KRW-XRP", "KRW-XRP"]
        assert len(book.orderbook_units) == 5

    play(story, faults=AWAY)


def test_nothing_is_polled_after_the_last_listener_left() -> None:
    async def story(stage: Stage) -> None:
        asked = overhear(stage)
        async with stage.client(poll_after=10.0) as client:
            handles = [await client.subscribe_ticker(symbol, lambda _event: None) for symbol in MARKETS]
            await stage.after(60)
            await handles[0].unsubscribe()
            await stage.after(0.9)
            assert [one.over for one in stage.told(Polling)] == [False, True]
            asked.clear()
            await stage.after(20)
            assert len(asked) == pytest.approx(20, abs=1)
            assert not [url for url in asked if "KRW-BTC" in url]
            await handles[1].unsubscribe()
            asked.clear()
            await stage.after(60)
            assert asked == []

    play(story, faults=AWAY)


def test_by_choice_nothing_is_ever_polled() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client(poll_after=None) as client:
            await client.subscribe_ticker("KRW-BTC", lambda _event: None)
            await stage.after(150)
            assert client.statistics().polled == 0
        assert stage.told(Polling) == []
        assert len(stage.told(Disconnected)) > 5

    play(story, faults=AWAY)


def test_rest_that_fails_too_is_told_and_asked_again_ever_more_rarely() -> None:
    async def story(stage: Stage) -> None:
        asked, heard = overhear(stage), list[TradeEvent]()
        async with stage.client(poll_after=10.0, recover=True) as client:
            await client.subscribe_trade("KRW-BTC", heard.append)
            await stage.after(40)
            asked.clear()
            await stage.after(80)
            assert 5 <= len(asked) <= 9, "after 1, 2, 4, 8 … seconds"
            health = client.get_health_status()
            assert health.status == "unhealthy"
            assert "polling fails: HTTP 500" in health.reasons[0].text
            failing = stage.told(Polling)[-1]
            assert (failing.error, failing.over) == ("HTTP 500", False)
            await stage.after(300)
            assert client.get_health_status().status == "healthy"
        found = account(stage.simulator.trades, heard, stage.told(Gap))
        assert (len(found.lost), found.doubled) == (0, ())
        assert [one.error for one in stage.told(Polling)] == ["", "HTTP 500", "", ""]
        assert found.polled > 0

    play(story, faults=("abort@40", "refuse:503:retry=15@40x18", "rest:500@40x7"))


def test_a_market_that_rest_does_not_know_does_not_spoil_the_others() -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with stage.client(poll_after=10.0, validate=False) as client:
            await client.subscribe_ticker(["KRW-BTC", "KRW-NOPE", "KRW-ETH"], heard.append)
            await stage.after(120)
            fails = [one for one in stage.told(Polling) if one.error]
            assert [(one.subscriptions, one.error) for one in fails] == [
                ((Subscription("ticker", "KRW-NOPE"),), "HTTP 404: Code not found")
            ]
        counts = Counter(event.symbol for event in heard if event.polled)
        assert min(counts["KRW-BTC"], counts["KRW-ETH"]) > 40

    play(story, faults=("refuse:503:retry=12@0x10",))


def test_while_no_line_was_ever_had_and_rest_is_dead_a_snapshot_times_out() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client(poll_after=1.0, validate=False) as client:
            with pytest.raises(TimedOut):
                await client.ticker_snapshot("KRW-BTC")

    play(story, faults=("refuse:503:retry=12@0x10", "rest:500@0x1000"))


def test_raw_frames_carry_the_mark_and_read_as_the_events() -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with stage.client(poll_after=10.0, keep_raw=True) as client:
            await client.subscribe([*STREAMS, *CANDLES], heard.append)
            await stage.after(70)
        polled = [event for event in heard if event.polled]
        assert {type(event) for event in polled} == {TickerEvent, TradeEvent, OrderbookEvent, CandleEvent}
        for event in polled:
            assert event.raw is not None
            [read] = decode("upbit", event.raw, event.received_ns)
            read.raw = event.raw
            assert read == event

    play(story, faults=AWAY)


@pytest.mark.parametrize("seed", range(2))
def test_orders_and_balances_are_read_while_the_private_side_has_no_line(seed: int) -> None:
    async def story(stage: Stage) -> None:
        orders: list[MyOrderEvent] = []
        assets: list[MyAssetEvent] = []
        async with stage.client(poll_after=10.0, recover=True, **KEY) as client:
            await (await client.subscribe_my_order(orders.append)).live()
            await (await client.subscribe_my_asset(assets.append)).live()
            since_ms = stage.simulator.exchange.market.now_ms
            await stage.after(95)
            [reason] = client.get_health_status().reasons
            assert (reason.status, "polling" in reason.text) == ("degraded", True)
            early = len([event for event in (*orders, *assets) if event.polled])
            assert early > 3, "they come while there is no line"
            await stage.after(120)
            told = told_of(orders)
            assert happened(stage.simulator, since_ms) <= told.keys()
            assert [one for one, count in told.items() if count > 1] == []
            assert {name: asset for name, asset in newest(assets).items() if held(stage.simulator)[name] != asset} == {}
            assert client.statistics().polled == len([event for event in (*orders, *assets) if event.polled])
            assert client.get_health_status().status == "healthy"
        rows = [gap for gap in stage.told(Gap) if gap.polled]
        assert {(gap.subscription.kind, gap.state) for gap in rows} == {("myOrder", "filled"), ("myAsset", "filled")}
        later = [gap for gap in stage.told(Gap) if gap.state == "filled" and not gap.polled]
        assert {gap.subscription.kind for gap in later} == {"myOrder", "myAsset"}
        assert min(gap.from_ns for gap in later) > max(gap.to_ns or 0 for gap in rows)

    faults = ("abort:side=private@40", "refuse:503:retry=12:side=private@40x6")
    play(story, seed=seed, customer=1.0, faults=faults)


@pytest.mark.parametrize("lines", [2])
def test_of_several_lines_rest_stands_in_when_none_is_left(lines: int) -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with stage.client(poll_after=10.0, recover=True, redundancy=lines) as client:
            await client.subscribe(STREAMS, heard.append)
            await stage.after(180)
            assert client.get_health_status().status == "healthy"
        found = account(stage.simulator.trades, trades(heard), stage.told(Gap))
        assert (len(found.lost), found.doubled, found.undetected) == (0, (), ())
        assert min(found.polled, found.live) > 20
        assert in_order(heard)
        told = stage.told(Polling)
        assert told[0].connection == "upbit-1+upbit-2"
        assert told[-1].over

    play(story, faults=("abort@40", "refuse:503:retry=12@40x12"))


def test_a_line_that_stands_needs_no_polling() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client(poll_after=10.0, redundancy=2) as client:
            await client.subscribe(STREAMS, lambda _event: None)
            await stage.after(20)
            driver = stage.manager.pools[0].drivers[0]
            driver.line.close(Loss("reset"), graceful=False)
            await stage.after(60)
            assert driver.machine.state != "open"
        assert stage.told(Polling) == []

    play(story, faults=("refuse:503:retry=12@10x10",))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(201, 201 + size(2, 40)))
def test_in_any_weather_no_change_over_costs_a_trade(seed: int) -> None:
    """Outages of the WebSocket side, of REST, of both, with late and doubled trades, one after the other."""
    draw = random.Random(seed)
    faults = ["duplicate%0.03", "late:2%0.05", "garbage@100/90"]
    outages = size(3, 20)
    for number in range(outages):
        begun = 60 + number * 200 + draw.randrange(60)
        faults.append(f"{draw.choice(['abort', 'drop', 'freeze', 'cut'])}@{begun}")
        faults.append(f"refuse:{draw.choice(['503', '500', '429'])}:retry=9@{begun}x{draw.randrange(1, 9)}")
        faults.append(
            f"rest:{draw.choice(['500', '503', '429'])}@{begun}x{draw.randrange(6)}" if number % 2 else "status@5"
        )

    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with stage.client(poll_after=8.0, recover=True, ping_interval=10.0, ping_timeout=5.0) as client:
            await client.subscribe(STREAMS, heard.append)
            await stage.after(260 + 200 * outages)
            until = len(stage.simulator.trades)
            await stage.after(10)  # for those that are late
            assert client.get_health_status().status == "healthy"
        found = account(stage.simulator.trades[:until], trades(heard), stage.told(Gap))
        assert (len(found.lost), found.doubled, found.undetected) == (0, (), ())
        assert found.polled > 10
        assert in_order(heard)
        figure(f"polling, seed {seed}: {found.made} trades, {found.recovered} recovered, {found.polled} polled")

    play(story, seed=seed, faults=tuple(faults))


def test_a_venue_with_ids_and_windows_of_its_own_is_polled_in_the_same_way() -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        streams = [Subscription(kind, "BTC-USDT") for kind in ("trade", "ticker")]
        candles = [Subscription("candle", "BTC-USDT", unit=unit) for unit in ("1m", "1H")]
        async with stage.client(venue="okx", poll_after=10.0, recover=True) as client:
            await client.subscribe([*streams, *candles], heard.append)
            await stage.after(130)
            assert client.get_health_status().status == "healthy"
        found = account(stage.simulator.trades, trades(heard), stage.told(Gap))
        assert (len(found.lost), found.doubled, found.undetected) == (0, (), ())
        polled = Counter((type(event), getattr(event, "unit", None)) for event in heard if event.polled)
        assert min(polled.values()) > 5
        assert polled.keys() == {(TradeEvent, None), (TickerEvent, None), (CandleEvent, "1m"), (CandleEvent, "1H")}
        assert in_order(heard)

    play(story, venue="okx", markets=("BTC-USDT", "ETH-USDT"), faults=AWAY)
