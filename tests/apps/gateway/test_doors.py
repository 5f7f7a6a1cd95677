"""The gateway's own doors over real sockets: what a local program hears, asks, and is refused."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from tapewire import WebSocketClient
from tapewire.apps.gateway.gateway import Gateway
from tapewire.apps.gateway.settings import GatewayOptions
from tapewire.errors import ConfigError, FeedError, UsageError
from tests.apps.gateway.stage import PATIENCE, served

TRADES = {"type": "trade", "symbols": ["KRW-BTC", "KRW-ETH"]}


async def test_events_and_news_of_what_was_subscribed() -> None:
    async with served() as stage, stage.stream(id="a", subscribe=[TRADES]) as local:
        answer = await local.answer()
        assert (answer["id"], answer["subscribed"], answer["refused"], answer["resumed"]) == ("a", 2, [], None)
        heard = await local.events(20)
        assert {event["type"] for event in heard} == {"trade"}
        assert {event["symbol"] for event in heard} == {"KRW-BTC", "KRW-ETH"}
        ids = [event["sequential_id"] for event in heard]
        made = {trade.sequential_id: trade for trade in stage.simulator.trades}
        assert len(set(ids)) == 20
        for event in [one for one in heard if one["stream_type"] == "REALTIME"]:
            assert event["trade_price"] == made[event["sequential_id"]].trade_price
            assert event["raw"] is None
        news = [one["news"]["type"] for one in local.heard if "news" in one]
        assert {"connecting", "connected"} <= set(news)
        cursors = [int(one["cursor"].partition("-")[2]) for one in local.heard if "cursor" in one]
        assert cursors == sorted(cursors)


async def test_one_upstream_connection_for_any_number_of_clients() -> None:
    async with served() as stage, AsyncExitStack() as stack:
        locals_ = [await stack.enter_async_context(stage.stream(subscribe=[TRADES])) for _ in range(20)]
        for local in locals_:
            await local.events(3)
        assert stage.simulator.connected == 1
        assert len([sent for sent in stage.simulator.requests if b"trade" in sent.payload]) == 1
        assert stage.simulator.violations == []


async def test_a_star_is_every_market_and_counts_as_one() -> None:
    async with served({"most_subscriptions": 2}) as stage, stage.stream(news=False) as local:
        assert (await local.answer())["subscribed"] == 0
        answer = await local.answer(subscribe=[{"type": "ticker", "symbols": "*"}])
        assert answer["subscribed"] == 3
        krw = await local.answer(subscribe=[{"type": "trade", "symbols": ["KRW-*"]}])
        assert krw["subscribed"] == 5
        refused = await local.answer(id=9, subscribe=[{"type": "candle", "symbols": "KRW-BTC"}])
        assert (refused["error"]["id"], refused["error"]["name"]) == (9, "too_many")
        less = await local.answer(unsubscribe=[{"type": "ticker", "symbols": "*"}])
        assert less["subscribed"] == 2
        none = await local.answer(unsubscribe="*")
        assert none["subscribed"] == 0


async def test_what_is_held_is_shown_at_once_and_marked() -> None:
    async with served() as stage, stage.stream(subscribe=[{"type": "ticker", "symbols": "KRW-BTC"}]) as first:
        await first.events(2)
        async with stage.stream(news=False, subscribe=[{"type": "ticker", "symbols": "KRW-BTC"}]) as second:
            shown = await second.next(lambda one: "event" in one)
            assert shown["state"] is True
            assert shown["event"]["symbol"] == "KRW-BTC"
            assert "state" not in await second.next(lambda one: "event" in one)
        assert len([sent for sent in stage.simulator.requests if b"ticker" in sent.payload]) == 1


async def test_a_market_that_there_is_not_is_refused_and_the_others_go_on() -> None:
    wish = {"type": "trade", "symbols": ["KRW-NIX", "KRW-BTC"]}
    async with served() as stage, stage.stream(subscribe=[wish]) as local:
        answer = await local.answer()
        assert answer["subscribed"] == 1
        [refused] = answer["refused"]
        assert (refused["venue"], refused["type"], refused["symbol"]) == ("upbit", "trade", "KRW-NIX")
        assert "KRW-NIX" in refused["message"]
        await local.events(2)
        status, health = await stage.get("/health")
        assert (status, health["status"], health["reasons"]) == (200, "healthy", [])


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ('{"subscribe":[{"type":"quote","symbols":["KRW-BTC"]}]}', "ticker, trade, orderbook"),
        ('{"subscribe":[{"type":"candle","unit":"7m","symbols":["KRW-BTC"]}]}', "1s, 1m"),
        ('{"subscribe":[{"type":"trade","symbols":["KRW-BTC"],"venue":"okx"}]}', "served here: upbit"),
        ('{"subscribe":[{"type":"myOrder"}]}', "belongs to the key's owner"),
        ('{"subscribe":[{"type":"orderbook","symbols":["KRW-BTC"],"depth":0}]}', "depth must be 1"),
        ('{"subscrib":[]}', "subscrib"),
        ('{"interval":11}', "interval must be 0 to 10"),
        ('{"unsubscribe":"all"}', '"*"'),
        ("[1", "Expected `object`"),
        ("[" * 5000, "no message of this door"),
    ],
)
async def test_a_message_that_cannot_be_obeyed_is_answered_and_costs_nothing(message: str, word: str) -> None:
    async with served() as stage, stage.stream(subscribe=[TRADES]) as local:
        await local.answer()
        await local.socket.send_str(message)
        refused = await local.next(lambda one: "error" in one)
        assert word in refused["error"]["message"]
        await local.events(2)


async def test_a_client_that_comes_back_misses_nothing() -> None:
    async with served() as stage, stage.stream(subscribe=[TRADES]) as steady:
        await steady.answer()
        async with stage.stream(subscribe=[TRADES]) as local:
            await local.events(10)
        before = news_and_events(local.heard)
        await steady.next(lambda one: place(one) > place(local.heard[-1]) + 30)
        async with stage.stream(subscribe=[TRADES], resume=local.heard[-1]["cursor"]) as again:
            assert (await again.answer())["resumed"] is True
            await again.events(60)
        after = news_and_events(again.heard)
        await steady.next(lambda one: place(one) > max(after))
        first = min(place(one) for one in local.heard if "event" in one and "state" not in one)
        steadily = {at: body for at, body in news_and_events(steady.heard).items() if first <= at <= max(after)}
        assert not before.keys() & after.keys()
        assert {at: body for at, body in (before | after).items() if at >= first} == steadily
        assert list(after) == sorted(after)


def place(said: dict[str, Any]) -> int:
    """Where a message stands, 0 for those that stand nowhere."""
    return int(said.get("cursor", "-0").partition("-")[2])


def news_and_events(heard: list[dict[str, Any]]) -> dict[int, Any]:
    """Everything new in what a client heard, by its place."""
    return {place(one): one.get("event") or one["news"] for one in heard if place(one) and "state" not in one}


async def test_a_cursor_that_is_of_no_use_brings_the_state() -> None:
    async with served({"window_seconds": 0.01}) as stage, stage.stream(subscribe=[TRADES]) as other:
        await other.events(1)
        cursor = other.heard[-1]["cursor"]
        await other.events(30)
        for useless in (cursor, "1234-5", "x", f"{cursor}99999"):
            async with stage.stream(subscribe=[TRADES], resume=useless) as local:
                assert (await local.answer())["resumed"] is False
                assert (await local.next(lambda one: "event" in one))["state"] is True


async def test_server_sent_events_resume_by_last_event_id() -> None:
    async with served() as stage:
        url = f"{stage.gateway.url}/v1/events?subscribe=trade:KRW-BTC,KRW-ETH&news=false"
        first = await sse(stage.session, url, 12)
        assert first[0]["event"] == "answer"
        assert first[0]["data"]["subscribed"] == 2
        again = await sse(stage.session, url, 12, **{"Last-Event-ID": first[-1]["id"]})
        assert again[0]["data"]["resumed"] is True
        ids = [(one["data"]["symbol"], one["data"]["sequential_id"]) for one in first[1:] + again[1:]]
        assert len(set(ids)) == len(ids)
        status, refused = await stage.get("/v1/events?subscribe=trade:KRW-BTC&what=1")
        assert (status, refused["error"]["name"]) == (400, "bad_request")


async def sse(session: aiohttp.ClientSession, url: str, count: int, **headers: str) -> list[dict[str, Any]]:
    """The first events of a stream of server-sent events."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(PATIENCE), session.get(url, headers=headers) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        fields: dict[str, Any] = {}
        while len(found) < count:
            name, _, value = (await answer.content.readline()).decode().rstrip("\n").partition(": ")
            if name:
                fields[name] = json.loads(value) if name == "data" else value
            else:
                found.append(fields)
                fields = {}
    return found


