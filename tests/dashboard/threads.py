"""An asynchronous context on a thread of its own: the browser's driver blocks the test's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from typing import Any, TypeVar

Value = TypeVar("Value")
PATIENCE = 30.0


@contextmanager
def in_background(context: Callable[[], AbstractAsyncContextManager[Value]]) -> Iterator[Value]:
    """Enter it on a thread's loop, leave it at the end; what either raises is raised here."""
    with loop_of_its_own() as run:
        stack = AsyncExitStack()
        try:
            yield run(stack.enter_async_context(context()))
        finally:
            run(stack.aclose())


@contextmanager
def loop_of_its_own() -> Iterator[Callable[[Coroutine[Any, Any, Value]], Value]]:
    """A loop on a thread; what it gives runs a coroutine there, and answers what that returns."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result(PATIENCE)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()
