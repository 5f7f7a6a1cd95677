"""How a line tells its listener: in order, not before ``open`` has returned, and whatever the listener raises."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


def report(loop: asyncio.AbstractEventLoop, error: Exception) -> None:
    """Hand what a listener raised to the loop's exception handler."""
    loop.call_exception_handler({"message": "a listener of a line raised; the line goes on", "exception": error})


def hold_reading(transport: asyncio.Transport, holding: bool) -> None:  # noqa: FBT001 - on or off
    """Stop or go on reading, where there is still something to read."""
    if transport.is_closing() or transport.is_reading() is not holding:
        return
    if holding:
        transport.pause_reading()
    else:
        transport.resume_reading()


class Telling:
    """Holds back what came with the handshake (at most what a few reads bring) until ``start``."""

    __slots__ = ("_held", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._held: list[tuple[Callable[..., None], tuple[Any, ...]]] | None = []

    @property
    def holding(self) -> bool:
        """Whether ``start`` has yet to come."""
        return self._held is not None

    def tell(self, callback: Callable[..., None], *values: Any) -> None:
        """Call it, or keep the call for ``start``."""
        if self._held is not None:
            self._held.append((callback, values))
            return
        try:
            callback(*values)
        except Exception as error:
            report(self._loop, error)

    def start(self) -> None:
        """Tell what was held back; from now on nothing is."""
        held, self._held = self._held or (), None
        for callback, values in held:
            self.tell(callback, *values)
