"""The runner: batches, time limits, and that nothing which was read is dropped."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import pytest
from msgspec import structs

from tapewire.errors import ConfigError, Lagging, SinkError
from tapewire.model.events import TradeEvent
from tapewire.model.frame_run import FrameRun
from tapewire.sinks.contract import Item, Promise, Written
from tapewire.sinks.runner import FRAMES_DUE, RunnerOptions, SinkRunner
from tapewire.sinks.worker import Worker

FAST = RunnerOptions(batch=10, max_age=0.01, flush_every=0.02, write_timeout=5.0, close_timeout=5.0)


class Changes:
    """Wakes who waits for a condition each time something changed, on whatever thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    def tell(self) -> None:
        self._loop.call_soon_threadsafe(self._changed.set)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@dataclass
class Notebook:
    """A sink that writes down what it was told, and can be made to wait or to fail."""

    promise: Promise = field(default=Promise("at_most_once", "process"))
    told: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    gate: threading.Event | None = None
    fails: Callable[[str], bool] = lambda method: False
    refuses: Callable[[str], bool] = lambda method: False
    changes: Changes | None = None

    def open(self) -> None:
        self._tell("open")

    def write(self, batch: Sequence[Item]) -> None:
        if self.gate is not None:
            assert self.gate.wait(10)
        self.sizes.append(len(batch))
        self.numbers += [item.sequential_id or 0 for item in batch if isinstance(item, TradeEvent)]
        self._tell("write")

    def flush(self) -> None:
        self._tell("flush")

    def close(self) -> None:
        self._tell("close")

    def written(self) -> tuple[Written, ...]:
        return (Written("notebook", len(self.numbers), 0),)

    def _tell(self, method: str) -> None:
        self.threads.add(threading.get_ident())
        self.told.append(method)
        if self.changes is not None:
            self.changes.tell()
        if self.refuses(method):
            raise SinkError("notebook", "full", retryable=True)
        if self.fails(method):
            raise SinkError("notebook", f"no {method} today", "some")


def trade(number: int) -> TradeEvent:
    return TradeEvent(venue="upbit", symbol="KRW-BTC", sequential_id=number)


class Feed:
    """A source that can be fed while it is read."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Item | Exception | None] = asyncio.Queue()
        self.taken = 0
        self.changes = Changes()

    def put(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self.queue.put_nowait(trade(number))

    def end(self, error: Exception | None = None) -> None:
        self.queue.put_nowait(error)

    async def __aiter__(self) -> AsyncIterator[Item]:
        while (item := await self.queue.get()) is not None:
            if isinstance(item, Exception):
                raise item
            self.taken += 1
            self.changes.tell()
            yield item


async def test_everything_is_written_in_order_on_one_other_thread_and_flushed() -> None:
    sink, feed = Notebook(), Feed()
    feed.put(range(95))
    feed.end()
    await SinkRunner(sink, options=FAST).run(feed)
    assert sink.numbers == list(range(95))
    assert max(sink.sizes) == 10
    assert (sink.told[0], sink.told[-1]) == ("open", "close")
    assert len(sink.threads) == 1
    assert threading.get_ident() not in sink.threads


async def test_a_small_batch_is_written_and_flushed_although_nothing_more_comes() -> None:
    feed = Feed()
    sink = Notebook(changes=feed.changes)
    running = asyncio.create_task(SinkRunner(sink, options=FAST).run(feed))
    feed.put([1])
    await feed.changes.until(lambda: sink.told[-1:] == ["flush"])
    assert sink.numbers == [1]
    feed.end()
    await running


async def test_a_slow_sink_is_read_ahead_of_by_two_batches_at_most() -> None:
    sink, feed = Notebook(gate=threading.Event()), Feed()
    feed.put(range(1000))
    feed.end()
    running = asyncio.create_task(SinkRunner(sink, options=FAST).run(feed))
    await feed.changes.until(lambda: feed.taken == 20)
    for _ in range(1000):
        await asyncio.sleep(0)
    assert feed.taken == 20
    assert sink.gate is not None
    sink.gate.set()
    await running
    assert sink.numbers == list(range(1000))


async def test_cancelling_writes_and_flushes_what_was_read_first() -> None:
    sink, feed = Notebook(gate=threading.Event()), Feed()
    running = asyncio.create_task(SinkRunner(sink, options=FAST).run(feed))
    feed.put(range(15))
    await feed.changes.until(lambda: feed.taken == 15)
    running.cancel()
    assert sink.gate is not None
    sink.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert sink.numbers == list(range(15))
    assert sink.told[-1] == "close"


async def test_a_failing_write_ends_the_run_with_its_error_and_only_close_follows() -> None:
    sink, feed = Notebook(fails=lambda method: method == "write"), Feed()
    feed.put(range(30))
    with pytest.raises(SinkError, match="notebook: no write today; some"):
        await SinkRunner(sink, options=FAST).run(feed)
    assert sink.told == ["open", "write", "close"]


async def test_a_sink_that_refuses_for_a_while_is_degraded_and_loses_nothing() -> None:
    """D12: the batch that was refused is the sink's; nothing more is read than two batches meanwhile."""
    feed = Feed()
    refusing, told = [True], list[SinkError | None]()
    sink = Notebook(changes=feed.changes, refuses=lambda method: refusing[0] and method in {"write", "flush"})
    runner = SinkRunner(sink, options=structs.replace(FAST, retry_every=0.01), tell=told.append)
    assert runner.state == "idle"
    running = asyncio.create_task(runner.run(feed))
    feed.put(range(100))
    await feed.changes.until(lambda: sink.told.count("flush") >= 3)
    assert (runner.state, feed.taken, sink.told.count("write")) == ("degraded", 20, 1)
    assert [str(one) for one in told] == ["notebook: full"], "told once"
    refusing[0] = False
    feed.end()
    await running
    assert (runner.state, told[1:], sink.numbers) == ("idle", [None], list(range(100)))


