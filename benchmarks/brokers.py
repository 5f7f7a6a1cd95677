"""Broker sinks beside a bare client of the same broker that writes the same bytes.

python -m benchmarks.brokers [ROUNDS [PART OF A NAME]]

Each round publishes the same events through our sink and then twice through the broker's own client, encoded and packed
by the shortest code, with as many messages unconfirmed: once with ids and headers that are ready (it then does less
than we do), once making them, too (it then makes the same bytes of the same events). Before, each has published a
message for each market: what is made once (topics, streams, a producer's number) is not counted. Rates are of the
wall's clock and mean something on an idle machine only; the CPU time is that of this process. The latency is from
receipt to confirmation while 2,000 events a second come.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aio_pika
import confluent_kafka
import msgspec
import nats
import redis.asyncio
import rstream
from tests.sinks.brokers.kafka_cluster import KafkaCluster
from tests.sinks.brokers.rabbit_server import RabbitServer
from tests.sinks.brokers.servers import NatsServer, RedisServer

from tapewire.model.events import TradeEvent
from tapewire.sinks.brokers.kafka import KafkaSink
from tapewire.sinks.brokers.kafka_line import Cluster
from tapewire.sinks.brokers.letters import Message, Writer, pack, unpack
from tapewire.sinks.brokers.nats import NatsSink
from tapewire.sinks.brokers.rabbitmq import RabbitSink
from tapewire.sinks.brokers.rabbitmq_stream import RabbitStreamSink
from tapewire.sinks.brokers.redis import RedisSink
from tapewire.sinks.brokers.sink import BrokerSink

MARKETS = 100
#: Events of a round, by events of one message: a round of packs is over too soon otherwise.
EVENTS = {1: 20_000, 20: 100_000}
#: Between the numbers of two rounds.
APART = 200_000
ROUNDS = 5
WINDOW = 512
#: Events of one ``write``: whole packs, as the bare client makes them.
AT_ONCE = 20 * MARKETS


class Result(NamedTuple):
    wall: float
    cpu: float


def events(first: int, count: int, now: Callable[[], int] = time.time_ns) -> list[TradeEvent]:
    """As Upbit sends them, market after market."""
    return [
        TradeEvent(venue="upbit", symbol=f"KRW-{number % MARKETS}", trade_price=89_628_000.0, trade_volume=0.00115934,
                   ask_bid="ASK", prev_closing_price=89_628_000.0, change="RISE", change_price=260_000.0,
                   sequential_id=17_952_832_427_740_000 + number, trade_timestamp=1_795_283_242_774,
                   timestamp=1_795_283_242_774, trade_date="2026-11-21", trade_time="17:47:22", received_ns=now(),
                   stream_type="REALTIME")
        for number in range(first, first + count)
    ]  # fmt: skip


def packed(batch: int, first: int, form: str, count: int) -> list[Message]:
    writer = Writer(form)  # type: ignore[arg-type]
    lanes: dict[str, list[Any]] = {}
    found = []
    for event in events(first, count):
        letter = writer.letter(event)
        lane = lanes.setdefault(letter.subject, [])
        lane.append(letter)
        if len(lane) == batch:
            found.append(pack(lane, batch=batch > 1))
            lanes[letter.subject] = []
    return found + [pack(lane, batch=batch > 1) for lane in lanes.values() if lane]


def timed(work: Callable[[], None]) -> Result:
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return Result(time.perf_counter() - wall, time.process_time() - cpu)


def ours(make: Callable[..., BrokerSink], address: str, batch: int, first: int, form: str) -> Result:
    sink = make(address, batch=batch, form=form, window=WINDOW)
    sink.open()
    sink.write(events(first + EVENTS[batch], MARKETS))
    sink.flush()
    batches = [events(first + start, AT_ONCE) for start in range(0, EVENTS[batch], AT_ONCE)]

    def work() -> None:
        for some in batches:
            sink.write(some)
        sink.flush()

    try:
        return timed(work)
    finally:
        sink.close()


Row = tuple[str, str, dict[str, str], bytes]


class Bare:
    """What a program without us does: encode each event, join as many as go into a message.

    Ids and headers are ready, or, ``whole``, made by the shortest code, too: then it makes the bytes that we make.
    """

    def __init__(self, batch: int, messages: Sequence[Message], *, whole: bool) -> None:
        self._batch, self._messages, self._whole = batch, messages, whole
        self._events = [list(unpack(message.headers, message.payload)) for message in messages]

    def __iter__(self) -> Iterator[Row]:
        encode = msgspec.json.Encoder().encode
        for message, some in zip(self._messages, self._events, strict=True):
            payload = encode(some[0]) if self._batch == 1 else b"[%s]" % b",".join([encode(event) for event in some])
            one, headers = self._named(some, message) if self._whole else (message.id, message.headers)
            yield message.subject, one, headers, payload

    def _named(self, some: Sequence[Any], message: Message) -> tuple[str, dict[str, str]]:
        last, start = some[-1], message.id[: message.id.rindex("|") + 1]
        headers = {
            "tw-schema": "1", "tw-venue": last.venue, "tw-type": "trade", "tw-symbol": last.symbol, "tw-form": "event",
            "tw-timestamp": str(last.timestamp), "tw-received-ns": str(last.received_ns), "tw-recovered": "0",
        }  # fmt: skip
        if self._batch == 1:
            return f"{start}{last.sequential_id}", headers
        joined = headers["tw-ids"] = ",".join([str(event.sequential_id) for event in some])
        digest = urlsafe_b64encode(blake2b(joined.encode(), digest_size=12).digest()).decode()
        return f"{start}{len(some)}*{digest}", headers


#: Publishes messages and returns when the broker has confirmed them.
Publish = Callable[[Iterable[Row]], Awaitable[None]]
Bares = Callable[[str], AbstractAsyncContextManager[Publish]]


async def theirs(bare: Bares, address: str, batch: int, first: int, *, whole: bool = False) -> Result:
    messages = Bare(batch, packed(batch, first, "event", EVENTS[batch]), whole=whole)
    warm = Bare(batch, packed(batch, first + EVENTS[batch], "event", MARKETS), whole=whole)
    async with bare(address) as publish:
        await publish(warm)
        cpu, wall = time.process_time(), time.perf_counter()
        await publish(messages)
        return Result(time.perf_counter() - wall, time.process_time() - cpu)


@asynccontextmanager
async def bare_nats(address: str) -> AsyncIterator[Publish]:
    client = await nats.connect(address)
    js = client.jetstream(publish_async_max_pending=WINDOW)

    async def publish(messages: Iterable[Row]) -> None:
        for subject, one, headers, payload in messages:
            await js.publish_async(subject, payload, headers={**headers, "Nats-Msg-Id": one})
        await js.publish_async_completed()

    yield publish
    await client.close()


@asynccontextmanager
async def bare_redis(address: str) -> AsyncIterator[Publish]:
    client = redis.asyncio.Redis.from_url(address)

    async def publish(messages: Iterable[Row]) -> None:
        pipe, waiting = client.pipeline(transaction=False), 0
        for subject, one, headers, payload in messages:
            fields: dict[Any, Any] = {"id": one, **headers, "payload": payload}
            pipe.xadd(subject, fields, maxlen=100_000)
            waiting += 1
            if waiting == WINDOW:
                await pipe.execute()
                waiting = 0
        await pipe.execute()

    yield publish
    await client.aclose()


@asynccontextmanager
async def bare_rabbitmq(address: str) -> AsyncIterator[Publish]:
    """One queue behind a topic exchange, confirms by windows."""
    async with await aio_pika.connect(address) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange("bare", aio_pika.ExchangeType.TOPIC, durable=True)
        queue = await channel.declare_queue("bare", durable=True, arguments={"x-queue-type": "quorum"})
        await queue.bind(exchange, "#")

        async def publish(messages: Iterable[Row]) -> None:
            waiting: list[Any] = []
            for subject, one, headers, payload in messages:
                message = aio_pika.Message(payload, headers=dict(headers), message_id=one, delivery_mode=2)
                waiting.append(exchange.publish(message, subject))
                if len(waiting) == WINDOW:
                    await asyncio.gather(*waiting)
                    waiting = []
            await asyncio.gather(*waiting)

        yield publish


@asynccontextmanager
async def bare_streams(address: str) -> AsyncIterator[Publish]:
    """One stream, rstream's own encoding, batches of a window."""
    url = urlsplit(address)
    producer = rstream.Producer(url.hostname, url.port, username=url.username, password=url.password)
    await producer.start()
    await producer.create_stream("bare", exists_ok=True)
    done = asyncio.Event()
    left = 0

    def hear(_status: Any) -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set()

    async def send(batch: list[Any]) -> None:
        nonlocal left
        left = len(batch)
        done.clear()
        await producer.send_batch("bare", batch, publisher_name="bare", on_publish_confirm=hear)
        await done.wait()

    async def publish(messages: Iterable[Row]) -> None:
        waiting: list[Any] = []
        size = 0
        for subject, one, headers, payload in messages:
            if len(waiting) == WINDOW or size > 700_000:
                await send(waiting)
                waiting, size = [], 0
            waiting.append(rstream.AMQPMessage(
                properties=rstream.Properties(message_id=one), application_properties=dict(headers), body=payload,
                message_annotations={"x-routing-key": subject},
            ))  # fmt: skip
            size += len(payload) + 600
        await send(waiting)

    yield publish
    await producer.close()


