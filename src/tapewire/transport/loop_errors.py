"""Keeps one wrong report of aiofastnet's away from the loop's exception handler while a TLS line is dialled."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

_Handler = Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object]


class _Guard:
    """The handler in place of ``before`` while ``users`` dials are under way."""

    def __init__(self, before: _Handler | None) -> None:
        self.before, self.users = before, 0

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # aiofastnet 1.2 reports a connection that ends within the TLS handshake with an exception *class*, on which
        # logging itself stumbles. The dial fails with the same cause, so nothing is lost by leaving it out.
        if isinstance(context.get("exception"), type):
            return
        if self.before is None:
            loop.default_exception_handler(context)
        else:
            self.before(loop, context)


_guards: WeakKeyDictionary[asyncio.AbstractEventLoop, _Guard] = WeakKeyDictionary()


@contextlib.contextmanager
def without_false_reports(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Let the loop's handler hear of exceptions only, not of classes. Restores it, unless somebody set another."""
    guard = _guards.get(loop)
    if guard is None or loop.get_exception_handler() is not guard:
        guard = _guards[loop] = _Guard(loop.get_exception_handler())
        loop.set_exception_handler(guard)
    guard.users += 1
    try:
        yield
    finally:
        guard.users -= 1
        if guard.users == 0 and loop.get_exception_handler() is guard:
            loop.set_exception_handler(guard.before)
            _guards.pop(loop, None)
