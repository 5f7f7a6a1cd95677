"""What the source of RabbitMQ has of its own: one stream for many symbols, how far back it looks, what is gone."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tapewire.model.events import CandleEvent, Event, TradeEvent
from tapewire.sinks.brokers import rabbitmq_source
from tapewire.sinks.brokers.letters import unpack
from tapewire.sinks.brokers.link import Away, NotLetIn
from tapewire.sinks.brokers.rabbitmq import RabbitSink
from tapewire.sinks.brokers.rabbitmq_looking import PREFETCH
from tapewire.sinks.brokers.rabbitmq_source import RabbitSource
from tapewire.sinks.brokers.source import Begin, Missed, Received
from tests.sinks.brokers.rabbit_server import RabbitServer
from tests.sinks.brokers.servers import PASSWORD, USER
from tests.sinks.brokers.stand import rabbit_server, sent, trade

pytestmark = pytest.mark.timeout(200)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    yield from rabbit_server(tmp_path_factory)


async def publish(server: RabbitServer, *events: Event, **options: Any) -> None:
    await asyncio.to_thread(sent, RabbitSink(server.address, queue="stream", **options), *events)


@asynccontextmanager
async def source(server: RabbitServer) -> AsyncIterator[RabbitSource]:
    made = RabbitSource(server.address, "md")
    await made.connect()
    try:
        yield made
    finally:
        await made.close()


async def until(source: RabbitSource, count: int) -> list[Received | Missed]:
    found: list[Received | Missed] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            found += await source.receive()
    return found


def numbers(messages: Sequence[Received | Missed]) -> list[tuple[str, int | None]]:
    received = [one for one in messages if isinstance(one, Received)]
    events = [event for one in received for event in unpack(one.headers, one.payload)]
    return [(event.symbol, event.sequential_id) for event in events if isinstance(event, TradeEvent)]


def candle(unit: str) -> CandleEvent:
    return CandleEvent(venue="upbit", symbol="KRW-BTC", unit=unit, timestamp=1)


async def turn() -> None:
    """One turn of the loop."""
    await asyncio.sleep(0)


async def test_one_consumer_reads_for_all_and_nobody_hears_anything_twice(server: RabbitServer) -> None:
    markets = ("KRW-BTC", "KRW-ETH", "KRW-XRP")
    await publish(server, *(trade(number, symbol) for number in range(3) for symbol in markets), prefix="a")
    btc, eth = "a.upbit.kr.trade.KRW-BTC", "a.upbit.kr.trade.KRW-ETH"
    async with source(server) as reader:
        assert await reader.follow({btc: Begin()}) == frozenset()
        assert numbers(await until(reader, 3)) == [("KRW-BTC", number) for number in range(3)]
        assert await reader.follow({eth: Begin()}) == frozenset()
        assert numbers(await until(reader, 3)) == [("KRW-ETH", number) for number in range(3)]
        await publish(server, trade(3), trade(3, "KRW-ETH"), prefix="a")
        assert sorted(numbers(await until(reader, 2))) == [("KRW-BTC", 3), ("KRW-ETH", 3)]
        await reader.leave([btc])
        await publish(server, trade(4), trade(4, "KRW-ETH"), prefix="a")
        assert numbers(await until(reader, 1)) == [("KRW-ETH", 4)]
        await reader.leave([eth])


async def test_the_newest_is_found_however_far_back_it_is(server: RabbitServer) -> None:
    await publish(server, trade(7, "KRW-ETH"), prefix="b")
    for number in range(0, 400, 200):
        await publish(server, *map(trade, range(number, number + 200)), prefix="b")
    wanted = ["KRW-BTC", "KRW-ETH", "KRW-NONE"]
    async with source(server) as reader:
        newest = await reader.latest([f"b.upbit.kr.trade.{one}" for one in wanted] + ["b.upbit.kr.ticker.KRW-BTC"])
    assert sorted(numbers(newest)) == [("KRW-BTC", 399), ("KRW-ETH", 7)]


async def test_history_begins_at_a_time_a_number_or_behind_what_was_heard(server: RabbitServer) -> None:
    btc = "c.upbit.kr.trade.KRW-BTC"
    await publish(server, *map(trade, range(5)), prefix="c")
    async with source(server) as reader:
        for begin, first in ((Begin(sequence=3), 3), (Begin(since_ns=10**18), 0), (Begin(after="1"), 2)):
            await reader.follow({btc: begin})
            assert [number for _, number in numbers(await until(reader, 5 - first))] == list(range(first, 5))
            await reader.leave([btc])
        await reader.follow({btc: Begin(since_ns=2_000_000_000 * 10**9)})  # in the year 2033
        await publish(server, trade(5), prefix="c")
        assert numbers(await until(reader, 1)) == [("KRW-BTC", 5)]


async def test_what_the_server_threw_away_is_told(server: RabbitServer) -> None:
    btc, eth = "d.upbit.kr.trade.KRW-BTC", "d.upbit.kr.trade.KRW-ETH"
    options: dict[str, Any] = {"prefix": "d", "max_bytes": 200_000, "segment": 50_000}
    await publish(server, trade(0), trade(0, "KRW-ETH"), **options)
    async with source(server) as reader:
        [first] = await reader.latest([btc])
        await publish(server, *(trade(number, size=5_000) for number in range(1, 200)), **options)
        assert await reader.follow({btc: Begin(after=first.position), eth: Begin()}) == {btc}
        [(_, oldest)] = numbers(await until(reader, 2))[:1]
    assert oldest is not None
    assert oldest > 1


async def test_what_was_sent_when_a_stream_was_left_is_acknowledged_too(server: RabbitServer) -> None:
    """The server sends 500 messages of a stream before it wants to hear that any was read."""
    btc, other = "k.upbit.kr.trade.KRW-BTC", "k.upbit.kr.candle-1s.KRW-BTC"
    await publish(server, candle("1s"), *map(trade, range(1_200)), prefix="k")
    async with source(server) as reader:
        await reader.follow({other: Begin()})
        found = await until(reader, 1)
        await reader.follow({btc: Begin()})
        async with asyncio.timeout(60):
            while len(reader._came) < PREFETCH:
                await turn()
        await reader.leave([other])
        found += await until(reader, 1_200)
    assert [number for _, number in numbers(found)] == list(range(1_200))


async def test_what_the_server_writes_into_a_stream_itself_is_no_loss(server: RabbitServer) -> None:
    """Each file of a stream may begin with a record of the server's own, which has an offset, too."""
    btc = "i.upbit.kr.trade.KRW-BTC"
    async with source(server) as reader:
        await publish(server, *(trade(number, size=5_000) for number in range(60)), prefix="i", segment=50_000)
        await reader.follow({btc: Begin()})
        found = await until(reader, 60)
        await publish(server, trade(60), prefix="i")
        found += await until(reader, 1)
    assert [number for _, number in numbers(found)] == list(range(61))
    assert len(found) == 61, "no Missed"
    assert [int(one.position) for one in found if isinstance(one, Received)][-1] > 60, "the server wrote something"


