"""Members of a group at RabbitMQ: one real server, queues that are shared, what comes back and what was thrown away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import aio_pika
import pytest

from tapewire import Subscription, WebSocketClient
from tapewire.errors import ConfigError, FeedError
from tapewire.model.status import Gap
from tapewire.sinks.brokers.link import Away, NotLetIn
from tapewire.sinks.brokers.rabbitmq import RabbitSink
from tapewire.sinks.brokers.rabbitmq_source import RabbitSource
from tapewire.sinks.brokers.source import Begin, Missed, Received
from tapewire.sinks.contract import Item
from tests.sinks.brokers.rabbit_server import RabbitServer
from tests.sinks.brokers.stand import rabbit_server, sent, trade
from tests.sinks.brokers.test_rabbitmq_source import numbers, until

pytestmark = pytest.mark.timeout(200)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    yield from rabbit_server(tmp_path_factory)


async def publish(server: RabbitServer, *events: Item, prefix: str, queue: str = "none") -> None:
    await asyncio.to_thread(sent, RabbitSink(server.address, queue=queue, prefix=prefix), *events)


@asynccontextmanager
async def member(server: RabbitServer, *subjects: str, more: str = "") -> AsyncIterator[RabbitSource]:
    made = RabbitSource(f"{server.address}{more}", "md")
    await made.connect()
    try:
        await made.share(dict.fromkeys(subjects, Begin()), "workers")
        yield made
    finally:
        await made.close()


async def test_what_was_not_done_comes_to_another_at_once_and_what_was_done_does_not(server: RabbitServer) -> None:
    btc = "a.upbit.kr.trade.KRW-BTC"
    async with member(server, btc) as first:
        await publish(server, *map(trade, range(6)), prefix="a")
        came = [one for one in await until(first, 6) if isinstance(one, Received)]
        await first.done(came[:2])
        first.release(came[4:5])
        back = await until(first, 1)
        assert numbers(back) == [("KRW-BTC", 4)]
        await first.done([one for one in back if isinstance(one, Received)])
    async with member(server, btc) as second:
        assert numbers(await until(second, 3)) == [("KRW-BTC", number) for number in (2, 3, 5)]


async def test_a_subject_that_is_left_is_left_to_the_others(server: RabbitServer) -> None:
    btc, eth = "b.upbit.kr.trade.KRW-BTC", "b.upbit.kr.trade.KRW-ETH"
    async with member(server, btc, eth) as leaving, member(server) as other:
        await publish(server, trade(1), prefix="b")
        [one] = await until(leaving, 1)
        assert isinstance(one, Received)
        await leaving.leave([btc, "b.upbit.kr.trade.NEVER"])
        leaving.release([one])
        await other.share({btc: Begin()}, "workers")
        await publish(server, trade(2), trade(1, "KRW-ETH"), prefix="b")
        assert numbers(await until(leaving, 1)) == [("KRW-ETH", 1)]
        assert sorted(numbers(await until(other, 2))) == [("KRW-BTC", 1), ("KRW-BTC", 2)]


async def test_what_was_thrown_away_is_told_by_one_member(server: RabbitServer) -> None:
    btc = "c.upbit.kr.trade.KRW-BTC"
    async with member(server, btc, more="?max_len=3"):
        pass
    await publish(server, *map(trade, range(9)), prefix="c")
    async with member(server, btc) as back:
        found = await until(back, 4)
    assert [one for one in found if isinstance(one, Missed)] == [Missed(btc)]
    assert numbers(found) == [("KRW-BTC", number) for number in (6, 7, 8)]


async def test_what_a_collector_tells_is_heard_by_every_member(server: RabbitServer) -> None:
    """By a queue of its own, where the sink makes no streams."""
    told, btc = "d.upbit.kr.feed.gap", "d.upbit.kr.trade.KRW-BTC"
    gap = Gap(
        venue="upbit", connection="upbit-7", at_ns=9, subscription=Subscription("trade", "KRW-BTC"), cause="reset",
        state="unfilled", from_ns=1, to_ns=2,
    )  # fmt: skip
    sources = [RabbitSource(server.address, "md") for _ in range(2)]
    for one in sources:
        await one.connect()
        await one.follow({told: Begin()})
        await one.share({btc: Begin()}, "workers")
    await publish(server, gap, prefix="d")
    heard = [[one.subject for one in await until(source, 1) if isinstance(one, Received)] for source in sources]
    for one in sources:
        await one.close()
    assert heard == [[told], [told]]


async def test_the_queues_are_quorum_queues_with_the_bounds_that_the_address_names(server: RabbitServer) -> None:
    """What is there is left as it is, so others of the group need not name them; a group shares the sink's exchange."""
    subject = "e.upbit.kr.orderbook-0%2E1.KRW-BTC"
    name = "workers:e.upbit.kr.orderbook-0@2E1.KRW-BTC"
    async with (
        member(server, subject, more="?exchange=house&max_len=7&max_age=60"),
        await aio_pika.connect(server.address) as line,
        await line.channel() as channel,
    ):
        arguments = {
            "x-queue-type": "quorum", "x-max-length": 7, "x-message-ttl": 60_000, "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": f"{name}:dropped",
        }  # fmt: skip
        same = await channel.declare_queue(name, durable=True, arguments=arguments)  # type: ignore[arg-type]
        assert same.declaration_result.consumer_count == 1
        await channel.get_exchange("house")


async def test_a_queue_that_is_deleted_is_a_loss(server: RabbitServer) -> None:
    btc = "f.upbit.kr.trade.KRW-BTC"
    async with member(server, btc) as reader:
        async with await aio_pika.connect(server.address) as line, await line.channel() as channel:
            await channel.queue_delete(f"workers:{btc}")
        with pytest.raises(Away, match="ended a consumer"):
            await until(reader, 1)


async def test_an_exchange_of_another_kind_and_a_name_that_is_too_long_are_told(server: RabbitServer) -> None:
    async with await aio_pika.connect(server.address) as line, await line.channel() as channel:
        await channel.declare_exchange("other", aio_pika.ExchangeType.FANOUT, durable=True)
    for more, subject, words in (
        ("?exchange=other", "g.upbit.kr.trade.KRW-BTC", "inequivalent arg 'type' for exchange 'other'"),
        ("", f"g.upbit.kr.trade.{'X' * 240}", "has more than 255 bytes"),
    ):
        with pytest.raises(NotLetIn, match=words):
            async with member(server, subject, more=more):
                pass


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("queue=stream", 'queue is \'stream\'; it must be "quorum" or "classic"'),
        ("queue=other", "queue is 'other'; it must be"),
        ("max_len=many", "max_len is 'many'; it must be a whole number"),
        ("max_len=0", "max_len is 0; it must be 1 or more"),
        ("max_age=-1", "max_age is -1; it must be 0 or more"),
        ("exchange=", "exchange is ''; it must be a name"),
    ],
)
def test_what_a_queue_cannot_be_is_refused(more: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        RabbitSource(f"amqp://me:secret@host?{more}", "md")
    assert words in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("more", "words"),
    [("since=3600", "since is '3600'"), ("sequence=0", "sequence is 0"), ("sequence=7", "sequence is 7")],
)
async def test_a_group_of_queues_has_no_history(more: str, words: str) -> None:
    client = WebSocketClient("worker", url=f"amqp://me:secret@127.0.0.1:9?group=workers&{more}")
    with pytest.raises(FeedError, match=rf"{words}; it must be left out with a group: at amqp://127.0.0.1:9 it begins"):
        await client.subscribe_trade("KRW-BTC", print)
    await client.cleanup()
