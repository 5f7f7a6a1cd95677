"""A recorder alone leaves the units of order books unread in their frames; who wants them gets them all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tapewire import Subscription, WebSocketClient
from tapewire.model.events import OrderbookEvent
from tapewire.model.frame_run import FrameRun
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tapewire.sinks.files.jsonl import JsonlSink
from tapewire.venues.registry import get_venue
from tests.client.test_sinks import until

BOOKS = [Subscription("orderbook", code) for code in ("KRW-BTC", "KRW-ETH")]


class Watched(JsonlSink):
    """Files of lines, and the books that runs begin with."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.books: list[OrderbookEvent] = []

    def write(self, batch: Sequence[Any]) -> None:
        firsts = [item.first for item in batch if isinstance(item, FrameRun)]
        self.books += [first for first in firsts if isinstance(first, OrderbookEvent)]
        super().write(batch)

    def skimmed(self, since_ns: int = 0) -> list[bool]:
        """Of each book that came since: whether it has no units."""
        return [not book.orderbook_units for book in self.books if book.received_ns > since_ns]

    def count(self) -> int:
        return sum(row.events for row in self.written())


@pytest.mark.parametrize("redundancy", [1, 2])
async def test_books_are_recorded_whole_and_heard_whole(tmp_path: Path, redundancy: int) -> None:
    """With several lines for each stream copies are compared: nothing is left unread then."""
    simulator, sink = Simulator(Scenario(markets=("KRW-BTC", "KRW-ETH"), rate=300.0)), Watched(tmp_path)
    heard: list[OrderbookEvent] = []
    async with WebSocketClient(
        "fed", line_factory=simulator.lines(), http=simulator.http(), keep_raw=True, redundancy=redundancy
    ) as client:
        await client.add_sink(sink, BOOKS)
        await until(lambda: sum(sink.skimmed()) > 5 or (redundancy > 1 and len(sink.books) > 20))
        assert any(sink.skimmed()) == (redundancy == 1)
        handle = await client.subscribe_orderbook("KRW-BTC", heard.append)
        await until(lambda: len(heard) > 50)
        since_ns = heard[-1].received_ns
        await until(lambda: len(sink.skimmed(since_ns)) > 10)
        assert not any(sink.skimmed(since_ns))
        await handle.unsubscribe()
        enough = sink.count() + 200
        await until(lambda: sink.count() > enough)
    assert all(book.orderbook_units for book in heard)
    codec = get_venue("upbit").codec("DEFAULT", "float", False)
    for code in ("KRW-BTC", "KRW-ETH"):
        lines = (tmp_path / f"{code}_orderbook.jsonl").read_bytes().splitlines()
        assert all(event.orderbook_units for line in lines for event in codec.read(line).events)  # type: ignore[attr-defined]
        assert len(lines) > 50


async def test_what_is_kept_is_whole_even_if_it_is_asked_for_while_the_recorder_begins(tmp_path: Path) -> None:
    simulator = Simulator(Scenario(markets=("KRW-BTC", "KRW-ETH"), rate=300.0))
    async with WebSocketClient("fed", line_factory=simulator.lines(), http=simulator.http(), keep_raw=True) as client:
        beginning = asyncio.create_task(client.add_sink(Watched(tmp_path), BOOKS))
        await asyncio.sleep(0)
        client.keep_latest("orderbook", history=50)
        await beginning
        await until(lambda: len(client.get_data_history("KRW-BTC", "orderbook")) == 50)
        kept = client.get_data_history("KRW-BTC", "orderbook")
        assert all(isinstance(book, OrderbookEvent) and book.orderbook_units for book in kept)
