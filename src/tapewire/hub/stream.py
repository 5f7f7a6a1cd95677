"""One subscriber's view of the feed: an async iterator over its mailbox that gives its subscriptions back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

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

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T_co:
        if not self._begun:
            self._begun = True
            await self._begin()
        event: T_co = await self._mailbox.get()
        return event

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
        self._finish()

    def _finish(self) -> None:
        if not self._ended:
            self._ended = True
            self._mailbox.close()
            if self._begun:
                self._end()
