"""RabbitMQ's sink against one real server, which is killed where a question wants it; what the sink has of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tapewire.errors import ConfigError, SinkError
from tapewire.model.events import Event, TickerEvent
from tapewire.sinks.brokers.letters import unpack
from tapewire.sinks.brokers.rabbitmq import RabbitSink
from tapewire.sinks.brokers.rabbitmq_queues import QueueOptions
from tests.sinks.brokers.rabbit_server import LARGEST, RabbitServer
from tests.sinks.brokers.servers import PASSWORD
from tests.sinks.brokers.stand import answers, prefixes, rabbit_server, sent, trade

pytestmark = pytest.mark.timeout(200)  # the server starts slowly on a busy machine


def poison() -> TickerEvent:
    """More than the server takes."""
    return TickerEvent(venue="upbit", symbol="KRW-POISON", market_warning="x" * (LARGEST + 1_000_000))


def publish(server: RabbitServer, *events: Event, **options: Any) -> RabbitSink:
    return sent(RabbitSink(server.address, **options), *events)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    yield from rabbit_server(tmp_path_factory)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_sink_passes_every_question(server: RabbitServer, tmp_path: Path) -> None:
    """One test, so that one server is enough: it takes seconds to start.

    The queues are made first: a quorum queue that is some moments old when a lone server of 3.10 is killed stays dead.
    """
    for prefix in prefixes().values():
        publish(server, prefix=prefix)

    def with_queue(prefix: str) -> RabbitServer:
        server.queue = prefix
        return server

    assert answers(server, RabbitSink, with_queue, poison, tmp_path) == {}


def test_exchange_routing_key_and_properties(server: RabbitServer) -> None:
    server.start()
    server.queue = "x1.md"
    publish(server, trade(1), prefix="x1.md")
    [message] = server.messages()
    assert (message.exchange, message.routing_key) == ("x1.md", "x1.md.upbit.kr.trade.KRW-BTC")
    assert (message.message_id, message.content_type) == ("upbit|trade|KRW-BTC|1", "application/json")
    assert (message.headers["tw-schema"], message.delivery_mode) == ("1", 2)


def test_what_is_there_stays_as_it_is(server: RabbitServer) -> None:
    server.start()
    server.queue = "x2"
    publish(server, trade(1), prefix="x2", queue="classic", max_len=7)
    publish(server, trade(2), prefix="x2", queue="quorum", max_len=9)
    found = [event for headers, payload in server.stored() for event in unpack(headers, payload)]
    assert found == [trade(1), trade(2)]


def test_an_exchange_of_another_type_is_told(server: RabbitServer) -> None:
    server.start()
    with pytest.raises(SinkError, match=r"exchange 'amq\.direct'") as refused:
        publish(server, prefix="x3", exchange="amq.direct")
    assert PASSWORD not in str(refused.value)


def test_who_wants_no_queue_gets_none(server: RabbitServer) -> None:
    server.start()
    sink = publish(server, trade(1), prefix="x4", queue="none")
    assert sink.figures.confirmed == 1


def test_a_routing_key_that_is_too_long_is_refused(server: RabbitServer, tmp_path: Path) -> None:
    server.start()
    server.queue = "x5"
    sink = publish(server, trade(1), trade(2, "X" * 250), trade(3), prefix="x5", spool=str(tmp_path / "spool"))
    assert (sink.figures.confirmed, sink.figures.refused) == (2, 1)


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ({}, {"x-queue-type": "quorum", "x-max-length": 1_000_000, "x-message-ttl": 86_400_000}),
        ({"queue": "classic", "max_len": None, "max_age": 0}, {"x-queue-type": "classic"}),
        ({"queue": "stream", "max_bytes": 7, "segment": 5},
         {"x-queue-type": "stream", "x-max-age": "86400s", "x-max-length-bytes": 7,
          "x-stream-max-segment-size-bytes": 5}),
        ({"queue": "stream", "max_age": 0}, {"x-queue-type": "stream", "x-stream-max-segment-size-bytes": 100_000_000}),
    ],
)  # fmt: skip
def test_arguments_of_what_is_made(options: dict[str, Any], arguments: dict[str, Any]) -> None:
    assert QueueOptions(**options).arguments() == arguments


@pytest.mark.parametrize(
    ("target", "options", "words"),
    [
        ("amqp://h", {"queue": "lazy"}, "queue is 'lazy'; it must be "),
        ("amqp://h", {"max_len": 0}, "max_len is 0; it must be 1 or more, or None for all"),
        ("amqp://h", {"segment": 0}, "segment is 0; it must be 1 or more"),
        ("amqp://h", {"max_age": -1}, "max_age is -1.0; it must be 0 or more"),
        ("amqp://h", {"exchange": ""}, "exchange is ''; it must be a name"),
        ("amqp://me:secret@h:port", {}, "address is 'amqp://h:port'; it must be an address such as amqp://host"),
    ],
)
def test_what_cannot_be_is_refused(target: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        RabbitSink(target, **options)
    assert "secret" not in str(refused.value)
