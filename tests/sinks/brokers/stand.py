"""What tests of broker sinks and sources share: a trade, a sink's whole life, a server for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import pytest

from tapewire.model.events import TradeEvent
from tapewire.sinks.brokers.sink import BrokerSink
from tapewire.sinks.contract import Item
from tests.sinks.brokers.rabbit_server import RabbitServer

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


def rabbit_server(folders: pytest.TempPathFactory, *, keeps_streams: bool = False) -> Iterator[RabbitServer]:
    """The whole of a fixture: one that runs, for all tests of a module, because it takes seconds to start."""
    if not RabbitServer.is_there():
        pytest.skip("make servers")
    with RabbitServer(folders.mktemp("rabbit") / "server", keeps_streams=keeps_streams) as running:
        yield running
