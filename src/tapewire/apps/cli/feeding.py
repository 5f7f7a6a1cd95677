"""Carries one feed into one sink until it is asked to stop: the engine of ``record``, ``watch`` and ``demo``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine
from typing import Any

import click

from tapewire.apps.cli.options import Feed
from tapewire.apps.cli.running import Stop
from tapewire.client import WebSocketClient
from tapewire.config import MailboxOptions
from tapewire.errors import ConnectFailed, SinkError, TimedOut
from tapewire.model.events import Event
from tapewire.model.frame_run import FrameRun, FrameTaker
from tapewire.model.line import Loss
from tapewire.model.status import Connected, Disconnected, FeedEvent
from tapewire.sinks.contract import Item, Sink
from tapewire.sinks.runner import RunnerOptions, SinkRunner

#: Events that may wait for the sink: more than a minute of a busy exchange. Then the oldest go, told as ``Lagged``.
_MAILBOX = MailboxOptions(size=200_000, rule="drop_oldest")

#: Seconds to write what was received and to close the line (a dead one takes 2) when the end is asked for, then for
#: a write that hangs: a stop takes five seconds at most.
_FINISH, _GIVE_UP = 2.5, 1.5


async def serve_metrics(client: WebSocketClient, feed: Feed) -> None:
    """Serve the feed's figures until the client is closed, if that was asked for, and say on stderr where."""
    if feed.metrics is not None:
        server = await client.serve_metrics(feed.metrics)
        click.echo(f"tapewire: metrics at {server.url}", err=True)


async def carry(
    client: WebSocketClient, feed: Feed, sink: Sink, stop: Stop, *, hear: Callable[[Any], None],
    tell: Callable[[SinkError | None], None] = lambda _trouble: None,
    patience: float = RunnerOptions().write_timeout, frames: FrameTaker | None = None,
    beside: Callable[[Event], None] | None = None,
) -> None:  # fmt: skip
    """Hand every event first to ``hear``, then to ``sink``. Returns when ``stop`` was asked for or the feed's
    seconds are over, the client is closed, and everything received by then is written and flushed.

    Args:
        client: of this feed.
        feed: what to hear and for how long.
        sink: where to.
        stop: ends it.
        hear: told of each event.
        tell: hears when the sink refuses for a while, and (None) when it takes again.
        patience: seconds that one write may take.
        frames: the sink's, if it is to get frames: then ``hear`` gets ``FrameRun``s in place of events.
        beside: told of each event at once then.

    Raises:
        FeedError: the feed failed for good, or writing did (or hung); all that could be written is.
        TimedOut: what was received could not be taken in time when the end was asked for.
    """
    flush_every = 1.0 if feed.record is None else feed.record.fsync_every
    options = RunnerOptions(close_timeout=_GIVE_UP, flush_every=flush_every, write_timeout=patience)

    def told(trouble: SinkError | None) -> None:
        client.tell_sink("recording" if feed.record is not None else "sink", trouble)
        tell(trouble)

    async def consume(source: AsyncIterable[Item]) -> None:
        await SinkRunner(sink, options=options, tell=told).run(_heard(source, hear))

    await _until_stopped(client, feed, stop, consume, frames=frames, beside=beside)


async def follow(client: WebSocketClient, feed: Feed, stop: Stop, *, hear: Callable[[Item], None]) -> None:
    """As ``carry``, without a sink."""

    async def consume(source: AsyncIterable[Item]) -> None:
        async for item in source:
            hear(item)

    await _until_stopped(client, feed, stop, consume)


async def _until_stopped(
    client: WebSocketClient,
    feed: Feed,
    stop: Stop,
    consume: Callable[[AsyncIterable[Item]], Coroutine[Any, Any, None]],
    **how: Any,
) -> None:
    stream = client.stream(feed.subscriptions, stream_preference=feed.preference, mailbox=_MAILBOX, **how)
    last_words = _LastWords()
    client.subscribe_feed(last_words.hear)
    running = asyncio.create_task(consume(_to_the_end(client, stream, last_words)), name="feeding")
    stopping = asyncio.create_task(stop.wait(feed.seconds), name="stopping")
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        last_words.begun = True
        await stream.aclose()  # what waits in its mailbox is still read, then the run ends by itself
        _, late = await asyncio.wait({running}, timeout=_FINISH)
        if late:
            running.cancel()
            await asyncio.gather(asyncio.wait({running}), client.cleanup())
        if not running.cancelled():
            running.result()
        elif not last_words.due:  # else all is taken, and only a dead line would not close
            raise TimedOut("taking what was received", _FINISH)
        if not stop.asked:
            last_words.complain(feed)
    finally:
        running.cancel()
        stopping.cancel()
        await asyncio.wait({running, stopping})


class _LastWords:
    """What the feed says while it closes, when its stream has ended already: a gap still open is told only then.

    And whether there ever was a line: a recording of nothing must not end as if all had been well.
    """

    def __init__(self) -> None:
        self.begun = False  # the end was asked for
        self.due = False  # all that the stream had was taken
        self.events: list[FeedEvent] = []
        self._connected = False
        self._loss: Loss | None = None

    def hear(self, event: FeedEvent) -> None:
        if self.begun:
            self.events.append(event)
        elif isinstance(event, Connected):
            self._connected = True
        elif isinstance(event, Disconnected):
            self._loss = event.loss

    def complain(self, feed: Feed) -> None:
        """Raises what kept the feed from ever being connected in its time."""
        if not self._connected and feed.seconds is not None:
            raise (
                TimedOut(f"connecting to {feed.address}", feed.seconds)
                if self._loss is None
                else ConnectFailed(self._loss)
            )


async def _to_the_end(
    client: WebSocketClient, stream: AsyncIterable[Item], last_words: _LastWords
) -> AsyncIterator[Item]:
    async for item in stream:
        yield item
    last_words.due = True
    await client.cleanup()
    for event in last_words.events:
        yield event


async def _heard(source: AsyncIterable[Item | FrameRun], hear: Callable[[Any], None]) -> AsyncIterator[Item | FrameRun]:
    async for item in source:
        hear(item)
        yield item