@asynccontextmanager
async def bare_kafka(address: str) -> AsyncIterator[Publish]:
    settings = Cluster(address).settings()
    producer = confluent_kafka.Producer({
        **settings, "enable.idempotence": True, "compression.type": "lz4", "queue.buffering.max.messages": WINDOW,
    })  # fmt: skip
    producer.list_topics(timeout=10)

    def hear(error: confluent_kafka.KafkaError | None, _message: Any) -> None:
        if error is not None:
            raise confluent_kafka.KafkaException(error)

    async def publish(messages: Iterable[Row]) -> None:
        for subject, one, headers, payload in messages:
            topic, _, key = subject.rpartition(".")
            while True:
                try:
                    producer.produce(topic, payload, key, headers=[*headers.items(), ("tw-id", one)], on_delivery=hear)
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        producer.flush()

    yield publish
    producer.close()


def latency(make: Callable[..., BrokerSink], address: str, batch: int, first: int) -> tuple[float, float]:
    """Milliseconds from receipt to confirmation, p50 and p99, of 2,000 events a second handed over every 5 ms."""
    sink, waits = make(address, batch=batch), []

    def hear(messages: Sequence[Message]) -> None:
        now = time.time_ns()
        waits.extend((now - letter.received_ns) / 1e6 for message in messages for letter in message.letters)

    sink.hear = hear
    sink.open()
    pause = threading.Event()
    for number in range(400):
        sink.write(events(first + number * 10, 10))
        pause.wait(0.005)
    sink.flush()
    sink.close()
    cuts = statistics.quantiles(waits, n=100)
    return cuts[49], cuts[98]


