"""Many components in one program: one connection, one request, each its own part; how each stands, what it keeps."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tapewire import Subscription, SubscriptionError, UnknownSymbol, WebSocketClient
from tapewire.client.standing import LimitStatus
from tapewire.errors import ConfigError, UsageError
from tapewire.model.events import CandleEvent, Event, TickerEvent, TradeEvent
from tapewire.model.subscription import StreamPreference
from tests.client.stage import Stage, play
from tests.sizes import figure, size

FIFTY = tuple(f"KRW-A{letter}{other}" for letter in "ABCDE" for other in "ABCDEFGHIJ")
THOUSAND = tuple(f"KRW-{a}{b}{c}" for a in "ABCDEFGHIJ" for b in "ABCDEFGHIJ" for c in "ABCDEFGHIJ")


def test_two_hundred_components_of_fifty_markets_cost_one_connection_and_one_request() -> None:
    async def story(stage: Stage) -> None:
        heard = [0] * 200
        clients = [stage.client(f"widget {number}") for number in range(200)]

        def ear(number: int) -> Any:
            def hear(_event: Event) -> None:
                heard[number] += 1

            return hear

        began = stage.loop.time()
        handles = await asyncio.gather(
            *(client.subscribe_ticker(FIFTY, ear(number)) for number, client in enumerate(clients))
        )
        await asyncio.gather(*(handle.live() for handle in handles))
        assert stage.loop.time() - began < 3
        await stage.after(5)
        assert (len(stage.simulator.connects), len(stage.simulator.requests)) == (1, 1)
        assert len(stage.asked()[0]) == 50
        metrics = stage.manager.get_all_connection_metrics()
        assert list(metrics["connections"]) == ["upbit-1"]
        assert len(set(heard)) == 1
        assert heard[0] == metrics["total_processed"] > 50
        await asyncio.gather(*(client.cleanup() for client in clients[:-1]))
        assert stage.simulator.connected == 1
        await clients[-1].cleanup()
        assert stage.simulator.connected == 0
        assert len(stage.simulator.requests) == 1, "while one wants them all, nobody's leaving is a message"

    play(story, markets=FIFTY, rate=100.0)


def test_a_burst_of_widgets_and_symbols_is_one_request_too() -> None:
    """The scenario document of the guide's origin (S3-62): 100 widgets, 1,000 symbols, first data within 3 s."""

    async def story(stage: Stage) -> None:
        came: list[float] = []
        began = stage.loop.time()
        clients = [stage.client(f"widget {number}") for number in range(100)]

        def hear(_event: Event) -> None:
            if not came:
                came.append(stage.loop.time() - began)

        await asyncio.gather(
            *(client.subscribe_ticker(THOUSAND[number * 10 :][:10], hear) for number, client in enumerate(clients))
        )
        await stage.after(3)
        assert came[0] < 3
        assert (len(stage.simulator.connects), len(stage.simulator.requests)) == (1, 1)
        for number in range(40):  # ten changes a second: the message limit is kept (checked by play)
            await clients[number].cleanup()
            await stage.after(0.1)
        await stage.after(20)
        assert stage.asked()[-1].keys() == {f"ticker {symbol}" for symbol in THOUSAND[400:]}
        assert len(stage.simulator.requests) < 40
        await asyncio.gather(*(client.cleanup() for client in clients))

    play(story, markets=THOUSAND, rate=100.0)


def test_many_clients_subscribe_the_same_thousand_symbols_in_time() -> None:
    clients = size(20, 200)

    async def story(stage: Stage) -> tuple[float, float]:
        group = [WebSocketClient(f"c{number}", manager=stage.manager) for number in range(clients)]
        await stage.client("first").subscribe_ticker(THOUSAND[0], lambda _event: None)
        began = time.process_time()
        await asyncio.gather(*(client.subscribe_ticker(THOUSAND, lambda _event: None) for client in group))
        done = time.process_time()
        await stage.after(1)
        leaving = time.process_time()
        await asyncio.gather(*(client.cleanup() for client in group))
        return done - began, time.process_time() - leaving

    subscribing, leaving = play(story, markets=THOUSAND, rate=1.0)
    figure(f"{clients} clients x 1,000 symbols: subscribed in {subscribing:.2f} s, left in {leaving:.2f} s")
    assert (subscribing + leaving) / clients / len(THOUSAND) < 100e-6, "seconds of CPU for each subscription"