async def test_a_sink_that_refuses_to_the_end_is_an_error_when_the_source_is_stopped() -> None:
    feed = Feed()
    sink = Notebook(changes=feed.changes, refuses=lambda method: method != "open")
    running = asyncio.create_task(SinkRunner(sink, options=FAST).run(feed))
    feed.put(range(3))
    await feed.changes.until(lambda: "write" in sink.told)
    running.cancel()
    with pytest.raises(SinkError, match="notebook: full"):
        await running
    assert sink.told[-1] == "close"


async def test_when_closing_fails_too_the_first_error_is_told() -> None:
    sink, feed = Notebook(fails=lambda method: method in {"write", "close"}), Feed()
    feed.put([1])
    with pytest.raises(SinkError, match="no write today"):
        await SinkRunner(sink, options=FAST).run(feed)


async def test_a_failing_close_after_a_good_feed_is_an_error() -> None:
    sink, feed = Notebook(fails=lambda method: method == "close"), Feed()
    feed.end()
    with pytest.raises(SinkError, match="no close today"):
        await SinkRunner(sink, options=FAST).run(feed)


async def test_a_sink_that_cannot_open_reads_nothing() -> None:
    sink, feed = Notebook(fails=lambda method: method == "open"), Feed()
    feed.put([1])
    with pytest.raises(SinkError, match="no open today"):
        await SinkRunner(sink, options=FAST).run(feed)
    assert (feed.taken, sink.told) == (0, ["open"])


async def test_the_sources_error_comes_after_all_that_was_read_is_written() -> None:
    sink, feed = Notebook(), Feed()
    feed.put([1, 2, 3])
    feed.end(Lagging("recorder", 10))
    with pytest.raises(Lagging):
        await SinkRunner(sink, options=FAST).run(feed)
    assert sink.numbers == [1, 2, 3]
    assert sink.told[-1] == "close"


async def test_a_flush_does_not_wait_for_the_next_batch() -> None:
    sink, feed = Notebook(), Feed()
    sink.changes = feed.changes
    options = RunnerOptions(batch=1, max_age=1000, flush_every=0.02)
    running = asyncio.create_task(SinkRunner(sink, options=options).run(feed))
    feed.put([1])
    await feed.changes.until(lambda: "flush" in sink.told)
    assert sink.told == ["open", "write", "flush"]
    feed.end()
    await running


async def test_a_sink_says_how_soon_it_is_to_be_flushed_and_nothing_waits_longer_to_be_written() -> None:
    sink, feed = Notebook(), Feed()
    sink.changes = feed.changes
    sink.flush_every = 0.02  # type: ignore[attr-defined]
    running = asyncio.create_task(SinkRunner(sink, options=RunnerOptions(batch=1000, max_age=1000)).run(feed))
    feed.put([1])
    await feed.changes.until(lambda: "flush" in sink.told)
    assert sink.told == ["open", "write", "flush"]
    feed.end()
    await running


async def test_a_write_that_hangs_is_given_up_in_time_and_named() -> None:
    sink, feed = Notebook(gate=threading.Event()), Feed()
    feed.put([1])
    options = RunnerOptions(batch=10, max_age=0.01, write_timeout=0.05, close_timeout=0.05)
    with pytest.raises(SinkError, match=r"recorder: write took longer than 0\.05 s"):
        await SinkRunner(sink, "recorder", options).run(feed)
    assert sink.gate is not None
    sink.gate.set()


def test_impossible_options_are_refused() -> None:
    with pytest.raises(ConfigError, match="batch is 0; it must be more than 0"):
        RunnerOptions(batch=0)


class Heap(Feed):
    """A feed of which what waits can be taken at once."""

    def take_waiting(self, most: int) -> list[Item]:
        taken: list[Item] = []
        while len(taken) < most and not self.queue.empty():
            item = self.queue.get_nowait()
            if not isinstance(item, TradeEvent):
                self.queue.put_nowait(item)
                break
            taken.append(item)
        return taken


async def test_what_waits_is_taken_at_once_and_no_batch_is_larger_than_it_may_be() -> None:
    sink, feed = Notebook(), Heap()
    feed.put(range(95))
    feed.end()
    await SinkRunner(sink, options=FAST).run(feed)
    assert sink.numbers == list(range(95))
    assert max(sink.sizes) == 10
    assert feed.taken < 20, "the others were not asked for one by one"


