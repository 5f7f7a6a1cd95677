"""Whole conversations without trouble: subscribe, share, add, remove, leave; what stands in each request."""

from __future__ import annotations

import asyncio

import pytest

from tapewire import Subscription, SubscriptionError, UnknownSymbol, WebSocketClient
from tapewire.errors import ConfigError, TimedOut, UnknownName, UsageError
from tapewire.model.events import CandleEvent, Event, OrderbookEvent, TickerEvent, TradeEvent
from tapewire.model.status import Connected, Disconnected, Rejected, Stopped, Subscribed
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tapewire.testing.clock import run_virtual
from tests.client.stage import Stage, play


def test_hello_world_is_three_lines() -> None:
    async def hello() -> list[TradeEvent]:
        simulator = Simulator(Scenario(markets=("KRW-BTC",)))
        heard: list[TradeEvent] = []
        async with WebSocketClient(line_factory=simulator.lines(), http=simulator.http()) as client:
            async for trade in client.trades("KRW-BTC"):
                heard.append(trade)
                if len(heard) == 3:
                    break
        await simulator.stop()
        return heard

    heard = run_virtual(hello())
    assert [(trade.symbol, trade.stream_type) for trade in heard] == [
        ("KRW-BTC", "SNAPSHOT"), ("KRW-BTC", "REALTIME"), ("KRW-BTC", "REALTIME"),
    ]  # fmt: skip
    assert all(type(trade) is TradeEvent and trade.received_ns > 0 for trade in heard)


async def test_hello_world_over_a_real_socket_and_the_loops_own_manager() -> None:
    heard: list[str | None] = []
    async with (
        Simulator(Scenario(markets=("KRW-BTC",), rate=200.0)) as simulator,
        WebSocketClient("real", url=simulator.url) as client,
    ):
        async with client.trades("KRW-BTC") as stream:
            heard.extend([(await anext(stream)).stream_type for _ in range(3)])
        listed = [market.symbol for market in await client.markets()]
    assert heard == ["SNAPSHOT", "REALTIME", "REALTIME"]
    assert listed == ["KRW-BTC"]


def test_every_kind_arrives_as_its_class() -> None:
    async def story(stage: Stage) -> list[Event]:
        heard: list[Event] = []
        async with stage.client() as client:
            await client.subscribe_ticker("KRW-BTC", heard.append)
            await client.subscribe_trade(["KRW-BTC"], heard.append)
            await client.subscribe_orderbook(["KRW-BTC"], heard.append, depth=5)
            await client.subscribe_candle(["KRW-BTC"], heard.append, unit="1m")
            await stage.after(5)
            assert client.statistics().messages.keys() == {"ticker", "trade", "orderbook", "candle.1m"}
        return heard

    heard = play(story)
    assert {type(event) for event in heard} == {TickerEvent, TradeEvent, OrderbookEvent, CandleEvent}
    assert {len(event.orderbook_units) for event in heard if isinstance(event, OrderbookEvent)} == {5}


def test_clients_share_one_connection_and_a_new_request_carries_the_union() -> None:
    async def story(stage: Stage) -> None:
        one, two = stage.client("one"), stage.client("two")
        first: list[Event] = []
        second: list[Event] = []
        await one.subscribe_ticker(["KRW-BTC", "KRW-ETH"], first.append)
        await stage.after(3)
        known = len(first)
        handle = await two.subscribe_trade(["KRW-BTC"], second.append)
        await handle.live()
        await stage.after(3)
        assert stage.asked() == [
            {"ticker KRW-BTC": "both", "ticker KRW-ETH": "both"},
            {"ticker KRW-BTC": "realtime", "ticker KRW-ETH": "realtime", "trade KRW-BTC": "both"},
        ]
        assert [event.stream_type for event in first].count("SNAPSHOT") == 2
        assert len(first) > known
        assert len(stage.simulator.connects) == 1
        await two.cleanup()
        await stage.after(1)
        assert stage.asked()[-1] == {"ticker KRW-BTC": "realtime", "ticker KRW-ETH": "realtime"}
        assert stage.simulator.connected == 1
        await one.cleanup()
        assert stage.simulator.connected == 0

    play(story)