def test_each_component_gets_exactly_what_it_asked_for() -> None:
    async def story(stage: Stage) -> None:
        heard: dict[StreamPreference, list[str | None]] = {"both": [], "snapshot_only": [], "realtime_only": []}
        clients = {name: stage.client(name) for name in heard}

        def ear(name: StreamPreference) -> Any:
            return lambda event: heard[name].append(event.stream_type)

        for name, client in clients.items():
            await client.subscribe_ticker("KRW-BTC", ear(name), name)
            await stage.after(5)
        await stage.after(30)
        assert heard["snapshot_only"] == ["SNAPSHOT"]
        assert set(heard["realtime_only"]) == {"REALTIME"}
        assert heard["both"].count("SNAPSHOT") == 1
        assert heard["both"][0] == "SNAPSHOT"
        assert heard["both"].count("REALTIME") > heard["realtime_only"].count("REALTIME") > 3
        await asyncio.gather(*(client.cleanup() for client in clients.values()))

    play(story, rate=20.0)


def test_how_a_client_stands() -> None:
    async def story(stage: Stage) -> None:
        client = WebSocketClient("me", manager=stage.manager)
        assert (client.is_active, client.is_connected, client.uptime_seconds) == (True, False, 0.0)
        handle = await client.subscribe_ticker(["KRW-BTC", "KRW-ETH"], lambda _event: None)
        await client.subscribe_trade(["KRW-BTC"], lambda _event: None)
        await client.subscribe_ticker("KRW-BTC", lambda _event: None)
        assert not client.is_connected
        await handle.live()
        await stage.after(10)
        assert (client.is_connected, client.uptime_seconds >= 10) == (True, True)
        assert client.get_subscription_count() == 3
        assert client.get_subscribed_symbols() == ["KRW-BTC", "KRW-ETH"]
        assert client.get_subscribed_symbols("trade") == ["KRW-BTC"]
        with pytest.raises(SubscriptionError, match="kind is 'trades'; it must be ticker or trade"):
            client.get_subscribed_symbols("trades")
        left = client.get_rate_limiter_status()
        assert left["messages"] == [LimitStatus(5, 1.0, 5), LimitStatus(100, 60.0, 99)]
        assert left.keys() == {"connects", "messages", "rest_calls"}
        stage.simulator.abort()
        await stage.turns()
        assert not client.is_connected
        await client.cleanup()
        assert (client.is_active, client.uptime_seconds, client.get_subscription_count()) == (False, 0.0, 0)
        assert not client.is_connected

    play(story)


def test_kept_events_can_be_asked_for_at_any_time() -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with WebSocketClient("me", manager=stage.manager) as client:
            client.keep_latest("ticker", "candle", history=3)
            await client.subscribe_ticker(["KRW-BTC", "KRW-ETH"], heard.append)
            await client.subscribe_candle("KRW-BTC", heard.append, unit="1m")
            assert client.latest("KRW-BTC") is None
            await stage.after(20)
            tickers = [event for event in heard if isinstance(event, TickerEvent) and event.symbol == "KRW-BTC"]
            candles = [event for event in heard if isinstance(event, CandleEvent)]
            assert client.latest("KRW-BTC") is client.get_latest_data("KRW-BTC") is tickers[-1]
            assert client.latest("KRW-BTC", "candle", unit="1m") is candles[-1]
            assert client.latest("KRW-BTC", "candle") is None
            assert client.get_data_history("KRW-BTC") == tickers[-3:]
            assert client.get_data_history("KRW-BTC", limit=2) == tickers[-2:]
            assert client.get_data_history("KRW-BTC", limit=0) == []
            assert client.get_multiple_latest_data(["KRW-BTC", "KRW-XRP"]) == {"KRW-BTC": tickers[-1]}
            assert client.get_active_symbols() == ["KRW-BTC", "KRW-ETH"]
            assert client.cleanup_inactive_data(max_age=3600) == 0
            for handle in client.handles:
                await handle.unsubscribe()
            await stage.after(61)
            assert client.cleanup_inactive_data(max_age=60) == 3
            assert client.get_active_symbols() == []

    play(story, rate=20.0)


