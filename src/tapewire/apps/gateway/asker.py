"""Questions of local programs to a venue's REST: equal ones are one call, and its answer serves for a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

from tapewire.apps.gateway.problems import Problem
from tapewire.errors import DecodeError, FeedError, HttpFailed, TimedOut

Answer = TypeVar("Answer")
#: Seconds that an answer serves for all who ask the same.
FRESH = 1.0
#: Seconds that somebody waits for an answer, its turn included.
PATIENCE = 15.0
#: Questions that are under way or fresh at most.
_MOST = 500


class Asker:
    """The questions to one venue."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._asked: dict[Hashable, tuple[float, asyncio.Task[Any]]] = {}

    async def ask(
        self, key: Hashable, call: Callable[[], Coroutine[Any, Any, Answer]], *, fresh: float = FRESH
    ) -> Answer:
        """The answer to a question.

        Args:
            key: equal for equal questions.
            call: asks it.
            fresh: seconds that the answer serves.

        Raises:
            Problem: the exchange refused, did not answer, or too much is asked already.
        """
        self._tidy()
        _, task = self._asked.get(key, (0.0, None))
        if task is None:
            if len(self._asked) >= _MOST:
                raise Problem("too_many", retry_after=FRESH)
            task = self._loop.create_task(self._call(call), name="gateway question")
            self._asked[key] = (float("inf"), task)
            task.add_done_callback(lambda done: self._done(key, done, fresh))
        try:
            async with asyncio.timeout(PATIENCE):
                answer: Answer = await asyncio.shield(task)
        except TimeoutError:
            raise Problem("upstream_timeout") from None
        return answer

    def close(self) -> None:
        """Ask nothing more."""
        for _, task in self._asked.values():
            task.cancel()

    async def _call(self, call: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        try:
            return await call()
        except TimedOut:
            raise Problem("upstream_timeout") from None
        except HttpFailed as error:
            raise _problem(error) from None
        except (DecodeError, FeedError) as error:
            raise Problem("upstream", f"the exchange's answer: {type(error).__name__}") from None

    def _done(self, key: Hashable, task: asyncio.Task[Any], fresh: float) -> None:
        failed = task.cancelled() or task.exception() is not None
        if failed:
            self._asked.pop(key, None)
        else:
            self._asked[key] = (self._loop.time() + fresh, task)

    def _tidy(self) -> None:
        now = self._loop.time()
        for key in [key for key, (until, _) in self._asked.items() if until <= now]:
            del self._asked[key]


def _problem(error: HttpFailed) -> Problem:
    if error.status in (400, 404):
        return Problem("not_found" if error.status == 404 else "bad_request", "the exchange has no such thing")
    if error.status in (418, 429):
        return Problem("too_many", "the exchange's limit", retry_after=error.retry_after or 1.0)
    return Problem("upstream")
