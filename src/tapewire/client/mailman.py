"""Carries events from a mailbox to an async callback, in order, one at a time."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from typing import Any, Protocol

from tapewire.client.ear import Ear
from tapewire.config import MailboxOptions
from tapewire.errors import FeedError
from tapewire.hub.mailbox import Mailbox
from tapewire.runtime.lag import LagReporter

#: Seconds a closing client lets a callback work off what waits.
FINISH_TIMEOUT = 4.0
#: Seconds more that it has to notice its end.
CANCEL_TIMEOUT = 0.5


class Employer(Protocol):
    """Whose events a mailman carries: it can be ended, and told of a callback that raised."""

    name: str

    def end(self, error: FeedError | None = None) -> None: ...
    def callback_failed(self, error: BaseException, *, last: bool = False) -> None: ...


class Mailman:
    """One async callback's mailbox and the task that empties it, until the mailbox closes or the callback is gone."""

    def __init__(
        self,
        employer: Employer,
        ear: Ear,
        options: MailboxOptions,
        lag: LagReporter,
        on_full: Callable[[bool], None] | None = None,
    ) -> None:
        self.mailbox = Mailbox(employer.name, options, on_full=on_full, on_drop=lag)
        self._lag = lag
        self._employer = employer
        self._find = weakref.ref(ear)  # a task that waits must not keep the client alive
        self.task = asyncio.create_task(self._run(), name=f"callback {employer.name}")

    async def finish(self) -> None:
        """Close, work off what waits for at most 4 s, then stop; an event that was not handed over is counted."""
        self.mailbox.close()
        _, late = await asyncio.wait([self.task], timeout=FINISH_TIMEOUT)
        if late:
            self.task.cancel()
            await asyncio.wait([self.task], timeout=CANCEL_TIMEOUT)

    async def _run(self) -> None:
        try:
            while await self._hand_over(await self.mailbox.get()):
                pass
        except StopAsyncIteration:
            pass
        except FeedError as error:  # the mailbox's own end (rule "raise"): told, nobody awaits this task
            self._employer.callback_failed(error, last=True)
            self._employer.end(error)
        finally:
            self._employer.end()  # whoever cancelled this task: nobody empties the mailbox any more
            self.mailbox.abandon()
            self._lag.flush(self.mailbox)

    async def _hand_over(self, event: Any) -> bool:
        """False when the client is gone, and its callback with it."""
        ear = self._find()
        if ear is None:
            self.mailbox.undelivered()
            return False
        try:
            await ear.callback(event)
        except asyncio.CancelledError as error:
            if self.task.cancelling():
                raise
            self._employer.callback_failed(error)  # of something that the callback awaited
        except Exception as error:  # a user's callback may raise anything; the feed goes on
            self._employer.callback_failed(error)
        return True
