"""Programs that share a broker's messages: each goes to one member, and comes again when its member dies."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tapewire import WebSocketClient
from tapewire.model.events import TradeEvent
from tapewire.model.status import FeedEvent, Gap
from tapewire.runtime.sharing import Sharing
from tapewire.sinks.brokers import kafka_sharing, nats_share, nats_source, redis_share, redis_source
from tapewire.sinks.brokers.sink import BrokerSink
from tests.client.test_sources import BROKERS, Stand, live, overtake, slow, take, trade, turn
from tests.sinks.brokers.rabbit_server import RabbitServer
from tests.sinks.brokers.servers import NatsServer
from tests.sizes import NIGHTLY, size

_NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    """It starts slowly: one for all tests, each of which has a prefix of its own."""
    with RabbitServer(tmp_path_factory.mktemp("rabbit") / "server") as server:
        yield server


@pytest.fixture(params=map(slow, ["kafka", "nats", "rabbitmq", "redis"]))
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
    kind, make = BROKERS[request.param]
    if not kind.is_there():
        pytest.skip(f"{kind.program} is not installed: make servers")
    if kind is RabbitServer:
        server = request.getfixturevalue("rabbit")
        server.start()
        stand = Stand(server, make, f"g{next(_NUMBERS)}.md")
        yield stand
        stand.close()
        return
    with kind(tmp_path / "server") as server:
        stand = Stand(server, make)
        yield stand
        stand.close()


@pytest.fixture(autouse=True)
def _soon_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mock cluster shares a group out anew a second before a member's patience ends, whoever has answered."""
    monkeypatch.setattr(kafka_sharing, "SESSION", 3_000)


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Members that died are inherited from after one second (at night four), not after thirty."""
    monkeypatch.setattr(nats_share, "ACK_WAIT", float(size(1, 4)))
    monkeypatch.setattr(nats_share, "_ALIVE", 0.1)
    monkeypatch.setattr(nats_source, "_CHECK", 0.2)
    monkeypatch.setattr(redis_share, "ACK_WAIT", 1_000 * size(1, 4))
    monkeypatch.setattr(redis_source, "ALIVE", 0.1)


def group(shop: Stand) -> str:
    """Of RabbitMQ a queue that a lone server of 3.10 has again when it was killed some moments after it was made."""
    return "?group=workers&queue=classic" if isinstance(shop.server, RabbitServer) else "?group=workers"


async def begun(shop: Stand, sink: BrokerSink | None = None) -> BrokerSink:
    if sink is None:
        sink = await asyncio.to_thread(shop.sink)
    await shop.publish(trade(0), sink=sink)
    return sink


def member(shop: Stand, number: int) -> WebSocketClient:
    """As one of another program: clients of one program and the same options share a connection."""
    return shop.client(group(shop), max_retries=100 + number)


def keeping(numbers: list[int | None]) -> Callable[[TradeEvent], None]:
    return lambda event: numbers.append(event.sequential_id)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_so():
            await turn()


async def test_each_message_goes_to_one_member(shop: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_sharing, "SESSION", 15_000)  # who is late to answer is put out, and told twice
    sink = await begun(shop)
    found: list[list[int | None]] = [[], [], []]
    members = [member(shop, number) for number in range(3)]
    for one, numbers in zip(members, found, strict=True):
        await one.subscribe_trade("KRW-BTC", keeping(numbers))
        await live(one, 1)
    async with shop.client() as alone, alone.trades("KRW-BTC") as trades:
        await take(trades, 1)
        for start in range(1, 400, 40):
            await shop.publish(*map(trade, range(start, start + 40)), sink=sink)
        await take(trades, 400)
    await until(lambda: sum(map(len, found)) >= 400)
    for one in members:
        await one.cleanup()
    assert sorted(one for numbers in found for one in numbers if one is not None) == list(range(1, 401))


@pytest.mark.usefixtures("_soon")
async def test_what_a_member_had_not_done_comes_to_another(shop: Stand) -> None:
    sink = await begun(shop)
    done: list[int | None] = []
    dies, lives = member(shop, 1), member(shop, 2)
    await holding(dies, shop, sink)
    await lives.subscribe_trade("KRW-BTC", lambda event: done.append(event.sequential_id))
    await live(lives, 1)
    await shop.publish(*map(trade, range(9, 40)), sink=sink)
    dies._pool.kill()
    await until(lambda: set(range(1, 40)) <= set(done))
    await lives.cleanup()
    await dies.cleanup()
    assert len(done) == len(set(done))


@pytest.mark.usefixtures("_soon")
async def test_what_was_on_its_way_to_a_listener_that_left_goes_to_another(shop: Stand) -> None:
    sink = await begun(shop)
    left: list[int | None] = []
    done: list[int | None] = []
    leaves, stays = member(shop, 1), member(shop, 2)

    def hear_one(event: TradeEvent) -> None:
        left.append(event.sequential_id)
        handle.end()

    handle = await leaves.subscribe_trade("KRW-BTC", hear_one)
    await live(leaves, 1)
    await shop.publish(*map(trade, range(1, 40)), sink=sink)
    await until(lambda: bool(left))
    await stays.subscribe_trade("KRW-BTC", keeping(done))
    await live(stays, 1)
    await until(lambda: set(range(2, 40)) <= set(done))
    await leaves.cleanup()
    await stays.cleanup()
    assert left == [1]


@pytest.mark.skipif(not NIGHTLY, reason="takes longer than the broker's patience: make nightly")
@pytest.mark.usefixtures("_soon")
async def test_a_member_that_lives_keeps_what_it_was_given(shop: Stand) -> None:
    sink = await begun(shop)
    done: list[int | None] = []
    slow, other = member(shop, 1), member(shop, 2)
    await holding(slow, shop, sink)
    await other.subscribe_trade("KRW-BTC", lambda event: done.append(event.sequential_id))
    await live(other, 1)
    clock = asyncio.get_running_loop().time
    began, number = clock(), 9
    while clock() < began + 3 * nats_share.ACK_WAIT:
        await shop.publish(trade(number), sink=sink)
        number += 1
        for _ in range(200):
            await turn()
    assert not set(range(1, 9)) & set(done)
    await other.cleanup()
    await slow.cleanup()


async def holding(client: WebSocketClient, shop: Stand, sink: BrokerSink) -> None:
    """A member that was given eight messages, and never comes to the end of the first."""
    taken, never = asyncio.Event(), asyncio.Event()

    async def hang(_event: TradeEvent) -> None:
        taken.set()
        await never.wait()

    await client.subscribe_trade("KRW-BTC", hang)
    await live(client, 1)
    await shop.publish(*map(trade, range(1, 9)), sink=sink)
    await asyncio.wait_for(taken.wait(), 40)
    await until(lambda: len(carrier(client)._undone) == 8)


def carrier(client: WebSocketClient) -> Sharing:
    [found] = client._pool.carriers
    assert isinstance(found, Sharing)
    return found


async def test_a_group_goes_on_where_it_was(shop: Stand) -> None:
    sink = await begun(shop)
    async with shop.client(group(shop)) as first, first.trades("KRW-BTC") as trades:
        waiting = asyncio.create_task(take(trades, 5))
        await live(first, 1)
        await shop.publish(*map(trade, range(1, 6)), sink=sink)
        assert [one.sequential_id for one in await waiting] == [1, 2, 3, 4, 5]
        asking = asyncio.ensure_future(anext(trades))  # who comes for the next has done the one before
        await until(lambda: not carrier(first)._undone)
        asking.cancel()
    await shop.publish(*map(trade, range(6, 12)), sink=sink)
    async with shop.client(group(shop)) as second, second.trades("KRW-BTC") as trades:
        found = await take(trades, 6)
        await shop.publish(trade(12), sink=sink)
        found += await take(trades, 1)
    assert [one.sequential_id for one in found] == list(range(6, 13))


@pytest.mark.parametrize("shop", ["nats", "redis"], indirect=True)
async def test_a_group_is_told_what_was_thrown_away(shop: Stand) -> None:
    """Kafka and RabbitMQ: tests/sinks/brokers/test_kafka_sharing.py, test_rabbitmq_share.py."""
    options = {"max_bytes": 4_000} if isinstance(shop.server, NatsServer) else {}
    sink = await begun(shop, await asyncio.to_thread(lambda: shop.sink(**options)))
    told: list[FeedEvent] = []
    async with shop.client(group(shop)) as client:
        client.subscribe_feed(told.append)
        handle = await client.subscribe_trade("KRW-BTC", lambda _event: None)
        await handle.live(timeout=40)
        await overtake(shop, sink)
        await until(lambda: any(isinstance(event, Gap) for event in told))
    assert {event.cause for event in told if isinstance(event, Gap)} == {"trimmed"}


@pytest.mark.parametrize("shop", ["kafka", "nats", "redis"], indirect=True)
async def test_history_is_shared_if_it_is_asked_for(shop: Stand) -> None:
    await shop.publish(*map(trade, range(10)))
    async with shop.client("?group=late&since=3600") as client, client.trades("KRW-BTC") as trades:
        found = await take(trades, 10)
    assert [one.sequential_id for one in found] == list(range(10))


async def test_a_broker_that_dies_costs_a_group_nothing(shop: Stand) -> None:
    sink = await begun(shop)
    found: list[int | None] = []
    async with shop.client(group(shop)) as client:
        handle = await client.subscribe_trade("KRW-BTC", lambda event: found.append(event.sequential_id))
        await handle.live(timeout=40)
        await shop.publish(*map(trade, range(1, 20)), sink=sink)
        await until(lambda: len(found) == 19)
        await until(lambda: not carrier(client)._undone)
        await asyncio.to_thread(shop.server.kill)
        await asyncio.to_thread(shop.server.start)
        await shop.publish(*map(trade, range(20, 40)), sink=sink)
        await until(lambda: len(found) >= 39)
    assert found == list(range(1, 40))
