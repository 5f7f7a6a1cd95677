"""The iterator over a mailbox: subscribes when first used, gives back when it ends, however it ends."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable

import pytest

from tapewire.config import MailboxOptions
from tapewire.errors import Lagging, SubscriptionError, UsageError
from tapewire.hub.mailbox import Mailbox, MailboxStatistics
from tapewire.hub.stream import EventStream
from tapewire.model.events import TickerEvent


def ticker(number: int) -> TickerEvent:
    return TickerEvent(venue="upbit", symbol="KRW-BTC", timestamp=number)


class Bench:
    """A stream with a note of what it did."""

    def __init__(self, *, size: int = 10, failure: Exception | None = None) -> None:
        self.done: list[str] = []
        self.mailbox = Mailbox("mine", MailboxOptions(size=size, rule="raise"))
        self._failure = failure

    def stream(self) -> EventStream[TickerEvent]:
        begin, end = self._steps()
        return EventStream(self.mailbox, begin, end)

    def _steps(self) -> tuple[Callable[[], Awaitable[None]], Callable[[], None]]:
        done, mailbox, failure = self.done, self.mailbox, self._failure

        async def begin() -> None:
            done.append("begin")
            if failure is not None:
                raise failure

        def end() -> None:
            done.append("end")
            mailbox.close()

        return begin, end


async def collect(stream: EventStream[TickerEvent]) -> list[TickerEvent]:
    return [event async for event in stream]


async def test_it_begins_with_the_first_event_asked_for_and_once_only() -> None:
    bench = Bench()
    stream = bench.stream()
    assert bench.done == []
    bench.mailbox.put(ticker(1))
    bench.mailbox.put(ticker(2))
    assert [await anext(stream), await anext(stream)] == [ticker(1), ticker(2)]
    assert bench.done == ["begin"]
    assert stream.statistics() == MailboxStatistics(waiting=0, size=10, put=2, taken=2, dropped=0, conflated=0)


async def test_leaving_the_block_ends_it_and_what_waits_can_still_be_read() -> None:
    bench = Bench()
    async with bench.stream() as stream:
        bench.mailbox.put(ticker(1))
        await anext(stream)
        bench.mailbox.put(ticker(2))
    assert bench.done == ["begin", "end"]
    assert [event async for event in stream] == [ticker(2)]
    await stream.aclose()
    assert bench.done == ["begin", "end"]


async def test_a_stream_closed_before_its_first_use_is_empty() -> None:
    bench = Bench()
    stream = bench.stream()
    await stream.aclose()
    assert [event async for event in stream] == []
    assert bench.done == ["end"]


async def test_an_end_by_the_other_side_ends_the_iteration() -> None:
    bench = Bench()
    stream = bench.stream()
    bench.mailbox.put(ticker(1))
    bench.mailbox.close()
    assert [event async for event in stream] == [ticker(1)]
    assert bench.done == ["begin", "end"]


async def test_the_mailboxes_error_reaches_the_iteration_and_gives_the_subscriptions_back() -> None:
    bench = Bench(size=1)
    stream = bench.stream()
    bench.mailbox.put(ticker(1))
    bench.mailbox.put(ticker(2))
    assert await anext(stream) == ticker(1)
    with pytest.raises(Lagging):
        await anext(stream)
    assert bench.done == ["begin", "end"]


async def test_a_refusal_to_begin_reaches_the_iteration() -> None:
    bench = Bench(failure=SubscriptionError("symbol", "btc", "upper case"))
    with pytest.raises(SubscriptionError, match="symbol is 'btc'"):
        await anext(bench.stream())
    assert bench.done == ["begin", "end"]


async def test_closing_it_while_it_begins_ends_the_iteration_without_an_error() -> None:
    bench = Bench()
    _, end = bench._steps()
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def begin() -> None:
        begun.set()
        await goes_on.wait()
        raise UsageError("the handle has been unsubscribed")

    stream: EventStream[TickerEvent] = EventStream(bench.mailbox, begin, end)
    reading = asyncio.create_task(collect(stream))
    await begun.wait()
    await stream.aclose()
    goes_on.set()
    assert await reading == []
    assert bench.done == ["end"]


async def test_breaking_out_of_a_loop_gives_the_subscriptions_back_in_the_next_turn() -> None:
    bench = Bench()
    bench.mailbox.put(ticker(1))
    async for event in bench.stream():
        assert event == ticker(1)
        break
    gc.collect()
    await asyncio.sleep(0)
    assert bench.done == ["begin", "end"]


async def test_a_stream_that_was_never_used_is_ended_when_it_is_collected() -> None:
    bench = Bench()
    bench.stream()
    gc.collect()
    assert bench.done == ["end"]


async def test_a_stream_collected_on_another_thread_is_ended_on_its_loop() -> None:
    bench = Bench()
    bench.mailbox.put(ticker(1))
    streams = [bench.stream()]
    await anext(streams[0])
    thread = threading.Thread(target=streams.clear)
    thread.start()
    thread.join()
    assert bench.done == ["begin"]
    await asyncio.sleep(0)
    assert bench.done == ["begin", "end"]


def test_a_stream_collected_after_its_loop_says_nothing() -> None:
    bench = Bench()
    bench.mailbox.put(ticker(1))
    streams = [bench.stream()]

    async def first() -> TickerEvent:
        return await anext(streams[0])

    assert asyncio.run(first()) == ticker(1)
    streams.clear()
    gc.collect()
    assert bench.done == ["begin"]


async def test_what_waits_can_be_taken_at_once_when_it_has_begun() -> None:
    bench = Bench()
    stream = bench.stream()
    for number in range(4):
        bench.mailbox.put(ticker(number))
    assert stream.take_waiting(9) == []
    assert await anext(stream) == ticker(0)
    assert [stream.take_waiting(2), stream.take_waiting(2)] == [[ticker(1), ticker(2)], [ticker(3)]]


async def test_rounds_are_waited_for_one_by_one() -> None:
    mailbox = Mailbox("mine", MailboxOptions(interval=0.01))

    async def begin() -> None:
        mailbox.put(ticker(1))
        mailbox.put(ticker(2))

    stream: EventStream[TickerEvent] = EventStream(mailbox, begin, lambda: None)
    assert await anext(stream) == ticker(1)
    assert stream.take_waiting(9) == []