async def test_a_sink_says_how_much_it_likes_at_once() -> None:
    sink, feed = Notebook(), Heap()
    sink.batch = 25  # type: ignore[attr-defined]
    feed.put(range(95))
    feed.end()
    await SinkRunner(sink, options=RunnerOptions(max_age=0.01)).run(feed)
    assert max(sink.sizes) == 25
    assert sink.numbers == list(range(95))


async def test_batches_that_become_due_meanwhile_are_written_in_order_and_those_after_a_failure_are_not() -> None:
    wholes: list[list[int]] = [[], []]
    for whole, fails in zip(wholes, (False, True), strict=True):
        gate = threading.Event()
        sink = Pieces(whole, gate, fails_after=2 if fails else None)
        runner = SinkRunner(sink, options=RunnerOptions(max_age=0.001))
        running = asyncio.create_task(runner.run(runs_of(FRAMES_DUE, count=9, opens=gate)))
        if fails:
            with pytest.raises(SinkError, match="disk: no more"):
                await running
        else:
            await running
    assert wholes == [[0, 1, 2, 3, 4, 5, 6, 7, 8], [0, 1]]


async def test_a_batch_that_is_ready_is_written_while_the_loop_is_busy() -> None:
    sink = Pieces([], threading.Event())

    async def source() -> AsyncIterator[FrameRun]:
        yield run_of(0, FRAMES_DUE)
        assert await asyncio.to_thread(sink.began.wait, 10)
        yield run_of(1, FRAMES_DUE)
        sink.gate.set()
        assert sink.has_two.wait(10)  # the loop stands still meanwhile

    await SinkRunner(sink, options=RunnerOptions(max_age=0.001)).run(source())
    assert sink.whole == [0, 1]


async def test_a_batch_refused_for_a_while_does_not_pass_those_behind_it() -> None:
    whole: list[int] = []
    sink = Pieces(whole, threading.Event(), refuses_at=1)
    options = RunnerOptions(max_age=0.001, retry_every=0.001)
    await SinkRunner(sink, options=options).run(runs_of(FRAMES_DUE, count=6, opens=sink.gate))
    assert whole == [0, 1, 2, 3, 4, 5]


async def test_who_gives_way_stands_still_until_the_call_has_ended_and_is_told_whether_it_helped() -> None:
    worker, gate = Worker("thread"), threading.Event()

    def wait() -> None:
        assert gate.wait(10)

    assert not worker.give_way(10)  # nothing to wait for
    hanging = asyncio.create_task(worker.call(wait, seconds=10))
    await asyncio.sleep(0)
    assert not worker.give_way(0.05)  # it waits, and does nothing
    gate.set()
    assert worker.give_way(10)
    await hanging
    assert not worker.give_way(10)
    worker.stop()


async def test_nobody_gives_way_to_a_call_that_waits_for_more_to_do() -> None:
    worker, rests, goes_on, gate = Worker("thread"), threading.Event(), threading.Event(), threading.Event()

    def wait() -> None:
        worker.rests(resting=True)
        rests.set()
        assert gate.wait(20)
        worker.rests(resting=False)
        goes_on.set()

    call = asyncio.create_task(worker.call(wait, seconds=60))
    await asyncio.sleep(0)
    assert rests.wait(20)
    assert worker.give_way(60), "at once"
    gate.set()
    await call
    assert goes_on.is_set()
    worker.stop()


@dataclass
class Pieces:
    """A sink of frames that writes down whose they are; it waits for its gate first."""

    whole: list[int]
    gate: threading.Event
    fails_after: int | None = None
    refuses_at: int | None = None
    kept: list[int] = field(default_factory=list)
    began: threading.Event = field(default_factory=threading.Event)
    has_two: threading.Event = field(default_factory=threading.Event)
    promise: Promise = field(default=Promise("at_most_once", "process"))

    def open(self) -> None:
        """Nothing to do."""

    def write(self, batch: Sequence[Item]) -> None:
        self.began.set()
        assert self.gate.wait(10)
        for run in batch:
            assert isinstance(run, FrameRun)
            if len(self.whole) == self.fails_after:
                raise SinkError("disk", "no more")
            refused = self.refuses_at is not None and len(self.whole) >= self.refuses_at
            (self.kept if refused else self.whole).append(run.at_ns)
        if self.kept:
            self.refuses_at = None
            raise SinkError("disk", "full", retryable=True)
        if len(self.whole) == 2:
            self.has_two.set()

    def flush(self) -> None:
        self.whole += self.kept
        self.kept.clear()

    def close(self) -> None:
        """Nothing to do."""

    def written(self) -> tuple[Written, ...]:
        return ()


def run_of(number: int, size: int) -> FrameRun:
    return FrameRun([], number, count=1, size=size)


async def runs_of(size: int, count: int, opens: threading.Event) -> AsyncIterator[FrameRun]:
    """As many runs, each due by itself; when the reader may read no further, the sink begins to write."""
    for number in range(count):
        if number == 3:
            opens.set()
        yield run_of(number, size)
        await asyncio.sleep(0)
    opens.set()
