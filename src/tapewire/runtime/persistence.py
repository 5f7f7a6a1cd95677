"""Asks REST again and again until it tells what a stream missed, or nobody wants it any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

from tapewire.errors import DecodeError, HttpFailed
from tapewire.runtime.clock import Clock
from tapewire.runtime.observe import log_fields, logger
from tapewire.runtime.rest import Rest, Sign
from tapewire.runtime.turns import Rank

#: Seconds one call may take.
CALL_TIMEOUT = 5.0
#: Calls asked at the same time, over all holes of a pool: so a list of markets never waits behind a hundred of them.
AT_ONCE = 4
#: Seconds after a failed call until the next try, doubled each time up to the second figure.
RETRY_FIRST, RETRY_MOST = 1.0, 60.0
#: Answers in a row that cannot be read, until it is given up.
UNREADABLE_MOST = 8
#: Statuses that no later try mends: a market that is gone, a key that may not ask.
FINAL_STATUSES = frozenset({400, 401, 403, 404})

Read = TypeVar("Read")


class NotWanted(Exception):
    """Nobody waits for the answer any more."""


class Signed(NamedTuple):
    """A call with a key: ``sign`` and ``account`` as of ``Rest.get``.

    ``ready`` is awaited before each try, with what went wrong in the last one.
    """

    sign: Sign
    account: str
    ready: Callable[[HttpFailed | DecodeError | None], Awaitable[None]]


class Persistence:
    """One for each pool. A failure is retried within the limits, for as long as anybody wants the answer."""

    def __init__(self, venue: str, rest: Rest, clock: Clock) -> None:
        self._venue, self._rest, self._clock = venue, rest, clock
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def ask(
        self,
        path: str,
        read: Callable[[bytes], Read],
        wanted: Callable[[], bool],
        signed: Signed | None = None,
    ) -> Read:
        """What ``read`` makes of the answer to one call.

        Args:
            path: with the query.
            read: body → its meaning; raises DecodeError for one that is none, which is asked again, too.
            wanted: asked before each try.
            signed: what shows the key, if it needs one.

        Raises:
            NotWanted: nobody waits any more.
            HttpFailed: a status that no later try mends.
            DecodeError: eight answers in a row could not be read.
        """
        wait, unreadable = RETRY_FIRST, 0
        error: HttpFailed | DecodeError | None = None
        while wanted():
            try:
                return read(await self._try(path, signed, error))
            except HttpFailed as failed:
                if failed.status in FINAL_STATUSES:
                    raise
                error = failed
                pause = max(wait, failed.retry_after or 0.0)
            except DecodeError as unread:
                unreadable += 1
                if unreadable >= UNREADABLE_MOST:
                    raise
                error, pause = unread, wait
            logger.warning(
                "%s: what was missed is asked again in %.0f s: %s",
                self._venue, pause, error, extra=log_fields("recovery_failed", self._venue),
            )  # fmt: skip
            await self.pause(pause)
            wait = min(2 * wait, RETRY_MOST)
        raise NotWanted

    async def _try(self, path: str, signed: Signed | None, last: HttpFailed | DecodeError | None) -> bytes:
        if signed is not None:
            await signed.ready(last)
        sign, account = (None, "") if signed is None else (signed.sign, signed.account)
        async with self._turns:
            return await self._rest.get(path, timeout=CALL_TIMEOUT, rank=Rank.HISTORY, sign=sign, account=account)

    async def pause(self, seconds: float) -> None:
        """Wait so long."""
        await self._clock.until(self._clock.now().t + seconds)
