"""What a Redis sink keeps beside its streams: the newest of each subject, and a channel for whoever listens."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from tapewire.model.events import TradeEvent
from tapewire.sinks.brokers.redis import RedisSink
from tests.sinks.brokers.servers import RedisServer

BTC, ETH = "md.upbit.kr.trade.KRW-BTC", "md.upbit.kr.trade.KRW-ETH"


def trade(number: int, symbol: str) -> TradeEvent:
    return TradeEvent(venue="upbit", symbol=symbol, sequential_id=number, trade_price=1.0, timestamp=number)


def test_the_newest_is_in_a_hash_and_each_is_on_its_channel(tmp_path: Path) -> None:
    if not RedisServer.is_there():
        pytest.skip("make servers")
    events = [trade(number, symbol) for number in range(30) for symbol in ("KRW-BTC", "KRW-ETH")]
    with RedisServer(tmp_path / "server") as server, closing(redis.Redis.from_url(server.address)) as client:
        listening: Any = redis.client.PubSub(client.connection_pool, ignore_subscribe_messages=True)
        listening.subscribe(BTC)
        assert listening.get_message(timeout=20) is None  # the channel is there
        with closing(RedisSink(server.address, latest=True, pubsub=True)) as sink:
            sink.open()
            sink.write(events)
            sink.flush()
            assert sum(row.events for row in sink.written()) == len(events)
        heard = [listening.get_message(timeout=20) for _ in range(30)]
        newest: Any = client.hgetall("md:latest")
        listening.close()
    assert [number_of(message["data"]) for message in heard if message] == list(range(30))
    assert {name.decode(): number_of(payload) for name, payload in newest.items()} == {BTC: 29, ETH: 29}


def number_of(payload: bytes) -> object:
    return msgspec.json.decode(payload)["sequential_id"]