async def test_the_get_doors() -> None:
    async with served() as stage, stage.stream(subscribe=[TRADES, {"type": "ticker", "symbols": "KRW-BTC"}]) as local:
        await local.events(20)
        _, venues = await stage.get("/v1/venues")
        assert venues["default"] == "upbit"
        assert venues["venues"][0]["signed_kinds"] == [
            "myOrder",
            "myAsset",
            "announcement",
            "indicator",
            "indicator_signal",
        ]
        _, markets = await stage.get("/v1/markets")
        assert [one["symbol"] for one in markets["markets"]] == ["KRW-BTC", "KRW-ETH", "BTC-ETH"]
        _, tickers = await stage.get("/v1/tickers")
        assert [one["symbol"] for one in tickers["tickers"]] == ["KRW-BTC", "KRW-ETH", "BTC-ETH"]
        _, some = await stage.get("/v1/tickers?symbols=BTC-ETH")
        assert [one["symbol"] for one in some["tickers"]] == ["BTC-ETH"]
        _, book = await stage.get("/v1/orderbook/KRW-ETH?depth=3")
        assert len(book["orderbook"]["orderbook_units"]) == 3
        _, trades = await stage.get("/v1/trades/KRW-BTC?count=5")
        times = [one["trade_timestamp"] for one in trades["trades"]]
        assert times == sorted(times, reverse=True)
        assert len(times) == 5
        _, other = await stage.get("/v1/trades/BTC-ETH?count=3")
        assert {one["symbol"] for one in other["trades"]} == {"BTC-ETH"}
        _, candles = await stage.get("/v1/candles/KRW-BTC?unit=1m&count=250")
        starts = [one["candle_date_time_utc"] for one in candles["candles"]]
        assert starts == sorted(set(starts), reverse=True)
        assert len(starts) == 250
        _, older = await stage.get(
            f"/v1/candles/KRW-BTC?count=2&before={candles['candles'][1]['timestamp'] // 60000 * 60000}"
        )
        assert older["candles"][0]["candle_date_time_utc"] < starts[0]
        _, gaps = await stage.get("/v1/gaps")
        assert gaps == {"gaps": []}
        _, connections = await stage.get("/v1/connections")
        assert [one["name"] for one in connections["connections"]] == ["upbit-1"]
        assert connections["clients"]["open"] == 1
        assert {"venue", "group", "left", "count", "seconds"} == set(connections["limits"][0])
        status, health = await stage.get("/health")
        assert status == 200
        assert {(one["type"], one["symbol"]) for one in health["streams"]} == {
            ("trade", "KRW-BTC"), ("trade", "KRW-ETH"), ("ticker", "KRW-BTC"),
        }  # fmt: skip
        assert all(one["age_seconds"] < PATIENCE for one in health["streams"])
        assert await stage.get("/ready") == (200, {"ready": True})
        async with stage.session.get(f"{stage.gateway.url}/metrics") as answer:
            assert "tapewire_health 1.0" in await answer.text()


