"""What the broker holds: where a stream goes on, and what is too old for the broker's own memory of ids."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tapewire import Subscription
from tapewire.fleet.lease import Bucket
from tapewire.fleet.stored import Stored
from tapewire.fleet.words import FleetOptions
from tapewire.model.events import CandleEvent, Event, OrderbookEvent, TickerEvent, TradeEvent
from tapewire.model.status import Stopped
from tapewire.sinks.brokers.address import Address
from tapewire.sinks.brokers.link import Away
from tapewire.sinks.brokers.nats import NatsSink
from tapewire.sinks.brokers.nats_line import SCHEMES
from tests.sinks.brokers.servers import NatsServer
from tests.sinks.brokers.stand import sent

pytestmark = pytest.mark.skipif(not NatsServer.is_there(), reason="make servers")
HOUR_MS = 3_600_000


def trade(number: int, at_ms: int, symbol: str = "KRW-BTC") -> TradeEvent:
    return TradeEvent(venue="upbit", symbol=symbol, sequential_id=number, trade_price=1.0, timestamp=at_ms,
                      received_ns=at_ms * 1_000_000 + 5)  # fmt: skip


def publish(server: NatsServer, *events: Event) -> None:
    sent(NatsSink(server.address), *events)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    with NatsServer(tmp_path / "nats") as running:
        yield running


@pytest.fixture
async def stored(server: NatsServer) -> AsyncIterator[Stored]:
    bucket = Bucket(Address(server.address, SCHEMES), FleetOptions(fleet="upbit", name="a"))
    await bucket.open(make=False)
    yield Stored(lambda: bucket.js, stream="md", prefix="md", venue="upbit", window=1.0)
    await bucket.close()


async def test_a_stream_goes_on_behind_the_newest_event(server: NatsServer, stored: Stored) -> None:
    now = time.time_ns() // 1_000_000
    subscriptions = [Subscription("trade", "KRW-BTC"), Subscription("candle", "KRW-BTC", unit="1m"),
                     Subscription("orderbook", "KRW-BTC", level=10_000)]  # fmt: skip
    assert [await stored.reached(one) for one in subscriptions] == [None, None, None]
    candle = CandleEvent(venue="upbit", symbol="KRW-BTC", unit="1m", timestamp=now, received_ns=7)
    book = OrderbookEvent(venue="upbit", symbol="KRW-BTC", level=10_000.0, timestamp=now + 1, received_ns=8)
    await asyncio.to_thread(publish, server, trade(1, now), trade(9, now, "KRW-ETH"), trade(2, now + 1), candle, book)
    trades, candles, books = [await stored.reached(one) for one in subscriptions]
    assert trades is not None
    assert (trades.last_timestamp, trades.at_ns, trades.ids) == (now + 1, (now + 1) * 1_000_000 + 5, (1, 2))
    assert candles is not None
    assert (candles.last_timestamp, candles.at_ns, candles.ids) == (now, 7, ())
    assert books is not None
    assert books.last_timestamp == now + 1


async def test_what_is_old_is_sent_only_if_the_broker_lacks_it(server: NatsServer, stored: Stored) -> None:
    now = time.time_ns() // 1_000_000
    ticker = TickerEvent(venue="upbit", symbol="KRW-BTC", trade_price=3.0, timestamp=now)
    await asyncio.to_thread(publish, server, trade(1, now), ticker)
    await stored.learn()
    assert await stored.is_new(trade(1, now), now * 1_000_000)  # young: the broker knows by itself
    other = TickerEvent(venue="upbit", symbol="KRW-BTC", trade_price=4.0, timestamp=now)
    long_after = (now + 600_000) * 1_000_000  # older than the broker's memory
    found = [await stored.is_new(one, long_after) for one in (trade(1, now), trade(2, now), ticker, other)]
    assert found == [False, True, False, True]
    assert await stored.is_new(trade(3, now - HOUR_MS), long_after)
    assert await stored.is_new(Stopped(venue="upbit", connection="c", at_ns=1, reason="asked"), long_after)
    assert await stored.is_new(TradeEvent(venue="upbit", symbol="KRW-BTC", sequential_id=1), long_after)


async def test_a_broker_that_is_away_is_given_everything_and_tells_nothing(server: NatsServer, stored: Stored) -> None:
    now = time.time_ns() // 1_000_000
    await asyncio.to_thread(publish, server, trade(1, now))
    await asyncio.to_thread(server.kill)
    assert await stored.is_new(trade(1, now), (now + 600_000) * 1_000_000)
    with pytest.raises(Away):
        await stored.reached(Subscription("trade", "KRW-BTC"))
    await stored.learn()
