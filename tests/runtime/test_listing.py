"""Symbols against the venue's list of markets: asked once, again for a new one, never in the way when REST fails."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

import tapewire
from tapewire import UnknownSymbol
from tapewire.config import FeedOptions
from tapewire.errors import HttpFailed, SubscriptionError
from tapewire.model.status import FeedEvent
from tapewire.model.subscription import Subscription
from tapewire.runtime.limits import shared_gate
from tapewire.runtime.listing import Listing
from tapewire.runtime.rest import Rest as Calls
from tapewire.session.actions import Now
from tapewire.session.limits import Limits
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tapewire.venues.registry import get_venue
from tests.client.stage import Stage, play

MARKETS = b'[{"market":"KRW-BTC","korean_name":"b","english_name":"Bitcoin"}]'
MORE = b'[{"market":"KRW-BTC"},{"market":"KRW-NEW","english_name":"New"}]'
LEVELS = b'[{"market":"KRW-BTC","quote_currency":"KRW","tick_size":"1000","supported_levels":["0","10000","100000"]}]'


class Rest:
    """Answers in turn; the last one for ever. An exception is raised."""

    def __init__(self, *answers: bytes | HttpFailed) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.closed: list[int] = []

    async def get(
        self,
        url: str,
        *,
        timeout: float,  # noqa: ASYNC109 - the limit of one request
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        assert (timeout, headers) == (3.0, None)
        self.asked.append(url)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await asyncio.sleep(0)
        if isinstance(answer, HttpFailed):
            raise answer
        return answer

    async def close(self) -> None:
        """Nothing is held; notes after how many answers."""
        self.closed.append(len(self.asked))


class Time:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.t = 0.0

    def now(self) -> Now:
        return Now(self.t, 0)

    def wall_ns(self) -> int:
        return 0

    def call_at(self, t: float, callback: object) -> asyncio.TimerHandle:
        raise AssertionError("nothing is scheduled here")

    async def until(self, t: float) -> None:
        self.t = max(self.t, t)


def listing(rest: Rest, time: Time | None = None, **options: str) -> Listing:
    venue = get_venue("upbit")
    clock, feed = time or Time(), FeedOptions(**options)  # type: ignore[arg-type]
    calls = Calls(venue, feed, rest, clock, Limits(venue.facts, shared_gate), publish=list[FeedEvent]().append)
    return Listing(venue, feed, calls, clock)


@pytest.mark.parametrize(
    ("options", "address"),
    [
        ({}, "https://api.upbit.com"),
        ({"url": "ws://127.0.0.1:9001/websocket/v1"}, "http://127.0.0.1:9001"),
        ({"url": "wss://gateway.example/feed"}, "https://gateway.example"),
        ({"url": "ws://x/y", "rest_url": "http://rest.example/"}, "http://rest.example"),
    ],
)
async def test_rest_is_asked_beside_the_address_that_was_set(options: dict[str, str], address: str) -> None:
    rest = Rest(MARKETS)
    await listing(rest, None, **options).markets()
    assert [url.partition("/v1")[0] for url in rest.asked] == [address]


async def test_many_at_once_ask_once() -> None:
    rest = Rest(MARKETS)
    one = listing(rest)
    found = await asyncio.gather(*(one.check([Subscription("ticker", "KRW-BTC")]) for _ in range(50)))
    assert found == [{}] * 50
    assert len(rest.asked) == 1


async def test_an_unknown_symbol_makes_the_list_be_asked_again_once_a_minute() -> None:
    rest, time = Rest(MARKETS, MARKETS, MORE), Time()
    one = listing(rest, time)
    new = Subscription("ticker", "KRW-NEW")
    for t, known, asked in ((0, False, 1), (30, False, 1), (61, False, 2), (122, True, 3), (200, True, 3)):
        time.t = t
        assert ((await one.check([new])) == {}) is known
        assert len(rest.asked) == asked


async def test_levels_are_asked_only_when_a_level_is_wanted_and_only_once() -> None:
    rest = Rest(MARKETS, LEVELS)
    one = listing(rest)
    good = Subscription("orderbook", "KRW-BTC", level=10000)
    bad = Subscription("orderbook", "KRW-BTC", level=3)
    refused = await one.check([good, bad])
    assert list(refused) == [bad]
    assert str(refused[bad]) == "level is 3; it must be 0, 10000 or 100000 for KRW-BTC"
    await one.check([good, Subscription("orderbook", "KRW-BTC")])
    assert len(rest.asked) == 2


async def test_a_rest_that_fails_is_said_and_does_not_stop_anybody(caplog: pytest.LogCaptureFixture) -> None:
    rest, time = Rest(HttpFailed("http://x", 503, "busy"), b"<html>", MARKETS), Time()
    one = listing(rest, time)
    unknown = Subscription("ticker", "KRW-NOPE")
    assert await one.check([unknown]) == {}
    time.t = 10
    assert await one.check([unknown]) == {}
    time.t = 20
    assert [type(error) for error in (await one.check([unknown])).values()] == [UnknownSymbol]
    warned = [record.getMessage() for record in caplog.records]
    assert warned[0] == "upbit: symbols are not checked against the list of markets: http://x: HTTP 503 busy"
    assert len(warned) == 2


async def test_a_rest_that_fails_is_waited_for_once_by_however_many() -> None:
    """Each would wait for a time-out of its own, one after the other."""
    rest, time = Rest(HttpFailed("http://x", None, "no answer within 3 s")), Time()
    one = listing(rest, time)
    found = await asyncio.gather(*(one.check([Subscription("ticker", "KRW-BTC")]) for _ in range(50)))
    assert found == [{}] * 50
    time.t = 9.9
    await one.check([Subscription("orderbook", "KRW-BTC", level=10)])
    assert len(rest.asked) == 1
    time.t = 10
    await one.check([Subscription("ticker", "KRW-BTC")])
    assert len(rest.asked) == 2


async def test_connections_are_given_back_only_when_nobody_waits_for_an_answer() -> None:
    rest = Rest(MARKETS)
    one = listing(rest)
    first, second = (asyncio.ensure_future(one.markets()) for _ in range(2))
    await asyncio.sleep(0)
    await one.close()
    assert rest.closed == []
    await first
    assert rest.closed == []
    await second
    assert rest.closed == [2]
    await one.close()
    assert rest.closed == [2, 2]


async def test_what_is_wrong_in_itself_asks_nobody() -> None:
    rest = Rest(MARKETS)
    refused = await listing(rest).check([Subscription("orderbook", "KRW-BTC", depth=7)])
    assert [type(error) for error in refused.values()] == [SubscriptionError]
    assert rest.asked == []


def test_without_validation_nothing_is_asked() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client(validate=False, rest_url="http://nowhere") as client:
            handle = await client.subscribe_ticker("KRW-BTC", lambda _event: None)
            await handle.live()

    play(story, faults=("rest:500@0x1000",))


def test_a_client_lists_the_markets_or_says_why_not() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            with pytest.raises(HttpFailed, match="HTTP 500"):
                await client.markets()
            assert [market.symbol for market in await client.markets()] == ["KRW-BTC", "KRW-ETH", "KRW-XRP"]

    play(story, faults=("rest:500",))


async def test_markets_can_be_had_in_one_call() -> None:
    async with Simulator(Scenario(markets=("KRW-BTC", "BTC-ETH"))) as simulator:
        markets = await tapewire.markets(url=simulator.url)
    assert [(market.symbol, market.base, market.quote) for market in markets] == [
        ("KRW-BTC", "BTC", "KRW"), ("BTC-ETH", "ETH", "BTC"),
    ]  # fmt: skip
