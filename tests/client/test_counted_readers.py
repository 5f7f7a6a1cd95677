"""From two collectors through a broker that dies to a reader that counts: nothing lost, nothing doubled, in order."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tapewire.model.events import TradeEvent
from tapewire.model.status import FeedEvent, Gap
from tests.client.test_sources import BROKERS, Stand, live, trade, turn
from tests.sizes import size

SYMBOLS = ("KRW-BTC", "KRW-ETH", "KRW-XRP")


@pytest.fixture(params=["nats", "redis"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
    kind, make = BROKERS[request.param]
    if not kind.is_there():
        pytest.skip(f"{kind.program} is not installed: make servers")
    with kind(tmp_path / "server") as server:
        stand = Stand(server, make)
        yield stand
        stand.close()


@pytest.mark.parametrize("batch", [1, 20])
async def test_what_a_reader_counts_is_what_two_collectors_saw(shop: Stand, tmp_path: Path, batch: int) -> None:
    rounds, step = size(2, 30), size(40, 400)
    spools = [str(tmp_path / name) for name in ("one", "other")]
    sinks = [await asyncio.to_thread(partial(shop.sink, batch=batch, spool=spool)) for spool in spools]
    found: defaultdict[str, list[int | None]] = defaultdict(list)
    told: list[FeedEvent] = []

    def count(event: TradeEvent) -> None:
        found[event.symbol].append(event.sequential_id)

    async with shop.client() as reader:
        reader.subscribe_feed(told.append)
        await reader.subscribe_trade(SYMBOLS, count, "realtime_only")
        await live(reader, len(SYMBOLS))
        for start in range(1, rounds * step, step):
            events = [trade(number, symbol) for number in range(start, start + step) for symbol in SYMBOLS]
            writing = [asyncio.create_task(asyncio.to_thread(sink.write, events)) for sink in sinks]
            await asyncio.to_thread(shop.server.kill)
            await asyncio.to_thread(shop.server.start)
            await asyncio.gather(*writing)
            async with asyncio.timeout(50):  # what one collector has not sent yet is not what the next round brings
                while any(sink.figures.confirmed < (start - 1 + step) * len(SYMBOLS) for sink in sinks):
                    await turn()
        async with asyncio.timeout(50):
            while sum(map(len, found.values())) < rounds * step * len(SYMBOLS):
                await turn()
    assert dict(found) == {symbol: list(range(1, rounds * step + 1)) for symbol in SYMBOLS}
    assert not any(isinstance(event, Gap) for event in told)
