"""Runs the full-screen view over a client until somebody asks for its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import click

from tapewire.apps.cli.options import Feed
from tapewire.apps.cli.running import DONE, FAILED, INTERRUPTED, Stop
from tapewire.apps.cli.terminal import count_of
from tapewire.apps.cli.view.controls import Controls, Wish
from tapewire.apps.cli.view.edges import Heading
from tapewire.apps.cli.view.outlet import at_most, takes_more
from tapewire.apps.cli.view.picture import Picture
from tapewire.apps.cli.view.program import Program
from tapewire.client import Handle, WebSocketClient
from tapewire.errors import FeedError
from tapewire.model.events import KST
from tapewire.model.status import FeedEvent

#: Local time of the exchanges' users; of others UTC is shown.
_ZONES = {
    "upbit": KST,
    "upbit-sg": timezone(timedelta(hours=8), "SGT"),
    "upbit-id": timezone(timedelta(hours=7), "WIB"),
    "upbit-th": timezone(timedelta(hours=7), "ICT"),
}
_CODES: dict[Wish, int] = {"quit": DONE, "interrupt": INTERRUPTED}
#: Seconds that the screen has to give the terminal back.
_LEAVE = 2.0


async def show(client: WebSocketClient, feed: Feed, stop: Stop) -> None:
    """Show ``feed`` until ``stop`` is asked for, its seconds are over, or the keyboard says so.

    Raises:
        FeedError: nothing could be subscribed, or the feed failed for good; the terminal is itself again by then.
    """
    view = _View(client, feed, stop)
    try:
        with log_kept_off_the_screen(view.picture):
            await view.run()
    finally:
        if view.begun:
            click.echo(view.summary())


class _View:
    """One run of the view: its tasks and what they tell each other."""

    def __init__(self, client: WebSocketClient, feed: Feed, stop: Stop) -> None:
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._client = client
        self._feed = feed
        self._stop = stop
        self._handle: Handle | None = None
        self._failed: asyncio.Future[BaseException] = self._loop.create_future()
        self.picture = Picture(feed.symbols, feed.kinds, self._started)
        self._program = Program(
            self.picture,
            Controls(chosen=feed.symbols[0] if feed.symbols else ""),
            Heading(feed.venue, feed.address, _ZONES.get(feed.venue, UTC)),
            now=self._loop.time,
            wall=lambda: datetime.now(UTC),
            observe=self._observe,
            wish=lambda wish: stop.ask(_CODES[wish]),
            takes_more=takes_more,
            begin=task_factory_kept(self._loop),
        )

    @property
    def begun(self) -> bool:
        """Whether anything was subscribed."""
        return self._handle is not None

    async def run(self) -> None:
        screen = asyncio.create_task(self._program.run_async(), name="view")
        stopping = asyncio.create_task(self._stop.wait(self._feed.seconds), name="stopping")
        subscribing = asyncio.create_task(self._subscribe(), name="subscribing")
        subscribing.add_done_callback(self._subscribed)
        try:
            ends: set[asyncio.Future[Any]] = {screen, stopping, self._failed}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            crashed = screen.done() and bool(self._program.return_code)
            await self._leave(screen)
            for task in (stopping, subscribing):
                task.cancel()
            await asyncio.wait({screen, stopping, subscribing})
        if self._failed.done():
            raise self._failed.result()
        if crashed:
            self._stop.ask(FAILED)  # a fault of the view; textual has printed it

    def summary(self) -> str:
        """What was seen, in one line: the screen is gone by now."""
        figures = self._client.statistics()
        self._observe(self._loop.time())
        seconds = self._loop.time() - self._started
        return (
            f"{count_of(figures.total_processed, 'message')} in {seconds:.1f} s, "
            f"{count_of(figures.reconnects, 'reconnect')}, {count_of(self.picture.figures.unfilled, 'unfilled gap')}"
        )

    async def _leave(self, screen: asyncio.Task[None]) -> None:
        with at_most(_LEAVE, self._stop.code):
            self._program.exit()
            _, late = await asyncio.wait({screen}, timeout=_LEAVE)
        if late:
            screen.cancel()

    async def _subscribe(self) -> None:
        self._client.subscribe_feed(self._hear_step)
        feed = self._feed
        self._handle = await self._client.subscribe(feed.subscriptions, self.picture.hear, feed.preference)
        self.picture.refuse(self._handle.rejected)
        try:
            self.picture.name(await self._client.markets())
        except FeedError as error:  # the names are an ornament
            self.picture.tell("yellow", f"no names of the markets: {error}")

    def _hear_step(self, event: FeedEvent) -> None:
        self.picture.hear_step(event)
        self._program.hurry()

    def _subscribed(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fail(error)

    def _observe(self, now: float) -> None:
        self.picture.observe(now, self._client.statistics(), self._client.get_health_status())
        if self._handle is not None and self._handle.error is not None:
            self._fail(self._handle.error)

    def _fail(self, error: BaseException) -> None:
        if not self._failed.done():
            self._failed.set_result(error)


@contextmanager
def log_kept_off_the_screen(picture: Picture) -> Iterator[None]:
    """What ``--verbose`` would print over the screen stands among the news instead."""
    logger = logging.getLogger("tapewire")
    before = logger.handlers[:]
    logger.handlers[:] = [_LogAsNews(picture) if _prints_to_terminal(handler) else handler for handler in before]
    try:
        yield
    finally:
        logger.handlers[:] = before


class _LogAsNews(logging.Handler):
    """Puts log lines into the picture."""

    def __init__(self, picture: Picture) -> None:
        super().__init__()
        self._picture = picture

    def emit(self, record: logging.LogRecord) -> None:
        self._picture.tell("dim", self.format(record))


def _prints_to_terminal(handler: logging.Handler) -> bool:
    return isinstance(handler, logging.StreamHandler) and handler.stream.isatty()


def task_factory_kept(loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    """Gives a function that undoes what textual does to the loop (eager tasks, from Python 3.12 on).

    The feed's tasks begin as everywhere else, and uvloop fails on some Pythons with that factory.
    """
    before = loop.get_task_factory()
    return lambda: loop.set_task_factory(before)
