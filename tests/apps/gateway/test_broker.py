"""A message broker behind a gateway: real servers, the same doors, and the exchange is asked nothing."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tapewire import Subscription, WebSocketClient
from tapewire.apps.gateway.brokered import broker_markets
from tapewire.apps.gateway.gateway import Gateway
from tapewire.apps.gateway.settings import GatewayOptions
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tapewire.sinks.brokers.kafka import KafkaSink
from tapewire.sinks.brokers.nats import NatsSink
from tapewire.sinks.brokers.rabbitmq import RabbitSink
from tapewire.sinks.brokers.redis import RedisSink
from tapewire.sinks.brokers.sink import BrokerSink
from tests.apps.gateway.stage import PATIENCE, Local
from tests.sinks.brokers.kafka_cluster import KafkaCluster
from tests.sinks.brokers.rabbit_server import RabbitServer
from tests.sinks.brokers.servers import NatsServer, RedisServer, Server

BROKERS: dict[str, tuple[type[Server], Callable[..., BrokerSink]]] = {
    "nats": (NatsServer, NatsSink),
    "redis": (RedisServer, RedisSink),
}
UPBIT = {"ticker": ["KRW-BTC", "KRW-ETH"], "trade": ["KRW-BTC"], "orderbook": ["KRW-BTC"]}


@asynccontextmanager
async def published(broker: str, folder: Path, venue: str, streams: dict[str, list[str]]) -> AsyncIterator[Server]:
    """A broker to which a simulated exchange's streams are published meanwhile."""
    kind, make = BROKERS[broker]
    if not kind.is_there():
        pytest.skip(f"{kind.program} is not installed: make servers")
    markets = tuple(dict.fromkeys(symbol for symbols in streams.values() for symbol in symbols))
    with kind(folder / "server") as server:
        async with (
            Simulator(Scenario(venue=venue, markets=markets, rate=300.0)) as simulator,
            WebSocketClient("collector", venue, url=simulator.url) as collector,
        ):
            wanted = [Subscription(kind, symbol) for kind, symbols in streams.items() for symbol in symbols]
            await collector.add_sink(make(server.address), wanted)
            async with asyncio.timeout(PATIENCE):
                while len(await broker_markets(server.address, venue) or ()) < len(markets):
                    await simulator.reached(simulator.now + 0.1)
            yield server


@asynccontextmanager
async def before(server: Server, venue: str = "upbit") -> AsyncIterator[tuple[Gateway, aiohttp.ClientSession]]:
    """A gateway that hears the broker."""
    client = WebSocketClient("gateway", venue, url=server.address, keep_raw=True)
    async with Gateway(client, GatewayOptions(port=0, linger=0.1)) as gateway, aiohttp.ClientSession() as session:
        yield gateway, session


async def get(session: aiohttp.ClientSession, url: str) -> tuple[int, Any]:
    async with session.get(url) as answer:
        return answer.status, json.loads(await answer.read())


@pytest.mark.parametrize("broker", BROKERS)
async def test_our_own_doors(broker: str, tmp_path: Path) -> None:
    async with published(broker, tmp_path, "upbit", UPBIT) as server, before(server) as (gateway, session):
        _, said = await get(session, f"{gateway.url}/v1/markets")
        assert [one["symbol"] for one in said["markets"]] == ["KRW-BTC", "KRW-ETH"]
        async with session.ws_connect(f"{gateway.url}/v1/stream") as socket:
            local = Local(socket)
            wishes = [{"type": kind, "symbols": "*"} for kind in ("ticker", "trade", "orderbook")]
            answer = await local.answer(subscribe=wishes)
            assert (answer["subscribed"], answer["refused"]) == (6, [])
            events = await local.events(60)
            assert {event["type"] for event in events} == {"ticker", "trade", "orderbook"}
            status, said = await get(session, f"{gateway.url}/v1/tickers")
            assert (status, len(said["tickers"])) == (200, 2)
            status, said = await get(session, f"{gateway.url}/v1/trades/KRW-BTC?count=500")
            assert status == 200
            assert said["trades"]
            status, said = await get(session, f"{gateway.url}/v1/candles/KRW-BTC")
            assert (status, "message broker" in said["error"]["message"]) == (404, True)
        status, said = await get(session, f"{gateway.url}/v1/venues")
        assert said["venues"][0]["url"].startswith(f"{broker}://")
        assert server.secret not in json.dumps(said)


