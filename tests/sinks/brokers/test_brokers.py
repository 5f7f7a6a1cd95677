"""Every broker sink passes the list, against a real server that is killed and paused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tapewire.model.events import TickerEvent
from tapewire.sinks.brokers.kafka import KafkaSink
from tapewire.sinks.brokers.nats import NatsSink
from tapewire.sinks.brokers.redis import RedisSink
from tapewire.sinks.contract import Item, Sink
from tapewire.testing.sink_kit import QUESTIONS, SinkCase, ask
from tests.sinks.brokers.kafka_cluster import KafkaCluster
from tests.sinks.brokers.servers import NatsServer, RedisServer, Server
from tests.sizes import size


def too_large(_server: object) -> Item:
    """More than the 1 MiB that a NATS server takes."""
    return TickerEvent(venue="upbit", symbol="KRW-POISON", market_warning="x" * 2_000_000)


def larger_still(_server: object) -> Item:
    """More than the 16 MiB that the producer takes."""
    return TickerEvent(venue="upbit", symbol="KRW-POISON", market_warning="x" * 17_000_000)


def no_stream(server: Server) -> Item:
    """Its key is in use for something else."""
    import redis  # noqa: PLC0415

    with closing(redis.Redis.from_url(server.address)) as client:
        client.set("md.upbit.kr.ticker.KRW-POISON", "not a stream")
    return TickerEvent(venue="upbit", symbol="KRW-POISON")


AnyServer = Server | KafkaCluster
SINKS: dict[str, tuple[type[AnyServer], Callable[..., Sink], Callable[[Any], Item]]] = {
    "kafka": (KafkaCluster, KafkaSink, larger_still),
    "nats": (NatsServer, NatsSink, too_large),
    "redis": (RedisServer, RedisSink, no_stream),
}


def case_of(name: str, folder: Path, **options: Any) -> SinkCase:
    kind, make, poison = SINKS[name]
    if not kind.is_there():
        pytest.skip(f"{kind.program} is not installed: make servers")
    server = kind(folder / "server")
    return SinkCase(
        make=make, broker=server, empty=server.empty, folder=folder, poison=lambda: poison(server), options=options,
        outage=size(1, 60), events=size(300, 3_000),
    )  # fmt: skip


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Callable[..., SinkCase]]:
    made: list[SinkCase] = []

    def make(name: str, **options: Any) -> SinkCase:
        made.append(case_of(name, tmp_path, **options))
        return made[-1]

    yield make
    for one in made:
        one.empty()


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("name", SINKS)
def test_a_sink_passes_each_question(name: str, question: str, case: Callable[..., SinkCase]) -> None:
    ask(question, case(name))


@pytest.mark.parametrize("name", SINKS)
@pytest.mark.parametrize("question", ["a_restart_in_mid_stream_loses_nothing", "everything_arrives_whole_and_in_order"])
def test_so_it_does_in_packs(name: str, question: str, case: Callable[..., SinkCase]) -> None:
    ask(question, case(name, batch=20, form="msgpack"))