def test_events_of_async_callbacks_and_iterators_are_kept_too() -> None:
    async def story(stage: Stage) -> None:
        async with WebSocketClient("me", manager=stage.manager) as client:
            client.keep_latest("trade", history=10)
            client.keep_latest("ticker", history=10)

            async def later(_event: TickerEvent) -> None: ...

            await client.subscribe_ticker("KRW-BTC", later)
            async with client.trades("KRW-ETH") as trades:
                first: TradeEvent = await anext(trades)
                assert client.get_data_history("KRW-ETH", "trade")[0] is first
            await stage.after(3)
            assert isinstance(client.latest("KRW-BTC"), TickerEvent)

    play(story)


def test_what_is_not_kept_says_how_to_keep_it() -> None:
    async def story(stage: Stage) -> None:
        async with WebSocketClient("me", manager=stage.manager) as client:
            with pytest.raises(
                UsageError, match=r"me: ticker is not kept; call keep_latest\('ticker'\) before subscrib"
            ):
                client.latest("KRW-BTC")
            with pytest.raises(SubscriptionError, match="kind is 'tick'"):
                client.keep_latest("tick")
            with pytest.raises(ConfigError, match="history is 0; it must be a whole number of events, 1 or more"):
                client.keep_latest("ticker", history=0)
            await client.subscribe_ticker("KRW-BTC", lambda _event: None)
            with pytest.raises(UsageError, match=r"me: ticker is subscribed already; call keep_latest\(\) before"):
                client.keep_latest()
            client.keep_latest("trade", history=5)
            with pytest.raises(UsageError, match="history is 5 already"):
                client.keep_latest("orderbook", history=6)

    play(story)


@pytest.mark.parametrize("wanted", ["KRW-BTC", ["KRW-BTC"], 5, [Subscription("trade", "KRW-BTC"), "KRW-BTC"]], ids=str)
def test_codes_where_subscriptions_belong_are_refused_in_words(wanted: Any) -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            with pytest.raises(SubscriptionError, match=r'Subscription\("trade", "KRW-BTC"\) and the like; with codes'):
                client.stream(wanted)
            with pytest.raises(SubscriptionError, match="it must be"):
                await client.subscribe(wanted, lambda _event: None)

    play(story)


def test_one_subscription_is_a_list_of_one() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client, client.stream(Subscription("trade", "KRW-BTC")) as stream:  # type: ignore[arg-type]
            assert (await anext(stream)).venue == "upbit"

    play(story)


def test_each_kind_of_one_symbol_has_its_own_reason_when_it_is_refused() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            book, candle = Subscription("orderbook", "KRW-BTC", depth=7), Subscription("candle", "KRW-BTC", unit="2m")
            good = Subscription("ticker", "KRW-BTC")
            handle = await client.subscribe([book, candle, good], lambda _event: None)
            assert {one: str(error)[:4] for one, error in handle.refused.items()} == {book: "dept", candle: "unit"}
            assert str(handle.rejected["KRW-BTC"]).startswith("depth is 7")
            assert handle.subscriptions == (good,)

    play(story)


@pytest.mark.parametrize(
    ("asked", "suggested"),
    [
        ("KRW-XPR", ("KRW-XRP",)),
        ("KRW-BTCC", ("KRW-BTC",)),
        ("USDT-XRP", ("KRW-XRP",)),
        ("KRW-NOPE", ()),
        ("KRW-QQQ", ()),
    ],
)
def test_suggestions_are_near_or_none(asked: str, suggested: tuple[str, ...]) -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            with pytest.raises(UnknownSymbol) as refused:
                await client.subscribe_ticker(asked, lambda _event: None)
            assert refused.value.suggestions == suggested

    play(story, markets=("KRW-BTC", "KRW-ETH", "KRW-XRP", "KRW-DOGE", "USDT-BTC"))
