"""What tests of broker sinks and sources share: a trade, a sink's whole life, a server for all tests of a module."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import pytest

from tapewire.errors import SinkError
from tapewire.model.events import TickerEvent, TradeEvent
from tapewire.sinks.brokers.sink import BrokerSink
from tapewire.sinks.contract import Item
from tapewire.testing.sink_kit import QUESTIONS, SinkCase
from tests.sinks.brokers.rabbit_server import RabbitServer
from tests.sinks.brokers.rabbit_streams import RabbitStreams
from tests.sizes import size

AnySink = TypeVar("AnySink", bound=BrokerSink)


def trade(number: int, symbol: str = "KRW-BTC", *, size: int = 0) -> TradeEvent:
    """``size``: characters in the place of its date."""
    return TradeEvent(
        venue="upbit", symbol=symbol, sequential_id=number, trade_price=1.0, timestamp=number + 1, trade_date="x" * size
    )


def sent(sink: AnySink, *events: Item) -> AnySink:
    """The sink, when it has been opened, written to, flushed and closed."""
    sink.open()
    try:
        sink.write(events)
        sink.flush()
    finally:
        sink.close()
    return sink


def prefixes() -> dict[str, str]:
    """By question of ``sink_kit``, the prefix of what it may write on a server that is asked all of them."""
    return {question: f"q{number}" for number, question in enumerate(QUESTIONS)}


def answers(
    server: RabbitServer,
    make: type[BrokerSink],
    broker_of: Callable[[str], RabbitServer | RabbitStreams],
    poison: Callable[[], TickerEvent],
    folder: Path,
) -> Mapping[str, str]:
    """Ask one server every question of ``sink_kit``; the reasons of those that the sink failed.

    Args:
        broker_of: what a question torments and reads, by its prefix.
    """
    failed: dict[str, str] = {}
    for question, prefix in prefixes().items():
        server.start()
        (folder / prefix).mkdir()
        case = SinkCase(
            make=make, broker=broker_of(prefix), empty=server.empty, folder=folder / prefix, poison=poison,
            options={"prefix": prefix}, outage=size(1, 60), events=size(100, 1_000),
        )  # fmt: skip
        try:
            QUESTIONS[question](case)
        except (AssertionError, SinkError) as error:
            failed[question] = str(error)
    server.start()
    return failed


def rabbit_server(folders: pytest.TempPathFactory, *, keeps_streams: bool = False) -> Iterator[RabbitServer]:
    """The whole of a fixture: one that runs, for all tests of a module, because it takes seconds to start."""
    if not RabbitServer.is_there():
        pytest.skip("make servers")
    with RabbitServer(folders.mktemp("rabbit") / "server", keeps_streams=keeps_streams) as running:
        yield running
