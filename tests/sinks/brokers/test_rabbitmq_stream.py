"""RabbitMQ's own stream protocol: batches that are confirmed, and doubles that the server drops."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tapewire.errors import ConfigError, SinkError
from tapewire.model.events import Event, OrderbookEvent, TickerEvent, TradeEvent
from tapewire.sinks.brokers.letters import Writer, pack, unpack
from tapewire.sinks.brokers.link import Away
from tapewire.sinks.brokers.rabbitmq import RabbitSink
from tapewire.sinks.brokers.rabbitmq_source import RabbitSource
from tapewire.sinks.brokers.rabbitmq_stream import RabbitStreamLink, RabbitStreamSink, StreamOptions
from tapewire.sinks.brokers.source import Begin, Received
from tests.sinks.brokers.rabbit_server import RabbitServer
from tests.sinks.brokers.rabbit_streams import RabbitStreams
from tests.sinks.brokers.servers import PASSWORD
from tests.sinks.brokers.stand import answers, prefixes, rabbit_server, sent, trade

pytestmark = pytest.mark.timeout(200)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    yield from rabbit_server(tmp_path_factory, keeps_streams=True)


def poison() -> TickerEvent:
    """More than a frame takes."""
    return TickerEvent(venue="upbit", symbol="KRW-POISON", market_warning="x" * 1_100_000)


def opened(server: RabbitServer, **options: Any) -> RabbitStreamSink:
    server.start()
    sink = RabbitStreamSink(server.stream_address, **options)
    sink.open()
    return sink


async def stored(server: RabbitServer, subject: str, count: int) -> list[Event]:
    """The first so many events of a subject, and what comes with them, read by AMQP."""
    source = RabbitSource(server.address, "md")
    await source.connect()
    found: list[Any] = []
    try:
        await source.follow({subject: Begin()})
        async with asyncio.timeout(60):
            while len(found) < count:
                for one in await source.receive():
                    assert isinstance(one, Received)
                    found += unpack(one.headers, one.payload)
            for one in [*await source.receive(), *await source.receive()]:
                assert isinstance(one, Received)
                found += unpack(one.headers, one.payload)
    finally:
        await source.close()
    return found


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_sink_passes_every_question(server: RabbitServer, tmp_path: Path) -> None:
    """One test, so that one server is enough. The streams are made first: one that is some moments old when a lone
    server of 3.10 is killed stays dead.
    """
    server.start()
    kinds = ("upbit.kr.trade", "okx.global.ticker", "upbit.sg.orderbook")
    brokers = {prefix: RabbitStreams(server, *(f"{prefix}.{kind}" for kind in kinds)) for prefix in prefixes().values()}
    for broker in brokers.values():
        broker.make()
    assert answers(server, RabbitStreamSink, brokers.__getitem__, poison, tmp_path) == {}


@pytest.mark.parametrize("other", [{"x-max-age": "1D"}, {"x-stream-max-segment-size-bytes": 1_000_000}])
def test_a_stream_that_is_there_with_other_arguments_stays_as_it_is(
    server: RabbitServer, other: dict[str, Any]
) -> None:
    server.start()
    prefix = f"s6{len(str(other))}"
    there = RabbitStreams(server, f"{prefix}.upbit.kr.trade")
    there.make({"x-queue-type": "stream", **other})
    sink = sent(RabbitStreamSink(there.address, prefix=prefix), trade(1), trade(2))
    assert sink.figures.confirmed == 2
    assert [event for headers, payload in there.stored() for event in unpack(headers, payload)] == [trade(1), trade(2)]


async def test_a_queue_in_the_place_of_a_stream_is_told(server: RabbitServer) -> None:
    await asyncio.to_thread(server.start)
    await asyncio.to_thread(RabbitStreams(server, "s7.upbit.kr.trade").make, {"x-queue-type": "classic"})
    link = RabbitStreamSink(server.stream_address, prefix="s7")._make()
    await link.connect()
    message = pack([Writer("event", "s7").letter(trade(1))], batch=False)
    with pytest.raises(Away, match=r"makes no stream s7\.upbit\.kr\.trade: a queue of another type has its name, or"):
        await link.send([message])
    await link.close()


async def test_what_is_written_is_read_by_amqp(server: RabbitServer) -> None:
    def write() -> int:
        sink = opened(server, prefix="s1", batch=20)
        sink.write([trade(number, symbol) for number in range(500) for symbol in ("KRW-BTC", "KRW-한")])
        sink.flush()
        sink.close()
        return sink.figures.confirmed

    assert await asyncio.to_thread(write) == 1_000
    assert await stored(server, "s1.upbit.kr.trade.KRW-BTC", 500) == [trade(number) for number in range(500)]
    assert await stored(server, "s1.upbit.kr.trade.KRW-%ED%95%9C", 500) == [trade(n, "KRW-한") for n in range(500)]


@pytest.mark.parametrize("scheme", ["amqp", "rabbitmq-stream"])
async def test_a_kind_whose_name_has_a_sign_that_aiormq_refuses(server: RabbitServer, scheme: str) -> None:
    book = OrderbookEvent(venue="upbit", symbol="KRW-BTC", orderbook_units=[], level=0.1, timestamp=1)
    prefix = f"s5-{scheme}"

    def write() -> None:
        server.start()
        sink: RabbitSink | RabbitStreamSink = (
            RabbitSink(server.address, queue="stream", prefix=prefix)
            if scheme == "amqp"
            else RabbitStreamSink(server.stream_address, prefix=prefix)
        )
        sink.open()
        sink.write([book])
        while sink.figures.confirmed < 1:
            sink.flush()
        sink.close()

    await asyncio.to_thread(write)
    assert await stored(server, f"{prefix}.upbit.kr.orderbook-0%2E1.KRW-BTC", 1) == [book]


async def test_a_server_that_is_killed_in_mid_stream_costs_nothing(server: RabbitServer, tmp_path: Path) -> None:
    def write() -> None:
        sink = opened(server, prefix="s2", spool=str(tmp_path / "spool"))
        sink.write(list(map(trade, range(100))))
        sink.flush()
        sink.write(list(map(trade, range(100, 200))))
        server.kill()
        sink.write(list(map(trade, range(200, 300))))
        server.start()
        sink.write(list(map(trade, range(300, 400))))
        while sink.figures.confirmed < 400:
            sink.flush()
        sink.close()

    await asyncio.to_thread(write)
    found = await stored(server, "s2.upbit.kr.trade.KRW-BTC", 400)
    assert list({event.sequential_id: event for event in found if isinstance(event, TradeEvent)}.values()) == [
        trade(number) for number in range(400)
    ]


async def test_what_was_stored_though_nobody_said_so_is_not_stored_twice(
    server: RabbitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line is lost after the write and before the answer: the server is asked what it has."""
    await asyncio.to_thread(server.start)
    made = RabbitStreamSink(server.stream_address, prefix="s3")
    link = made._make()
    assert isinstance(link, RabbitStreamLink)
    writer = Writer("event", "s3")
    messages = [pack([writer.letter(trade(number))], batch=False) for number in range(3)]
    await link.connect()
    assert list(await link.send(messages[:1])) == [None]
    sending = asyncio.create_task(link.send(messages[1:2]))
    async with asyncio.timeout(20):
        await written_unanswered(link, monkeypatch)
    sending.cancel()
    await asyncio.wait({sending})
    assert sending.cancelled()
    await link.close()
    assert await stored(server, "s3.upbit.kr.trade.KRW-BTC", 2) == [trade(0), trade(1)]
    await link.connect()
    assert list(await link.send(messages[1:])) == [None, None]
    await link.close()
    assert await stored(server, "s3.upbit.kr.trade.KRW-BTC", 3) == [trade(number) for number in range(3)]


