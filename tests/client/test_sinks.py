"""A client feeds a sink: from its beginning to its end, and with what it fails."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from tapewire import FeedError, Subscription, WebSocketClient
from tapewire.client.sinking import Fed
from tapewire.config import MailboxOptions
from tapewire.errors import ConfigError, SinkError, SubscriptionError, UnknownName
from tapewire.model.events import TradeEvent
from tapewire.model.status import Connected, Lagged
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tapewire.sinks.contract import Item, Promise, Written
from tapewire.sinks.registry import get_sink
from tapewire.sinks.runner import RunnerOptions

TRADES = [Subscription("trade", "KRW-BTC")]


class Shelf:
    """A sink that keeps what it gets, or cannot be opened, or fails when it is written to."""

    promise = Promise("at_most_once", "process")

    def __init__(self, *, no_open: bool = False, no_write: bool = False) -> None:
        self.items: list[Item] = []
        self.closed = 0
        self._no_open, self._no_write = no_open, no_write

    def open(self) -> None:
        if self._no_open:
            raise SinkError("shelf", "is not there")

    def write(self, batch: Sequence[Item]) -> None:
        if self._no_write:
            raise SinkError("shelf", "is full")
        self.items += batch

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed += 1

    def written(self) -> tuple[Written, ...]:
        return (Written("shelf", len(self.items), 0),)

    def trades(self) -> int:
        return sum(isinstance(item, TradeEvent) for item in self.items)


class FullShelf(Shelf):
    """Keeps what it gets, and says for a while that there is no room for it."""

    full = True

    def write(self, batch: Sequence[Item]) -> None:
        super().write(batch)
        self.flush()

    def flush(self) -> None:
        if self.full:
            raise SinkError("shelf", "is full", retryable=True)


@pytest.fixture
def make() -> Callable[[], WebSocketClient]:
    simulator = Simulator(Scenario(markets=("KRW-BTC", "KRW-ETH"), rate=200.0))
    return lambda: WebSocketClient("fed", line_factory=simulator.lines(), http=simulator.http())


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.get_running_loop().run_in_executor(None, asyncio.Event)


async def test_a_sink_that_refuses_for_a_while_is_degraded_and_goes_on(make: Callable[[], WebSocketClient]) -> None:
    shelf = FullShelf()
    async with make() as client:
        fed = await client.add_sink(shelf, TRADES, runner=RunnerOptions(retry_every=0.01))
        await until(lambda: fed.state == "degraded")
        await until(lambda: client.get_health_status().reasons)
        [reason] = client.get_health_status().reasons
        assert (reason.status, reason.text) == ("degraded", "shelf: is full")
        shelf.full = False
        await until(lambda: fed.state == "recording")
        assert client.get_health_status().reasons == ()
        await until(lambda: shelf.trades() >= 3)
    assert (fed.state, fed.error) == ("idle", None)


async def test_a_sink_gets_data_and_the_feeds_own_events_until_the_client_ends(
    make: Callable[[], WebSocketClient],
) -> None:
    shelf = Shelf()
    async with make() as client:
        fed = await client.add_sink(shelf, TRADES)
        await until(lambda: shelf.trades() >= 3)
        assert fed.written() == (Written("shelf", len(shelf.items), 0),)
        assert (fed.error, fed.sink, shelf.closed) == (None, shelf, 0)
    assert shelf.closed == 1
    assert any(isinstance(item, Connected) for item in shelf.items)
    await fed.ended()


async def test_a_sink_that_ends_with_its_client_leaves_no_error_in_the_loop(
    make: Callable[[], WebSocketClient],
) -> None:
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: errors.append(context))
    client = make()
    fed = await client.add_sink(Shelf(), TRADES)
    await client.cleanup()
    await fed.ended()
    await asyncio.sleep(0)
    assert (errors, fed.error) == ([], None)


async def test_a_sink_is_closed_alone_and_the_feed_goes_on(make: Callable[[], WebSocketClient]) -> None:
    one, other = Shelf(), Shelf()
    async with make() as client:
        fed = await client.add_sink(one, TRADES)
        await client.add_sink(other, TRADES)
        await until(one.trades)
        await fed.close()
        had = len(one.items)
        more = other.trades() + 3
        await until(lambda: other.trades() >= more)
        assert (one.closed, len(one.items)) == (1, had)
    assert other.closed == 1


async def test_a_sink_that_cannot_be_opened_is_told_at_once(make: Callable[[], WebSocketClient]) -> None:
    async with make() as client:
        with pytest.raises(SinkError, match="shelf: is not there"):
            await client.add_sink(Shelf(no_open=True), TRADES)
        assert client.handles == ()


async def test_a_sink_that_fails_ends_alone(make: Callable[[], WebSocketClient]) -> None:
    good = Shelf()
    client = make()
    await client.add_sink(good, TRADES)
    bad = await client.add_sink(Shelf(no_write=True), TRADES)
    with pytest.raises(SinkError, match="shelf: is full"):
        await bad.ended()
    assert isinstance(bad.error, SinkError)
    assert [reason.text for reason in client.get_health_status().reasons] == ["shelf: is full"]
    more = good.trades() + 3
    await until(lambda: good.trades() >= more)
    with pytest.raises(SinkError, match="is full"):
        await bad.close()
    await client.cleanup()
    assert good.closed == 1


async def test_a_market_that_is_not_listed_ends_it(make: Callable[[], WebSocketClient]) -> None:
    async with make() as client:
        fed = await client.add_sink(Shelf(), [Subscription("trade", "KRW-NONE")])
        with pytest.raises(SubscriptionError, match="KRW-NONE"):
            await fed.ended()


@pytest.mark.parametrize(
    ("address", "options", "error", "words"),
    [
        ("gopher://host", {}, UnknownName, "no sink is called 'gopher'"),
        ("host:4222", {}, ConfigError, "begins with"),
    ],
)
async def test_an_address_that_is_none_is_refused(
    address: str, options: dict[str, Any], error: type[FeedError], words: str, make: Callable[[], WebSocketClient]
) -> None:
    async with make() as client:
        with pytest.raises(error, match=words):
            await client.add_sink(address, TRADES, **options)


async def test_files_are_a_sink_too(tmp_path: Path, make: Callable[[], WebSocketClient]) -> None:
    async with make() as client:
        fed = await client.add_sink(get_sink("jsonl")(tmp_path), TRADES)
        await until(lambda: sum(file.events for file in fed.written()) >= 5)
    assert (tmp_path / "KRW-BTC_trade.jsonl").read_bytes().count(b"\n") > 0


async def test_a_failure_that_nobody_heard_of_is_told_at_the_end(make: Callable[[], WebSocketClient]) -> None:
    client = make()
    fed = await client.add_sink(Shelf(no_write=True), TRADES)
    await until(lambda: fed.error)
    with pytest.raises(SinkError, match="shelf: is full"):
        await client.cleanup()


async def test_a_sink_keeps_its_client_as_an_iterator_does(make: Callable[[], WebSocketClient]) -> None:
    shelf = Shelf()

    async def run() -> Fed:
        return await make().add_sink(shelf, TRADES)

    fed = await run()
    gc.collect()
    await until(lambda: shelf.trades() >= 3)
    fed.at_the_end().close_soon()
    async with asyncio.timeout(30):
        await fed.ended()
    assert shelf.closed == 1


class SlowDisk:
    """Files on a disk that takes one write, and no other until it is let."""

    def __init__(self, folder: Path) -> None:
        self._files = get_sink("jsonl")(folder)
        self.promise, self.condensing = self._files.promise, self._files.condensing  # type: ignore[attr-defined]
        self.gate = threading.Event()
        self.begun = threading.Event()

    def open(self) -> None:
        self._files.open()

    def write(self, batch: Sequence[Item]) -> None:
        self.begun.set()
        assert self.gate.wait(60)
        self._files.write(batch)

    def flush(self) -> None:
        self._files.flush()

    def close(self) -> None:
        self._files.close()

    def written(self) -> tuple[Written, ...]:
        return self._files.written()


class SlowFrames(SlowDisk):
    """The same disk, where frames are taken in place of events."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.frames = self._files.frames  # type: ignore[attr-defined]


