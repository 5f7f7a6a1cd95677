"""One subscriber's view of the feed: an async iterator over its mailbox that gives its subscriptions back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

from tapewire.errors import FeedError
from tapewire.hub.mailbox import Mailbox, MailboxStatistics

T_co = TypeVar("T_co", covariant=True)


class EventStream(Generic[T_co]):
    """Iterate with ``async for``. Subscribes when first used; ``aclose`` (or leaving ``async with``) unsubscribes.

    A stream that is dropped without closing gives its subscriptions back when it is collected.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        begin: Callable[[], Awaitable[None]],
        end: Callable[[], None],
    ) -> None:
        self._mailbox = mailbox
        self._begin = begin
        self._end = end
        self._begun = False
        self._ended = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T_co:
        try:
            if not self._begun and not self._ended:
                self._loop = asyncio.get_running_loop()
                await self._begin()  # cut off by a time limit, it begins again with the next call
                self._begun = True
            event: T_co = await self._mailbox.get()
        except FeedError as error:
            if self._ended and not self._begun:  # closed from elsewhere while it began: that is no error
                raise StopAsyncIteration from error
            self._finish()
            raise
        except StopAsyncIteration:
            self._finish()
            raise
        return event

    def take_waiting(self, most: int) -> list[T_co]:
        """What waits already, ``most`` events at most, oldest first: for who takes many at once."""
        return self._mailbox.take_many(most) if self._begun and not self._mailbox.options.interval else []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Unsubscribe and end; what waits in the mailbox can still be iterated."""
        self._finish()

    def statistics(self) -> MailboxStatistics:
        """Waiting, dropped and conflated events of this stream."""
        return self._mailbox.statistics()

    def __del__(self) -> None:
        """The collector may call from any thread, and after the loop has ended."""
        if self._ended:
            return
        if self._loop is None:
            self._finish()
        elif not self._loop.is_closed():
            self._ended = True
            self._loop.call_soon_threadsafe(self._end)

    def _finish(self) -> None:
        if not self._ended:
            self._ended = True
            self._end()