async def written_unanswered(link: RabbitStreamLink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait until the next batch is on its way; what the server says of it is not heard, however fast it is."""
    written = asyncio.Event()
    producer: Any = link._producer
    send_batch = producer.send_batch

    async def send_unheard(*arguments: Any, on_publish_confirm: Any, **named: Any) -> None:
        await send_batch(*arguments, on_publish_confirm=lambda status: None, **named)
        written.set()

    monkeypatch.setattr(producer, "send_batch", send_unheard)
    await written.wait()


def test_what_is_too_large_is_refused_and_the_others_go_on(server: RabbitServer, tmp_path: Path) -> None:
    sink = opened(server, prefix="s4", spool=str(tmp_path / "spool"))
    sink.write([trade(1), poison(), trade(2)])
    sink.flush()
    sink.close()
    assert (sink.figures.confirmed, sink.figures.refused) == (2, 1)


async def test_a_lost_line_that_rstream_forgets_is_closed_all_the_same(server: RabbitServer) -> None:
    """Whoever asks it for a line when one was just lost makes it forget that one."""
    await asyncio.to_thread(server.start)
    link: Any = RabbitStreamSink(server.stream_address)._make()
    await link.connect()
    pool, client = link._producer._pool, link._producer._default_client
    line, tasks = client._conn, tuple(client._tasks.values())
    await asyncio.to_thread(server.kill)
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=20)
    with pytest.raises(OSError, match="Connect call failed"):
        await pool.get(connection_name="another")
    await link.close()
    assert line._writer.is_closing()


def test_wrong_credentials_and_nobody_there_are_told_at_once(server: RabbitServer) -> None:
    server.start()
    for port, password in ((server.stream_port, "Wrong"), (1, "")):
        sink = RabbitStreamSink(f"rabbitmq-stream://collector:{password}{PASSWORD}@127.0.0.1:{port}")
        with pytest.raises(SinkError, match=f"127.0.0.1:{port}") as refused:
            sink.open()
        gc.collect()  # a line that was left open is told here
        assert PASSWORD not in str(refused.value) + repr(vars(sink))


@pytest.mark.parametrize(
    ("target", "options", "words"),
    [
        ("rabbitmq-stream://h", {"segment": 0}, "segment is 0; it must be 1 or more"),
        ("rabbitmq-stream://h", {"max_age": -1}, "max_age is -1.0; it must be 0 or more"),
        ("rabbitmq-stream://h", {"publisher": ""}, "publisher is ''; it must be a name"),
        ("rabbitmq-stream://me:secret@a,b", {}, "it must be one server"),
    ],
)
def test_what_cannot_be_is_refused(target: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        RabbitStreamSink(target, **options)
    assert "secret" not in str(refused.value)


def test_arguments_of_a_stream() -> None:
    assert StreamOptions(max_age=60, max_bytes=7, segment=5).arguments() == {
        "stream-max-segment-size-bytes": "5", "max-length-bytes": "7", "max-age": "60s",
    }  # fmt: skip
