"""A cluster of three NATS servers: its leader dies in mid-stream, and nothing is lost, doubled or out of order."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tapewire.errors import SinkError
from tapewire.model.events import TradeEvent
from tapewire.sinks.brokers.letters import unpack
from tapewire.sinks.brokers.nats import NatsSink
from tests.sinks.brokers.servers import NatsCluster, NatsServer
from tests.sizes import size

SYMBOLS = [f"KRW-{number}" for number in range(5)]


def trades(start: int, end: int) -> list[TradeEvent]:
    return [
        TradeEvent(venue="upbit", symbol=symbol, sequential_id=number, trade_price=1.0, timestamp=number + 1)
        for number in range(start, end) for symbol in SYMBOLS
    ]  # fmt: skip


def opened(cluster: NatsCluster, spool: Path) -> NatsSink:
    """A cluster that has just been started needs a moment until it has a leader."""
    patience = threading.Event()
    for _ in range(100):
        sink = NatsSink(cluster.address, replicas=3, spool=str(spool), confirm_timeout=3.0)
        try:
            sink.open()
        except SinkError:
            sink.close()
            patience.wait(0.2)
        else:
            return sink
    raise AssertionError("the cluster has no leader")


@pytest.mark.timeout(170)
def test_the_death_of_the_leader_costs_nothing(tmp_path: Path) -> None:
    if not NatsServer.is_there():
        pytest.skip("make servers")
    rounds, step = size(1, 10), 100
    with NatsCluster(tmp_path) as cluster:
        sink = opened(cluster, tmp_path / "spool")
        for number in range(rounds):
            sink.write(trades(number * step, number * step + step // 2))
            dead = cluster.leader()
            dead.kill()
            sink.write(trades(number * step + step // 2, (number + 1) * step))
            confirmed(sink, (number + 1) * step * len(SYMBOLS))
            dead.start()
        sink.close()
        found: dict[str, list[int | None]] = {symbol: [] for symbol in SYMBOLS}
        for headers, payload in cluster.stored():
            for event in unpack(headers, payload):
                assert isinstance(event, TradeEvent)
                found[event.symbol].append(event.sequential_id)
    assert found == {symbol: list(range(rounds * step)) for symbol in SYMBOLS}


def confirmed(sink: NatsSink, count: int) -> None:
    patience = threading.Event()
    for _ in range(3_000):
        if sink.figures.confirmed >= count:
            return
        patience.wait(0.02)
    raise AssertionError(f"{sink.figures} of {count}")