def test_many_calls_in_one_turn_make_one_request() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client(validate=False) as client:
            for symbol in ("KRW-BTC", "KRW-ETH", "KRW-XRP"):
                await client.subscribe_ticker(symbol, print, "realtime_only")
                await client.subscribe_trade(symbol, print, "realtime_only")
            await client.subscribe_candle("KRW-BTC", print, "realtime_only", unit="240m")
            await stage.after(0.2)
            assert [len(request) for request in stage.asked()] == [7]

    play(story)


def test_joining_many_live_streams_asks_their_snapshots_in_one_request() -> None:
    symbols = tuple(f"KRW-{letter}{letter}{letter}" for letter in "ABCDEFGH")

    async def story(stage: Stage) -> None:
        old: list[Event] = []
        new: list[Event] = []
        async with stage.client("one") as one, stage.client("two") as two:
            await (await one.subscribe_ticker(symbols, old.append)).live()
            await stage.after(2)
            requests = len(stage.asked())
            await two.subscribe_ticker(symbols, new.append)
            await stage.after(2)
            assert stage.asked()[requests:] == [{f"ticker {symbol}": "both" for symbol in symbols}]
        snapshots = [[e.symbol for e in heard if e.stream_type == "SNAPSHOT"] for heard in (old, new)]
        assert [sorted(heard) for heard in snapshots] == [sorted(symbols), sorted(symbols)]

    play(story, markets=symbols)


def test_symbols_are_added_and_removed_while_running() -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with stage.client() as client:
            handle = await client.subscribe_ticker(["KRW-BTC"], heard.append)
            await handle.live()
            await handle.add(["KRW-ETH", "KRW-BTC"])
            await handle.live()
            assert handle.symbols == ["KRW-BTC", "KRW-ETH"]
            await handle.remove("KRW-BTC")
            await stage.after(1)
            heard.clear()
            await stage.after(20)
            assert {event.symbol for event in heard} == {"KRW-ETH"}
            with pytest.raises(SubscriptionError, match=r"symbol is 'KRW-BTC'; it must be one that is subscribed here"):
                await handle.remove("KRW-BTC")
        assert stage.asked() == [
            {"ticker KRW-BTC": "both"},
            {"ticker KRW-BTC": "realtime", "ticker KRW-ETH": "both"},
            {"ticker KRW-ETH": "realtime"},
        ]

    play(story)


def test_the_last_to_leave_closes_the_line_and_the_next_opens_another() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            handle = await client.subscribe_ticker("KRW-BTC", print, "realtime_only")
            await handle.live()
            await client.unsubscribe(handle)
            await handle.unsubscribe()
            await stage.after(1)
            assert stage.simulator.connected == 0
            assert handle.symbols == []
            with pytest.raises(UsageError, match="the handle has been unsubscribed"):
                await handle.add("KRW-ETH")
            with pytest.raises(UsageError, match="the handle has been unsubscribed"):
                await handle.live()
            again = await client.subscribe_ticker("KRW-ETH", print, "realtime_only")
            await again.live()
            assert stage.simulator.connected == 1
        assert [event.loss.cause for event in stage.told(Disconnected)] == ["stopped", "stopped"]
        assert len(stage.told(Connected)) == 2
        assert [event.error for event in stage.told(Stopped)] == [False]

    play(story)


def test_two_depths_of_one_market_travel_on_two_connections() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            five: list[OrderbookEvent] = []
            fifteen: list[OrderbookEvent] = []
            await client.subscribe_orderbook("KRW-BTC", five.append, depth=5)
            await client.subscribe_orderbook(["KRW-BTC", "KRW-ETH"], fifteen.append, depth=15)
            await stage.after(20)
            assert {(e.symbol, len(e.orderbook_units)) for e in five} == {("KRW-BTC", 5)}
            assert {(e.symbol, len(e.orderbook_units)) for e in fifteen} == {("KRW-BTC", 15), ("KRW-ETH", 15)}
            assert len(stage.simulator.connects) == 2
            assert sorted(map(sorted, stage.asked())) == [
                ["orderbook KRW-BTC.15"], ["orderbook KRW-BTC.5", "orderbook KRW-ETH.15"],
            ]  # fmt: skip

    play(story)