#: Events that may wait for that disk: the mailbox, and batches on their way.
MOST = 100 + 3 * 20


class Overrun(NamedTuple):
    """What a feed brought while a disk stood still."""

    heard: list[int | None]
    lagged: list[Lagged]
    dropped: int
    numbers: list[int]
    written: int
    beside: bytes


async def overrun(disk: SlowDisk, folder: Path) -> Overrun:
    """A disk takes nothing until ten times as many have come as may wait."""
    simulator = Simulator(Scenario(markets=("KRW-BTC", "KRW-ETH"), rate=2_000.0))
    lagged, heard = list[Lagged](), list[int | None]()
    async with WebSocketClient(
        "fed", line_factory=simulator.lines(), http=simulator.http(), keep_raw=True, recover=False
    ) as client:
        client.subscribe_feed(lambda event: lagged.append(event) if isinstance(event, Lagged) else None)
        fed = await client.add_sink(
            disk, TRADES, mailbox=MailboxOptions(size=100), runner=RunnerOptions(batch=20, write_timeout=60)
        )
        await until(disk.begun.is_set)
        handle = await client.subscribe_trade(
            "KRW-BTC", lambda event: heard.append(event.sequential_id), stream_preference="realtime_only"
        )
        await until(lambda: len(heard) > 1_000 and lagged)
        dropped = client.statistics().dropped
        await handle.unsubscribe()
        disk.gate.set()
        await fed.close()
        assert sum(event.dropped for event in lagged) == client.statistics().dropped >= dropped
    [row] = [row for row in disk.written() if row.name == "KRW-BTC_trade.jsonl"]
    lines = (folder / "KRW-BTC_trade.jsonl").read_bytes().splitlines()
    numbers = [msgspec.json.decode(line)["sequential_id"] for line in lines]
    return Overrun(heard, lagged, dropped, numbers, row.events, (folder / "misc.jsonl").read_bytes())


