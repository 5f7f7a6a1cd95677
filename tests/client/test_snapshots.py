"""One-shot snapshots: in order, beside running streams that notice nothing, with errors that name who is missing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tapewire.errors import ConfigError, FeedError, SubscriptionError, TimedOut, UnknownSymbol, UsageError
from tapewire.errors import Rejected as RejectedError
from tapewire.model.events import Event, TickerEvent
from tapewire.model.status import Rejected
from tapewire.model.subscription import Subscription
from tests.client.stage import Stage, play

SYMBOLS = ["KRW-XRP", "KRW-BTC", "KRW-ETH"]


@pytest.mark.parametrize(
    ("kind", "how"),
    [("ticker", {}), ("trade", {}), ("orderbook", {"depth": 5}), ("orderbook", {}), ("candle", {"unit": "1m"})],
)
def test_each_kind_answers_once_in_the_order_asked_and_leaves_nothing_behind(kind: str, how: dict[str, Any]) -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            events = await getattr(client, f"{kind}_snapshot")(SYMBOLS, **how)
            assert [event.symbol for event in events] == SYMBOLS
            assert {event.stream_type for event in events} == {"SNAPSHOT"}
            assert {event.__struct_config__.tag for event in events} == {kind}
            if kind == "orderbook":
                assert {len(event.orderbook_units) for event in events} == {how.get("depth", 30)}
            if kind == "candle":
                assert {event.unit for event in events} == {"1m"}
            await stage.after(5)
            assert (stage.simulator.connected, client.handles) == (0, ())
            assert len(stage.simulator.requests) == 1

    play(story)


def test_running_streams_are_asked_realtime_only_and_hear_no_second_snapshot() -> None:
    async def story(stage: Stage) -> None:
        heard: list[TickerEvent] = []
        async with stage.client() as client:
            handle = await client.subscribe_ticker(["KRW-BTC", "KRW-ETH"], heard.append)
            await handle.live()
            await stage.after(10)
            [ticker] = await client.ticker_snapshot("KRW-BTC")
            [book] = await client.orderbook_snapshot(["KRW-XRP"])
            assert stage.asked()[1:] == [
                {"ticker KRW-BTC": "both", "ticker KRW-ETH": "realtime"},
                {"ticker KRW-BTC": "realtime", "ticker KRW-ETH": "realtime", "orderbook KRW-XRP": "snapshot"},
            ]
            before = len(heard)
            await stage.after(20)
            assert len(heard) > before
            assert handle.symbols == ["KRW-BTC", "KRW-ETH"]
            assert client.handles == (handle,)
        assert (ticker.stream_type, book.symbol) == ("SNAPSHOT", "KRW-XRP")
        assert [event.stream_type for event in heard].count("SNAPSHOT") == 2
        assert len(stage.simulator.connects) == 1

    play(story, rate=20.0)


def test_many_callers_at_once_make_one_request_and_each_gets_its_own_answer() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            await client.ticker_snapshot("KRW-BTC")  # the list of markets is known
            answers = await asyncio.gather(
                client.ticker_snapshot(SYMBOLS),
                client.ticker_snapshot(["KRW-ETH"]),
                client.trade_snapshot(["KRW-ETH", "KRW-ETH"]),
            )
            assert [[event.symbol for event in events] for events in answers] == [SYMBOLS, ["KRW-ETH"], ["KRW-ETH"]]
            assert len(stage.simulator.requests) == 2

    play(story)


def test_the_answer_comes_also_when_the_line_is_lost_in_between() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            stage.simulator.refuse(503, times=2)
            [event] = await client.ticker_snapshot("KRW-BTC", timeout=30.0)
            assert event.symbol == "KRW-BTC"

    play(story)


def test_who_does_not_answer_is_named_and_given_back() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client("price") as client:
            heard: list[Event] = []
            handle = await client.subscribe_ticker("KRW-BTC", heard.append)
            await handle.live()
            stage.simulator.freeze()
            began = stage.loop.time()
            with pytest.raises(TimedOut) as late:
                await client.ticker_snapshot(["KRW-BTC", "KRW-ETH"], timeout=2.0)
            assert str(late.value) == "price: ticker KRW-BTC, ticker KRW-ETH: no answer within 2 s"
            assert stage.loop.time() - began == 2.0
            assert client.handles == (handle,)
            await stage.after(60)
            assert len(heard) > 2, "the stream beside it goes on"
            assert stage.asked()[-1] == {"ticker KRW-BTC": "both"}

    play(story)


def test_an_exchange_that_cannot_be_reached_is_a_time_out_too() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client(validate=False) as client:
            stage.simulator.refuse(503, times=100)
            with pytest.raises(TimedOut, match=r"trade KRW-0, .*trade KRW-9 and 5 more: no answer within 5 s"):
                await client.trade_snapshot([f"KRW-{number}" for number in range(15)])

    play(story)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (("ticker_snapshot", ["KRW-BTC", "KRW-NOPE"], {}), UnknownSymbol, "'KRW-NOPE'; it must be a market that upbit"),
        (("trade_snapshot", "btc-krw", {}), SubscriptionError, "'btc-krw'"),
        (("ticker_snapshot", [], {}), SubscriptionError, "at least one market code"),
        (("orderbook_snapshot", "KRW-BTC", {"depth": 7}), SubscriptionError, "depth is 7"),
        (("candle_snapshot", "KRW-BTC", {"unit": "2m"}), SubscriptionError, "unit is '2m'"),
        (("ticker_snapshot", "KRW-BTC", {"timeout": 0}), ConfigError, "timeout is 0; it must be seconds, more than 0"),
        (("ticker_snapshot", "KRW-BTC", {"timeout": None}), ConfigError, "timeout is None"),
    ],
)
def test_what_cannot_be_asked_is_named_and_nothing_is_sent(
    call: tuple[str, Any, dict[str, Any]], kind: type[FeedError], words: str
) -> None:
    async def story(stage: Stage) -> None:
        name, symbols, how = call
        async with stage.client() as client:
            with pytest.raises(kind, match=words):
                await getattr(client, name)(symbols, **how)
            await stage.after(5)
            assert (client.handles, len(stage.simulator.requests)) == ((), 0)

    play(story)


def test_a_symbol_that_the_exchange_refuses_raises_its_words() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            stage.simulator.slow(5)
            asking = asyncio.create_task(client.ticker_snapshot(["KRW-BTC"], timeout=60.0))
            await stage.after(1)
            about: dict[str, Any] = {"venue": "upbit", "connection": "upbit-1", "at_ns": 0, "name": "WRONG_FORMAT"}
            client._pool.publish(
                Rejected(**about, message="no", subscriptions=(Subscription("ticker", "KRW-BTC"),), final=True)
            )
            with pytest.raises(RejectedError, match="upbit refused: WRONG_FORMAT: no"):
                await asking

    play(story)


def test_a_call_that_is_cancelled_gives_everything_back() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            stage.simulator.refuse(503, times=100)
            asking = asyncio.create_task(client.ticker_snapshot(SYMBOLS, timeout=60.0))
            await stage.after(3)
            asking.cancel()
            await asyncio.wait([asking])
            assert asking.cancelled()
            await stage.after(5)
            assert client.handles == ()
            assert [one.state for one in client.statistics().connections] in ([], ["idle"])

    play(story)


def test_a_client_that_closes_ends_who_waits_with_a_word() -> None:
    async def story(stage: Stage) -> None:
        client = stage.client("price")
        stage.simulator.refuse(503, times=100)
        asking = asyncio.create_task(client.ticker_snapshot(SYMBOLS, timeout=60.0))
        await stage.after(3)
        await client.cleanup()
        with pytest.raises(UsageError, match="price:snapshot: the client was closed before the answer came"):
            await asking
        with pytest.raises(UsageError, match="the client was closed"):
            await client.ticker_snapshot(SYMBOLS)

    play(story)


def test_a_connection_that_gives_up_raises_why() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            stage.simulator.refuse(403)
            with pytest.raises(FeedError, match=r"refused .403"):
                await client.ticker_snapshot("KRW-BTC", timeout=60.0)

    play(story)