def test_a_depth_given_up_for_another_is_never_mixed_up_with_it() -> None:
    """Frames of the old depth may still be under way, and do not say which depth they are."""

    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            await client.subscribe_ticker("KRW-BTC", lambda _event: None)
            old = await client.subscribe_orderbook("KRW-BTC", lambda _event: None, depth=30)
            await stage.after(5)
            depths: list[int] = []
            await old.unsubscribe()
            await client.subscribe_orderbook("KRW-BTC", lambda e: depths.append(len(e.orderbook_units)), depth=1)
            await stage.after(10)
            assert set(depths) == {1}

    play(story, faults=("slow:0.5",), rate=100.0)


def test_bad_symbols_are_told_and_do_not_block_the_others() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            handle = await client.subscribe_ticker(["btc", "KRW-BTC", "KRW-NOPE"], lambda _event: None)
            assert handle.symbols == ["KRW-BTC"]
            assert {symbol: type(error) for symbol, error in handle.rejected.items()} == {
                "btc": SubscriptionError, "KRW-NOPE": UnknownSymbol,
            }  # fmt: skip
            await handle.live()
        assert [(event.name, event.final) for event in stage.told(Rejected)] == [
            ("SubscriptionError", False), ("UnknownSymbol", False),
        ]  # fmt: skip
        assert stage.asked() == [{"ticker KRW-BTC": "both"}]

    play(story)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({"symbols": "KRW-NOPE"}, "symbol is 'KRW-NOPE'; it must be a market that upbit lists"),
        ({"symbols": ["krw-btc"]}, "symbol is 'krw-btc'; it must be the code in upper case"),
        ({"symbols": []}, "symbols is \\[\\]; it must be at least one market code"),
        ({"symbols": "KRW-BTC", "depth": 7}, "depth is 7; it must be 1, 5, 15 or 30"),
        ({"symbols": "KRW-BTC", "level": 3}, "level is 3; it must be .* for KRW-BTC"),
    ],
)
def test_what_cannot_be_subscribed_at_all_is_an_error_before_anything_is_sent(
    what: dict[str, object], message: str
) -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            with pytest.raises(SubscriptionError, match=message):
                await client.subscribe_orderbook(**what, callback=print)  # type: ignore[arg-type]
        assert stage.simulator.connects == []

    play(story)


def test_a_bad_mixture_given_twice_is_an_error_too() -> None:
    async def story(stage: Stage) -> None:
        bad = Subscription("candle", "KRW-BTC", unit="2h")
        async with stage.client() as client:
            with pytest.raises(SubscriptionError, match="unit is '2h'"):
                await client.subscribe([bad, bad], print)

    play(story)


def test_wrong_use_is_refused_by_name() -> None:
    async def story(stage: Stage) -> None:
        client = stage.client()
        with pytest.raises(UsageError, match="callback is None; it must be a function that takes one event"):
            await client.subscribe_ticker("KRW-BTC", None)  # type: ignore[arg-type]

        async def hear_later(_event: object) -> None:
            """Cannot be a feed callback."""

        with pytest.raises(UsageError, match="it must be a plain function that takes one feed event"):
            client.subscribe_feed(hear_later)
        with pytest.raises(ConfigError, match="""stream_preference is 'all'; it must be "both" or "snapshot_only"""):
            await client.subscribe_ticker("KRW-BTC", print, "all")  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="stream_preference is 'all'"):
            client.trades("KRW-BTC", stream_preference="all")
        with pytest.raises(UnknownName, match="no venue is called 'kraken'"):
            WebSocketClient("me", "kraken")
        with pytest.raises(ConfigError, match="url is 'http://x'"):
            WebSocketClient(url="http://x")
        with pytest.raises(ConfigError, match="colour is 'red'; it must be one of the options"):
            WebSocketClient(colour="red")
        await client.cleanup()
        await client.cleanup()
        with pytest.raises(UsageError, match="the client was closed; make a new WebSocketClient"):
            await client.subscribe_ticker("KRW-BTC", print)

    play(story)