@pytest.mark.parametrize("kind", [SlowDisk, SlowFrames])
async def test_a_disk_slower_than_the_feed_costs_the_oldest_told_as_lagged_and_holds_up_nobody(
    kind: type[SlowDisk], tmp_path: Path
) -> None:
    """E, "Keep up": bounded memory, then ``Lagged`` with counts, never an unbounded queue or a stalled feed."""
    seen = await overrun(kind(tmp_path), tmp_path)
    assert seen.dropped >= len(seen.heard) - MOST, "no more than that waits, whatever comes"
    assert seen.lagged[-1].total_dropped == sum(event.dropped for event in seen.lagged)
    assert {event.rule for event in seen.lagged} == {"drop_oldest"}
    assert 0 < seen.written <= MOST
    assert seen.numbers[-1] >= (seen.heard[-1] or 0), "the newest are there"
    came = [number for number in seen.heard if number in seen.numbers]
    assert [number for number in seen.numbers if number in came] == came, "in order"
    assert b'"type":"lagged"' in seen.beside, "and so is, in its place, that some are not"


async def test_a_sink_that_condenses_gets_frames_and_whole_events_where_only_the_latest_is_kept(
    make: Callable[[], WebSocketClient],
) -> None:
    shelf = Shelf()
    shelf.condensing = lambda put: lambda event: put(event.symbol)  # type: ignore[attr-defined]
    latest = Shelf()
    latest.condensing = shelf.condensing  # type: ignore[attr-defined]
    async with make() as client:
        await client.add_sink(shelf, TRADES)
        await client.add_sink(latest, TRADES, mailbox=MailboxOptions(rule="conflate"))
        await until(lambda: "str" in {type(item).__name__ for item in shelf.items} and latest.trades())
        assert not shelf.trades()
        with pytest.raises(ConfigError, match="what is condensed does not say which stream it is of"):
            client.stream(TRADES, mailbox=MailboxOptions(rule="conflate"), condensing=shelf.condensing)  # type: ignore[attr-defined]


def lines_in(folder: Path) -> dict[str, list[bytes]]:
    return {path.name: path.read_bytes().splitlines() for path in folder.glob("KRW-*")}


async def test_files_get_the_same_lines_from_frames_and_from_whole_events(tmp_path: Path) -> None:
    """One feed through both roads, with losses and recovery: file by file the same, but for the first snapshots."""
    simulator = Simulator(Scenario(markets=("KRW-BTC", "KRW-ETH"), rate=300.0))
    streams = [Subscription(kind, code) for kind in ("ticker", "trade", "orderbook") for code in ("KRW-BTC", "KRW-ETH")]
    framed, whole = get_sink("jsonl")(tmp_path / "framed"), get_sink("jsonl")(tmp_path / "whole")
    whole.frames = None  # type: ignore[attr-defined]
    async with WebSocketClient("fed", line_factory=simulator.lines(), http=simulator.http(), keep_raw=True) as client:
        await client.add_sink(framed, streams)
        await client.add_sink(whole, streams)
        for _ in range(3):
            enough = sum(row.events for row in framed.written()) + 300
            await until(lambda enough=enough: sum(row.events for row in framed.written()) > enough)  # type: ignore[misc]
            simulator.abort()
    one, other = lines_in(tmp_path / "framed"), lines_in(tmp_path / "whole")
    assert len(one) == len(other) == 6
    for name, lines in other.items():
        assert one[name][10 - len(lines) :] == lines[10:], name
        assert len(lines) > 50
