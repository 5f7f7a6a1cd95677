"""A sink whose far end is a message broker: the blocking face of a courier that works on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from tapewire.errors import SinkError
from tapewire.sinks.brokers.courier import Courier
from tapewire.sinks.brokers.letters import Message, Writer
from tapewire.sinks.brokers.link import Link
from tapewire.sinks.brokers.options import BrokerOptions, Figures
from tapewire.sinks.contract import Item, Promise, Written


class BrokerSink:
    """At least once, in order per subject, bounded in memory: what every broker sink promises (docs/brokers.md).

    ``write`` returns when the batch is in memory or in the spool; ``flush`` when the broker has confirmed it, or, while
    the broker is away, when it is in the spool.

    Args:
        make: makes the broker's client, inside the event loop that it will live in.
        where: the broker's address for people.
        options: see ``BrokerOptions``.
    """

    def __init__(self, make: Callable[[], Link], where: str, options: BrokerOptions) -> None:
        self.promise = Promise("at_least_once", "process")
        self.hear: Callable[[Sequence[Message]], None] | None = None
        """Called on the sink's thread with each group of messages that was confirmed."""
        self.where, self.options = where, options
        self._make = make
        self._writer = Writer(
            options.form, options.prefix,
            batch=options.batch, batch_bytes=options.batch_bytes, order_ids=options.order_ids,
        )  # fmt: skip
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._courier: Courier | None = None

    @property
    def figures(self) -> Figures:
        """What it did so far."""
        return Figures() if self._courier is None else self._courier.figures

    def open(self) -> None:
        """Connect. Raises SinkError: nobody is there, we are not let in, or the spool is another's."""
        ready: threading.Event = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name=f"tapewire {self.where}", daemon=True)
        self._thread.start()
        ready.wait()
        try:
            self._call(self._open())
        except BaseException:
            self._stop()
            raise

    def write(self, batch: Sequence[Item]) -> None:
        """Hand the batch over."""
        self._call(self._take(batch))

    def flush(self) -> None:
        """Wait until all of it is confirmed or on disk."""
        self._call(self._opened().settled())

    def close(self) -> None:
        """Wait a little for confirmations, put the rest into the spool. Raises SinkError: something is lost."""
        if self._loop is None:
            return
        try:
            if self._courier is not None:
                self._call(self._courier.close())
        finally:
            self._stop()

    def written(self) -> tuple[Written, ...]:
        """Events and bytes of payload that the broker has confirmed, by subject."""
        return () if self._courier is None else self._courier.written()

    async def _open(self) -> None:
        courier = Courier(self._make(), self.where, self.options, self._confirmed)
        await courier.open()
        self._courier = courier

    async def _take(self, batch: Sequence[Item]) -> None:
        await self._opened().take(self._writer.parts(batch))

    def _confirmed(self, messages: Sequence[Message]) -> None:
        if self.hear is not None:
            self.hear(messages)

    def _opened(self) -> Courier:
        if self._courier is None:
            raise SinkError(self.where, "the sink is not open")
        return self._courier

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        if self._loop is None:
            work.close()
            raise SinkError(self.where, "the sink is not open")
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _run(self, ready: threading.Event) -> None:
        with asyncio.Runner() as runner:
            self._loop = loop = runner.get_loop()
            self._ended = asyncio.Event()
            loop.call_soon(ready.set)
            runner.run(self._ended.wait())

    def _stop(self) -> None:
        loop, self._loop = self._loop, None
        if loop is not None and self._thread is not None:
            loop.call_soon_threadsafe(self._ended.set)
            self._thread.join(5.0)
