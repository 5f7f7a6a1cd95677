"""A broker in the exchange's place: the same client, real servers that are killed, nothing missed, nothing twice."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aio_pika
import pytest

from tapewire import FeedOptions, Subscription, WebSocketClient
from tapewire.errors import ConfigError, FeedError, TimedOut
from tapewire.model.events import CandleEvent, Event, OrderbookEvent, OrderbookUnit, TickerEvent, TradeEvent
from tapewire.model.health import HealthState
from tapewire.model.status import Connected, Connecting, Disconnected, FeedEvent, Gap, Quarantined
from tapewire.sinks.brokers import nats_source, redis_source
from tapewire.sinks.brokers.kafka import KafkaSink
from tapewire.sinks.brokers.nats import NatsSink
from tapewire.sinks.brokers.rabbitmq import RabbitSink
from tapewire.sinks.brokers.redis import RedisSink
from tapewire.sinks.brokers.sink import BrokerSink
from tests.sinks.brokers.kafka_cluster import KafkaCluster
from tests.sinks.brokers.rabbit_server import RabbitServer
from tests.sinks.brokers.servers import PASSWORD, NatsServer, RedisServer, Server

AnyServer = Server | KafkaCluster
BROKERS: dict[str, tuple[type[AnyServer], Callable[..., BrokerSink]]] = {
    "kafka": (KafkaCluster, KafkaSink),
    "nats": (NatsServer, NatsSink),
    "rabbitmq": (RabbitServer, partial(RabbitSink, queue="stream", segment=100_000)),
    "redis": (RedisServer, RedisSink),
}
_NUMBERS = itertools.count()


class Stand:
    """A broker, and a sink that publishes to it."""

    def __init__(self, server: AnyServer, make: Callable[..., BrokerSink], prefix: str = "md") -> None:
        self.server, self._make, self.prefix = server, make, prefix
        self._sinks: list[BrokerSink] = []

    def sink(self, **options: Any) -> BrokerSink:
        sink = self._make(self.server.address, prefix=self.prefix, **options)
        sink.open()
        self._sinks.append(sink)
        return sink

    async def publish(self, *events: Event | FeedEvent, sink: BrokerSink | None = None, **options: Any) -> None:
        """Returns when the broker has them."""
        chosen = sink or self.sink(**options)

        def write() -> None:
            chosen.write(events)
            chosen.flush()

        await asyncio.to_thread(write)

    def client(self, more: str = "", **options: Any) -> WebSocketClient:
        url = f"{self.server.address}{more or '?'}&prefix={self.prefix}"
        return WebSocketClient("reader", url=url, backoff_cap=0.3, **options)

    def close(self) -> None:
        for sink in self._sinks:
            sink.close()


@pytest.fixture(scope="module")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    """It starts slowly: one for all tests, each of which has a prefix of its own."""
    with RabbitServer(tmp_path_factory.mktemp("rabbit") / "server", keeps_streams=True) as server:
        yield server


def slow(broker: str) -> Any:
    return pytest.param(broker, marks=pytest.mark.timeout(200)) if broker == "rabbitmq" else broker


@pytest.fixture(params=map(slow, BROKERS))
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
    kind, make = BROKERS[request.param]
    if not kind.is_there():
        pytest.skip(f"{kind.program} is not installed: make servers")
    if kind is RabbitServer:
        shared: RabbitServer = request.getfixturevalue("rabbit")
        shared.start()
        stand = Stand(shared, make, f"t{next(_NUMBERS)}.md")
        yield stand
        stand.close()
        return
    with kind(tmp_path / "server") as server:
        stand = Stand(server, make)
        yield stand
        stand.close()


def trade(number: int, symbol: str = "KRW-BTC") -> TradeEvent:
    return TradeEvent(
        venue="upbit", symbol=symbol, sequential_id=number, trade_price=1.0, timestamp=number, received_ns=number,
        stream_type="REALTIME",
    )  # fmt: skip


def ticker(price: float, at: int) -> TickerEvent:
    return TickerEvent(venue="upbit", symbol="KRW-BTC", trade_price=price, timestamp=at, stream_type="REALTIME")


async def take(stream: AsyncIterator[Any], count: int) -> list[Any]:
    found: list[Any] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            item = await anext(stream)
            if isinstance(item, Event):
                found.append(item)
    return found


async def test_a_late_joiner_gets_the_newest_at_once_and_then_what_comes(stand: Stand) -> None:
    await stand.publish(ticker(1.0, 1), ticker(2.0, 2))
    async with stand.client() as client, client.tickers("KRW-BTC") as tickers:
        [snapshot] = await take(tickers, 1)
        await stand.publish(ticker(3.0, 3), ticker(4.0, 4))
        live = await take(tickers, 2)
    assert (snapshot.trade_price, snapshot.stream_type) == (2.0, "SNAPSHOT")
    assert [(one.trade_price, one.stream_type) for one in live] == [(3.0, "REALTIME"), (4.0, "REALTIME")]


async def test_events_are_equal_to_those_that_were_published(stand: Stand) -> None:
    units = [OrderbookUnit(2.0, 1.0, 3.0, 4.0), OrderbookUnit(3.0, 0.5, 3.0, 4.0)]
    book = OrderbookEvent(
        venue="upbit", symbol="KRW-BTC", orderbook_units=units, timestamp=5, level=0.0, stream_type="REALTIME"
    )
    candle = CandleEvent(venue="upbit", symbol="KRW-BTC", unit="1m", timestamp=6, stream_type="REALTIME")
    wanted = [Subscription("trade", "KRW-BTC"), Subscription("orderbook", "KRW-BTC"),
              Subscription("candle", "KRW-BTC", unit="1m")]  # fmt: skip
    await stand.publish(trade(1))
    async with stand.client() as client, client.stream(wanted, stream_preference="realtime_only") as stream:
        waiting = asyncio.create_task(take(stream, 3))
        await live(client, 3)
        await stand.publish(trade(2), book, candle, batch=5, form="msgpack")
        items = await waiting
    assert sorted(items, key=lambda one: one.kind) == [candle, book, trade(2)]


async def live(client: WebSocketClient, streams: int) -> None:
    """Wait until so many streams are heard."""
    async with asyncio.timeout(20):
        while sum(len(handle.subscriptions) for handle in client.handles) < streams:
            await turn()
        for handle in client.handles:
            await handle.live(timeout=40)


async def turn() -> None:
    """Let everybody else have a turn."""
    await asyncio.get_running_loop().run_in_executor(None, int)


async def test_a_broker_that_dies_and_comes_back_costs_nothing(stand: Stand) -> None:
    sink = await asyncio.to_thread(stand.sink)
    await stand.publish(trade(0), sink=sink)
    told: list[FeedEvent] = []
    async with stand.client() as client, client.trades("KRW-BTC") as trades:
        client.subscribe_feed(told.append)
        found = await take(trades, 1)
        await stand.publish(*map(trade, range(1, 20)), sink=sink)
        found += await take(trades, 10)
        await asyncio.to_thread(stand.server.kill)
        async with asyncio.timeout(40):  # a client that tries again by itself is not told at once
            while not any(isinstance(event, Disconnected) for event in told):
                await turn()
        await asyncio.to_thread(stand.server.start)
        await stand.publish(*map(trade, range(20, 40)), sink=sink)
        found += await take(trades, 29)
    assert [one.sequential_id for one in found] == list(range(40))
    kinds = [type(event) for event in told]
    causes = [event.loss.cause for event in told if isinstance(event, Disconnected)]
    assert kinds.count(Connected) == causes.count("reset") + 1 >= 2
    assert kinds.count(Connecting) == kinds.count(Connected) + causes.count("unreachable")
    assert set(causes) <= {"reset", "unreachable"}
    assert Gap not in kinds


async def test_doubles_are_dropped(stand: Stand) -> None:
    await stand.publish(trade(0))
    async with stand.client() as client, client.trades("KRW-BTC") as trades:
        found = await take(trades, 1)
        for batch in (1, 3, 4):
            await stand.publish(*map(trade, range(8)), batch=batch)
        await stand.publish(trade(9))
        found += await take(trades, 8)
    assert [one.sequential_id for one in found] == [*range(8), 9]


async def test_history_comes_first_if_it_is_asked_for(stand: Stand) -> None:
    await stand.publish(*map(trade, range(10)))
    async with (
        stand.client("?since=3600") as client,
        client.trades("KRW-BTC", stream_preference="realtime_only") as trades,
    ):
        found = await take(trades, 10)
        await stand.publish(trade(10))
        found += await take(trades, 1)
    assert [one.sequential_id for one in found] == list(range(11))


async def test_a_stream_of_which_nothing_came_yet_begins_with_its_first_message(stand: Stand) -> None:
    await stand.publish(trade(0, "KRW-ETH"))
    async with stand.client() as client, client.trades("KRW-BTC") as trades:
        waiting = asyncio.create_task(take(trades, 2))
        await live(client, 1)
        await stand.publish(trade(1), trade(2))
        assert [one.sequential_id for one in await waiting] == [1, 2]


async def test_snapshots_are_answered_and_wait_for_the_first_message(stand: Stand) -> None:
    await stand.publish(ticker(1.0, 1))
    async with stand.client() as client:
        [first] = await client.ticker_snapshot("KRW-BTC", timeout=40)
        waiting = asyncio.create_task(client.trade_snapshot("KRW-BTC", timeout=40))
        async with asyncio.timeout(20):
            while not client.handles:
                await turn()
        await stand.publish(trade(1))
        [second] = await waiting
    assert (first.trade_price, second.sequential_id, second.stream_type) == (1.0, 1, "SNAPSHOT")


async def test_a_book_has_the_asked_depth_and_level(stand: Stand) -> None:
    units = [OrderbookUnit(2.0 + n, 1.0, 3.0, 4.0) for n in range(9)]
    book = OrderbookEvent(venue="upbit", symbol="KRW-BTC", orderbook_units=units, timestamp=5)
    grouped = OrderbookEvent(venue="upbit", symbol="KRW-BTC", orderbook_units=units[:1], timestamp=6, level=10000.0)
    await stand.publish(book, grouped)
    async with stand.client() as client:
        [whole] = await client.orderbook_snapshot("KRW-BTC", timeout=40)
        [top] = await client.orderbook_snapshot("KRW-BTC", depth=5, timeout=40)
        [rough] = await client.orderbook_snapshot("KRW-BTC", level=10000, timeout=40)
    assert [len(one.orderbook_units) for one in (whole, top, rough)] == [9, 5, 1]


async def test_the_collectors_gaps_are_told(stand: Stand) -> None:
    gap = Gap(
        venue="upbit", connection="upbit-7", at_ns=9, subscription=Subscription("trade", "KRW-BTC"), cause="reset",
        state="unfilled", from_ns=1, to_ns=2,
    )  # fmt: skip
    await stand.publish(trade(0), gap)
    told: list[FeedEvent] = []
    async with stand.client() as client, client.trades("KRW-BTC") as trades:
        client.subscribe_feed(told.append)
        await take(trades, 1)
        later = Gap(**{name: getattr(gap, name) for name in Gap.__struct_fields__} | {"from_ns": 5, "to_ns": 7})
        await stand.publish(later)
        await stand.publish(trade(1))
        await take(trades, 1)
        async with asyncio.timeout(20):  # a topic of its own: Kafka keeps no order between the two
            while not any(isinstance(event, Gap) for event in told):
                await turn()
    assert [event for event in told if isinstance(event, Gap)] == [later]


@pytest.mark.parametrize("stand", ["nats", "redis"], indirect=True)  # Kafka: tests/sinks/brokers/test_kafka_source.py
async def test_what_the_broker_threw_away_is_told(stand: Stand) -> None:
    if isinstance(stand.server, NatsServer):
        options: dict[str, Any] = {"max_bytes": 4_000, "stream": "md"}
    else:
        options = {"max_len": 1}
    sink = await asyncio.to_thread(lambda: stand.sink(**options))
    await stand.publish(trade(0), sink=sink)
    told: list[FeedEvent] = []
    async with stand.client() as client, client.trades("KRW-BTC") as trades:
        client.subscribe_feed(told.append)
        await take(trades, 1)
        client._pool.carriers[0].hold("the test", holding=True)  # a reader that is away for long
        await cut(stand, sink)
        client._pool.carriers[0].hold("the test", holding=False)
        async with asyncio.timeout(20):
            while not any(isinstance(event, Gap) for event in told):
                await asyncio.wait_for(anext(trades), 40)
    [gap] = {event.subscription: event for event in told if isinstance(event, Gap)}.values()
    assert (gap.state, gap.subscription) == ("unfilled", Subscription("trade", "KRW-BTC"))


async def cut(stand: Stand, sink: BrokerSink) -> None:
    """The broker dies, and when its readers are back, what they read last is no longer there."""
    await asyncio.to_thread(stand.server.kill)
    writing = asyncio.create_task(stand.publish(*map(trade, range(1, 400)), sink=sink))
    await asyncio.to_thread(stand.server.start)
    await writing
    async with asyncio.timeout(40):  # ``flush`` waits for nobody who is away
        while sink.figures.confirmed < 400:
            await turn()


@pytest.mark.parametrize("stand", ["nats", "redis"], indirect=True)
async def test_what_is_thrown_away_on_a_living_line_is_told(stand: Stand) -> None:
    """No line is lost: the broker drops what came faster than it was fetched."""
    options: dict[str, Any] = {"max_bytes": 4_000} if isinstance(stand.server, NatsServer) else {}
    sink = await asyncio.to_thread(lambda: stand.sink(**options))
    await stand.publish(trade(0), sink=sink)
    told: list[FeedEvent] = []
    async with stand.client() as client, client.trades("KRW-BTC") as trades:
        client.subscribe_feed(told.append)
        await take(trades, 1)
        await overtake(stand, sink)
        async with asyncio.timeout(30):
            while not any(isinstance(event, Gap) for event in told):
                await turn()
    gaps = [event for event in told if isinstance(event, Gap)]  # one each time that it is looked at
    wanted = ("unfilled", "trimmed", Subscription("trade", "KRW-BTC"))
    assert {(gap.state, gap.cause, gap.subscription) for gap in gaps} == {wanted}
    assert all(gap.to_ns is not None and gap.from_ns <= gap.to_ns for gap in gaps)
    assert not any(isinstance(event, Disconnected) and event.loss.cause == "reset" for event in told)


async def overtake(stand: Stand, sink: BrokerSink) -> None:
    """Messages come and are thrown away before the reader can have them: its consumer is gone, or both are one step."""
    if isinstance(stand.server, NatsServer):
        import nats  # noqa: PLC0415

        line = await nats.connect(stand.server.address, allow_reconnect=False)
        js = line.jetstream(timeout=20)
        for consumer in await js.consumers_info("md"):
            await js.delete_consumer("md", consumer.name)
        await line.close()
        await stand.publish(*map(trade, range(1, 60)), sink=sink)
    else:
        import redis.asyncio  # noqa: PLC0415

        async with redis.asyncio.Redis.from_url(stand.server.address) as client, client.pipeline() as step:
            for number in range(9):
                step.xadd("md.upbit.kr.trade.KRW-BTC", {"payload": str(number)})
            step.xtrim("md.upbit.kr.trade.KRW-BTC", maxlen=0, approximate=False)
            await step.execute()


@pytest.mark.parametrize("stand", ["nats", "redis"], indirect=True)
async def test_a_short_stream_of_which_all_was_heard_has_no_gap(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was thrown away had been heard: nothing is told, however often it is looked at."""
    monkeypatch.setattr(nats_source, "_CHECK", 0.2)
    monkeypatch.setattr(redis_source, "_CHECK", 0.2)
    options: dict[str, Any] = {"max_bytes": 20_000} if isinstance(stand.server, NatsServer) else {"max_len": 40}
    sink = await asyncio.to_thread(lambda: stand.sink(**options))
    await stand.publish(trade(0), trade(0, "KRW-ETH"), sink=sink)
    told: list[FeedEvent] = []
    found: list[int | None] = []
    async with looks(stand.server) as look, stand.client() as client, client.trades(["KRW-BTC", "KRW-ETH"]) as trades:
        client.subscribe_feed(told.append)
        await take(trades, 2)
        for number in range(1, 151, 15):
            await stand.publish(*map(trade, range(number, number + 15)), sink=sink)
            found += [one.sequential_id for one in await take(trades, 15)]
            await asyncio.wait_for(look(), 40)
    assert found == list(range(1, 151))
    assert len(await asyncio.to_thread(stand.server.stored)) < 100
    assert not any(isinstance(event, Gap) for event in told)