@pytest.mark.parametrize("broker", BROKERS)
async def test_a_program_for_upbit(broker: str, tmp_path: Path) -> None:
    async with published(broker, tmp_path, "upbit", UPBIT) as server, before(server) as (gateway, session):
        async with session.ws_connect(f"{gateway.url}/websocket/v1") as socket:
            kinds = ("ticker", "trade", "orderbook")
            await socket.send_json([{"ticket": "t"}, *({"type": kind, "codes": ["KRW-BTC"]} for kind in kinds)])
            heard: list[dict[str, Any]] = []
            async with asyncio.timeout(PATIENCE):
                while len(heard) < 60:
                    heard.append(json.loads(await socket.receive_bytes()))
        assert {one["type"] for one in heard} == set(kinds)
        assert {one["code"] for one in heard} == {"KRW-BTC"}
        assert {one["stream_type"] for one in heard[:3]} == {"SNAPSHOT"}
        ids = [one["sequential_id"] for one in heard if one["type"] == "trade" and one["stream_type"] == "REALTIME"]
        assert len(set(ids)) == len(ids)
        status, said = await get(session, f"{gateway.url}/v1/ticker?markets=KRW-BTC")
        assert (status, "message broker" in said["error"]["message"]) == (404, True)


async def test_a_program_for_okx(tmp_path: Path) -> None:
    streams = {kind: ["BTC-USDT"] for kind in ("ticker", "trade", "orderbook")}
    async with published("nats", tmp_path, "okx", streams) as server, before(server, "okx") as (gateway, session):
        async with session.ws_connect(f"{gateway.url}/ws/v5/public") as socket:
            args = [{"channel": name, "instId": "BTC-USDT"} for name in ("tickers", "trades", "books")]
            await socket.send_json({"op": "subscribe", "args": args})
            pushes: dict[str, list[dict[str, Any]]] = {}
            async with asyncio.timeout(PATIENCE):
                while len(pushes) < 3 or min(map(len, pushes.values())) < 3:
                    said = json.loads(await socket.receive_str())
                    if "data" in said:
                        pushes.setdefault(said["arg"]["channel"], []).append(said)
        assert pushes.keys() == {"tickers", "trades", "books"}
        assert {one["arg"]["instId"] for found in pushes.values() for one in found} == {"BTC-USDT"}
        assert all(float(row["last"]) > 0 for one in pushes["tickers"] for row in one["data"])
        for one in pushes["books"]:  # told whole each time: a broker has no changes
            assert one["action"] == "snapshot"
            assert float(one["data"][0]["asks"][0][0]) > float(one["data"][0]["bids"][0][0])


@asynccontextmanager
async def collected(address: str, sink: BrokerSink) -> AsyncIterator[Gateway]:
    """A gateway that hears a broker which cannot say what it has, to which a collector publishes meanwhile."""
    markets = ("KRW-BTC", "KRW-ETH")
    async with (
        Simulator(Scenario(markets=markets, rate=300.0)) as simulator,
        WebSocketClient(
            "collector", url=simulator.url, recovery_order="before"
        ) as collector,  # a busy machine loses lines
    ):
        wanted = [Subscription(kind, symbol) for kind, symbols in UPBIT.items() for symbol in symbols]
        await collector.add_sink(sink, wanted)
        client = WebSocketClient("gateway", url=address, keep_raw=True)
        async with Gateway(client, GatewayOptions(port=0, linger=0.1, patience=60.0)) as gateway:
            yield gateway
        assert simulator.connected == 1, "the collector's; the gateway asked the exchange nothing"