@pytest.mark.parametrize(
    ("path", "status", "name"),
    [
        ("/nix", 404, "not_found"),
        ("/v1/orderbook/KRW-NIX", 404, "not_found"),
        ("/v1/tickers?symbols=KRW-BTC,nix", 404, "not_found"),
        ("/v1/markets?venue=nix", 404, "not_found"),
        ("/v1/candles/KRW-BTC?unit=7m", 404, "not_found"),
        ("/v1/candles/KRW-BTC?count=0", 400, "bad_request"),
        ("/v1/orderbook/KRW-BTC?level=x", 400, "bad_request"),
        ("/v1/gaps?count=-1", 400, "bad_request"),
        ("/v1/stream", 400, "bad_request"),
        ("/static/../settings.py", 404, "not_found"),
    ],
)
async def test_what_there_is_not_is_said_in_one_form(path: str, status: int, name: str) -> None:
    async with served() as stage:
        got, body = await stage.get(path)
        assert (got, body["error"]["name"]) == (status, name)
        assert set(body["error"]) == {"name", "message"}


async def test_gaps_are_told_and_listed_and_ready_says_so() -> None:
    async with (
        served(client={"backoff_base": 0.2, "jitter": False}) as stage,
        stage.stream(subscribe=[TRADES]) as local,
    ):
        await local.events(5)
        stage.simulator.drop(1001)
        gap = await local.next(lambda one: one.get("news", {}).get("type") == "gap")
        assert gap["news"]["subscription"]["kind"] == "trade"
        await local.next(lambda one: one.get("news", {}).get("type") == "recovered")
        _, gaps = await stage.get("/v1/gaps?symbol=KRW-BTC")
        assert {row["subscription"]["symbol"] for row in gaps["gaps"]} == {"KRW-BTC"}


async def test_what_nobody_wants_any_more_is_given_back_upstream() -> None:
    async with served({"linger": 0.0, "window_seconds": 0.01}) as stage:
        async with stage.stream(subscribe=[TRADES]) as local:
            await local.events(1)
            assert stage.simulator.connected == 1
        async with asyncio.timeout(PATIENCE):
            await stage.gone()
        assert stage.simulator.connected == 0


async def test_a_gateway_says_what_it_cannot_be() -> None:
    client = WebSocketClient("gateway")
    with pytest.raises(ConfigError, match="one or more"):
        Gateway([])
    with pytest.raises(ConfigError, match="each of another venue"):
        Gateway([client, WebSocketClient("gateway")])
    with pytest.raises(ConfigError, match="tokens file"):
        Gateway(client, GatewayOptions(host="0.0.0.0"))
    with pytest.raises(ConfigError, match="port"):
        GatewayOptions(port=70000)
    with pytest.raises(ConfigError, match="commands"):
        GatewayOptions(commands=0)
    async with served() as stage:
        taken = int(stage.gateway.url.rpartition(":")[2])
        with pytest.raises(FeedError, match="cannot listen"):
            await Gateway(WebSocketClient("other"), GatewayOptions(port=taken)).start()
        with pytest.raises(UsageError, match="listens already"):
            await stage.gateway.start()