@asynccontextmanager
async def looks(server: AnyServer) -> AsyncIterator[Callable[[], Awaitable[Any]]]:
    """Waits until a reader asks the broker what there is."""
    if isinstance(server, NatsServer):
        import nats  # noqa: PLC0415

        line = await nats.connect(server.address, allow_reconnect=False)
        asked = await line.subscribe("$JS.API.STREAM.INFO.md")

        async def look() -> None:
            while asked.pending_msgs:
                await asked.next_msg(40)
            await asked.next_msg(40)

        yield look
        await line.close()
        return
    import redis.asyncio  # noqa: PLC0415

    async with redis.asyncio.Redis.from_url(server.address) as client:

        async def look() -> None:
            async with client.monitor() as monitor:
                async for one in monitor.listen():
                    if one["command"].startswith("XINFO"):
                        return

        yield look


async def test_a_source_that_is_held_reads_nothing(stand: Stand) -> None:
    sink = await asyncio.to_thread(stand.sink)
    await stand.publish(trade(0), sink=sink)
    found: list[int | None] = []
    async with stand.client() as client:
        handle = await client.subscribe_trade("KRW-BTC", lambda event: found.append(event.sequential_id))
        await handle.live(timeout=40)
        carrier = client._pool.carriers[0]
        carrier.hold("the test", holding=True)
        await stand.publish(*map(trade, range(1, 9)), sink=sink)
        for _ in range(200):
            await turn()
        assert found == [0]
        carrier.hold("the test", holding=False)
        async with asyncio.timeout(20):
            while len(found) < 9:
                await turn()
    assert found == list(range(9))