def publication_times(trades: Iterable[dict[str, Any]]) -> dict[int, int]:
    """When the exchange published each trade, by its id: each came once, in this order; a late one has a lower id."""
    times = [(one["sequential_id"], one["timestamp"]) for one in trades]
    assert [at for _, at in times] == sorted(at for _, at in times)
    assert len(dict(times)) == len(times)
    return dict(times)


async def serves_what_is_publication_times(gateway: Gateway, scheme: str, secret: str) -> None:
    """At the exchange's path and at the gateway's own door: the same trades, each once, in their order."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(100):
        async with (
            session.ws_connect(f"{gateway.url}/websocket/v1") as exchange,
            session.ws_connect(f"{gateway.url}/v1/stream") as own,
        ):
            kinds = ("ticker", "trade", "orderbook")
            await exchange.send_json([{"ticket": "t"}, *({"type": kind, "codes": ["KRW-BTC"]} for kind in kinds)])
            await own.send_json({"subscribe": [{"type": "trade", "symbols": ["KRW-BTC"]}], "news": False})
            heard: list[dict[str, Any]] = []
            while len({one["type"] for one in heard}) < 3 or [one["type"] for one in heard].count("trade") < 10:
                heard.append(json.loads(await exchange.receive_bytes()))
            told = publication_times(
                one for one in heard if one["type"] == "trade" and one["stream_type"] == "REALTIME"
            )
            events: list[dict[str, Any]] = []
            while not events or events[-1]["timestamp"] <= max(told.values()):
                said = json.loads(await own.receive_str())
                if "event" in said and "state" not in said:
                    events.append(said["event"])
            first = events[0]["timestamp"]
            assert {number for number, at in told.items() if at > first} <= publication_times(events).keys()
            assert {one["code"] for one in heard} == {"KRW-BTC"}
        status, said = await get(session, f"{gateway.url}/v1/tickers?symbols=KRW-BTC")
        assert (status, said["tickers"][0]["symbol"]) == (200, "KRW-BTC")
        assert await get(session, f"{gateway.url}/v1/markets") == (200, {"venue": "upbit", "markets": []})
        status, said = await get(session, f"{gateway.url}/v1/venues")
        assert said["venues"][0]["url"].startswith(f"{scheme}://")
        assert secret not in json.dumps(said)


@pytest.mark.timeout(150)
async def test_kafka_behind_it(tmp_path: Path) -> None:
    with KafkaCluster(tmp_path) as cluster:
        async with collected(cluster.address, KafkaSink(cluster.address)) as gateway:
            await serves_what_is_publication_times(gateway, "kafka", cluster.secret)


@pytest.mark.timeout(200)
async def test_rabbitmq_behind_it(tmp_path: Path) -> None:
    if not RabbitServer.is_there():
        pytest.skip("make servers")
    with RabbitServer(tmp_path / "server") as server:
        async with collected(server.address, RabbitSink(server.address, queue="stream")) as gateway:
            await serves_what_is_publication_times(gateway, "amqp", server.secret)


async def test_a_broker_that_is_away_is_said(tmp_path: Path) -> None:
    if not NatsServer.is_there():
        pytest.skip("nats-server is not installed: make servers")
    with NatsServer(tmp_path) as server:
        pass
    async with before(server) as (gateway, session):
        status, said = await get(session, f"{gateway.url}/v1/markets")
        assert (status, said["error"]["name"]) == (502, "upstream")


async def test_the_command(tmp_path: Path) -> None:
    async with published("nats", tmp_path, "upbit", UPBIT) as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tapewire", "serve", "--url", server.address, "--listen", "127.0.0.1:0", "--json",
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            async with asyncio.timeout(PATIENCE):
                said = json.loads(await process.stdout.readline())
            async with aiohttp.ClientSession() as session:
                _, found = await get(session, f"{said['url']}/v1/markets")
                assert [one["symbol"] for one in found["markets"]] == ["KRW-BTC", "KRW-ETH"]
                async with session.ws_connect(said["stream"]) as socket:
                    local = Local(socket)
                    await local.answer(subscribe=[{"type": "trade", "symbols": ["KRW-BTC"]}])
                    assert len(await local.events(10, "trade")) == 10
        finally:
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