async def test_what_the_server_threw_away_is_told_on_a_line_that_lives(server: RabbitServer) -> None:
    """It is told together with what came behind it: from there on the next line would go on."""
    btc = "j.upbit.kr.trade.KRW-BTC"
    options: dict[str, Any] = {"prefix": "j", "max_bytes": 200_000, "segment": 50_000}
    await publish(server, trade(0), **options)
    found, holes = [-1], 0
    async with source(server) as reader:
        await reader.follow({btc: Begin()})
        await publish(server, *(trade(number, size=1_000) for number in range(1, 2_000)), **options)
        async with asyncio.timeout(60):
            while found[-1] != 1_999:
                batch = await reader.receive()
                came = [number for _, number in numbers(batch) if number is not None]
                if came != [*range(found[-1] + 1, found[-1] + 1 + len(came))]:
                    holes += 1
                    assert Missed(btc) in batch
                found += came
    assert holes
    assert len(found) < 2_000


async def test_streams_that_appear_are_read_though_whoever_receives_is_cancelled(
    server: RabbitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question to RabbitMQ that is given up closes its channel, and with it all that is read there."""
    monkeypatch.setattr(rabbitmq_source, "_MISSING", 1e9)
    units = ("1s", "1m", "3m", "5m", "10m", "15m", "30m", "60m")
    subjects = [f"e.upbit.kr.candle-{unit}.KRW-BTC" for unit in units]
    async with source(server) as reader:
        await reader.follow(dict.fromkeys(subjects, Begin()))
        await publish(server, *map(candle, units), prefix="e")
        monkeypatch.setattr(rabbitmq_source, "_MISSING", 0.0)
        channel: Any = reader._channel
        receiving = asyncio.create_task(reader.receive())
        async with asyncio.timeout(60):
            while not channel.consumers:  # the first is being asked for
                await turn()
        receiving.cancel()
        await asyncio.wait({receiving})
        assert receiving.cancelled()
        found = await until(reader, len(units))
    assert sorted(one.subject for one in found) == sorted(subjects)


async def test_a_channel_that_the_server_closes_ends_the_line(server: RabbitServer) -> None:
    await publish(server, trade(1), prefix="h")
    async with source(server) as reader:
        await reader.follow({"h.upbit.kr.trade.KRW-BTC": Begin()})
        await until(reader, 1)
        await reader._channel.basic_ack(999, wait=False)  # what was never delivered
        with pytest.raises(Away, match="closed the channel"):
            await until(reader, 1)


async def test_a_server_that_says_nothing_is_away_and_the_next_is_asked(
    server: RabbitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rabbitmq_source, "ANSWER_WITHIN", 0.5)
    lines: list[asyncio.StreamWriter] = []
    async with await asyncio.start_server(lambda _, writer: lines.append(writer), "127.0.0.1", 0) as silent:
        there = f"127.0.0.1:{silent.sockets[0].getsockname()[1]}"
        with pytest.raises(Away, match=re.escape("no answer within 0.5 s")):
            await RabbitSource(f"amqp://{USER}:{PASSWORD}@{there}", "md").connect()
        reader = RabbitSource(f"amqp://{USER}:{PASSWORD}@{there},{USER}:{PASSWORD}@127.0.0.1:{server.port}", "md")
        await reader.connect()
        assert await reader.latest(["f.upbit.kr.trade.KRW-BTC"]) == []
        await reader.close()
        for line in lines:
            line.close()


async def test_a_question_that_is_not_answered_ends_the_line(
    server: RabbitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with source(server) as reader:
        monkeypatch.setattr(rabbitmq_source, "ANSWER_WITHIN", 0.5)
        server.pause()
        try:
            with pytest.raises(Away, match=re.escape("no answer within 0.5 s")):
                await reader.latest(["g.upbit.kr.trade.KRW-BTC"])
        finally:
            server.resume()


async def test_a_question_that_the_client_gives_up_ends_the_line_and_not_who_asked(server: RabbitServer) -> None:
    """When the server gives no sign of life, aiormq cancels who waits for an answer."""
    async with source(server) as reader:
        client: Any = reader._connection
        server.pause()
        try:
            asking = asyncio.create_task(reader.latest(["l.upbit.kr.trade.KRW-BTC"]))
            for _ in range(20):
                await turn()
            client._reader_task.cancel()
            with pytest.raises(Away, match="no sign of life"):
                await asking
        finally:
            server.resume()


async def test_what_was_read_of_a_stream_that_is_left_is_not_told_when_it_is_followed_again(
    server: RabbitServer,
) -> None:
    btc = "m.upbit.kr.trade.KRW-BTC"
    await publish(server, *map(trade, range(3)), prefix="m")
    async with source(server) as reader:
        await reader.follow({btc: Begin()})
        async with asyncio.timeout(60):
            while len(reader._came) < 3:
                await turn()
        reader._take()  # whoever received was cancelled
        await reader.leave([btc])
        await reader.follow({btc: Begin(sequence=2)})
        assert numbers(await until(reader, 1)) == [("KRW-BTC", 2)]


async def test_wrong_credentials_are_no_loss(server: RabbitServer) -> None:
    reader = RabbitSource(server.refused_address, "md")
    with pytest.raises(NotLetIn, match="ACCESS_REFUSED"):
        await reader.connect()
    await reader.close()
