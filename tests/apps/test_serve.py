"""``tapewire replay --serve``: a tape as an exchange, for any client; it tells what was recorded and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest

from tapewire import OrderbookEvent, Subscription, TapeOptions, TickerEvent, TradeEvent, WebSocketClient
from tapewire.apps.cli.serving import GONE, Served, Stage, first_events
from tapewire.client.replaying import Replay, replay
from tapewire.errors import SubscriptionError
from tapewire.model.events import CandleEvent, Event
from tapewire.model.status import Disconnected, FeedEvent, Rejected
from tapewire.testing.background import BackgroundSimulator
from tests.apps.test_commands import PATIENCE, read_until, started, tapewire

Told = TypeVar("Told", bound=FeedEvent)
PATHS = (
    "/v1/trades/ticks?market=KRW-BTC&count=5",
    "/v1/candles/seconds?market=KRW-BTC&count=200",
    "/v1/ticker?markets=KRW-BTC",
)


UPBIT = [
    *(Subscription(kind, "KRW-BTC") for kind in ("trade", "ticker", "orderbook")),
    Subscription("candle", "KRW-BTC", unit="1s"),
]
OKX = [
    *(Subscription(kind, "BTC-USDT") for kind in ("trade", "ticker", "orderbook")),
    Subscription("candle", "BTC-USDT", unit="1m"),
]
#: Trades of a recording.
ENOUGH = 40


def record(folder: Path, venue: str, url: str, streams: list[Subscription]) -> Served:
    """Keep a tape of so many trades."""

    async def story() -> None:
        count, enough = 0, asyncio.Event()

        def hear(event: Event) -> None:
            nonlocal count
            count += isinstance(event, TradeEvent)
            if count >= ENOUGH:
                enough.set()

        async with WebSocketClient("recorder", venue, url=url, tape=TapeOptions(folder=str(folder))) as client:
            await client.subscribe(streams, hear)
            async with asyncio.timeout(PATIENCE):
                await enough.wait()

    asyncio.run(story())
    return Served([folder], port=0)


@pytest.fixture
def ticks(exchange: BackgroundSimulator, tmp_path: Path) -> Served:
    """A tape of Upbit."""
    return record(tmp_path / "ticks", "upbit", exchange.url, UPBIT)


def everything(served: Served, streams: list[Subscription]) -> list[Event]:
    """What a tape tells its own client."""
    heard: list[Event] = []

    async def program(again: Replay) -> None:
        async with WebSocketClient("own", again.venues[0], keep_raw=True) as client:
            await client.subscribe(streams, heard.append)
            await again.ended()

    replay(served.folders, program)
    return heard


@asynccontextmanager
async def staged(served: Served) -> AsyncIterator[Stage]:
    """Served on this loop."""
    stage = Stage(served, *await asyncio.to_thread(first_events, served))
    await stage.open()
    try:
        yield stage
    finally:
        await stage.close()


async def get(stage: Stage, path: str) -> tuple[int, Any]:
    [simulator] = stage.simulators.values()
    async with aiohttp.ClientSession() as session, session.get(simulator.rest_url + path) as answer:
        return answer.status, await answer.json()


def told(event: Event) -> Any:
    """What was sent of it, but how it is told to be."""
    assert event.raw is not None
    return {name: value for name, value in json.loads(event.raw).items() if name != "stream_type"}


class Feed:
    """What a client's feed told."""

    def __init__(self) -> None:
        self.events: list[FeedEvent] = []
        self._news = asyncio.Event()

    def hear(self, event: FeedEvent) -> None:
        self.events.append(event)
        self._news.set()

    async def until(self, kind: type[Told]) -> Told:
        """The first of a kind, now or when it comes."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = next((event for event in self.events if isinstance(event, kind)), None)
                if found is not None:
                    return found
                self._news.clear()
                await self._news.wait()


async def test_a_client_hears_what_was_recorded_of_what_it_asked(ticks: Served, tmp_path: Path) -> None:
    heard: list[Event] = []
    feed = Feed()
    async with (
        staged(ticks) as stage,
        WebSocketClient("other", url=stage.simulators["upbit"].url, keep_raw=True, recover=False) as client,
    ):
        client.subscribe_feed(feed.hear)
        wanted = [Subscription("trade", "KRW-BTC"), Subscription("orderbook", "KRW-BTC", depth=5)]
        await client.subscribe(wanted, heard.append)
        async with asyncio.timeout(PATIENCE):
            count = await stage.play()
        rest = [await get(stage, path) for path in PATHS]
        gone = asyncio.create_task(stage.close())
        await feed.until(Disconnected)
        await gone
    recorded = await asyncio.to_thread(everything, ticks, UPBIT)
    live = [told(event) for event in recorded if isinstance(event, TradeEvent) and event.stream_type == "REALTIME"]
    trades = [event for event in heard if isinstance(event, TradeEvent)]
    assert [told(event) for event in trades if event.stream_type == "REALTIME"] == live
    assert len(live) > 1
    assert trades[0].stream_type == "SNAPSHOT"
    books = [event for event in heard if isinstance(event, OrderbookEvent)]
    assert {len(book.orderbook_units) for book in books} == {5}
    assert {type(event) for event in heard} == {TradeEvent, OrderbookEvent}
    assert count == len(recorded)
    loss = (await feed.until(Disconnected)).loss
    assert (loss.cause, loss.code, loss.reason) == ("closed", GONE, "the tape has ended")
    assert [status for status, _ in rest] == [200, 200, 200]
    (_, newest), (_, candles), (_, [ticker]) = rest
    assert [row["sequential_id"] for row in newest] == sorted((row["sequential_id"] for row in live), reverse=True)[:5]
    windows = {one.candle_date_time_utc: one.trade_price for one in recorded if isinstance(one, CandleEvent)}
    assert [row["trade_price"] for row in candles] == [windows[name] for name in sorted(windows, reverse=True)]  # type: ignore[type-var]
    assert ticker["trade_price"] == [one.trade_price for one in recorded if isinstance(one, TickerEvent)][-1]


async def test_what_the_tape_does_not_hold_is_refused_with_a_reason(ticks: Served) -> None:
    feed = Feed()
    async with staged(ticks) as stage:
        async with WebSocketClient("other", url=stage.simulators["upbit"].url) as client:
            with pytest.raises(SubscriptionError, match="KRW-ETH"):
                await client.subscribe_trade("KRW-ETH", lambda _event: None)
            client.subscribe_feed(feed.hear)
            await client.subscribe_candle("KRW-BTC", lambda _event: None, unit="1m")
            refusal = await feed.until(Rejected)
        assert refusal.message == "the tape has no candle.1m of KRW-BTC; it has candle.1s, orderbook, ticker, trade"
        status, body = await get(stage, "/v1/trades/ticks?market=KRW-ETH")
        assert (status, body["error"]["message"]) == (404, "Code not found")
        status, body = await get(stage, "/v1/orderbook?markets=KRW-BTC&level=10000")
        assert (status, body["error"]["name"]) == (404, 404)
        assert "the tape has no orderbook.10000 of KRW-BTC" in body["error"]["message"]


def test_okx_tells_rows_and_books_as_they_were(tmp_path: Path) -> None:
    with BackgroundSimulator(venue="okx", seed=3, markets=("BTC-USDT", "ETH-USDT"), rate=300.0) as exchange:
        served = record(tmp_path / "ticks", "okx", exchange.url, OKX)
    first = everything(served, OKX)
    heard: list[Event] = []

    async def story() -> None:
        async with staged(served) as stage:
            url = stage.simulators["okx"].url
            async with WebSocketClient("other", "okx", url=url, keep_raw=True, recover=False) as client:
                await client.subscribe(OKX, heard.append)
                async with asyncio.timeout(PATIENCE):
                    await stage.play()

    asyncio.run(story())
    for kind in (TradeEvent, TickerEvent, CandleEvent):
        ours, theirs = rows(heard, kind), rows(first, kind)
        assert len(ours) > 0
        assert [row for row in ours if row not in theirs] == [], kind
        places = [theirs.index(row) for row in ours[1:]]
        assert places == sorted(places), kind
    books = [event.orderbook_units for event in first if isinstance(event, OrderbookEvent)]
    again = [event.orderbook_units[:20] for event in heard if isinstance(event, OrderbookEvent)]
    assert again
    assert [units for units in again if units not in [book[:20] for book in books]] == []


def rows(events: list[Event], kind: type[Event]) -> list[Any]:
    return [json.loads(event.raw)["data"] for event in events if type(event) is kind and event.raw is not None]


def test_the_command_serves_until_the_tape_ends(ticks: Served) -> None:
    with started("replay", str(ticks.folders[0]), "--serve", "--port", "0", "--speed", "2", "--json") as process:
        facts = json.loads(read_until(process, "rest_url"))
        result = tapewire("watch", "KRW-BTC", "--types", "trade", "--url", facts["url"], "--seconds", "2", "--json")
        assert result.exit_code == 0, result.output
        assert '"sequential_id"' in result.output
        assert process.wait(PATIENCE) == 0
        assert process.stderr is not None
        assert "the tape has ended" in process.stderr.read()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("--speed", "max"), "a tape is served at a speed"), (("--types", "trade"), "--types: not with --serve")],
)
def test_what_does_not_go_with_serving_is_said(ticks: Served, arguments: tuple[str, ...], words: str) -> None:
    result = tapewire("replay", str(ticks.folders[0]), "--serve", *arguments)
    assert result.exit_code == 2
    assert words in result.output