async def test_what_is_no_message_of_ours_is_quarantined(stand: Stand) -> None:
    await stand.publish(trade(0))
    told: list[FeedEvent] = []
    async with stand.client() as client, client.trades("KRW-BTC") as trades:
        client.subscribe_feed(told.append)
        await take(trades, 1)
        await foreign(stand.server, stand.prefix)
        await stand.publish(trade(1))
        await take(trades, 1)
    [bad] = [event for event in told if isinstance(event, Quarantined)]
    assert bad.payload == b"something else"


async def foreign(server: AnyServer, prefix: str) -> None:
    """Somebody else's message under a name of ours."""
    if isinstance(server, RabbitServer):
        async with await aio_pika.connect(server.address) as connection:
            exchange = await (await connection.channel()).get_exchange(prefix)
            await exchange.publish(aio_pika.Message(b"something else"), f"{prefix}.upbit.kr.trade.KRW-BTC")
    elif isinstance(server, KafkaCluster):
        from confluent_kafka import Producer  # noqa: PLC0415

        producer = Producer({**server.settings(), "partitioner": "murmur2_random"})  # as ours: one order for both
        producer.produce("md.upbit.kr.trade", b"something else", b"KRW-BTC")
        assert await asyncio.to_thread(producer.flush, 20) == 0
        producer.close()
    elif isinstance(server, NatsServer):
        import nats  # noqa: PLC0415

        client = await nats.connect(server.address)
        await client.jetstream().publish("md.upbit.kr.trade.KRW-BTC", b"something else")
        await client.close()
    else:
        import redis.asyncio  # noqa: PLC0415

        async with redis.asyncio.Redis.from_url(server.address) as line:
            await line.xadd("md.upbit.kr.trade.KRW-BTC", {"payload": b"something else"})