def test_live_waits_for_all_and_says_who_is_late() -> None:
    async def story(stage: Stage) -> None:
        stage.simulator.refuse(503, times=100)
        async with stage.client() as client:
            handle = await client.subscribe_ticker(["KRW-BTC", "KRW-ETH"], print, "realtime_only")
            with pytest.raises(TimedOut, match=r"me:ticker: ticker KRW-BTC, ticker KRW-ETH: no answer within 3 s"):
                await handle.live(3)

    play(story)


def test_a_client_that_comes_while_another_leaves_gets_a_line_of_its_own() -> None:
    async def story(stage: Stage) -> None:
        one, two = stage.client("one"), stage.client("two")
        await (await one.subscribe_ticker("KRW-BTC", lambda _event: None)).live()
        heard: list[Event] = []
        leaving = asyncio.ensure_future(one.cleanup())
        await asyncio.sleep(0)
        handle = await two.subscribe_ticker("KRW-BTC", heard.append)
        await leaving
        await handle.live()
        await stage.after(10)
        assert len(heard) > 3
        await two.cleanup()

    play(story)


def test_statistics_can_be_read_after_the_end() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            heard: list[Event] = []
            await client.subscribe_ticker("KRW-BTC", heard.append)
            await stage.after(30)
            running = client.statistics()
            stage.simulator.drop()
            await stage.after(30)
            stage.simulator.inject(b"no JSON")
            await stage.after(30)
        final = client.statistics()
        assert running.connections[0].state == "open"
        assert running.connections[0].connects == 1
        assert running.latency_ms is not None
        assert final.connections == ()
        assert final.messages == {"ticker": len(heard)}
        assert (final.total_processed, final.reconnects, final.gaps, final.quarantined) == (len(heard), 1, 1, 1)

    play(story)


def test_a_stop_asked_for_is_no_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            await (await client.subscribe_ticker("KRW-BTC", lambda _event: None)).live()

    with caplog.at_level("INFO", "tapewire"):
        play(story)
    assert [record.levelname for record in caplog.records] == ["INFO"] * len(caplog.records)
    assert [record.getMessage() for record in caplog.records] == [
        "upbit-1: connected to wss://api.upbit.com/websocket/v1",
        "upbit-1: ticker KRW-BTC live",
        "upbit-1: line closed: stopped",
        "upbit-1: stopped: stopped",
    ]


def test_subscribed_is_told_for_each_stream_once_a_line() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            handle = await client.subscribe_ticker(["KRW-BTC", "KRW-ETH"], lambda _event: None)
            await handle.live()
            await handle.add("KRW-XRP")
            await handle.live()
        told = [str(one) for event in stage.told(Subscribed) for one in event.subscriptions]
        assert sorted(told) == ["ticker KRW-BTC", "ticker KRW-ETH", "ticker KRW-XRP"]

    play(story)


def test_a_program_that_is_cancelled_in_the_middle_leaves_cleanly() -> None:
    """Ctrl-C: asyncio cancels the main task."""

    async def story(stage: Stage) -> None:
        delivered: list[TradeEvent] = []
        counted: list[Event] = []

        async def hear(event: TradeEvent) -> None:
            await asyncio.sleep(0)
            delivered.append(event)

        async def program() -> None:
            async with stage.client() as client:
                await client.subscribe_trade("KRW-BTC", hear)
                await client.subscribe_trade("KRW-BTC", counted.append)
                async for _ in client.tickers("KRW-BTC"):
                    pass

        task = asyncio.ensure_future(program())
        await stage.after(20)
        began = stage.loop.time()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert stage.loop.time() - began < 5
        assert delivered == counted
        assert stage.simulator.connected == 0
        assert len(asyncio.all_tasks()) == 1

    play(story)
