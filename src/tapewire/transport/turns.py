"""Says when all messages of one socket read have been delivered, to those who send on what came with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from weakref import WeakKeyDictionary

Over = Callable[[], object]


class Turns:
    """Of one event loop.

    Attributes:
        reading: messages of a read are being delivered: ``end`` will be called when that is over.
        listeners: called then; none of them may raise.
        end: calls them; the only one itself, as each call more costs a message that comes alone 1 to 3 µs.
    """

    __slots__ = ("__weakref__", "end", "listeners", "reading")

    def __init__(self) -> None:
        self.reading = False
        self.listeners: dict[Over, None] = {}
        self.end: Over = partial(_tell, self.listeners)

    def change(self, over: Over, *, listens: bool) -> None:
        """One more listens, or one less."""
        if listens:
            self.listeners[over] = None
        else:
            self.listeners.pop(over, None)
        self.end = next(iter(self.listeners)) if len(self.listeners) == 1 else partial(_tell, self.listeners)


def _tell(listeners: Iterable[Over]) -> None:
    for over in listeners:
        over()


_TURNS: WeakKeyDictionary[asyncio.AbstractEventLoop, Turns] = WeakKeyDictionary()


def listen(loop: asyncio.AbstractEventLoop, over: Over) -> Turns:
    """Let ``over`` be called after each read of the lines that are opened from now on in ``loop``."""
    turns = _TURNS.setdefault(loop, Turns())
    turns.change(over, listens=True)
    return turns


def leave(loop: asyncio.AbstractEventLoop, over: Over) -> None:
    """Call it no more; without listeners new lines of this loop are plain ones again."""
    turns = _TURNS.get(loop)
    if turns is not None:
        turns.change(over, listens=False)
        if not turns.listeners:
            del _TURNS[loop]


def heard_in(loop: asyncio.AbstractEventLoop) -> Turns | None:
    """Whoever listens in this loop; None: nobody."""
    return _TURNS.get(loop)
