"""The part of the client that feeds sinks: files, message brokers, whatever is installed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from itertools import count
from math import inf
from typing import Any

from tapewire.client.component import Component, Ending
from tapewire.config import MailboxOptions
from tapewire.errors import FeedError
from tapewire.hub.stream import EventStream
from tapewire.model.events import Event
from tapewire.model.status import FeedEvent
from tapewire.model.subscription import StreamPreference, Subscription
from tapewire.sinks.contract import Sink, Written
from tapewire.sinks.registry import sink_of
from tapewire.sinks.runner import RunnerOptions, SinkRunner, State

_numbers = count(1)
#: Events that may wait for a sink; then the oldest go, told as ``Lagged``.
_MAILBOX = MailboxOptions(size=200_000, rule="drop_oldest")
#: A sink that is full makes its mailbox wait, for as long as it likes.
_RUNNER = RunnerOptions(write_timeout=inf, close_timeout=3.0)


class Fed:
    """A sink that a client feeds. Made by ``add_sink``; ends by ``close``, and with its client."""

    def __init__(
        self,
        sink: Sink,
        stream: EventStream[Event | FeedEvent],
        options: RunnerOptions,
        tell: Callable[[FeedError | None], None],
    ) -> None:
        self.sink, self._stream = sink, stream
        self._runner = SinkRunner(sink, options=options, tell=tell)
        self._task = asyncio.create_task(self._runner.run(stream), name="feeding a sink")
        self._task.add_done_callback(_seen)
        self._task.add_done_callback(lambda _task: tell(self.error))
        self._told = False

    @property
    def error(self) -> FeedError | None:
        """What ended it; None: it lives, or was closed."""
        if not self._task.done() or self._task.cancelled():
            return None
        error = self._task.exception()
        return error if isinstance(error, FeedError) else None

    @property
    def state(self) -> State:
        """``degraded`` while it refuses what it will take later (a full disk), ``recording``, at its end ``idle``."""
        return self._runner.state

    def written(self) -> tuple[Written, ...]:
        """What the sink has, one row a target."""
        return self.sink.written()

    async def opened(self) -> None:
        """Wait until the sink is ready. Raises SinkError: it never will be."""
        ready = asyncio.create_task(self._runner.opened.wait(), name="opening a sink")
        try:
            await asyncio.wait({ready, self._task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if not self._runner.opened.is_set():
            await self.close()

    async def ended(self) -> None:
        """Wait until nothing more will be written. Raises what ended it (SinkError, SubscriptionError …)."""
        try:
            await asyncio.shield(self._task)
        except FeedError:
            self._told = True
            raise

    async def close(self) -> None:
        """Take no more; write and flush what was received. Raises what ended it before."""
        await self._stream.aclose()
        await self.ended()

    def at_the_end(self) -> Ending:
        """What ends it with its client."""
        return _WithItsClient(self)

    @property
    def told(self) -> bool:
        """Somebody heard of its error."""
        return self._told


class _WithItsClient:
    def __init__(self, fed: Fed) -> None:
        self._fed = fed

    async def close(self) -> None:
        """Raises what ended the sink, if nobody heard of that before."""
        if not self._fed.told:
            await self._fed.close()

    def close_soon(self) -> None:
        self._closing = asyncio.ensure_future(self._fed.close())
        self._closing.add_done_callback(_seen)


def _seen(task: asyncio.Task[None]) -> None:
    """Whoever wants to know asks ``error``: an error that nobody asks for is no reason for a warning."""
    if not task.cancelled():
        task.exception()


class Sinking:
    """What ``WebSocketClient`` sends elsewhere."""

    _component: Component

    def stream(self, subscriptions: Iterable[Subscription], **how: Any) -> EventStream[Event | FeedEvent]:
        """Of the client's iterators."""
        raise NotImplementedError

    def tell_sink(self, name: str, trouble: FeedError | None) -> None:
        """Have the health of this client tell that a sink refuses what it gets, or (None) takes it again.

        ``add_sink`` does so by itself; whoever runs a ``SinkRunner`` gives it this as ``tell``.

        Args:
            name: which sink, as it is to stand in ``Reason.connection``.
            trouble: what it refused with, or ended with.

        Raises:
            UsageError: no event loop runs, and the client was never used.
        """
        self._component.pool.tell_sink(name, trouble)

    def _tell_own(self, name: str, trouble: FeedError | None) -> None:
        """As ``tell_sink``; of a client that has ended nobody asks for its health."""
        if not self._component.closed:
            self.tell_sink(name, trouble)

    async def add_sink(
        self,
        sink: Sink | str,
        subscriptions: Iterable[Subscription],
        *,
        stream_preference: StreamPreference = "both",
        mailbox: MailboxOptions | None = None,
        runner: RunnerOptions | None = None,
        **options: Any,
    ) -> Fed:
        """Feed a sink with these streams and the feed's own events, until ``close`` of the answer or ``cleanup``.

        A stream that cannot be had is told afterwards: ``error`` and ``ended`` of the answer.

        Args:
            sink: a sink, or the address of a broker (``nats://…``, ``redis://…``, ``amqp://…``, ``kafka://…``).
            subscriptions: what it gets.
            stream_preference: as of a ``subscribe_…`` call.
            mailbox: what waits for a slow sink; by default 200,000 events, then the oldest go (``Lagged``).
            runner: how it is fed; by default in batches of 1,000 (or what the sink likes) or a quarter of a second.
            options: of the sink, when ``sink`` is an address.

        Raises:
            SinkError: it cannot be opened: nobody there, wrong credentials.
            SubscriptionError: these are no subscriptions.
            ConfigError, UnknownName: an option or address that is none.
        """
        made = sink_of(sink)(sink, **options) if isinstance(sink, str) else sink
        how: dict[str, Any] = {"stream_preference": stream_preference, "mailbox": mailbox or _MAILBOX}
        if how["mailbox"].rule != "conflate":
            how["condensing"], how["frames"] = getattr(made, "condensing", None), getattr(made, "frames", None)
            if runner is not None and runner.batch is not None:  # which may be exceeded by half
                how["part"] = max(1, runner.batch // 2)
        stream = self.stream(subscriptions, **how)
        fed = Fed(made, stream, runner or _RUNNER, partial(self._tell_own, f"sink {next(_numbers)}"))
        await fed.opened()
        self._component.servers.append(fed.at_the_end())
        return fed
