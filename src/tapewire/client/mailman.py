"""Carries events from a mailbox to an async callback, in order, one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tapewire.client.handle import Handle
from tapewire.config import MailboxOptions
from tapewire.errors import FeedError
from tapewire.hub.mailbox import Mailbox
from tapewire.runtime.pool import Pool

#: Seconds a closing client lets a callback work off what waits.
FINISH_TIMEOUT = 4.0
#: Seconds more that it has to notice its end.
CANCEL_TIMEOUT = 0.5


class Mailman:
    """One async callback's mailbox and the task that empties it."""

    def __init__(
        self, handle: Handle, callback: Callable[[Any], Awaitable[Any]], options: MailboxOptions, pool: Pool
    ) -> None:
        self._lag = pool.lag_reporter()
        self.mailbox = Mailbox(handle.name, options, on_full=handle.hold, on_drop=self._lag)
        self._handle = handle
        self._callback = callback
        self._pool = pool
        self.task = asyncio.create_task(self._run(), name=f"callback {handle.name}")

    async def finish(self) -> None:
        """Close, work off what waits for at most 4 s, then stop; an event that was not handed over is counted."""
        self.mailbox.close()
        _, late = await asyncio.wait([self.task], timeout=FINISH_TIMEOUT)
        if late:
            self.task.cancel()
            await asyncio.wait([self.task], timeout=CANCEL_TIMEOUT)

    async def _run(self) -> None:
        try:
            while True:
                await self._hand_over(await self.mailbox.get())
        except StopAsyncIteration:
            pass
        except FeedError as error:  # the mailbox's own end (rule "raise"): told, nobody awaits this task
            self._pool.callback_failed(self._handle.name, error, last=True)
            self._handle.end(error)
        finally:
            self._handle.end()  # whoever cancelled this task: nobody empties the mailbox any more
            self.mailbox.abandon()
            self._lag.flush(self.mailbox)

    async def _hand_over(self, event: Any) -> None:
        try:
            await self._callback(event)
        except asyncio.CancelledError as error:
            if self.task.cancelling():
                raise
            self._pool.callback_failed(self._handle.name, error)  # of something that the callback awaited
        except Exception as error:  # a user's callback may raise anything; the feed goes on
            self._pool.callback_failed(self._handle.name, error)
