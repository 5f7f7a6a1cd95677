"""Says when all messages of one socket read have been delivered, to those who send on what came with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from weakref import WeakKeyDictionary

Over = Callable[[], object]


class Turns:
    """Of one event loop.

    Attributes:
        reading: messages of a read are being delivered: ``listeners`` will be called when that is over.
        listeners: called then; none of them may raise.
    """

    __slots__ = ("__weakref__", "listeners", "reading")

    def __init__(self) -> None:
        self.reading = False
        self.listeners: dict[Over, None] = {}

    def end(self) -> None:
        """The read is over."""
        self.reading = False
        for over in self.listeners:
            over()


_TURNS: WeakKeyDictionary[asyncio.AbstractEventLoop, Turns] = WeakKeyDictionary()


def listen(loop: asyncio.AbstractEventLoop, over: Over) -> Turns:
    """Let ``over`` be called after each read of the lines that are opened from now on in ``loop``."""
    turns = _TURNS.setdefault(loop, Turns())
    turns.listeners[over] = None
    return turns


def leave(loop: asyncio.AbstractEventLoop, over: Over) -> None:
    """Call it no more; without listeners new lines of this loop are plain ones again."""
    turns = _TURNS.get(loop)
    if turns is not None:
        turns.listeners.pop(over, None)
        if not turns.listeners:
            del _TURNS[loop]


def heard_in(loop: asyncio.AbstractEventLoop) -> Turns | None:
    """Whoever listens in this loop; None: nobody."""
    return _TURNS.get(loop)