async def test_wrong_credentials_end_it_when_the_tries_are_used_up(stand: Stand) -> None:
    told: list[FeedEvent] = []
    client = WebSocketClient("reader", url=stand.server.refused_address, max_retries=1, backoff_base=0.01)
    client.subscribe_feed(told.append)
    handle = await client.subscribe_trade("KRW-BTC", lambda _event: None)
    with pytest.raises(FeedError) as failed:
        await handle.live(timeout=40)
    assert not isinstance(failed.value, TimedOut)
    await client.cleanup()
    shown = "".join(map(repr, [*told, failed.value, client.options, client.statistics()]))
    assert PASSWORD not in shown + str(failed.value) + str(told)
    assert f"127.0.0.1:{stand.server.port}" in str(failed.value)


@pytest.mark.parametrize("stand", ["nats", "redis"], indirect=True)
async def test_a_broker_that_is_away_is_no_health(stand: Stand) -> None:
    await stand.publish(trade(0))
    stand.close()
    await asyncio.to_thread(stand.server.kill)
    async with stand.client() as client:
        handle = await client.subscribe_trade("KRW-BTC", lambda _event: None)
        await becomes(client, HealthState.UNHEALTHY)
        [reason] = client.get_health_status().reasons
        assert "no line yet" in reason.text
        assert PASSWORD not in repr(reason)
        await asyncio.to_thread(stand.server.start)
        await handle.live(timeout=40)
        await becomes(client, HealthState.HEALTHY)
        await asyncio.to_thread(stand.server.kill)
        await becomes(client, HealthState.UNHEALTHY)
        assert "line down" in client.get_health_status().reasons[0].text