class Streams(RabbitServer):
    """As RabbitServer, at the port of its own stream protocol."""

    @property
    def address(self) -> str:
        return self.stream_address


BROKERS: dict[str, tuple[Callable[..., Any], Callable[..., BrokerSink], Bares]] = {
    "RabbitMQ, quorum queue": (RabbitServer, RabbitSink, bare_rabbitmq),
    "RabbitMQ, streams (rstream)": (Streams, RabbitStreamSink, bare_streams),
    "Kafka (mock of librdkafka)": (KafkaCluster, KafkaSink, bare_kafka),
    "NATS JetStream": (NatsServer, NatsSink, bare_nats),
    "Redis Streams": (RedisServer, RedisSink, bare_redis),
}


def rate(results: Sequence[Result], count: int) -> float:
    """Events a second of the best round."""
    return count / min(one.wall for one in results)


def cost(results: Sequence[Result], count: int) -> float:
    """CPU time of this process an event, us, of the best round."""
    return min(one.cpu for one in results) / count * 1e6


def main(rounds: int, only: str) -> None:
    print("| Broker | batch | events/s | bare client | ratio | and ids, headers | ratio "
          "| µs CPU an event | bare | and ids, headers | p50 | p99 |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for name, (kind, make, bare) in BROKERS.items():
        if only.lower() not in name.lower():
            continue
        for batch in (1, 20):
            with tempfile.TemporaryDirectory() as folder, kind(Path(folder) / "server") as server:
                first, mine, bares, wholes = 0, [], [], []
                for _ in range(rounds):
                    mine.append(ours(make, server.address, batch, first, "event"))
                    for whole, found in ((False, bares), (True, wholes)):
                        first += APART
                        found.append(asyncio.run(theirs(bare, server.address, batch, first, whole=whole)))
                    first += APART
                p50, p99 = latency(make, server.address, batch, first)
            our, their, full = (rate(one, EVENTS[batch]) for one in (mine, bares, wholes))
            rates = f"{our:,.0f} | {their:,.0f} | {our / their:.2f} | {full:,.0f} | {our / full:.2f}"
            costs = " | ".join(f"{cost(one, EVENTS[batch]):.1f}" for one in (mine, bares, wholes))
            print(f"| {name} | {batch} | {rates} | {costs} | {p50:.1f} ms | {p99:.1f} ms |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS, sys.argv[2] if len(sys.argv) > 2 else "")
