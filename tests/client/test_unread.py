"""A recorder alone leaves tickers and order books unread; who wants them gets them read, all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tapewire import Subscription, TapeOptions, WebSocketClient
from tapewire.model.events import OrderbookEvent
from tapewire.model.line import Loss
from tapewire.model.status import FeedEvent, Gap
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tapewire.sinks.files.jsonl import JsonlSink
from tapewire.venues.registry import get_venue
from tests.client.test_sinks import until

CODES = ("KRW-BTC", "KRW-ETH")
STREAMS = [Subscription(kind, code) for kind in ("orderbook", "ticker") for code in CODES]
#: Longer than a control frame may be, as all data are.
DAMAGED = b'{"type":"%s","code":"%s","x":#%d,"timestamp":1,"note":"' + b"." * 80 + b'"}'


class Recorder:
    """A client that records a simulator; whether it reads a stream shows by where a damaged frame goes."""

    def __init__(self, simulator: Simulator, folder: Path, **options: Any) -> None:
        self.simulator, self.folder, self.sink = simulator, folder, JsonlSink(folder)
        self.client = WebSocketClient("fed", url=simulator.url, keep_raw=True, **options)
        self._number = 0

    def count(self) -> int:
        return sum(row.events for row in self.sink.written())

    async def more(self, lines: int = 200) -> None:
        enough = self.count() + lines
        await until(lambda: self.count() > enough)

    async def reads(self, kind: str, code: str) -> bool:
        """Whether frames of the stream are read."""
        await self.more()
        self._number += 1
        damaged = DAMAGED % (kind.encode(), code.encode(), self._number)
        self.simulator.inject(damaged)
        line = b"#%d," % self._number
        await until(lambda: bool(_with(line, self.folder)))
        return _with(line, self.folder) == ["misc.jsonl"]


def _with(text: bytes, folder: Path) -> list[str]:
    return [path.name for path in folder.glob("*.jsonl") if text in path.read_bytes()]


@asynccontextmanager
async def recording(folder: Path, **options: Any) -> AsyncIterator[Recorder]:
    async with Simulator(Scenario(markets=CODES, rate=1_500.0)) as simulator:
        recorder = Recorder(simulator, folder, **options)
        async with recorder.client:
            await recorder.client.add_sink(recorder.sink, STREAMS)
            yield recorder


async def test_what_is_only_recorded_is_not_read_and_who_wants_it_gets_it(tmp_path: Path) -> None:
    heard: list[OrderbookEvent] = []
    async with recording(tmp_path) as recorder:
        assert not await recorder.reads("orderbook", "KRW-BTC")
        assert not await recorder.reads("ticker", "KRW-ETH")
        handle = await recorder.client.subscribe_orderbook("KRW-BTC", heard.append)
        await until(lambda: len(heard) > 50)
        assert await recorder.reads("orderbook", "KRW-BTC")
        assert not await recorder.reads("orderbook", "KRW-ETH")
        await handle.unsubscribe()
        assert not await recorder.reads("orderbook", "KRW-BTC")
    assert all(book.orderbook_units for book in heard)


async def test_every_line_is_the_exchanges_own_and_none_is_lost(tmp_path: Path) -> None:
    async with recording(tmp_path) as recorder:
        await recorder.more(1_000)
    assert recorder.client.statistics().dropped == 0
    codec, count = get_venue("upbit").codec("DEFAULT", "float", False), 0
    for kind, code in ((one.kind, one.symbol) for one in STREAMS):
        for line in (tmp_path / f"{code}_{kind}.jsonl").read_bytes().splitlines():
            [event] = codec.read(line).events
            assert (event.kind, event.symbol) == (kind, code)
            count += 1
    assert count == recorder.client.statistics().total_processed > 900


async def test_with_several_lines_for_each_stream_all_is_read(tmp_path: Path) -> None:
    """Copies are compared."""
    async with recording(tmp_path, redundancy=2) as recorder:
        assert await recorder.reads("orderbook", "KRW-BTC")


async def test_with_a_tape_beside_all_is_read(tmp_path: Path) -> None:
    async with recording(tmp_path, tape=TapeOptions(folder=str(tmp_path / "tape"))) as recorder:
        assert await recorder.reads("orderbook", "KRW-BTC")


async def test_what_is_kept_is_whole_even_if_it_is_asked_for_while_the_recorder_begins(tmp_path: Path) -> None:
    async with Simulator(Scenario(markets=CODES, rate=1_500.0)) as simulator:
        recorder = Recorder(simulator, tmp_path)
        async with recorder.client as client:
            beginning = asyncio.create_task(client.add_sink(recorder.sink, STREAMS))
            await asyncio.sleep(0)
            client.keep_latest("orderbook", history=50)
            await beginning
            await until(lambda: len(client.get_data_history("KRW-BTC", "orderbook")) == 50)
            kept = client.get_data_history("KRW-BTC", "orderbook")
            assert all(isinstance(book, OrderbookEvent) and book.orderbook_units for book in kept)


async def test_a_tick_reads_no_frame_and_a_lost_line_the_last_of_each_stream(tmp_path: Path) -> None:
    async with recording(tmp_path) as recorder:
        await recorder.more()
        [driver] = recorder.client._component.pool.drivers
        streams = driver.router.streams.values()
        await until(lambda: all(stream.unread for stream in streams))
        unread = [stream.unread for stream in streams]
        driver._tick()
        assert [stream.unread for stream in streams] == unread
        driver.line_lost(Loss("reset"))
        assert [stream.unread for stream in streams] == [None] * len(STREAMS)
        codec = get_venue("upbit").codec("DEFAULT", "float", False)
        told = [event.timestamp for frame in unread for event in codec.read(frame or b"").events]
        assert [stream.last for stream in streams] == told


async def test_a_gap_says_when_the_last_message_was_that_nobody_read(tmp_path: Path) -> None:
    gaps: dict[Subscription, Gap] = {}
    async with recording(tmp_path) as recorder:

        def note(news: FeedEvent) -> None:
            if isinstance(news, Gap):
                gaps.setdefault(news.subscription, news)

        recorder.client.subscribe_feed(note)
        await recorder.more()
        recorder.simulator.abort()
        await until(lambda: len(gaps) == len(STREAMS))
    codec = get_venue("upbit").codec("DEFAULT", "float", False)
    for subscription, gap in gaps.items():
        lines = (tmp_path / f"{subscription.symbol}_{subscription.kind}.jsonl").read_bytes().splitlines()
        assert gap.last_timestamp in [event.timestamp for line in lines for event in codec.read(line).events]