async def becomes(client: WebSocketClient, state: HealthState) -> None:
    async with asyncio.timeout(40):
        while client.get_health_status().status is not state:
            await turn()


async def test_symbols_come_and_go_while_it_runs(stand: Stand) -> None:
    await stand.publish(trade(0), trade(5, "KRW-ETH"))
    found: list[TradeEvent] = []
    async with stand.client() as client:
        handle = await client.subscribe_trade("KRW-BTC", found.append)
        await handle.live(timeout=40)
        await handle.add("KRW-ETH")
        await handle.live(timeout=40)
        await handle.remove("KRW-BTC")
        other = await client.subscribe_trade("KRW-BTC", lambda _event: None)
        await other.live(timeout=40)
        await other.unsubscribe()
        async with client.trades("KRW-ETH") as trades:
            await take(trades, 1)
            await stand.publish(trade(1), trade(6, "KRW-ETH"))
            await take(trades, 1)
    assert [(one.symbol, one.sequential_id) for one in found] == [("KRW-BTC", 0), ("KRW-ETH", 5), ("KRW-ETH", 6)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "nats://host", "tape": FeedOptions().tape, "redundancy": 2}, "redundancy is '…'"),
        ({"url": "nats://host", "cursor_file": "x"}, "cursor_file is '…'"),
        ({"source": "me:secret@host"}, "source is '…'; it must be the address of a broker"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        FeedOptions(**options)
    assert "secret" not in str(refused.value)


def test_an_address_with_a_password_is_moved_and_hidden() -> None:
    options = FeedOptions(url="redis://me:secret@host")
    assert (options.url, options.validate, options.recover, options.poll_after) == (None, False, False, None)
    assert "secret" not in repr(options)
    assert FeedOptions(url="redis://me:secret@host") == options
